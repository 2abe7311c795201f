package stacks

import (
	"fmt"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
	"github.com/hearthfn/hearth/tests/objectstore"
)

// newNotified starts a store that posts events, and a server that has functions run for them.
func newNotified(t *testing.T, options string) (*shell, *objectstore.Store) {
	t.Helper()
	a := &harness.API{Server: harness.NewServer(t, "", "")}
	store := objectstore.StartMinIO(t, a.URL("/events/s3"), harness.HookToken)
	a.Configure(fmt.Sprintf("s3 {\n endpoint %s\n access_key minioadmin minioadmin\n notify arn:minio:sqs::HEARTH:webhook\n}\n", store.Endpoint)+options,
		"receive /events/s3 s3 {\n token "+harness.HookToken+"\n notifications\n}\n")
	a.Start()
	a.Connect()
	store.AwaitTarget(t)
	return &shell{a, harness.TempDir(t)}, store
}

// notified is common to scripts whose functions tell of events of buckets in their logs.
const notified = `
telling = """exports.handler = async (event) => console.log("GOT " + JSON.stringify(event));"""
def told_of(name, n):
    "told_of are the first n events that a function had."
    for _ in range(2400):
        try:
            some = [json.loads(e["message"].split("GOT ", 1)[1]) for e in logs.filter_log_events(logGroupName="/aws/lambda/" + name, filterPattern="GOT")["events"]]
        except logs.exceptions.ResourceNotFoundException:
            some = []
        if len(some) >= n:
            break
        time.sleep(0.05)
    assert len(some) == n, (n, some)
    return some
def got(name, n):
    "got are the records of the first n events that a function had, by key."
    some = told_of(name, n)
    assert all(len(e["Records"]) == 1 for e in some), some
    return {e["Records"][0]["s3"]["object"]["key"]: e["Records"][0] for e in some}
def account(): return client("sts").get_caller_identity()["Account"]
def put(bucket, *keys):
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
`

