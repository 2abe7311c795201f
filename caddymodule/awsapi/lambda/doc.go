// Package lambda answers the REST API of AWS Lambda, and with package logs
// what clients need of CloudWatch Logs, so that the aws command, AWS's SDKs and the
// tools built on them work with Hearth by their endpoint URL alone.
//
//	request
//	   | Match        awsapi/model: which operation is it?
//	   | Begin        awsapi/sigv4: whose key is it? (no body read yet)
//	   | read body    within the operation's limit
//	   | Finish       does the signature fit?
//	   | Read         awsapi/model: does it satisfy the service model?
//	   v
//	operation         one file for each kind of resource
//	   |                 registry.Registry   functions, versions, aliases, layers ...
//	   |                 code.Store          archives
//	   |                 Invoker, Queue      from the gateway
//	   v
//	JSON, or an exception in AWS's form and, where it was recorded, in AWS's words
//
// The API refuses by name what it does not support: operations in operations.go, settings
// of a function in settings.go. It accepts nothing that it then ignores.
//
// Clients can read and invoke functions of the Caddyfile, which have the tag
// hearth:defined-in. The API refuses to change them.
//
// https://docs.aws.amazon.com/lambda/latest/api/API_Operations.html
package lambda
