// Package gateway is what API Gateway knows of an API, and how it chooses the route of a
// request. It is pure: it starts and reaches nothing.
//
//	Caddyfile, AWS's API --> API --> Check     reports what is wrong
//	API.Routes           --> NewTable          built once
//	method, path         --> Table.Find        the route, chosen by specificity
//	Refusal              --> what a client is told when no function answers
//
// An API is a value: the directive `api` of the Caddyfile and the calls of apigatewayv2 and
// apigateway make the same one. Events and responses are package apigateway's.
package gateway
