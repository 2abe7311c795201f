package stacks

import (
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// samManaged is the stack that sam deploy --resolve-s3 makes for its uploads, as its sources have it.
const samManaged = `
def joined(end): return {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":s3:::", {"Ref": "SamCliSourceBucket"}, end]]}
managed = {"AWSTemplateFormatVersion": "2010-09-09", "Transform": "AWS::Serverless-2016-10-31", "Metadata": {"SamCliInfo": {"version": "1.170.0", "installationId": "unknown"}},
    "Resources": {
        "SamCliSourceBucket": {"Type": "AWS::S3::Bucket", "Properties": {
            "PublicAccessBlockConfiguration": {"BlockPublicPolicy": "true", "BlockPublicAcls": "true", "IgnorePublicAcls": "true", "RestrictPublicBuckets": "true"},
            "BucketEncryption": {"ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]},
            "VersioningConfiguration": {"Status": "Enabled"}, "Tags": [{"Key": "ManagedStackSource", "Value": "AwsSamCli"}]}},
        "SamCliSourceBucketBucketPolicy": {"Type": "AWS::S3::BucketPolicy", "Properties": {"Bucket": {"Ref": "SamCliSourceBucket"}, "PolicyDocument": {"Statement": [
            {"Action": ["s3:GetObject"], "Effect": "Allow", "Resource": joined("/*"), "Principal": {"Service": "serverlessrepo.amazonaws.com"}, "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}},
            {"Action": ["s3:*"], "Effect": "Deny", "Resource": [joined(""), joined("/*")], "Principal": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}}}},
    "Outputs": {"SourceBucket": {"Value": {"Ref": "SamCliSourceBucket"}}}}
`

// samScript calls what the SAM CLI calls, in its order, for deploy, deploy again, sync --code, logs
// and delete. The CLI itself is written in Python and on PyPI alone, which the tests do not reach.
const samScript = `
import hashlib
from boto3.s3.transfer import TransferConfig
from s3transfer.manager import TransferManager

# resolve-s3
refused("ValidationError", "Stack with id aws-sam-cli-managed-default does not exist", cfn.describe_stacks, StackName="aws-sam-cli-managed-default")
made_by = cfn.create_change_set(StackName="aws-sam-cli-managed-default", TemplateBody=json.dumps(managed), Tags=[{"Key": "ManagedStackSource", "Value": "AwsSamCli"}],
    ChangeSetType="CREATE", ChangeSetName="InitialCreation", Capabilities=["CAPABILITY_IAM"], Parameters=[])
cfn.get_waiter("change_set_create_complete").wait(ChangeSetName="InitialCreation", StackName="aws-sam-cli-managed-default", WaiterConfig={"Delay": 1})
cfn.execute_change_set(ChangeSetName="InitialCreation", StackName="aws-sam-cli-managed-default")
cfn.get_waiter("stack_create_complete").wait(StackName=made_by["StackId"], WaiterConfig={"Delay": 1})
described = stack("aws-sam-cli-managed-default")
assert described["Tags"] == [{"Key": "ManagedStackSource", "Value": "AwsSamCli"}], described
bucket = outputs("aws-sam-cli-managed-default")["SourceBucket"]

uploads = TransferManager(s3, TransferConfig())
def upload(body, extension=""):
    key = "shop/" + hashlib.md5(body).hexdigest() + extension
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "404", error.response
        uploads.upload(io.BytesIO(body), bucket, key, {"ServerSideEncryption": "AES256", "Metadata": {"by": "sam"}}).result()
    return key

def archive(text):
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as f:
        f.writestr(zipfile.ZipInfo("index.mjs"), "export const handler = async () => { console.log('called'); return { statusCode: 200, body: '%s' } }" % text)
    return body.getvalue()

def template(text):
    return json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Transform": "AWS::Serverless-2016-10-31", "Resources": {"Shop": {"Type": "AWS::Serverless::Function",
        "Properties": {"Runtime": "nodejs22.x", "Handler": "index.handler", "CodeUri": "s3://%s/%s" % (bucket, upload(archive(text))), "AutoPublishAlias": "live", "FunctionUrlConfig": {"AuthType": "NONE"}},
        "Metadata": {"SamResourceId": "Shop"}}}, "Outputs": {"Url": {"Value": {"Fn::GetAtt": ["ShopUrl", "FunctionUrl"]}}}}).encode()

def deploy(text, kind):
    body = template(text)
    try: # has_stack
        exists = stack("shop")["StackStatus"] != "REVIEW_IN_PROGRESS"
    except ClientError as error:
        assert "Stack with id shop does not exist" in str(error), error
        exists = False
    assert exists == (kind == "UPDATE")
    if exists:
        assert cfn.get_template_summary(StackName="shop")["Parameters"] == []
    name = "samcli-deploy%d" % time.time_ns()
    changes = cfn.create_change_set(ChangeSetName=name, StackName="shop", ChangeSetType=kind, Parameters=[], Description="Created by SAM CLI", Tags=[{"Key": "team", "Value": "a"}],
        TemplateURL="%s/%s/%s" % (s3.meta.endpoint_url, bucket, upload(body, ".template")), Capabilities=["CAPABILITY_IAM"])
    try:
        cfn.get_waiter("change_set_create_complete").wait(ChangeSetName=changes["Id"], StackName="shop", WaiterConfig={"Delay": 0.5})
    except WaiterError as error:
        assert "The submitted information didn't contain changes." in error.last_response["StatusReason"] or "No updates are to be performed" in error.last_response["StatusReason"], error.last_response
        cfn.delete_change_set(ChangeSetName=changes["Id"], StackName="shop")
        return None
    planned = [c["ResourceChange"] for page in cfn.get_paginator("describe_change_set").paginate(ChangeSetName=changes["Id"], StackName="shop") for c in page["Changes"]]
    # Events are followed from the last one before the execution. Of a new stack there is one already.
    marker = cfn.describe_stack_events(StackName="shop")["StackEvents"][0]["Timestamp"]
    cfn.execute_change_set(ChangeSetName=changes["Id"], StackName="shop", DisableRollback=False)
    seen, ended = set(), False
    for _ in range(600):
        for page in cfn.get_paginator("describe_stack_events").paginate(StackName="shop"):
            for e in page["StackEvents"]:
                if e["Timestamp"] > marker:
                    seen.add((e["LogicalResourceId"], e["ResourceStatus"]))
                    ended = ended or e["ResourceType"] == "AWS::CloudFormation::Stack" and e["StackName"] == e["LogicalResourceId"] and e["PhysicalResourceId"] == e["StackId"] and "IN_PROGRESS" not in e["ResourceStatus"]
        if ended:
            break
        time.sleep(0.1)
    cfn.get_waiter("stack_%s_complete" % kind.lower()).wait(StackName="shop", WaiterConfig={"Delay": 1})
    assert get(outputs("shop")["Url"]) == (200, text)
    assert ("Shop", kind + "_COMPLETE") in seen, seen
    return planned

assert {c["Action"] for c in deploy("one", "CREATE")} == {"Add"}
assert deploy("one", "UPDATE") is None
changed = {c["LogicalResourceId"]: c["Action"] for c in deploy("two", "UPDATE")}
assert changed["Shop"] == "Modify" and "Add" in changed.values(), changed

# sync --code: the stack stays as it is.
function = made("shop")["Shop"]["PhysicalResourceId"]
lam.update_function_code(FunctionName=function, ZipFile=archive("three"))
lam.get_waiter("function_updated_v2").wait(FunctionName=function, WaiterConfig={"Delay": 1})
version = lam.publish_version(FunctionName=function)["Version"]
lam.update_alias(FunctionName=function, Name="live", FunctionVersion=version)
assert get(outputs("shop")["Url"]) == (200, "three")
# logs
for _ in range(100):
    if logs.filter_log_events(logGroupName="/aws/lambda/" + function, filterPattern="called")["events"]:
        break
    time.sleep(0.1)
else:
    raise AssertionError("nothing is logged")
# delete
processed = cfn.get_template(StackName="shop", TemplateStage="Original")["TemplateBody"]
assert "AWS::Serverless::Function" in str(processed)
assert all(c["ExecutionStatus"] == "EXECUTE_COMPLETE" for c in cfn.list_change_sets(StackName="shop")["Summaries"])
for listed in s3.list_objects_v2(Bucket=bucket, Prefix="shop/")["Contents"]:
    s3.delete_object(Bucket=bucket, Key=listed["Key"])
cfn.delete_stack(StackName="shop")
cfn.get_waiter("stack_delete_complete").wait(StackName="shop", WaiterConfig={"Delay": 1})
assert lam.list_functions()["Functions"] == []
`

func TestTheCallsOfTheSAMCommandAreAnswered(t *testing.T) {
	harness.Parallel(t)
	newShell(t, "").python(samManaged + samScript)
}
