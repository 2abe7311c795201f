package stacks

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// passedScript has resources of services that the configuration names.
const passedScript = `
sqs, sns, dynamodb, kinesis = (client(name) for name in ["sqs", "sns", "dynamodb", "kinesis"])
def att(name, attribute): return {"Fn::GetAtt": [name, attribute]}
template = {"Resources": {
    "Role": role,
    "Fn": function("x", Environment={"Variables": {"QUEUE": {"Ref": "Queue"}, "TABLE": {"Ref": "Table"}, "TOPIC": {"Ref": "Topic"}}}),
    "Dead": {"Type": "AWS::SQS::Queue"},
    "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "jobs", "VisibilityTimeout": 60, "RedrivePolicy": {"deadLetterTargetArn": att("Dead", "Arn"), "maxReceiveCount": 3}}},
    "Policy": {"Type": "AWS::SQS::QueuePolicy", "Properties": {"Queues": [{"Ref": "Queue"}], "PolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}]}}},
    "Source": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {"FunctionName": {"Ref": "Fn"}, "EventSourceArn": att("Queue", "Arn"), "BatchSize": "5"}},
    # Without an Input the queue gets AWS's own event.
    "Tick": {"Type": "AWS::Scheduler::Schedule", "Properties": {"ScheduleExpression": time.strftime("at(%Y-%m-%dT%H:%M:%S)", time.gmtime(time.time() + 8)), "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": att("Dead", "Arn"), "RoleArn": "arn:aws:iam::000000000000:role/elsewhere"}}},
    "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "news", "Tags": [{"Key": "a", "Value": "b"}]}},
    "Table": {"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": "things", "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}], "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "ProvisionedThroughput": {"ReadCapacityUnits": "1", "WriteCapacityUnits": 1}, "StreamSpecification": {"StreamViewType": "NEW_IMAGE"}}},
    "Stream": {"Type": "AWS::Kinesis::Stream", "Properties": {"ShardCount": 1}},
}, "Outputs": {"Queue": {"Value": {"Ref": "Queue"}}, "Topic": {"Value": {"Ref": "Topic"}}, "TableStream": {"Value": att("Table", "StreamArn")}, "Stream": {"Value": att("Stream", "Arn")}}}
resources = template["Resources"]
create("passed", template)
settled("passed", "CREATE_COMPLETE")
o = outputs("passed")
assert o["Queue"].startswith(os.environ["AWS_ENDPOINT_URL"] + "/"), o
attributes = sqs.get_queue_attributes(QueueUrl=o["Queue"], AttributeNames=["All"])["Attributes"]
assert attributes["VisibilityTimeout"] == "60" and "maxReceiveCount" in attributes["RedrivePolicy"] and "SendMessage" in attributes["Policy"], attributes
assert ":table/things/stream/" in o["TableStream"] and ":stream/" in o["Stream"] and sns.list_topics()["Topics"] == [{"TopicArn": o["Topic"]}], o
mapping = lam.list_event_source_mappings()["EventSourceMappings"][0]
assert mapping["EventSourceArn"].endswith(":jobs") and mapping["BatchSize"] == 5, mapping
resources["Queue"]["Properties"]["VisibilityTimeout"] = 90
resources["Table"]["Properties"]["ProvisionedThroughput"]["ReadCapacityUnits"] = 2
resources["Source"]["Properties"]["BatchSize"] = 1
del resources["Stream"], template["Outputs"]["Stream"]
update("passed", template)
settled("passed", "UPDATE_COMPLETE")
assert outputs("passed")["Queue"] == o["Queue"] and sqs.get_queue_attributes(QueueUrl=o["Queue"], AttributeNames=["All"])["Attributes"]["VisibilityTimeout"] == "90"
assert dynamodb.describe_table(TableName="things")["Table"]["ProvisionedThroughput"]["ReadCapacityUnits"] == 2 and kinesis.list_streams()["StreamNames"] == []
assert lam.list_event_source_mappings()["EventSourceMappings"][0]["UUID"] == mapping["UUID"]
dead = made("passed")["Dead"]["PhysicalResourceId"]
for _ in range(6):
    messages = sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=5).get("Messages")
    if messages:
        break
event = json.loads(messages[0]["Body"])
assert (event["source"], event["detail-type"], event["detail"]) == ("aws.scheduler", "Scheduled Event", "{}"), event
# The CDK gives every stream a retention and an encryption.
kept = {"Resources": {"Kept": {"Type": "AWS::Kinesis::Stream", "Properties": {"ShardCount": 1, "RetentionPeriodHours": 24, "StreamEncryption": {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}}}}}
create("kept", kept)
settled("kept", "CREATE_COMPLETE")
name = made("kept")["Kept"]["PhysicalResourceId"]
summary = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
assert (summary["RetentionPeriodHours"], summary["EncryptionType"]) == (24, "KMS"), summary
kept["Resources"]["Kept"]["Properties"] = {"ShardCount": 1, "RetentionPeriodHours": "48"}
update("kept", kept)
settled("kept", "UPDATE_COMPLETE")
summary = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
assert (made("kept")["Kept"]["PhysicalResourceId"], summary["RetentionPeriodHours"], summary["EncryptionType"]) == (name, 48, "NONE"), summary
cfn.delete_stack(StackName="kept")
cfn.get_waiter("stack_delete_complete").wait(StackName="kept", WaiterConfig={"Delay": 1})
# An attribute that a type has not is named.
create("wrong", {"Resources": {"P": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x"}}}, "Outputs": {"O": {"Value": att("P", "Invalid")}}})
settled("wrong", "ROLLBACK_COMPLETE")
why = "[Error] /Outputs/O/Value/Fn::GetAtt: Resource type AWS::SSM::Parameter does not support attribute {Invalid}. Rollback requested by user."
assert ("wrong", "ROLLBACK_IN_PROGRESS", why) in told("wrong"), told("wrong")
# A bucket is one of the configured store.
create("bucket", {"Resources": {"B": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "in-the-store", "Tags": [{"Key": "a", "Value": "b"}]}}}})
settled("bucket", "CREATE_COMPLETE")
store = boto3.client("s3", config=once, endpoint_url=os.environ["STORE"], aws_access_key_id="x", aws_secret_access_key="y")
assert store.get_bucket_tagging(Bucket="in-the-store")["TagSet"] == [{"Key": "a", "Value": "b"}]
cfn.delete_stack(StackName="bucket")
cfn.get_waiter("stack_delete_complete").wait(StackName="bucket", WaiterConfig={"Delay": 1})
assert "in-the-store" not in [b["Name"] for b in store.list_buckets()["Buckets"]]
cfn.delete_stack(StackName="passed")
cfn.get_waiter("stack_delete_complete").wait(StackName="passed", WaiterConfig={"Delay": 1})
assert dynamodb.list_tables()["TableNames"] == [] and "QueueUrls" not in sqs.list_queues() and sns.list_topics()["Topics"] == []
`

func TestAStackMakesWhatConfiguredServicesHave(t *testing.T) {
	harness.Parallel(t)
	moto := harness.StartMoto(t)
	var options strings.Builder
	for _, service := range []string{"s3", "sqs", "sns", "dynamodb", "kinesis"} {
		fmt.Fprintf(&options, "%s {\n endpoint %s\n access_key %s %s\n}\n", service, moto.URL, harness.MotoKey, harness.MotoSecret)
	}
	newShell(t, options.String()).python(strings.Replace(passedScript, `os.environ["STORE"]`, fmt.Sprintf("%q", moto.URL), 1))

	s := newShell(t, "")
	s.python(`refused("ValidationError", "this server has no Sqs: set its option sqs", create, name="x", template={"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}})`)
}