// notificationScript has functions run by the API of S3.
const notificationScript = notified + `
archive = io.BytesIO()
with zipfile.ZipFile(archive, "w") as z:
    z.writestr("index.js", telling)
iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust))
arns = {name: lam.create_function(FunctionName=name, Runtime="nodejs22.x", Handler="index.handler", Role="arn:aws:iam::%s:role/r" % account(), Code={"ZipFile": archive.getvalue()})["FunctionArn"] for name in ["pictures", "removed", "bridged"]}
s3.create_bucket(Bucket="photos")
store = boto3.client("s3", config=once, endpoint_url=STORE, aws_access_key_id="minioadmin", aws_secret_access_key="minioadmin")
mine = {"Id": "mine", "QueueArn": "arn:minio:sqs::HEARTH:webhook", "Events": ["s3:ObjectAccessed:Get"], "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "a b/"}]}}}
store.put_bucket_notification_configuration(Bucket="photos", NotificationConfiguration={"QueueConfigurations": [mine]})
def notify(*configurations, bridge=False, **more):
    given = {"LambdaFunctionConfigurations": list(configurations)}
    if bridge:
        given["EventBridgeConfiguration"] = {}
    return s3.put_bucket_notification_configuration(Bucket="photos", NotificationConfiguration=given, **more)
def no(code, text, *configurations, **more): refused(code, text, lambda: notify(*configurations, **more))
def configuration(name, *events, **rules):
    c = {"LambdaFunctionArn": arns[name], "Events": list(events)}
    if rules:
        c["Filter"] = {"Key": {"FilterRules": [{"Name": n, "Value": v} for n, v in rules.items()]}}
    return c
pictures = configuration("pictures", "s3:ObjectCreated:*", prefix="in+tray/%C3%BC", suffix=".jpg")
removed = dict(configuration("removed", "s3:ObjectRemoved:Delete"), Id="gone")
# S3 refuses these, in these words.
no("InvalidArgument", "Unable to validate the following destination configurations", pictures)
notify(pictures, SkipDestinationValidation=True)
for name in ["pictures", "removed"]:
    lam.add_permission(FunctionName=name, StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com", SourceArn="arn:aws:s3:::photos", SourceAccount=account())
every = configuration("pictures", "s3:ObjectCreated:Put")
no("InvalidArgument", "Configurations overlap", every, configuration("removed", "s3:ObjectCreated:*"))
no("InvalidArgument", "Configuration is ambiguously defined", every, configuration("removed", "s3:ObjectCreated:*", suffix=".jpg"))
no("InvalidArgument", "The event is not supported for notifications", configuration("pictures", "s3:ObjectEaten:*"))
no("InvalidArgument", "filter rule name must be either prefix or suffix", configuration("pictures", "s3:ObjectCreated:*", infix="a"))
no("InvalidArgument", "The ARN is not well formed", {"LambdaFunctionArn": "pictures", "Events": ["s3:ObjectCreated:*"]})
no("InvalidArgument", "Same ID used for multiple configurations", removed, dict(every, Id="gone"))
refused("NoSuchBucket", "", s3.put_bucket_notification_configuration, Bucket="nowhere", NotificationConfiguration={"LambdaFunctionConfigurations": []})
refused("NoSuchBucket", "", s3.get_bucket_notification_configuration, Bucket="nowhere")
no("AccessDenied", "not owned", every, ExpectedBucketOwner="999999999999")
for kind, value in {"QueueConfigurations": [mine], "TopicConfigurations": [{"TopicArn": "arn:aws:sns:us-east-1:000000000000:t", "Events": ["s3:ObjectCreated:*"]}]}.items():
    refused("NotImplemented", kind.rstrip("s") + " of s3 is not supported", s3.put_bucket_notification_configuration, Bucket="photos", NotificationConfiguration={kind: value})
# The store refuses what it does not send, and then nothing is changed.
no("InvalidArgument", "The object store answers", configuration("pictures", "s3:IntelligentTiering"))
had, = s3.get_bucket_notification_configuration(Bucket="photos")["LambdaFunctionConfigurations"]
assert had["Events"] == ["s3:ObjectCreated:*"] and had["Id"] and had["Filter"]["Key"]["FilterRules"][0] == {"Name": "Prefix", "Value": "in+tray/%C3%BC"}, had
notify(pictures, removed, bridge=True)
assert "EventBridgeConfiguration" in s3.get_bucket_notification_configuration(Bucket="photos")
rules = client("events")
rule = rules.put_rule(Name="objects", EventPattern=json.dumps({"source": ["aws.s3"], "detail-type": ["Object Created", "Object Deleted"], "detail": {"bucket": {"name": ["photos"]}, "object": {"key": [{"prefix": "out/"}]}}}))["RuleArn"]
lam.add_permission(FunctionName="bridged", StatementId="rule", Action="lambda:InvokeFunction", Principal="events.amazonaws.com", SourceArn=rule)
assert rules.put_targets(Rule="objects", Targets=[{"Id": "f", "Arn": arns["bridged"]}])["FailedEntryCount"] == 0
listed = {c["LambdaFunctionArn"]: c for c in s3.get_bucket_notification_configuration(Bucket="photos")["LambdaFunctionConfigurations"]}
assert listed[arns["removed"]] == removed, listed
# What the store has of others stays.
queues = store.get_bucket_notification_configuration(Bucket="photos")["QueueConfigurations"]
assert [q for q in queues if q["Id"] == "mine"] == [mine] and len(queues) == 2, queues
put("photos", "in tray/über.jpg", "in tray/über.png", "out/über.jpg", "in tray/unter.jpg")
s3.delete_object(Bucket="photos", Key="out/über.jpg")
s3.copy_object(Bucket="photos", Key="in tray/üben.jpg", CopySource={"Bucket": "photos", "Key": "in tray/unter.jpg"})
s3.get_object(Bucket="photos", Key="in tray/über.png")
records = got("pictures", 2)
assert {key: r["eventName"] for key, r in records.items()} == {"in+tray/%C3%BCber.jpg": "ObjectCreated:Put", "in+tray/%C3%BCben.jpg": "ObjectCreated:Copy"}, records
created, deleted = sorted(told_of("bridged", 2), key=lambda e: e["detail-type"])
assert created["resources"] == ["arn:aws:s3:::photos"] and created["source"] == "aws.s3" and created["account"] == account(), created
assert created["detail-type"] == "Object Created" and created["detail"]["reason"] == "PutObject" and created["detail"]["object"]["key"] == "out/über.jpg" and created["detail"]["object"]["size"] == 1, created
assert deleted["detail-type"] == "Object Deleted" and deleted["detail"]["reason"] == "DeleteObject" and deleted["detail"]["deletion-type"] == "Permanently Deleted", deleted
gone, = got("removed", 1).values()
assert gone["s3"]["configurationId"] == "gone" and gone["eventName"] == "ObjectRemoved:Delete" and gone["s3"]["bucket"]["arn"] == "arn:aws:s3:::photos", gone
assert all(r["s3"]["configurationId"] == listed[arns["pictures"]]["Id"] and r["eventSource"] == "aws:s3" for r in records.values()), records
# The policy is asked again for each event; the other function shows that the event before has come.
lam.remove_permission(FunctionName="pictures", StatementId="s3")
put("photos", "in tray/über.jpg")
s3.delete_object(Bucket="photos", Key="in tray/über.jpg")
got("removed", 2)
got("pictures", 2)
# A role needs the right of S3.
sts = client("sts")
me = sts.get_caller_identity()["Arn"]
iam.create_role(RoleName="caller", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": me}, "Action": "sts:AssumeRole"}]}))
iam.put_role_policy(RoleName="caller", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetBucketNotification", "Resource": "arn:aws:s3:::photos"}]}))
c = sts.assume_role(RoleArn="arn:aws:iam::%s:role/caller" % account(), RoleSessionName="test")["Credentials"]
caller = boto3.client("s3", config=once, endpoint_url=os.environ["AWS_ENDPOINT_URL"], aws_access_key_id=c["AccessKeyId"], aws_secret_access_key=c["SecretAccessKey"], aws_session_token=c["SessionToken"])
assert len(caller.get_bucket_notification_configuration(Bucket="photos")["LambdaFunctionConfigurations"]) == 2
refused("AccessDenied", "s3:PutBucketNotification", caller.put_bucket_notification_configuration, Bucket="photos", NotificationConfiguration={})
# Nothing of ours is left at the store, nor of a bucket that was removed.
notify()
assert "LambdaFunctionConfigurations" not in s3.get_bucket_notification_configuration(Bucket="photos")
assert store.get_bucket_notification_configuration(Bucket="photos")["QueueConfigurations"] == [mine]
notify(removed)
for o in s3.list_objects_v2(Bucket="photos")["Contents"]:
    s3.delete_object(Bucket="photos", Key=o["Key"])
s3.delete_bucket(Bucket="photos")
s3.create_bucket(Bucket="photos")
assert "LambdaFunctionConfigurations" not in s3.get_bucket_notification_configuration(Bucket="photos")
`

