// Package services reaches what speaks the APIs of AWS's services: S3, SQS, SNS, Kinesis
// and DynamoDB, at AWS or elsewhere, and the Lambda API of another server. The engine
// sends records to destinations by it, pollers read their sources, and the Lambda API
// fetches code.
//
//	Config --> New --> Services ├─ Send: an SQS queue, an SNS topic, a bucket, a URL
//	                            ├─ SQS, Kinesis, DynamoDB, S3: a client for a mapping
//	                            ├─ Bucket: where code comes from
//	                            └─ Gateway: the server that has the functions
//
// Nothing here outlives a call: there are no goroutines and nothing to close.
package services
