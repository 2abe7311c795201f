package stacks

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// roleScript makes stacks by roles.
const roleScript = `
sts = boto3.client("sts", config=once, endpoint_url=os.environ["AWS_ENDPOINT_URL"])
account = "arn:aws:iam::000000000000:"
def trusting(**principal): return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]})
def allow(role, **statements):
    for name, (action, resource) in statements.items():
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]}))
def as_role(name, service):
    c = sts.assume_role(RoleArn=account + "role/" + name, RoleSessionName="ci")["Credentials"]
    return boto3.client(service, config=once, endpoint_url=os.environ["AWS_ENDPOINT_URL"], aws_access_key_id=c["AccessKeyId"], aws_secret_access_key=c["SecretAccessKey"], aws_session_token=c["SessionToken"])
def parameter(name, value="x"): return {"Type": "AWS::SSM::Parameter", "Properties": {"Name": name, "Type": "String", "Value": value}}
def reasons(name): return [reason for _, _, reason in told(name)]

maker, other = account + "role/maker", account + "role/other"
iam.create_role(RoleName="maker", AssumeRolePolicyDocument=trusting(Service="cloudformation.amazonaws.com"))
iam.create_role(RoleName="other", AssumeRolePolicyDocument=trusting(Service="lambda.amazonaws.com"))
iam.create_role(RoleName="ci", AssumeRolePolicyDocument=trusting(AWS="000000000000"))
allow("maker", parameters=("ssm:*", "arn:aws:ssm:*:*:parameter/mine/*"))
allow("ci", stacks=("cloudformation:*", "*"))
ci = as_role("ci", "cloudformation")

# The role must let CloudFormation assume it, and who is a role must be allowed to pass it.
mine = {"Resources": {"P": parameter("/mine/a")}}
for call_ in [lambda: create("bad", mine, RoleARN=other),
              lambda: cfn.create_change_set(StackName="bad", ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=json.dumps(mine), RoleARN=other)]:
    refused("ValidationError", "Role " + other + " is invalid or cannot be assumed", call_)
body = json.dumps(mine)
for call_ in [ci.create_stack, lambda **a: ci.create_change_set(ChangeSetName="c", ChangeSetType="CREATE", **a)]:
    refused("AccessDenied", "not authorized to perform: iam:PassRole on resource: " + maker, call_, StackName="passed", TemplateBody=body, RoleARN=maker)
assert cfn.describe_stacks()["Stacks"] == []
allow("ci", give=("iam:PassRole", maker))

# The role's policies decide what the stack may make, not who asks: ci may do nothing with parameters itself.
ci.create_stack(StackName="passed", TemplateBody=body, RoleARN=maker)
settled("passed", "CREATE_COMPLETE")
assert stack("passed")["RoleARN"] == maker and ssm.get_parameter(Name="/mine/a")["Parameter"]["Value"] == "x"
create("denied", {"Resources": {"P": parameter("/mine/b"), "Q": dict(parameter("/theirs/b"), DependsOn="P")}}, RoleARN=maker)
settled("denied", "ROLLBACK_COMPLETE")
session = "User: arn:aws:sts::000000000000:assumed-role/maker/AWSCloudFormation is not authorized to perform: ssm:"
assert any(session in r and "parameter/theirs/b" in r for r in reasons("denied")), told("denied")
refused("ParameterNotFound", "", ssm.get_parameter, Name="/mine/b") # the rollback was made as the role
cfn.delete_stack(StackName="denied")

# The stack keeps its role: later operations are made as that, whoever asks and may not pass it, and a rollback is.
iam.delete_role_policy(RoleName="ci", PolicyName="give")
mine["Resources"]["P"]["Properties"]["Value"] = "y"
ci.update_stack(StackName="passed", TemplateBody=json.dumps(mine))
settled("passed", "UPDATE_COMPLETE")
mine["Resources"]["P"]["Properties"]["Value"] = "z"
mine["Resources"]["Q"] = dict(parameter("/theirs/c"), DependsOn="P")
change = cfn.create_change_set(StackName="passed", ChangeSetName="c", TemplateBody=json.dumps(mine))["Id"]
cfn.execute_change_set(ChangeSetName=change)
settled("passed", "UPDATE_ROLLBACK_COMPLETE")
assert ssm.get_parameter(Name="/mine/a")["Parameter"]["Value"] == "y" and any(session in r for r in reasons("passed")), told("passed")

# So is its deletion, until the role may do it.
allow("maker", parameters=("ssm:GetParameter", "*"))
ci.delete_stack(StackName="passed")
settled("passed", "DELETE_FAILED")
assert any(session + "DeleteParameter" in r for r in reasons("passed")), told("passed")
allow("maker", parameters=("ssm:*", "*"))
ci.delete_stack(StackName="passed")
cfn.get_waiter("stack_delete_complete").wait(StackName="passed", WaiterConfig={"Delay": 1})

# A nested stack acts by the role of the stack around it.
s3.create_bucket(Bucket="templates")
s3.put_object(Bucket="templates", Key="inner.json", Body=json.dumps({"Resources": {"P": parameter("/mine/inner")}}))
outer = {"Resources": {"Inner": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": os.environ["AWS_ENDPOINT_URL"] + "/templates/inner.json"}}}}
create("outer", outer, RoleARN=maker)
settled("outer", "ROLLBACK_COMPLETE")
assert any("S3 error" in r for r in reasons("outer")), told("outer")
cfn.delete_stack(StackName="outer")
allow("maker", templates=("s3:GetObject", "arn:aws:s3:::templates/*"), stacks=("cloudformation:*", "*"))
create("nested", outer, RoleARN=maker)
settled("nested", "CREATE_COMPLETE")
assert stack(made("nested")["Inner"]["PhysicalResourceId"])["RoleARN"] == maker
cfn.delete_stack(StackName="nested")
cfn.get_waiter("stack_delete_complete").wait(StackName="nested", WaiterConfig={"Delay": 1})

# A role that is not here is not asked: calls are made as who asks.
create("elsewhere", {"Resources": {"P": parameter("/theirs/d")}}, RoleARN=account + "role/none")
settled("elsewhere", "CREATE_COMPLETE")
allow("ci", give=("iam:PassRole", "*"))
ci.create_stack(StackName="elsewhere2", TemplateBody=json.dumps({"Resources": {"P": parameter("/theirs/e")}}), RoleARN=account + "role/none")
settled("elsewhere2", "ROLLBACK_COMPLETE")
assert any("assumed-role/ci/ci is not authorized to perform: ssm:" in r for r in reasons("elsewhere2")), told("elsewhere2")

# Change sets that are to import what is there are refused if something is, and else as others are.
there = {"Resources": {"P": parameter("/theirs/d")}}
importing = dict(ChangeSetType="CREATE", ImportExistingResources=True)
refused("ValidationError", "AWS::SSM::Parameter /theirs/d of the template (resource P) exists already", cfn.create_change_set, StackName="import", ChangeSetName="c", TemplateBody=json.dumps(there), **importing)
cfn.create_change_set(StackName="import", ChangeSetName="c", TemplateBody=json.dumps({"Resources": {"P": parameter("/mine/new")}}), **importing)
cfn.execute_change_set(StackName="import", ChangeSetName="c")
settled("import", "CREATE_COMPLETE")
`

