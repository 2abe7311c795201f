// Package lambdaapi answers the REST API of AWS Lambda, and with package logsapi
// what clients need of CloudWatch Logs, so that the aws command, AWS's SDKs and the
// tools built on them work with Hearth by their endpoint URL alone.
//
//	request
//	   | Match        package model: which operation is it?
//	   | Begin        package sigv4: who asks? (no body read yet)
//	   | read body    within the operation's limit
//	   | Finish       was it signed so?
//	   | Read         package model: does it satisfy the service model?
//	   v
//	operation         one file for each kind of resource
//	   |                 registry.Registry   functions, versions, aliases, layers ...
//	   |                 code.Store          archives
//	   |                 Invoker, Queue      what the gateway wires in
//	   v
//	JSON, or an exception in AWS's form and, where it was recorded, in AWS's words
//
// What is not supported is refused by name: operations in operations.go, settings
// of a function in settings.go. Nothing is accepted and ignored.
//
// Functions of the Caddyfile can be read and invoked here, and have the tag
// hearth:defined-in; to change one is refused.
//
// https://docs.aws.amazon.com/lambda/latest/api/API_Operations.html
package lambdaapi
