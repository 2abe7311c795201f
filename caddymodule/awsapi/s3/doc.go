// Package s3 answers the part of S3 that deployments need: a place to which tools upload
// templates and code, and from which functions are made. It is no object store for
// applications.
//
//	request
//	   | place          which bucket and key: by the path or by the host's name
//	   | find           which operation: the method, the place and the query
//	   | Verifier.Begin the signature, before anything of the body is read
//	   | admit          parameters and headers that the operation knows; others are refused by name
//	   v
//	operation  <-- body: chunks, signatures and checksums, into a draft on the disk
//	   v
//	XML, a content, or an Error
//
// Package artefact keeps what is uploaded.
//
// If the configuration names an object store, a Passage passes requests on to it instead. Only what
// a bucket notifies of is answered here: the store does not know functions. Package notification
// has that, and the store posts events to this server.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations.html
package s3
