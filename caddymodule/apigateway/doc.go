// Package apigateway turns HTTP requests into the events that API Gateway's
// Lambda proxy integration and function URLs give to a function, and the
// function's responses into HTTP again. It is pure: it reads and writes nothing
// but its arguments, and starts nothing.
//
//	*http.Request, body  --> Route.AppendEvent    --> event, payload format 2.0 or 1.0
//	status, header, body <-- Route.DecodeResponse <-- response payload
//	status, header       <-- Route.DecodePrelude  <-- head of a streamed response
//
// Events are appended to the caller's buffer, without maps or reflection: what
// is the same for each request of a Route is written once, by Prepare. Responses
// are checked in one pass that remembers where the known fields are; then only
// those are decoded.
//
// # Which AWS service it looks like
//
// Format 2.0 follows function URLs where they and HTTP APIs differ: rawPath keeps
// its percent-encoding. A response without statusCode is a body. Format 1.0
// follows REST APIs: nothing is inferred but status 200, and a field that REST
// APIs do not know makes a response malformed. Differences that are deliberate:
//
//   - The path is the one that the client asked for. It never has the stage in
//     front, as with a custom domain name in AWS.
//   - Bodies are base64 by their content type in both formats (see Route), not by
//     the media types that a REST API was configured with; a response with
//     isBase64Encoded is always decoded.
//   - A form (application/x-www-form-urlencoded) is text in both formats; AWS has
//     it in base64 in format 2.0. Name it in BinaryTypes for that.
//   - multiValueHeaders of a response are taken in format 2.0 as well.
//
// X-Forwarded-For, -Proto and -Port are the gateway's own, as in AWS. What an
// untrusted client sent under these names is not passed on.
package apigateway
