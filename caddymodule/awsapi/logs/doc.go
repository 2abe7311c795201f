// Package logs answers the calls of Amazon CloudWatch Logs that make log groups and
// streams, put events into them, and read what functions have logged, so that commands
// such as `aws logs tail /aws/lambda/NAME --follow` work. A call is a POST with the
// header X-Amz-Target: Logs_20140328.NAME and JSON as its body (AWS's JSON 1.1
// protocol). The caller of this package has checked its signature before.
//
// Log groups are those of package logs: they begin with the first event of a
// function, or with CreateLogGroup. The package refuses by name every operation that is
// not in operations.
//
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/Welcome.html
package logs
