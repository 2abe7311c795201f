// Package caddymodule is the face of Hearth, and the only package that imports Caddy. It
// has the structs that are the configuration and its manual, the Caddyfile, the handlers
// and the admin endpoint. Package engine runs the functions.
//
//	Caddyfile --> App, Function, Schedule, EventSource, Service ... (JSON)
//	App.Provision --> engine.Settings --> Prepare   reports errors, starts nothing
//	App.Start     --> Apply                         returns undo, which Cleanup calls
//	engines (UsagePool) --> engine.Engine           outlives a reload
//
//	hearth_function       request --> apigateway --> function --> apigateway --> response
//	hearth_api            the same, by the route of an API: package apigateway/gateway
//	hearth_function_urls  the same, by the function URL that the host names
//	hearth_apis           APIs of API Gateway's API, by the ID that the host names, or its domain
//	hearth_websocket      WebSockets of a WebSocket API, and hearth_connections what is sent to
//	                      them: package socket
//	tls.permission.hearth the names that Caddy may get certificates for on demand
//	hearth_receive        request --> push.Source --> stored for functions --> 200
//	hearth_lambda_api     awsapi: AWS's SDKs and tools
//	hearth_console        a web page, and its calls of the above: package console
//	admin.api.hearth      events, nodes, schedules, runtimes: for `caddy hearth`, which is in cli
//
// A reload provisions the new App beside the old one. Both have the same engine if their
// data directory is the same. That keeps environments warm; see package engine.
package caddymodule
