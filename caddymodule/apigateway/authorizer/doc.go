// Package authorizer decides who may call a route of an API, as API Gateway's authorizers do.
//
//	JWT     a token of an OpenID Connect issuer: signature, issuer, audience, times, scopes
//	KeySet  the issuer's public keys, fetched when a token needs them, and kept
//	Lambda  a function that answers with yes or no, or with a policy; its answers are kept
//
// An authorizer returns a Grant, which the event of the request tells the function, or a
// *Denial, which says what the client is told. Whatever goes wrong is a Denial: a failing
// authorizer lets nobody through.
package authorizer
