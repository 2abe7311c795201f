// Package vtl runs the mapping templates of REST APIs: the part of the Velocity Template Language
// that Serverless Framework, CDK and SAM generate for CORS preflights and for functions, and what most
// templates that people write for functions have.
//
//	text  #set($x = ...)  #if(...) #elseif(...) #else #end  #define($x) #end  ## comment
//	$x  ${x}  $!x  $x[0]  $x['a']  "text with $x"  'text'  12  true  [a, b]  ! && || == != < <= > >=
//	$input.params("x")  $input.params().header.get("x")  $input.params().header.keySet()
//	$context.requestId  $context.authorizer.x  $context.identity  $stageVariables.x
//	$input.body  $input.json("$.a")  $input.path("$.a[0]").b  #foreach($x in ...) #end  $foreach.hasNext
//	$util.escapeJavaScript(x)  .urlEncode  .urlDecode  .base64Encode  .base64Decode  .parseJson
//	x.matches("...")  .contains  .equals  .startsWith  .endsWith  .toLowerCase  .isEmpty  .split  .replaceAll  ...
//	#set($context.responseOverride.header.NAME = ...)  #set($context.responseOverride.status = ...)
//
// Parse refuses everything else by name, so a template never does half of what it says. What a
// template makes, and how often its loops run, is bounded by maxMade.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
package vtl
