// Package sigv4 verifies requests that are signed by AWS Signature Version 4, in the
// header Authorization or, presigned, in the query.
//
//	Begin   what needs no body: the form, the key, its scope, the time
//	Finish  the canonical request, made anew, its signature, and the body's hash
//
// Between the two the caller reads the body: nobody without a key's ID and a clock
// makes it read much.
//
// Why not an existing implementation: AWS's own signers choose themselves which
// headers they sign, so signing again and comparing refuses requests of other
// clients (the Go signer never signs User-Agent, and always Content-Length). They
// are what the tests sign with, and so is botocore, by recorded requests.
//
// There are no sessions here, so a session token is one that was not issued.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
package sigv4
