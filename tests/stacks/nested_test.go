package stacks

import (
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// nestedScript has stacks in stacks, functions that make resources, and buckets.
const nestedScript = `
def ref(name): return {"Ref": name}
s3.create_bucket(Bucket="templates")
child = {"Parameters": {"Names": {"Type": "CommaDelimitedList"}, "Word": {"Type": "String"}},
    "Resources": {"P": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Fn::Sub": ["${Word}-${Last}", {"Last": {"Fn::Select": [1, ref("Names")]}}]}}}},
    "Outputs": {"Name": {"Value": ref("P")}}}
s3.put_object(Bucket="templates", Key="a/child.json", Body=json.dumps(child))
maker = """
const response = require('cfn-response');
exports.handler = (event, context) => {
  console.log(JSON.stringify(event));
  if (event.ResourceProperties.Fail === 'true' && event.RequestType !== 'Delete') return response.send(event, context, 'FAILED', {});
  if (event.ResourceProperties.Fail === 'never' && event.RequestType !== 'Delete') return;
  response.send(event, context, 'SUCCESS', { Kind: event.RequestType, Count: event.ResourceProperties.Count + typeof event.ResourceProperties.Count }, 'thing-' + event.ResourceProperties.Name);
};
"""
template = {"Resources": {
    "Role": role,
    "Maker": function("x", Code={"ZipFile": maker}),
    "Thing": {"Type": "Custom::Thing", "Properties": {"ServiceToken": {"Fn::GetAtt": ["Maker", "Arn"]}, "Name": "a", "Count": 3}},
    "Child": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "https://s3.us-east-1.amazonaws.com/templates/a/child.json", "Parameters": {"Names": ["x", "y"], "Word": ref("Thing")}}},
    "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"PublicAccessBlockConfiguration": {"BlockPublicAcls": True, "BlockPublicPolicy": True, "IgnorePublicAcls": True, "RestrictPublicBuckets": True}, "VersioningConfiguration": {"Status": "Enabled"}}},
    "Policy": {"Type": "AWS::S3::BucketPolicy", "Properties": {"Bucket": ref("Bucket"), "PolicyDocument": {"Version": "2012-10-17", "Statement": []}}},
    "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
}, "Outputs": {"Thing": {"Value": ref("Thing")}, "Kind": {"Value": {"Fn::GetAtt": ["Thing", "Kind"]}}, "Count": {"Value": {"Fn::GetAtt": ["Thing", "Count"]}}, "Name": {"Value": {"Fn::GetAtt": ["Child", "Outputs.Name"]}}, "Handle": {"Value": ref("Handle")}}}
resources = template["Resources"]
refused("ValidationError", "S3 error: The specified bucket does not exist", cfn.create_stack, StackName="x", TemplateURL="https://none.s3.amazonaws.com/t.json")
create("outer", template)
settled("outer", "CREATE_COMPLETE")
o = outputs("outer")
assert (o["Thing"], o["Kind"], o["Count"]) == ("thing-a", "Create", "3string"), o
assert ssm.get_parameter(Name=o["Name"])["Parameter"]["Value"] == "thing-a-y"
nested = made("outer")["Child"]["PhysicalResourceId"]
assert stack(nested)["ParentId"] == stack("outer")["StackId"] and stack(nested)["RootId"] == stack("outer")["StackId"]
kept = [reason for _, _, reason in told("outer") if "VersioningConfiguration" in reason]
assert kept == ["Hearth keeps VersioningConfiguration in the stack alone: nothing acts on it"], kept

# The addresses of answers take no second answer, and none without the secret.
def put(address, body):
    request = urllib.request.Request(address, data=body, method="PUT")
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
assert put(o["Handle"][:-1] + "?", b"{}") == 403 and put(o["Handle"][:-1] + ("A" if o["Handle"][-1] != "A" else "B"), b"{}") == 403
assert put(o["Handle"], b"no json") == 400 and put(o["Handle"], b'"' + b"x" * 5000 + b'"') == 413
assert put(o["Handle"], json.dumps({"Status": "SUCCESS", "UniqueId": "1", "Data": "d", "Reason": "r"}).encode()) == 200

# What depends on the custom resource and the signals follows.
resources["Wait"] = {"Type": "AWS::CloudFormation::WaitCondition", "Properties": {"Handle": ref("Handle"), "Timeout": 60}}
template["Outputs"]["Data"] = {"Value": {"Fn::GetAtt": ["Wait", "Data"]}}
resources["Thing"]["Properties"]["Name"] = "b"
update("outer", template)
settled("outer", "UPDATE_COMPLETE")
o = outputs("outer")
assert (o["Thing"], o["Kind"], o["Data"]) == ("thing-b", "Update", '{"1":"d"}') and ssm.get_parameter(Name=o["Name"])["Parameter"]["Value"] == "thing-b-y", o
assert ("Thing", "DELETE_COMPLETE", "") in told("outer")

# Failures of all of them are undone.
resources["Thing"]["Properties"].update(Name="c")
resources["Never"] = {"Type": "Custom::Never", "DependsOn": "Child", "Properties": {"ServiceToken": {"Fn::GetAtt": ["Maker", "Arn"]}, "Fail": "never", "ServiceTimeout": 1}}
update("outer", template)
settled("outer", "UPDATE_ROLLBACK_COMPLETE")
assert any(e[0] == "Never" and e[1] == "CREATE_FAILED" and "did not receive a response" in e[2] for e in told("outer")), told("outer")[:12]
assert ssm.get_parameter(Name=o["Name"])["Parameter"]["Value"] == "thing-b-y"
resources["Never"]["Properties"] = {"ServiceToken": {"Fn::GetAtt": ["Maker", "Arn"]}, "Fail": True}
update("outer", template)
settled("outer", "UPDATE_ROLLBACK_COMPLETE")
assert any(e[0] == "Never" and "Received response status [FAILED] from custom resource. Message returned: See the log stream" in e[2] for e in told("outer")), told("outer")[:12]
assert ssm.get_parameter(Name=o["Name"])["Parameter"]["Value"] == "thing-b-y"

# While an update is under way nobody else begins one, and it can be cancelled.
import threading
resources["Never"]["Properties"] = {"ServiceToken": {"Fn::GetAtt": ["Maker", "Arn"]}, "Fail": "never", "ServiceTimeout": 600}
thread = threading.Thread(target=update, args=("outer", template))
thread.start()
for _ in range(2400):
    if any(e[:2] == ("Never", "CREATE_IN_PROGRESS") for e in told("outer")[:3]):
        break
    time.sleep(0.05)
refused("ValidationError", "is in UPDATE_IN_PROGRESS state and can not be updated.", update, name="outer", template=template)
refused("ValidationError", "cannot be deleted while in status UPDATE_IN_PROGRESS", cfn.delete_stack, StackName="outer")
cfn.cancel_update_stack(StackName="outer")
thread.join()
settled("outer", "UPDATE_ROLLBACK_COMPLETE")
assert ("Never", "CREATE_FAILED", "Resource creation cancelled") in told("outer")

# A rollback that cannot be done is done later, without what cannot.
lam.delete_function(FunctionName=made("outer")["Maker"]["PhysicalResourceId"])
resources["Never"]["Properties"]["Fail"] = True
resources["Child"]["Properties"]["Parameters"]["Word"] = "new"
resources["Maker"]["Properties"]["Description"] = "changed"
update("outer", template)
settled("outer", "UPDATE_ROLLBACK_FAILED")
refused("ValidationError", "is in UPDATE_ROLLBACK_FAILED state and can not be updated.", update, name="outer", template=template)
began = time.monotonic()
cfn.continue_update_rollback(StackName="outer", ResourcesToSkip=["Maker"])
took = time.monotonic() - began
# As of all operations, the answer comes after the end or after 3 seconds.
assert took > 2.9 or not stack("outer")["StackStatus"].endswith("_IN_PROGRESS"), took
settled("outer", "UPDATE_ROLLBACK_COMPLETE")

# Of several that make the same stack one does.
def racing(results):
    try:
        results.append(create("race", {"Resources": {"P": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x"}}}}))
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AlreadyExistsException", error
results = []
threads = [threading.Thread(target=racing, args=(results,)) for _ in range(8)]
[t.start() for t in threads], [t.join() for t in threads]
assert len(results) == 1, results
settled("race", "CREATE_COMPLETE")

cfn.delete_stack(StackName="outer")
cfn.get_waiter("stack_delete_complete").wait(StackName="outer", WaiterConfig={"Delay": 1})
assert stack(nested)["StackStatus"] == "DELETE_COMPLETE" and [b["Name"] for b in s3.list_buckets()["Buckets"]] == ["templates"]
refused("ParameterNotFound", "", ssm.get_parameter, Name=o["Name"])

# The CDK finds what its bootstrap would make, and its bootstrap works.
assert int(ssm.get_parameter(Name="/cdk-bootstrap/hnb659fds/version")["Parameter"]["Value"]) >= 6
assets = "cdk-hnb659fds-assets-000000000000-us-east-1"
create("CDKToolkit", {"Resources": {
    "Version": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Name": "/cdk-bootstrap/hnb659fds/version", "Value": "99"}},
    "Bucket": {"Type": "AWS::S3::Bucket", "UpdateReplacePolicy": "Retain", "DeletionPolicy": "Retain", "Properties": {"BucketName": assets}},
    "Images": {"Type": "AWS::ECR::Repository", "Properties": {"RepositoryName": "cdk-hnb659fds-container-assets"}}}})
settled("CDKToolkit", "CREATE_COMPLETE")
assert ssm.get_parameter(Name="/cdk-bootstrap/hnb659fds/version")["Parameter"]["Value"] == "99"
s3.put_object(Bucket=assets, Key="x", Body=b"x")
`

func TestStacksInStacksAndWhatFunctionsMake(t *testing.T) {
	harness.Parallel(t)
	newShell(t, "").python(nestedScript)
}
