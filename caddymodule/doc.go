// Package caddymodule is the face of Hearth, and the only package that imports Caddy. It
// has the structs that are the configuration and its manual, the Caddyfile, the handlers
// and the admin endpoint. What runs functions is in package engine.
//
//	Caddyfile --> App, Function, Schedule, EventSource, Service ... (JSON)
//	App.Provision --> engine.Settings --> Prepare   what is wrong is told, nothing starts
//	App.Start     --> Apply                         what it returns is called by Cleanup
//	engines (UsagePool) --> engine.Engine           outlives a reload
//
//	hearth_function       request --> apigateway --> function --> apigateway --> response
//	hearth_function_urls  the same, by the function URL that the host names
//	hearth_receive        request --> push.Source --> kept for functions --> 200
//	hearth_lambda_api     lambdaapi: AWS's SDKs and tools
//	admin.api.hearth      events, nodes, schedules, runtimes: for `caddy hearth`, which is in cli
//
// A reload provisions the new App beside the old one. Both have the same engine if their
// data directory is the same, which is what keeps environments warm; see package engine.
package caddymodule
