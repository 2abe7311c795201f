// Package passage passes calls of data services on to the services of the configuration: SQS,
// SNS, DynamoDB and Kinesis.
//
//	request ── sigv4      signed by a key that is known here
//	        ── access     may the role do that? of what the request says once it is read
//	        ── again      written anew from what was read, and signed by the configured key
//	        -> the service's answer, as it is
//
// What is passed on is what was evaluated: a body is read, and encoded again, so that no member
// that is there twice means one thing here and another there.
package passage
