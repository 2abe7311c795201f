// Package foreign refuses calls of AWS services that are not served here, in the
// protocol of each, so that a client never takes an empty answer for success.
//
//	request -> Is: is it a call of AWS's?
//	        -> Of: whose, what, by which protocol
//	        -> Call.Refuse: an error that the service's own client understands
//
// A call is told by what every client of AWS's sends: the credential scope of its
// signature names the service, X-Amz-Target, Action= or the path the operation. The
// signature is not looked at: who is refused learns nothing but that.
//
// The protocols are those of https://smithy.io/2.0/aws/protocols/index.html.
package foreign
