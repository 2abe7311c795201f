// Package awsapi answers calls of AWS services by their public service models. Nothing in it
// is one service's: a service is a table, and a function for each operation.
//
//	request
//	   | find           which service: by the scope of the signature and X-Amz-Target
//	   |                which operation: package model, or the Action of a form
//	   | authorize      package sigv4, before and after the body is read
//	   | Request.Read   package model: does it satisfy the service model?
//	   v
//	Operation           in the service's package
//	   v
//	JSON or XML, or an Exception in the protocol of the service
//
// A request that no service here knows is not answered. Package foreign refuses it by name
// when nothing else answers it.
//
// Lambda and CloudWatch Logs have endpoints of their own, in packages lambda and logs, because
// they stream.
package awsapi