func TestFunctionsRunForTheNotificationsOfABucket(t *testing.T) {
	harness.Parallel(t)
	s, store := newNotified(t, "")
	s.python(fmt.Sprintf("STORE = %q\n", store.Endpoint) + notificationScript)
	s.TellsNone(harness.HookToken)
}

// notifyingScript has a bucket of a stack whose events a function gets.
const notifyingScript = notified + `
def att(name, attribute): return {"Fn::GetAtt": [name, attribute]}
resources = {
    "Fn": {"Type": "AWS::Serverless::Function", "Properties": {"FunctionName": "sam", "Runtime": "nodejs22.x", "Handler": "index.handler", "InlineCode": telling,
        "Events": {"Object": {"Type": "S3", "Properties": {"Bucket": {"Ref": "In"}, "Events": "s3:ObjectCreated:*", "Filter": {"S3Key": {"Rules": [{"Name": "suffix", "Value": ".txt"}]}}}}}}},
    "In": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "incoming"}},
    "Out": {"Type": "AWS::S3::Bucket", "DependsOn": "May", "Properties": {"BucketName": "outgoing", "NotificationConfiguration": {"LambdaConfigurations": [{"Event": "s3:ObjectRemoved:*", "Function": att("Fn", "Arn")}]}}},
    "May": {"Type": "AWS::Lambda::Permission", "Properties": {"FunctionName": {"Ref": "Fn"}, "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com", "SourceAccount": {"Ref": "AWS::AccountId"}, "SourceArn": "arn:aws:s3:::outgoing"}},
}
template = {"Transform": "AWS::Serverless-2016-10-31", "Resources": resources}
def deploy(call): return call(StackName="s", TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"])
deploy(cfn.create_stack)
settled("s", "CREATE_COMPLETE")
put("incoming", "a.txt", "a.jpg")
put("outgoing", "b.txt")
s3.delete_object(Bucket="outgoing", Key="b.txt")
assert {key: (r["eventName"], r["s3"]["bucket"]["name"]) for key, r in got("sam", 2).items()} == {"a.txt": ("ObjectCreated:Put", "incoming"), "b.txt": ("ObjectRemoved:Delete", "outgoing")}
# An update changes the filter, and takes a configuration away.
resources["Fn"]["Properties"]["Events"]["Object"]["Properties"]["Filter"]["S3Key"]["Rules"][0]["Value"] = ".jpg"
resources["Out"]["Properties"]["NotificationConfiguration"] = {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
deploy(cfn.update_stack)
settled("s", "UPDATE_COMPLETE")
out = s3.get_bucket_notification_configuration(Bucket="outgoing")
assert out["EventBridgeConfiguration"] == {} and "LambdaFunctionConfigurations" not in out, out
put("outgoing", "c")
s3.delete_object(Bucket="outgoing", Key="c")
put("incoming", "c.txt", "c.jpg")
assert set(got("sam", 3)) == {"a.txt", "b.txt", "c.jpg"}
# A bucket whose function does not allow it fails, as S3 refuses it, and nothing is left.
denied = {"Resources": {"B": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "denied", "NotificationConfiguration": {"LambdaConfigurations": [{"Event": "s3:ObjectCreated:*", "Function": "arn:aws:lambda:us-east-1:%s:function:none" % account()}]}}}}}
create("d", denied)
settled("d", "ROLLBACK_COMPLETE")
assert any("Unable to validate the following destination configurations" in reason for _, _, reason in told("d")), told("d")
refused("404", "", s3.head_bucket, Bucket="denied")
denied["Resources"]["B"]["Properties"]["NotificationConfiguration"] = {"QueueConfigurations": []}
refused("ValidationError", "QueueConfigurations of NotificationConfiguration is not supported", create, name="q", template=denied)
# Functions that osls has for other services would not answer.
token = "arn:aws:lambda:us-east-1:%s:function:files-dev-custom-resource-existing-cup" % account()
create("osls", {"Resources": {"C": {"Type": "Custom::CognitoUserPool", "Properties": {"ServiceToken": token}}}})
settled("osls", "ROLLBACK_COMPLETE")
assert any("answers at port 443" in reason for _, _, reason in told("osls")), told("osls")
# What its function for buckets that are there does, is done.
c = {"ServiceToken": token.replace("existing-cup", "existing-s3"), "FunctionName": "sam", "BucketName": "incoming", "BucketConfigs": [{"Event": "s3:ObjectRemoved:*", "Rules": [{"Prefix": "a/"}, {"Suffix": ".b"}]}]}
existing = {"Resources": {"C": {"Type": "Custom::S3", "Properties": c}}}
def notifies(bucket): return [x for x in s3.get_bucket_notification_configuration(Bucket=bucket).get("LambdaFunctionConfigurations", []) if x["Id"].startswith("sam-")]
def statements(): return {s["Sid"]: s["Condition"]["ArnLike"]["AWS:SourceArn"] for s in json.loads(lam.get_policy(FunctionName="sam")["Policy"])["Statement"] if s["Sid"].startswith("sam-")}
create("existing", existing)
settled("existing", "CREATE_COMPLETE")
one, = notifies("incoming")
assert one["Events"] == ["s3:ObjectRemoved:*"] and {r["Name"]: r["Value"] for r in one["Filter"]["Key"]["FilterRules"]} == {"Prefix": "a/", "Suffix": ".b"}, one
assert statements() == {"sam-incoming": "arn:aws:s3:::incoming"} and any("osls" in reason for _, _, reason in told("existing")), (statements(), told("existing"))
c["BucketConfigs"].append({"Event": "s3:ObjectCreated:Copy", "Rules": [{"Suffix": ".c"}]})
update("existing", existing)
settled("existing", "UPDATE_COMPLETE")
assert len(notifies("incoming")) == 2
c["BucketName"] = "outgoing"
update("existing", existing)
settled("existing", "UPDATE_COMPLETE")
assert notifies("incoming") == [] and len(notifies("outgoing")) == 2 and statements() == {"sam-outgoing": "arn:aws:s3:::outgoing"}, statements()
assert s3.get_bucket_notification_configuration(Bucket="outgoing")["EventBridgeConfiguration"] == {}
cfn.delete_stack(StackName="existing")
cfn.get_waiter("stack_delete_complete").wait(StackName="existing", WaiterConfig={"Delay": 1})
assert notifies("outgoing") == [] and statements() == {}
for bucket in ["incoming", "outgoing"]:
    for o in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
        s3.delete_object(Bucket=bucket, Key=o["Key"])
cfn.delete_stack(StackName="s")
cfn.get_waiter("stack_delete_complete").wait(StackName="s", WaiterConfig={"Delay": 1})
assert s3.list_buckets()["Buckets"] == []
`

func TestAStackHasFunctionsRunForEventsOfItsBuckets(t *testing.T) {
	harness.Parallel(t)
	s, _ := newNotified(t, "")
	s.python(notifyingScript)
	newShell(t, "").python(`
bucket = {"Resources": {"B": {"Type": "AWS::S3::Bucket", "Properties": {"NotificationConfiguration": {"LambdaConfigurations": []}}}}}
refused("ValidationError", "set notify in this server's option s3", create, name="x", template=bucket)
`)
}
