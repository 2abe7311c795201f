// Package model routes requests to the operations of the AWS Lambda API and checks
// them. It uses one table instead of code for each operation.
//
//	service-2.json --condense--> lambda.json (embedded) --> Model
//	                                                          |
//	request --Match--> Route --Read--> path, query, headers, JSON body
//	                                     -> violations, all of them, in AWS's words
//	                                     -> the operation's own struct, by field name
//
// lambda.json is condensed from AWS's public service model (botocore's
// lambda/2015-03-31/service-2.json, Apache-2.0). To take over a newer one, run
// go generate with that file in LAMBDA_MODEL.
//
// The package ignores members that the model does not know, as AWS does. Names are
// case-sensitive, so "memorysize" is such a member.
//
//go:generate sh -c "go run ./condense < \"$LAMBDA_MODEL\" > lambda.json.new && mv lambda.json.new lambda.json"
package model
