// Package apigatewayv2 answers the API of Amazon API Gateway V2 for HTTP and WebSocket APIs: it keeps APIs
// with their routes, integrations, authorizers, stages and deployments, and gives each stage
// to the data plane as a gateway.API.
//
//	api/ID        api                 an API
//	              route/ID            a Route
//	              response/ROUTE/ID   a RouteResponse of a WebSocket API
//	              integration/ID      an Integration
//	              authorizer/ID       an Authorizer
//	              stage/NAME          a Stage
//	              deployment/ID       a Deployment
//	              snapshot/ID         what a deployment serves
//
// A stage serves the snapshot of its deployment. A stage with AutoDeploy gets a new one with
// each change, in the same transaction. What the data plane cannot do is refused by name when
// it is set, so nothing is kept and then ignored.
//
// Documents are the structs of AWS's own answers. An update reads the request into the
// document, which changes the members that it gives.
//
// https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/api-reference.html
package apigatewayv2
