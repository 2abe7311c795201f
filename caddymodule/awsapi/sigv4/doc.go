// Package sigv4 verifies requests that are signed by AWS Signature Version 4, in the
// header Authorization or, presigned, in the query.
//
//	Begin   checks without the body: the form, the key, its scope, the time
//	Finish  rebuilds the canonical request, and checks the signature and the body's hash
//
// Between the two the caller reads the body. So only clients with a key's ID and a
// correct clock can make it read much.
//
// The package uses no existing signer, because AWS's signers choose the headers that
// they sign. To sign again and compare would refuse requests of other clients: the Go
// signer never signs User-Agent, and always Content-Length. The tests sign with those
// signers, and with botocore by recorded requests.
//
// Temporary credentials are a Session: the token of a request has its key, encrypted, and
// nothing is kept of it.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
package sigv4
