// Package apigateway turns HTTP requests into the events that API Gateway's
// Lambda proxy integration and function URLs give to a function, and turns the
// function's responses into HTTP. It is pure: it reads and writes only its
// arguments, and starts nothing.
//
//	*http.Request, body  --> Route.AppendEvent    --> event, payload format 2.0 or 1.0
//	status, header, body <-- Route.DecodeResponse <-- response payload
//	status, header       <-- Route.DecodePrelude  <-- head of a streamed response
//
// The package appends events to the caller's buffer, without maps or reflection.
// Prepare writes the parts that are the same for each request of a Route once. One
// pass checks a response and remembers where the known fields are; then only those
// are decoded.
//
// # Which AWS service it follows
//
// If function URLs and HTTP APIs differ, format 2.0 follows function URLs: rawPath
// keeps its percent-encoding. A response without statusCode is a body. Format 1.0
// follows REST APIs: it infers only status 200, and a field that REST APIs do not
// know makes a response malformed. These differences are deliberate:
//
//   - The path is the one that the client asked for. It never has the stage in
//     front; this is as with a custom domain name in AWS.
//   - The content type decides whether a body is base64, in both formats (see Route),
//     and not the media types of a REST API's configuration. A response with
//     isBase64Encoded is always decoded.
//   - A form (application/x-www-form-urlencoded) is text in both formats; AWS has
//     it in base64 in format 2.0. Name it in BinaryTypes for that.
//   - Format 2.0 also accepts multiValueHeaders of a response.
//
// X-Forwarded-For, -Proto and -Port are the gateway's own, as in AWS. The event does
// not have what an untrusted client sent under these names.
package apigateway
