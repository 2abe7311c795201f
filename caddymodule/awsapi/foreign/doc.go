// Package foreign refuses calls of AWS services that are not served here, in the
// protocol of each, so that a client never takes an empty answer for success.
//
//	request -> Is: is it a call of an AWS service?
//	        -> Of: the service, the operation, the protocol
//	        -> Call.Refuse: an error that the service's own client understands
//
// The package recognises a call by what every AWS client sends: the credential scope of
// the signature names the service; X-Amz-Target, Action= or the path names the
// operation. It does not check the signature, because a refused caller learns nothing
// else.
//
// The protocols are those of https://smithy.io/2.0/aws/protocols/index.html.
package foreign
