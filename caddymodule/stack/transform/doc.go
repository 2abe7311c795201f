// Package transform applies the transforms of CloudFormation that make templates of other templates: SAM
// (AWS::Serverless-2016-10-31) and AWS::LanguageExtensions. It is pure: a document in, a document out.
//
//	document --includes, loops--> document --globals, implicit APIs--> resources of SAM --one by one--> plain resources
//
// Files that AWS::Include names are put in first. Fn::ForEach is expanded then, since it may make resources of SAM. SAM then gives the resources what the section Globals says, and
// makes an API for events that name none. After that each resource becomes plain ones, functions first: their events
// write into the definitions of APIs and the notifications of buckets, which become plain afterwards.
//
// What comes out is what SAM's own translator makes (https://github.com/aws/serverless-application-model), with
// the same logical ids, so that a stack that was deployed to AWS has the same resources here. One part differs: the
// hash at the end of the logical id of a deployment of a REST API, which in SAM depends on the order of keys in memory.
//
// Refused, and named: AWS::Serverless::StateMachine, Connector, GraphQLApi and CapacityProvider,
// DeploymentPreference, applications of the Serverless Application Repository, and macros.
package transform
