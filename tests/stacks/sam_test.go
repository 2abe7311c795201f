package stacks

import (
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// samTemplate has what an application of SAM mostly has.
const samTemplate = `
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Word: {Type: String, Default: hello}
Globals:
  Function: {Runtime: nodejs22.x, Handler: index.handler, Environment: {Variables: {WORD: !Ref Word}}}
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: code/
      AutoPublishAlias: live
      Policies: [AWSLambdaBasicExecutionRole]
      FunctionUrlConfig: {AuthType: NONE}
      Events:
        Http: {Type: HttpApi, Properties: {Path: /hello, Method: get}}
        Rest: {Type: Api, Properties: {Path: /hello, Method: get}}
        Tick: {Type: Schedule, Properties: {Schedule: rate(1 day)}}
        Clock: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(1 day)}}
  Written:
    Type: AWS::Serverless::Api
    Properties: {StageName: v1, DefinitionBody: {Fn::Transform: {Name: AWS::Include, Parameters: {Location: api.yaml}}}}
  Layer:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: code/, CompatibleRuntimes: [nodejs22.x]}
Outputs:
  Http: {Value: !Sub "http://${ServerlessHttpApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}/hello"}
  Rest: {Value: !Sub "http://${ServerlessRestApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}/Prod/hello"}
  Url: {Value: !GetAtt HelloUrl.FunctionUrl}
`

func TestAWSCommandDeploysAnApplicationOfSAM(t *testing.T) {
	harness.Parallel(t)
	s := newShell(t, "")
	s.write("template.yaml", samTemplate)
	s.write("api.yaml", `
openapi: 3.0.1
info: {title: from a file}
paths:
  /still:
    get:
      responses: {"200": {description: fine}}
      x-amazon-apigateway-integration: {type: mock, requestTemplates: {application/json: '{"statusCode": 200}'}, responses: {default: {statusCode: "200"}}}
`)
	s.write("code/index.js", "exports.handler = async () => ({ statusCode: 200, body: process.env.WORD + ' one' });")
	s.run("aws", "s3", "mb", "s3://artefacts")
	deploy := func(word string) string {
		s.run("aws", "cloudformation", "package", "--template-file", "template.yaml", "--s3-bucket", "artefacts", "--output-template-file", "packaged.yaml")
		return s.run("aws", "cloudformation", "deploy", "--template-file", "packaged.yaml", "--stack-name", "sam", "--capabilities", "CAPABILITY_IAM", "--parameter-overrides", "Word="+word, "--tags", "team=a", "--no-fail-on-empty-changeset")
	}
	if out := deploy("hello"); !strings.Contains(out, "Successfully created/updated stack - sam") {
		t.Error(out)
	}
	s.python(`
o = outputs("sam")
for name in ["Http", "Rest", "Url"]:
    assert get(o[name]) == (200, "hello one"), (name, get(o[name]))
json.dump(o, open("outputs", "w"))
types = {r["ResourceType"] for r in made("sam").values()}
assert {"AWS::Events::Rule", "AWS::Scheduler::Schedule", "AWS::Lambda::Alias", "AWS::Lambda::LayerVersion", "AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Api"} <= types, types
summary = cfn.get_template_summary(StackName="sam")
assert "from a file" in str(cfn.get_template(StackName="sam", TemplateStage="Processed")["TemplateBody"])
assert summary["DeclaredTransforms"] == ["AWS::Serverless-2016-10-31"] and "AWS::Serverless::Function" in summary["ResourceTypes"], summary
assert "AWS::Serverless::Function" in str(cfn.get_template(StackName="sam")["TemplateBody"]) and "AWS::Lambda::Function" in str(cfn.get_template(StackName="sam", TemplateStage="Processed")["TemplateBody"])
refused("InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_AUTO_EXPAND]", cfn.create_stack, StackName="direct", TemplateBody=open("packaged.yaml").read(), Capabilities=["CAPABILITY_IAM"])
`)
	if out := deploy("hello"); !strings.Contains(out, "No changes to deploy") {
		t.Error(out)
	}
	s.write("code/index.js", "exports.handler = async () => ({ statusCode: 200, body: process.env.WORD + ' two' });")
	deploy("bye")
	s.python(`
o = outputs("sam")
assert o == json.load(open("outputs")), o
for name in ["Http", "Rest", "Url"]:
    assert get(o[name]) == (200, "bye two"), (name, get(o[name]))

# A change set says what it does, and does it when it is executed.
template = open("packaged.yaml").read()
args = dict(StackName="sam", TemplateBody=template, Capabilities=["CAPABILITY_IAM"], Parameters=[{"ParameterKey": "Word", "ParameterValue": "third"}])
cfn.create_change_set(ChangeSetName="c1", **args)
cfn.get_waiter("change_set_create_complete").wait(ChangeSetName="c1", StackName="sam", WaiterConfig={"Delay": 1})
set1 = cfn.describe_change_set(ChangeSetName="c1", StackName="sam")
changes = {c["ResourceChange"]["LogicalResourceId"]: c["ResourceChange"] for c in set1["Changes"]}
assert changes["Hello"]["Action"] == "Modify" and changes["Hello"]["Replacement"] == "False" and set1["ExecutionStatus"] == "AVAILABLE", changes
refused("AlreadyExistsException", "c1", cfn.create_change_set, ChangeSetName="c1", **args)
cfn.create_change_set(ChangeSetName="c2", **args)
assert {c["ChangeSetName"] for c in cfn.list_change_sets(StackName="sam")["Summaries"]} >= {"c1", "c2"}
assert get(o["Url"]) == (200, "bye two")
cfn.execute_change_set(ChangeSetName="c1", StackName="sam")
settled("sam", "UPDATE_COMPLETE")
assert lam.get_function_configuration(FunctionName=made("sam")["Hello"]["PhysicalResourceId"])["Environment"]["Variables"]["WORD"] == "third"
refused("ChangeSetNotFound", "ChangeSet [c2] does not exist", cfn.describe_change_set, ChangeSetName="c2", StackName="sam")
refused("InvalidChangeSetStatus", "cannot be executed in its current status of [EXECUTE_COMPLETE]", cfn.execute_change_set, ChangeSetName=set1["ChangeSetId"])
`)
	s.run("aws", "cloudformation", "delete-stack", "--stack-name", "sam")
	s.run("aws", "cloudformation", "wait", "stack-delete-complete", "--stack-name", "sam")
	s.python(`
gone = [x["StackId"] for x in cfn.list_stacks()["StackSummaries"]][0]
left = (lam.list_functions()["Functions"], [r["RoleName"] for r in iam.list_roles()["Roles"]])
assert left == ([], []), (left, told(gone))
assert client("events").list_rules()["Rules"] == [] and client("scheduler").list_schedules()["Schedules"] == []
`)
}
