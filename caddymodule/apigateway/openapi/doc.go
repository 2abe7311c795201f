// Package openapi reads the description of an API: an OpenAPI 3 or Swagger 2 document, JSON or
// YAML, whose operations say by x-amazon-apigateway-integration who answers them. It is pure.
//
//	bytes --> read: JSON or YAML, bounded in size and depth
//	      --> Parse: operations with integrations, security and responses
//	      --> apigatewayv2, apigateway: an API;  Caddyfile: openapi FILE
//
// Schemas, examples and the like describe; they are not taken over. An extension of API Gateway
// that is not known is refused by name, because it would be ignored otherwise.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions.html
package openapi
