// Package logsapi answers the calls of Amazon CloudWatch Logs that make log groups and
// streams, put events into them, and read what functions have logged, so that `aws logs tail /aws/lambda/NAME --follow` and its
// like work. A call is a POST with the header X-Amz-Target: Logs_20140328.NAME and
// JSON as its body (AWS's JSON 1.1 protocol). Whoever serves it has checked its
// signature before.
//
// Log groups are those of package logs: they begin with the first event of a
// function, or with CreateLogGroup. What is not in operations is refused by name.
//
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/Welcome.html
package logsapi