func TestAStackActsByTheRoleThatItIsGiven(t *testing.T) {
	harness.Parallel(t)
	newShell(t, "").python(roleScript)
}

func TestAStackGoesOnAsItsRoleAfterACrash(t *testing.T) {
	harness.Parallel(t)
	s := newShell(t, "")
	s.python(`
trust_ = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
iam.create_role(RoleName="maker", AssumeRolePolicyDocument=json.dumps(trust_))
`)
	go func() {
		_, _, _ = s.query("CreateStack", "StackName", "crash", "RoleARN", "arn:aws:iam::000000000000:role/maker", "TemplateBody", `{"Resources": {
"Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
"Wait": {"Type": "AWS::CloudFormation::WaitCondition", "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": "600"}},
"Denied": {"Type": "AWS::SSM::Parameter", "DependsOn": "Wait", "Properties": {"Name": "/denied", "Type": "String", "Value": "x"}}}}`)
	}()
	handle := ""
	harness.Eventually(t, "the stack waits", func() bool {
		_, text, _ := s.query("DescribeStackResources", "StackName", "crash")
		for _, one := range strings.Split(text, "<member>") {
			if strings.Contains(one, "<LogicalResourceId>Handle<") {
				handle = strings.Join(element(one, "PhysicalResourceId"), "")
			}
		}
		return strings.Contains(text, "<LogicalResourceId>Wait<") && strings.HasPrefix(handle, "http")
	})
	s.Kill()
	s.Start()
	r, err := http.NewRequest(http.MethodPut, handle, strings.NewReader(`{"Status": "SUCCESS", "UniqueId": "1", "Data": "x", "Reason": "x"}`))
	s.Check(err)
	answer, err := http.DefaultClient.Do(r)
	s.Check(err)
	s.Check(answer.Body.Close())
	events := ""
	harness.Eventually(t, "the stack comes to rest", func() bool {
		_, events, err = s.query("DescribeStackEvents", "StackName", "crash")
		return err == nil && strings.Contains(events, ">ROLLBACK_COMPLETE<")
	})
	if !strings.Contains(events, "assumed-role/maker/AWSCloudFormation is not authorized to perform: ssm:") {
		t.Errorf("the role was not asked (the answer to the signal was %s):\n%.4000s", answer.Status, events)
	}

	// What the CDK's commands say of a deployment besides.
	status, text, err := s.query("CreateStack", "StackName", "express", "TemplateBody", "{}", "DeploymentConfig.Mode", "EXPRESS")
	if s.Check(err); status != http.StatusBadRequest || !strings.Contains(text, "Mode EXPRESS is not supported") {
		t.Errorf("the mode EXPRESS: %d\n%s", status, text)
	}
	status, text, err = s.query("ContinueUpdateRollback", "StackName", "crash", "ForceRollback", "true")
	if s.Check(err); status != http.StatusBadRequest || !strings.Contains(text, "ForceRollback is not supported") {
		t.Errorf("ForceRollback: %d\n%s", status, text)
	}
	status, text, err = s.query("CreateStack", "StackName", "stays", "DeploymentConfig.Mode", "STANDARD", "DeploymentConfig.DisableRollback", "true", "TemplateBody", `{"Resources": {
"Bad": {"Type": "AWS::Lambda::Permission", "Properties": {"FunctionName": "nobody", "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"}}}}`)
	if s.Check(err); status != http.StatusOK {
		t.Errorf("DisableRollback: %d\n%s", status, text)
	}
	harness.Eventually(t, "the stack fails and stays", func() bool {
		_, text, err := s.query("DescribeStacks", "StackName", "stays")
		return err == nil && strings.Contains(text, "<StackStatus>CREATE_FAILED<")
	})
}
