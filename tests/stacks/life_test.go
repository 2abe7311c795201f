package stacks

import (
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// lifeScript makes, changes, breaks and removes a stack.
const lifeScript = `
template = {
    "Description": "life",
    "Parameters": {"Word": {"Type": "String", "Default": "one"}},
    "Resources": {
        "Role": role,
        "Group": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": {"Fn::Sub": "/aws/lambda/${AWS::StackName}-fn"}, "RetentionInDays": 7}},
        "Fn": function("first", FunctionName={"Fn::Sub": "${AWS::StackName}-fn"}, MemorySize="256", Environment={"Variables": {"WORD": {"Ref": "Word"}}}),
        "Kept": {"Type": "AWS::SSM::Parameter", "DeletionPolicy": "Retain", "Properties": {"Name": "/life/kept", "Type": "String", "Value": {"Ref": "Word"}}},
    },
    "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Fn", "Arn"]}, "Export": {"Name": "life-arn"}}, "Group": {"Value": {"Ref": "Group"}}},
}
resources = template["Resources"]

refused("ValidationError", "Stack with id life does not exist", cfn.describe_stacks, StackName="life")
refused("InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_IAM]", cfn.create_stack, StackName="life", TemplateBody=json.dumps(template))
refused("ValidationError", "Unrecognized resource types: [AWS::EC2::Instance, AWS::Foo::Bar]", create, name="life", template={"Resources": {"A": {"Type": "AWS::EC2::Instance"}, "B": {"Type": "AWS::Foo::Bar"}}})
refused("ValidationError", "Encountered unsupported property Memory", create, name="life", template={"Resources": {"Role": role, "Fn": function("x", Memory=1)}})
refused("ValidationError", "extraneous key [Values] is not permitted", create, name="life", template={"Resources": {"Role": role, "Fn": function("x", Environment={"Values": {}})}})
refused("ValidationError", "NotificationARNs is not supported", create, name="life", template=template, NotificationARNs=["arn:aws:sns:us-east-1:000000000000:t"])
assert cfn.list_stacks()["StackSummaries"] == []

id = create("life", template, Tags=[{"Key": "team", "Value": "a"}], EnableTerminationProtection=True)
refused("AlreadyExistsException", "Stack [life] already exists", create, name="life", template=template)
cfn.get_waiter("stack_create_complete").wait(StackName="life", WaiterConfig={"Delay": 1})
s = stack("life")
assert (s["StackId"], s["StackStatus"], s["Parameters"], s["EnableTerminationProtection"]) == (id, "CREATE_COMPLETE", [{"ParameterKey": "Word", "ParameterValue": "one"}], True), s
assert call("life-fn")["body"] == "first" and outputs("life") == {"Arn": "arn:aws:lambda:us-east-1:000000000000:function:life-fn", "Group": "/aws/lambda/life-fn"}
got = lam.get_function(FunctionName="life-fn")
assert got["Configuration"]["MemorySize"] == 256 and got["Tags"]["team"] == "a" and got["Configuration"]["Environment"]["Variables"] == {"WORD": "one"}, got
assert logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/life-fn")["logGroups"][0]["retentionInDays"] == 7
rolename = made("life")["Role"]["PhysicalResourceId"]
assert rolename.startswith("life-Role-") and len(iam.list_attached_role_policies(RoleName=rolename)["AttachedPolicies"]) == 1
events = told("life")
assert events[0] == ("life", "CREATE_COMPLETE", "") and events[-1] == ("life", "CREATE_IN_PROGRESS", "User Initiated"), events
assert ("Fn", "CREATE_IN_PROGRESS", "Resource creation Initiated") in events
assert [x["Name"] for x in cfn.list_exports()["Exports"]] == ["life-arn"]
assert cfn.describe_stack_resource(StackName="life", LogicalResourceId="Fn")["StackResourceDetail"]["PhysicalResourceId"] == "life-fn"
assert cfn.describe_stack_resources(PhysicalResourceId="life-fn")["StackResources"][0]["StackId"] == id
refused("ValidationError", "No updates are to be performed.", update, name="life", template=template, Tags=[{"Key": "team", "Value": "a"}])
assert json.loads(cfn.get_template(StackName="life")["TemplateBody"] if isinstance(cfn.get_template(StackName="life")["TemplateBody"], str) else json.dumps(cfn.get_template(StackName="life")["TemplateBody"])) == template

# Another stack imports.
create("reader", {"Resources": {"P": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Fn::ImportValue": "life-arn"}}}}})
settled("reader", "CREATE_COMPLETE")
assert cfn.list_imports(ExportName="life-arn")["Imports"] == ["reader"]

# An update changes in place, replaces, adds and removes.
resources["Fn"]["Properties"]["Code"]["ZipFile"] = "exports.handler = async () => process.env.WORD + process.env.MORE;"
resources["Fn"]["Properties"]["Environment"]["Variables"]["MORE"] = {"Ref": "Extra"}
del resources["Fn"]["Properties"]["MemorySize"]
resources["Extra"] = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x", "Tags": {"own": "1"}}}
update("life", template, Parameters=[{"ParameterKey": "Word", "ParameterValue": "two"}])
cfn.get_waiter("stack_update_complete").wait(StackName="life", WaiterConfig={"Delay": 1})
extra = made("life")["Extra"]["PhysicalResourceId"]
assert call("life-fn") == "two" + extra and ssm.get_parameter(Name="/life/kept")["Parameter"]["Value"] == "two"
assert lam.get_function(FunctionName="life-fn")["Configuration"]["MemorySize"] == 128
assert ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=extra)["TagList"] == [{"Key": "own", "Value": "1"}, {"Key": "team", "Value": "a"}]

keep = [{"ParameterKey": "Word", "UsePreviousValue": True}]
# A rename replaces: what depends on it follows, and the old one is gone. The export is in use.
resources["Fn"]["Properties"]["FunctionName"] = "life-renamed"
update("life", template, Parameters=keep)
s = settled("life", "UPDATE_ROLLBACK_COMPLETE")
assert any("Export life-arn cannot be updated as it is in use by reader" in reason for _, _, reason in told("life")), told("life")[:5]
refused("ResourceNotFoundException", "", lam.get_function, FunctionName="life-renamed")
assert call("life-fn") == "two" + extra
cfn.delete_stack(StackName="reader")
cfn.get_waiter("stack_delete_complete").wait(StackName="reader", WaiterConfig={"Delay": 1})
update("life", template, Parameters=keep)
settled("life", "UPDATE_COMPLETE")
assert call("life-renamed") == "two" + extra
refused("ResourceNotFoundException", "", lam.get_function, FunctionName="life-fn")

# What fails is undone: the function is as it was, and nothing new is left.
before = lam.get_function(FunctionName="life-renamed")["Configuration"]
resources["Fn"]["Properties"]["Environment"]["Variables"]["WORD"] = "broken"
resources["New"] = {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/life/new", "Type": "String", "Value": "x"}}
resources["Bad"] = {"Type": "AWS::Lambda::Permission", "DependsOn": ["Fn", "New"], "Properties": {"FunctionName": "nobody", "Action": "lambda:InvokeFunction", "Principal": "x.amazonaws.com"}}
update("life", template, Parameters=keep)
s = settled("life", "UPDATE_ROLLBACK_COMPLETE")
events = told("life")
failed = [e for e in events if e[1] == "CREATE_FAILED"]
assert failed[0][0] == "Bad" and "Function not found" in failed[0][2] and "Status Code: 404" in failed[0][2], failed
assert ("life", "UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [Bad].") in events, events
after = lam.get_function(FunctionName="life-renamed")["Configuration"]
assert after["Environment"] == before["Environment"] and after["CodeSha256"] == before["CodeSha256"], after
refused("ParameterNotFound", "", ssm.get_parameter, Name="/life/new")
assert set(made("life")) == {"Role", "Group", "Fn", "Kept", "Extra"}, made("life")

# A creation that fails is undone too, unless it is to stay.
bad = {"Resources": {"P": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/bad", "Type": "String", "Value": "x"}}, "Q": dict(resources["Bad"], DependsOn="P")}}
create("bad", bad)
try:
    cfn.get_waiter("stack_create_complete").wait(StackName="bad", WaiterConfig={"Delay": 1})
    raise AssertionError("it was made")
except WaiterError:
    pass
settled("bad", "ROLLBACK_COMPLETE")
refused("ParameterNotFound", "", ssm.get_parameter, Name="/bad")
refused("ValidationError", "is in ROLLBACK_COMPLETE state and can not be updated.", update, name="bad", template=bad)
cfn.delete_stack(StackName="bad")
settled_id = create("stays", bad, OnFailure="DO_NOTHING")
settled("stays", "CREATE_FAILED")
assert ssm.get_parameter(Name="/bad")["Parameter"]["Value"] == "x"
cfn.rollback_stack(StackName="stays")
settled("stays", "ROLLBACK_COMPLETE")
refused("ParameterNotFound", "", ssm.get_parameter, Name="/bad")
# What is there already belongs to somebody else, and stays.
ssm.put_parameter(Name="/theirs", Type="String", Value="theirs")
create("taken", {"Resources": {"P": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/theirs", "Type": "String", "Value": "x"}}}}, OnFailure="DELETE")
for _ in range(600):
    try:
        stack("taken")
        time.sleep(0.05)
    except ClientError:
        break
assert ssm.get_parameter(Name="/theirs")["Parameter"]["Value"] == "theirs"

refused("ValidationError", "cannot be deleted while TerminationProtection is enabled", cfn.delete_stack, StackName="life")
cfn.update_termination_protection(StackName="life", EnableTerminationProtection=False)
cfn.delete_stack(StackName="life")
cfn.get_waiter("stack_delete_complete").wait(StackName="life", WaiterConfig={"Delay": 1})
refused("ValidationError", "Stack with id life does not exist", cfn.describe_stacks, StackName="life")
assert stack(id)["StackStatus"] == "DELETE_COMPLETE" and ("Kept", "DELETE_SKIPPED", "") in told(id)
refused("ResourceNotFoundException", "", lam.get_function, FunctionName="life-renamed")
refused("NoSuchEntity", "", iam.get_role, RoleName=rolename)
assert ssm.get_parameter(Name="/life/kept")["Parameter"]["Value"] == "two"
assert cfn.list_exports()["Exports"] == [] and ("Group", "DELETE_COMPLETE", "") in told(id)
cfn.delete_stack(StackName="life")
refused("InvalidAction", "operation CreateStackSet is not supported: there is one account", cfn.create_stack_set, StackSetName="x")
`

func TestAStackIsMadeChangedUndoneAndRemoved(t *testing.T) {
	harness.Parallel(t)
	newShell(t, "").python(lifeScript)
}
