package stacks

import (
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// waiterScript has each waiter of boto3 whose call is served here come to its end.
const waiterScript = `
def wait(of, name, **args):
    of.get_waiter(name).wait(WaiterConfig={"Delay": 1, "MaxAttempts": 300}, **args)

# soon is what begins an operation. Its answer comes after the end or after 3 seconds: waiters ask
# only every 30 seconds.
def soon(begin, **args):
    began = time.monotonic()
    begin(**args)
    took = time.monotonic() - began
    status = stack("w")["StackStatus"]
    assert took > 2.9 or not status.endswith("_IN_PROGRESS"), (begin, took, status)

template = {"Resources": {"Role": role, "Fn": function("one", FunctionName="waited")}}
w, f = {"StackName": "w"}, {"FunctionName": "waited"}
soon(create, name="w", template=template)
wait(cfn, "stack_exists", **w)
wait(cfn, "stack_create_complete", **w)
for name in ["function_exists", "function_active", "function_active_v2", "function_updated", "function_updated_v2"]:
    wait(lam, name, **f)
template["Resources"]["Fn"]["Properties"]["Description"] = "two"
soon(update, name="w", template=template)
wait(cfn, "stack_update_complete", **w)
template["Resources"]["Fn"]["Properties"]["Description"] = "three"
cfn.create_change_set(ChangeSetName="c", TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"], **w)
wait(cfn, "change_set_create_complete", ChangeSetName="c", **w)
soon(cfn.execute_change_set, ChangeSetName="c", **w)
wait(cfn, "stack_update_complete", **w)
lam.update_function_configuration(Description="four", **f)
wait(lam, "function_updated_v2", **f)
version = lam.publish_version(**f)["Version"]
wait(lam, "published_version_active", Qualifier=version, **f)

# An update that fails and stays so is told at once, and undone by a call.
template["Resources"]["Bad"] = {"Type": "AWS::Lambda::Permission", "DependsOn": "Fn", "Properties": {"FunctionName": "nobody", "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"}}
update("w", template, DisableRollback=True)
try:
    wait(cfn, "stack_update_complete", **w)
except WaiterError as error:
    assert "UPDATE_FAILED" in str(error), error
else:
    raise AssertionError("the update is complete")
soon(cfn.rollback_stack, **w)
wait(cfn, "stack_rollback_complete", **w)
cfn.delete_stack(**w)
wait(cfn, "stack_delete_complete", **w)
`

func TestTheWaitersOfBotoEndAsSoonAsTheOperation(t *testing.T) {
	harness.Parallel(t)
	newShell(t, "").python(waiterScript)
}

// wordsScript reads bodies as they come, for clients that do not read references with numbers, and
// what is refused late.
const wordsScript = `
bodies = []
cfn.meta.events.register("before-parse.cloudformation.*", lambda response_dict, **_: bodies.append(response_dict["body"].decode()))
text = json.dumps({"Description": "it's \\t & <&#34;> \ta\n", "Resources": {"P": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x"}}}}, indent=1)
cfn.create_stack(StackName="raw", TemplateBody=text)
assert cfn.get_template(StackName="raw", TemplateStage="Original")["TemplateBody"] == json.loads(text)
assert '"Resources": {\n' in bodies[-1] and "it's" in bodies[-1] and "&amp;#34;" in bodies[-1], bodies[-1]
refused("ValidationError", "with message:\nEncountered", create, name="x", template={"Resources": {"P": {"Type": "AWS::SSM::Parameter", "Properties": {"Bad": 1}}}})
assert "with message:\nEncountered" in bodies[-1], bodies[-1]

# A key that a mapping does not have is found when the values of the parameters are known.
mapped = {"Parameters": {"K": {"Type": "String"}}, "Mappings": {"M": {"a": {"b": "c"}}}, "Resources": {"P": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Fn::FindInMap": ["M", {"Ref": "K"}, "b"]}}}}}
def keyed(key): return [{"ParameterKey": "K", "ParameterValue": key}]
refused("ValidationError", "Template error: Unable to get mapping for M::x::b", create, name="mapped", template=mapped, Parameters=keyed("x"))
create("mapped", mapped, Parameters=keyed("a"))
settled("mapped", "CREATE_COMPLETE")
refused("ValidationError", "Template error: Unable to get mapping for M::x::b", update, name="mapped", template=mapped, Parameters=keyed("x"))
refused("ValidationError", "Template error: Unable to get mapping for M::x::b", cfn.create_change_set, StackName="mapped", ChangeSetName="c", TemplateBody=json.dumps(mapped), Parameters=keyed("x"))
`

func TestTextsAreAnsweredAsAWSWritesThem(t *testing.T) {
	harness.Parallel(t)
	newShell(t, "").python(wordsScript)
}
