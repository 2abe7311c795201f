// Package model routes requests to the operations of the AWS Lambda API and checks
// them, by one table instead of by hand for each operation.
//
//	service-2.json --condense--> lambda.json (embedded) --> Model
//	                                                          |
//	request --Match--> Route --Read--> path, query, headers, JSON body
//	                                     -> violations, all of them, in AWS's words
//	                                     -> the operation's own struct, by field name
//
// lambda.json is condensed from AWS's public service model (botocore's
// lambda/2015-03-31/service-2.json, Apache-2.0). A newer one is taken over by
// go generate with that file in LAMBDA_MODEL.
//
// Members that the model does not know are ignored, as AWS ignores them;
// "memorysize" is one, for names have their letter case.
//
//go:generate sh -c "go run ./condense < \"$LAMBDA_MODEL\" > lambda.json.new && mv lambda.json.new lambda.json"
package model
