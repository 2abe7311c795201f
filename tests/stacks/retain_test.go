package stacks

import (
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// retainScript rolls back what has policies that it stays.
const retainScript = `
def parameter(name, policy): return {"Type": "AWS::SSM::Parameter", "DeletionPolicy": policy, "Properties": {"Name": name, "Type": "String", "Value": "x"}}
def bad(*after): return {"Type": "AWS::Lambda::Permission", "DependsOn": list(after), "Properties": {"FunctionName": "nobody", "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"}}
def there(): return sorted(p["Name"] for p in ssm.describe_parameters()["Parameters"])
def gone(name):
    cfn.delete_stack(StackName=name)
    cfn.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1})

# A creation: what is to be retained stays, unless the operation says that it was made in vain.
broken = {"Resources": {"Kept": parameter("/kept", "Retain"), "Fresh": parameter("/fresh", "RetainExceptOnCreate"), "Bad": bad("Kept", "Fresh")}}
create("stays", broken)
settled("stays", "ROLLBACK_COMPLETE")
assert there() == ["/kept"], there()
ssm.delete_parameter(Name="/kept")
create("goes", broken, RetainExceptOnCreate=True)
settled("goes", "ROLLBACK_COMPLETE")
assert there() == [], there()

# An update: what was there before stays, whatever the operation says.
good = {"Resources": {"Old": parameter("/old", "Retain")}}
worse = {"Resources": dict(good["Resources"], Kept=parameter("/kept", "Retain"), Fresh=parameter("/fresh", "RetainExceptOnCreate"), Bad=bad("Kept", "Fresh"))}
create("updated", good)
settled("updated", "CREATE_COMPLETE")
update("updated", worse)
settled("updated", "UPDATE_ROLLBACK_COMPLETE")
assert there() == ["/kept", "/old"], there()
ssm.delete_parameter(Name="/kept")
cfn.create_change_set(StackName="updated", ChangeSetName="c", TemplateBody=json.dumps(worse))
cfn.execute_change_set(StackName="updated", ChangeSetName="c", RetainExceptOnCreate=True)
settled("updated", "UPDATE_ROLLBACK_COMPLETE")
assert there() == ["/old"], there()

# So does cdk rollback say it, after an operation that failed and stayed.
update("updated", worse, DisableRollback=True)
settled("updated", "UPDATE_FAILED")
cfn.rollback_stack(StackName="updated", RetainExceptOnCreate=True)
settled("updated", "UPDATE_ROLLBACK_COMPLETE")
assert there() == ["/old"], there()
gone("updated")
assert there() == ["/old"], there()
`

func TestARollbackRemovesWhatItsOperationHasMade(t *testing.T) {
	harness.Parallel(t)
	newShell(t, "").python(retainScript)
}
