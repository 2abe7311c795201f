// Package vtl runs the mapping templates of REST APIs that answer CORS preflights: the part of
// the Velocity Template Language that Serverless Framework, CDK and SAM generate for them.
//
//	text  #set($x = ...)  #if(...) #elseif(...) #else #end  ## comment
//	$x  ${x}  $!x  "text with $x"  'text'  12  true  [a, b]  ! && || == !=
//	$input.params("x")  $input.params().header.get("x")
//	$context.requestId  $stageVariables.x
//	x.matches("...")  .contains  .equals  .startsWith  .endsWith  .toLowerCase  .isEmpty  ...
//	#set($context.responseOverride.header.NAME = ...)  #set($context.responseOverride.status = ...)
//
// Parse refuses everything else by name, so a template never does half of what it says. There
// are no loops: the time of a template is bounded by its size, and what it makes by maxMade.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
package vtl
