// Package caddymodule is the face of Hearth: the only package that imports
// Caddy. It turns Caddy's configuration into functions and routes, and HTTP
// requests into invocations.
//
//	Caddyfile / JSON --> App (the functions of the configuration)
//	                      └─ machinery (UsagePool: outlives a reload)
//	                          └─ warmpool.Pool, logs.Store, sandbox
//	HTTP request     --> FunctionHandler --> apigateway --> warmpool.Group --> apigateway --> response
//
// A reload provisions the new App beside the old one. Both hold the same machinery,
// and the same warmpool.Group for each function that has not changed, so that
// environments stay warm and requests in flight go on.
package caddymodule
