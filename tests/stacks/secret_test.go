package stacks

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// secretScript has secrets of each kind. Of an ignored type nothing is made, so that the secrets are
// in the state of the stack alone.
const secretScript = `
maker = function("x")
maker["Properties"]["Code"]["ZipFile"] = """
const https = require("http");
exports.handler = async event => {
  const fail = event.ResourceProperties.Fail;
  const body = JSON.stringify({ Status: fail && event.RequestType !== "Delete" ? "FAILED" : "SUCCESS", Reason: "no " + fail, PhysicalResourceId: "p", NoEcho: true,
    Data: { Word: ["hidden", "opal"].join("-") }, StackId: event.StackId, RequestId: event.RequestId, LogicalResourceId: event.LogicalResourceId });
  await new Promise((done, failed) => { const r = https.request(event.ResponseURL, { method: "PUT", headers: { "content-length": Buffer.byteLength(body) } }, done); r.on("error", failed); r.end(body); });
};"""
def alarm(value):
    return {"Type": "AWS::CloudWatch::Dashboard", "Properties": {"AlarmName": "a", "Text": value}}
template = {
    "Parameters": {"Word": {"Type": "String", "NoEcho": True}, "Other": {"Type": "String", "Default": "open"}},
    "Resources": {"Role": role, "Maker": maker, "A": alarm({"Fn::Sub": "at ${Word}"}), "B": alarm("{{resolve:ssm-secure:/hidden}}"), "C": alarm({"Fn::GetAtt": ["Thing", "Word"]}), "D": alarm("open"),
        "Thing": {"Type": "Custom::Thing", "Properties": {"ServiceToken": {"Fn::GetAtt": ["Maker", "Arn"]}}}},
}
def shown(name):
    for answer in [cfn.describe_stacks(), cfn.describe_stack_events(StackName=name), cfn.describe_stack_resources(StackName=name), cfn.list_stack_resources(StackName=name),
                   cfn.get_template(StackName=name), cfn.get_template(StackName=name, TemplateStage="Processed"), cfn.list_change_sets(StackName=name)]:
        assert "hidden-" not in str(answer), answer
word = [{"ParameterKey": "Word", "ParameterValue": "hidden-pearl"}]
keep = [{"ParameterKey": "Word", "UsePreviousValue": True}, {"ParameterKey": "Other", "UsePreviousValue": True}]
`

const secretCreated = `
ssm.put_parameter(Name="/hidden", Type="SecureString", Value="hidden-ruby")
create("s", template, Parameters=word)
s = settled("s", "CREATE_COMPLETE")
assert {"ParameterKey": "Word", "ParameterValue": "****"} in s["Parameters"], s
shown("s")
properties = {(e["LogicalResourceId"], e.get("ResourceProperties", "")) for e in cfn.describe_stack_events(StackName="s")["StackEvents"] if e["ResourceStatus"] == "CREATE_COMPLETE"}
assert ("C", "") in properties and ("D", '{"AlarmName":"a","Text":"open"}') in properties, properties
template["Resources"]["D"] = alarm({"Ref": "Word"})
cfn.create_change_set(StackName="s", ChangeSetName="later", TemplateBody=json.dumps(template), Parameters=word, Capabilities=["CAPABILITY_NAMED_IAM"])
assert "hidden-" not in str(cfn.describe_change_set(StackName="s", ChangeSetName="later", IncludePropertyValues=True))
shown("s")
# A transform leaves what is secret where it is.
sam = {"Transform": "AWS::Serverless-2016-10-31", "Parameters": template["Parameters"], "Resources": {"A": alarm({"Ref": "Word"}), "T": {"Type": "AWS::Serverless::HttpApi", "Properties": {"Description": {"Ref": "Word"}}}}}
cfn.create_change_set(StackName="sam", ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=json.dumps(sam), Parameters=word, Capabilities=["CAPABILITY_NAMED_IAM"])
assert "hidden-" not in str(cfn.get_template(StackName="sam", ChangeSetName="first", TemplateStage="Processed"))
`

const secretKept = `
assert "hidden-" not in str(cfn.describe_change_set(StackName="s", ChangeSetName="later"))
cfn.execute_change_set(StackName="s", ChangeSetName="later")
settled("s", "UPDATE_COMPLETE")
shown("s")
template["Resources"]["D"] = alarm({"Ref": "Word"})
refused("ValidationError", "No updates are to be performed.", update, name="s", template=template, Parameters=keep)
# Reasons are shown without secrets.
template["Resources"]["Bad"] = {"Type": "Custom::Thing", "Properties": {"ServiceToken": {"Fn::GetAtt": ["Maker", "Arn"]}, "Fail": {"Ref": "Word"}}}
update("s", template, Parameters=keep)
settled("s", "UPDATE_ROLLBACK_COMPLETE")
shown("s")
assert any("no ****" in reason for _, _, reason in told("s")), told("s")
cfn.delete_stack(StackName="s")
cfn.get_waiter("stack_delete_complete").wait(StackName="s", WaiterConfig={"Delay": 1})
`

func TestSecretsOfStacksAreNeitherShownNorWritten(t *testing.T) {
	harness.Parallel(t)
	s := newShell(t, "ignore_resources AWS::CloudWatch::Dashboard")
	s.python(secretScript + secretCreated)
	s.Stop()
	s.Check(filepath.WalkDir(filepath.Join(s.Dir, "data"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte("hidden-")) {
			t.Errorf("%s has a secret in plain text", path)
		}
		return err
	}))
	s.Restarted()
	s.python(secretScript + secretKept)
}
