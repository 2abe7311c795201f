// Package apigatewayv1 answers the API of Amazon API Gateway for REST APIs: it keeps APIs with
// their resources, methods, integrations, stages and deployments, and gives each stage to the
// data plane as a gateway.API.
//
//	api/ID        restapi             a RestAPI
//	              resource/ID         a Resource with its methods and their integrations
//	              authorizer/ID       an Authorizer
//	              stage/NAME          a Stage
//	              deployment/ID       a Deployment
//	              snapshot/ID         the resources that a deployment serves
//	account       apigateway          the Account
//
// The owners are those of package apigatewayv2, so an ID is of one API, and what follows changes
// of APIs follows both kinds. What the data plane cannot do is refused by name when it is set,
// so nothing is kept and then ignored.
//
// Documents are the structs of AWS's own answers. An update is a list of patch operations, each
// of which a table of paths knows.
//
// https://docs.aws.amazon.com/apigateway/latest/api/API_Operations.html
package apigatewayv1
