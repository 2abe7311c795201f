// Package domain keeps custom domain names with their mappings to APIs, which both APIs of API
// Gateway have in common.
//
//	domain/NAME   domain      a Name and its Mappings
//
//	apigateway, apigatewayv2 --> Create, Change, Remove
//	request                  --> Find: the mapping by the host and the longest base path
//	TLS handshake            --> Has: may there be a certificate for this name?
//
// All names are kept in memory and follow the changes of this and other nodes, so a handshake
// or a request for a name that is not there costs no read. While the state cannot be read, what
// is known goes on.
package domain
