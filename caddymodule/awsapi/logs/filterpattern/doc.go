// Package filterpattern matches log events by the filter patterns of CloudWatch
// Logs, all three kinds of them:
//
//	ERROR -retry ?timeout ?refused "exact phrase" %Task .* timed out%
//	{ ($.level = "error" && $.code >= 500) || $.tags[0] NOT EXISTS }
//	[ip, user, ..., status = 4* || status = 5*, bytes > 1000]
//
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
package filterpattern
