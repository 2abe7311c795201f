// Package cloudwatch answers the part of Amazon CloudWatch that is about metrics.
//
//	Metrics    which metrics there are; their values are series of package timeseries
//	service    ListMetrics, GetMetricData with metric math, GetMetricStatistics, PutMetricData
//	gather     adds what the other nodes of a cluster have; Metrics.Answer tells them what this one has
//	Evaluate   gives alarms their states; those that change go to functions and SNS topics
//
// Alarms are documents of one owner:
//
//	cloudwatch   alarm/NAME   an alarm with its tags and the changes of its state
//
// Invocations, Errors and Throttles of AWS/Lambda are not stored: they come of how many values
// Duration has (view). So do Count and the errors of AWS/ApiGateway, of Latency.
//
// The service speaks all three protocols of AWS's: SDKs of today choose RPC v2 with CBOR, older
// ones JSON or the query protocol.
//
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/Welcome.html
package cloudwatch
