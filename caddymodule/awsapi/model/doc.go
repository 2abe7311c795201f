// Package model routes requests to the operations of an AWS service and checks them. It
// uses one table for each service instead of code for each operation.
//
//	service-2.json --condense--> SERVICE.json (the service's package embeds it) --> Model
//	                                                          |
//	request --Match--> Route --Read--> path, query, headers, JSON body
//	                                     -> violations, all of them, in AWS's words
//	                                     -> the operation's own struct, by field name
//
// A table is condensed from AWS's public service model (botocore's
// SERVICE/VERSION/service-2.json, Apache-2.0). The package of the service says how to take
// over a newer one.
//
// The package ignores members that the model does not know, as AWS does. Names are
// case-sensitive, so "memorysize" is such a member.
package model
