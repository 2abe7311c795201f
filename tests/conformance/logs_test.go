package conformance

import (
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	logs "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

const groupARN = "arn:aws:logs:" + region + ":" + account + ":log-group:/ours/made"

func logsRows() []row {
	group, none, stream := aws.String("/ours/made"), aws.String("/ours/none"), aws.String("left")
	now := time.Now().UnixMilli()
	event := func(at int64, text string) types.InputLogEvent {
		return types.InputLogEvent{Timestamp: &at, Message: &text}
	}
	put := func(events ...types.InputLogEvent) *logs.PutLogEventsInput {
		return &logs.PutLogEventsInput{LogGroupName: group, LogStreamName: stream, LogEvents: events}
	}
	filter := func(to string) *logs.PutSubscriptionFilterInput {
		return &logs.PutSubscriptionFilterInput{LogGroupName: group, FilterName: aws.String("x"), FilterPattern: aws.String(""), DestinationArn: &to}
	}
	const (
		bad     = "InvalidParameterException"
		missing = "ResourceNotFoundException"
		there   = "ResourceAlreadyExistsException"
		noGroup = "The specified log group does not exist."
	)
	return []row{
		{&logs.PutRetentionPolicyInput{LogGroupName: group, RetentionInDays: aws.Int32(7)}, 400, missing, noGroup, nil},
		{&logs.CreateLogGroupInput{LogGroupName: aws.String("a b")}, 400, bad, "at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern", nil},
		{&logs.CreateLogGroupInput{LogGroupName: group, KmsKeyId: aws.String("k")}, 400, bad, "kmsKeyId is not supported", nil},
		{&logs.CreateLogGroupInput{LogGroupName: group, LogGroupClass: types.LogGroupClassInfrequentAccess}, 400, bad, "INFREQUENT_ACCESS is not supported", nil},
		{&logs.CreateLogGroupInput{LogGroupName: group, Tags: map[string]string{"team": "blue"}}, 200, "", "", nil},
		{&logs.CreateLogGroupInput{LogGroupName: group}, 400, there, "The specified log group already exists", nil},
		{&logs.PutRetentionPolicyInput{LogGroupName: group, RetentionInDays: aws.Int32(8)}, 400, bad, "Member must satisfy enum value set", nil},
		{&logs.PutRetentionPolicyInput{LogGroupName: group, RetentionInDays: aws.Int32(7)}, 200, "", "", nil}, // before the first event
		{&logs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String("/ours/")}, 200, "", "", fields{
			"logGroups.0.logGroupName": `"/ours/made"`, "logGroups.0.retentionInDays": "7", "logGroups.0.creationTime": present, "logGroups.0.storedBytes": "0",
			"logGroups.0.arn": `"` + groupARN + `:*"`, "logGroups.0.logGroupArn": `"` + groupARN + `"`, "logGroups.0.logGroupClass": `"STANDARD"`, "nextToken": absent,
		}},
		{&logs.DeleteRetentionPolicyInput{LogGroupName: group}, 200, "", "", nil},
		{&logs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String("/ours/")}, 200, "", "", fields{"logGroups.0.retentionInDays": absent}},

		{&logs.ListTagsForResourceInput{ResourceArn: aws.String(groupARN)}, 200, "", "", fields{"tags": `{"team":"blue"}`}},
		{&logs.TagResourceInput{ResourceArn: aws.String(groupARN), Tags: map[string]string{"stage": "test"}}, 200, "", "", nil},
		{&logs.UntagResourceInput{ResourceArn: aws.String(groupARN), TagKeys: []string{"team"}}, 200, "", "", nil},
		{&logs.ListTagsForResourceInput{ResourceArn: aws.String(groupARN + ":*")}, 200, "", "", fields{"tags": `{"stage":"test"}`}},
		{&logs.ListTagsForResourceInput{ResourceArn: aws.String(groupARN + "x")}, 400, missing, noGroup, nil},
		{&logs.TagLogGroupInput{LogGroupName: group, Tags: map[string]string{"old": "way"}}, 200, "", "", nil},
		{&logs.UntagLogGroupInput{LogGroupName: group, Tags: []string{"stage"}}, 200, "", "", nil},
		{&logs.ListTagsLogGroupInput{LogGroupName: group}, 200, "", "", fields{"tags": `{"old":"way"}`}},

		{&logs.CreateLogStreamInput{LogGroupName: none, LogStreamName: stream}, 400, missing, noGroup, nil},
		{&logs.CreateLogStreamInput{LogGroupName: group, LogStreamName: aws.String("a:b")}, 400, bad, "at 'logStreamName' failed to satisfy constraint", nil},
		{put(event(now, "early")), 400, missing, "The specified log stream does not exist.", nil},
		{&logs.CreateLogStreamInput{LogGroupName: group, LogStreamName: stream}, 200, "", "", nil},
		{&logs.CreateLogStreamInput{LogGroupName: group, LogStreamName: stream}, 400, there, "The specified log stream already exists", nil},
		{&logs.DescribeLogStreamsInput{LogGroupName: group}, 200, "", "", fields{
			"logStreams.0.logStreamName": `"left"`, "logStreams.0.creationTime": present, "logStreams.0.firstEventTimestamp": absent, "logStreams.0.lastEventTimestamp": absent,
			"logStreams.0.arn": `"` + groupARN + `:log-stream:left"`, "logStreams.1": absent,
		}},
		{put(event(now, "one"), event(now, "two\nlines")), 200, "", "", fields{"nextSequenceToken": present, "rejectedLogEventsInfo": absent}},
		{&logs.PutLogEventsInput{LogGroupName: group, LogStreamName: stream, LogEvents: []types.InputLogEvent{event(now, "three")}, SequenceToken: aws.String("any")}, 200, "", "", nil},
		{put(event(now, "b"), event(now-1, "a")), 400, bad, "must be in chronological order", nil},
		{put(event(now-30*3600_000, "a"), event(now, "b")), 400, bad, "cannot span more than 24 hours", nil},
		{put(event(now, "")), 400, bad, "at 'logEvents.1.member.message' failed to satisfy constraint", nil},
		{put(event(now, strings.Repeat("x", 1<<20))), 400, bad, "Log event too large", nil},
		{put(event(now-15*24*3600_000, "of old")), 200, "", "", fields{"rejectedLogEventsInfo.tooOldLogEventEndIndex": "1"}},
		{put(event(now, "four"), event(now+3*3600_000, "to come")), 200, "", "", fields{"rejectedLogEventsInfo.tooNewLogEventStartIndex": "1"}},
		{&logs.GetLogEventsInput{LogGroupName: group, LogStreamName: stream, StartFromHead: aws.Bool(true)}, 200, "", "", fields{
			"events.0.message": `"one"`, "events.1.message": `"two\nlines"`, "events.2.message": `"three"`, "events.3.message": `"four"`, "events.4": absent, "nextForwardToken": present,
		}},
		{&logs.FilterLogEventsInput{LogGroupName: group, FilterPattern: aws.String("two")}, 200, "", "", fields{"events.0.message": `"two\nlines"`, "events.0.logStreamName": `"left"`, "events.1": absent}},
		{&logs.DescribeLogStreamsInput{LogGroupName: group}, 200, "", "", fields{"logStreams.0.firstEventTimestamp": present, "logStreams.0.lastIngestionTime": present}},

		{&logs.StartQueryInput{LogGroupName: group, QueryString: aws.String("fields @message | shout"), StartTime: aws.Int64(0), EndTime: aws.Int64(1)}, 400, "MalformedQueryException", "shout", nil},
		{&logs.StartQueryInput{LogGroupName: none, QueryString: aws.String("fields @message"), StartTime: aws.Int64(0), EndTime: aws.Int64(1)}, 400, missing, "", nil},
		{&logs.StartQueryInput{LogGroupName: group, QueryString: aws.String("fields @message"), StartTime: aws.Int64(0), EndTime: aws.Int64(1)}, 200, "", "", fields{"queryId": present}},
		{&logs.DescribeQueriesInput{LogGroupName: group}, 200, "", "", fields{"queries.0.queryString": present}},
		{&logs.GetQueryResultsInput{QueryId: aws.String("00000000-0000-0000-0000-000000000000")}, 400, missing, "", nil},
		{&logs.StopQueryInput{QueryId: aws.String("00000000-0000-0000-0000-000000000000")}, 400, missing, "", nil},
		{&logs.GetLogRecordInput{LogRecordPointer: aws.String("x")}, 400, "InvalidParameterException", "@ptr", nil},
		{&logs.GetLogGroupFieldsInput{LogGroupName: group}, 200, "", "", fields{"logGroupFields": present}},
		{&logs.GetLogGroupFieldsInput{LogGroupName: none}, 400, missing, noGroup, nil},

		{&logs.DescribeSubscriptionFiltersInput{LogGroupName: group}, 200, "", "", fields{"subscriptionFilters": "[]"}},
		{&logs.DescribeSubscriptionFiltersInput{LogGroupName: none}, 400, missing, noGroup, nil},
		{filter("arn:aws:kinesis:us-east-1:000000000000:stream/x"), 400, "InvalidParameterException", "logs are sent to functions here", nil},
		{filter("arn:aws:lambda:us-east-1:000000000000:function:none"), 400, "InvalidParameterException", "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission", nil},
		{&logs.DeleteSubscriptionFilterInput{LogGroupName: group, FilterName: aws.String("x")}, 400, missing, "The specified subscription filter does not exist.", nil},
		{&logs.StartLiveTailInput{LogGroupIdentifiers: []string{groupARN + "x"}}, 400, missing, noGroup, nil},

		{&logs.DeleteLogStreamInput{LogGroupName: group, LogStreamName: aws.String("other")}, 400, missing, "The specified log stream does not exist.", nil},
		{&logs.DeleteLogStreamInput{LogGroupName: group, LogStreamName: stream}, 200, "", "", nil},
		{&logs.GetLogEventsInput{LogGroupName: group, LogStreamName: stream}, 400, missing, "The specified log stream does not exist.", nil},
		{&logs.CreateLogStreamInput{LogGroupName: group, LogStreamName: stream}, 200, "", "", nil},
		{&logs.GetLogEventsInput{LogGroupName: group, LogStreamName: stream}, 200, "", "", fields{"events": "[]"}},
		{&logs.DeleteLogGroupInput{LogGroupName: group}, 200, "", "", nil},
		{&logs.DeleteLogGroupInput{LogGroupName: group}, 400, missing, noGroup, nil},
		{&logs.DescribeLogGroupsInput{}, 200, "", "", fields{"logGroups": "[]"}},
	}
}
