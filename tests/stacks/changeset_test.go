package stacks

import (
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// ignoredScript has a type that is let through beside one that is not, and change sets that nobody
// executes.
const ignoredScript = `
alarm = {"Type": "AWS::CloudWatch::Dashboard", "Properties": {"AlarmName": "a", "Threshold": 1}}
parameter = {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/ignored", "Type": "String", "Value": "x"}}
refused("ValidationError", "Unrecognized resource types: [AWS::EC2::Instance]", create, name="i", template={"Resources": {"Alarm": alarm, "Vm": {"Type": "AWS::EC2::Instance"}}})
create("i", {"Resources": {"Alarm": alarm, "P": dict(parameter, DependsOn="Alarm")}})
settled("i", "CREATE_COMPLETE")
said = [e for e in told("i") if e[0] == "Alarm" and e[1] == "CREATE_COMPLETE"]
assert said == [("Alarm", "CREATE_COMPLETE", "Hearth has made nothing of this resource: its type is in ignore_resources")], told("i")
update("i", {"Resources": {"Alarm": dict(alarm, Properties={"Threshold": 2}), "P": parameter}})
settled("i", "UPDATE_COMPLETE")

# A change set that is deleted changes nothing, and is not there any more.
def change_set(name, kind, template, stack="i"):
    return cfn.create_change_set(StackName=stack, ChangeSetName=name, ChangeSetType=kind, TemplateBody=json.dumps(template))["Id"]
without = {"Resources": {"Alarm": alarm}}
change_set("one", "UPDATE", without)
two = change_set("two", "UPDATE", without)
refused("AlreadyExistsException", "one", change_set, name="one", kind="UPDATE", template=without)
changes = cfn.describe_change_set(StackName="i", ChangeSetName="one")["Changes"]
assert {(c["ResourceChange"]["Action"], c["ResourceChange"]["LogicalResourceId"]) for c in changes} == {("Modify", "Alarm"), ("Remove", "P")}, changes
assert not any("BeforeContext" in c["ResourceChange"] for c in changes), changes
changes = {c["ResourceChange"]["LogicalResourceId"]: c["ResourceChange"] for c in cfn.describe_change_set(StackName="i", ChangeSetName="one", IncludePropertyValues=True)["Changes"]}
assert json.loads(changes["Alarm"]["BeforeContext"]) == {"Properties": {"Threshold": 2}} and json.loads(changes["Alarm"]["AfterContext"]) == {"Properties": alarm["Properties"]}, changes
target = {d["Target"]["Name"]: d["Target"] for d in changes["Alarm"]["Details"]}
assert target["Threshold"]["BeforeValue"] == "2" and target["Threshold"]["AfterValue"] == "1" and target["Threshold"]["Path"] == "/Properties/Threshold", target
assert target["AlarmName"]["AttributeChangeType"] == "Add" and target["AlarmName"]["AfterValue"] == "a", target
assert json.loads(changes["P"]["BeforeContext"])["Properties"]["Value"] == "x" and "AfterContext" not in changes["P"], changes
cfn.delete_change_set(StackName="i", ChangeSetName="one")
cfn.delete_change_set(StackName="i", ChangeSetName="one")
refused("ChangeSetNotFound", "ChangeSet [one] does not exist", cfn.describe_change_set, StackName="i", ChangeSetName="one")
refused("ChangeSetNotFound", "ChangeSet [one] does not exist", cfn.execute_change_set, StackName="i", ChangeSetName="one")
assert [s["ChangeSetName"] for s in cfn.list_change_sets(StackName="i")["Summaries"]] == ["two"]
assert ssm.get_parameter(Name="/ignored")["Parameter"]["Value"] == "x" and stack("i")["StackStatus"] == "UPDATE_COMPLETE"
cfn.delete_change_set(ChangeSetName=two)
assert cfn.list_change_sets(StackName="i")["Summaries"] == []
change_set("one", "UPDATE", without) # its name is free again
cfn.execute_change_set(StackName="i", ChangeSetName="one")
settled("i", "UPDATE_COMPLETE")
refused("ParameterNotFound", "", ssm.get_parameter, Name="/ignored")

# The stack of a change set that creates one stays in review, until it is deleted itself.
change_set("first", "CREATE", without, "new")
assert stack("new")["StackStatus"] == "REVIEW_IN_PROGRESS"
cfn.delete_change_set(StackName="new", ChangeSetName="first")
assert stack("new")["StackStatus"] == "REVIEW_IN_PROGRESS"
for name in ["new", "i"]:
    cfn.delete_stack(StackName=name)
    cfn.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
`

func TestIgnoredTypesAreToldAndDeletedChangeSetsAreGone(t *testing.T) {
	harness.Parallel(t)
	newShell(t, "ignore_resources AWS::CloudWatch::Dashboard AWS::EC2::VPC").python(ignoredScript)
}
