package stacks

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// shopTemplate is of SAM, with local code, a template in it, and what changes by a parameter.
const shopTemplate = `Transform: AWS::Serverless-2016-10-31
Parameters:
  Word: {Type: String, Default: one}
Resources:
  Shop:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub "${AWS::StackName}-fn"
      CodeUri: code/
      Runtime: nodejs22.x
      Handler: index.handler
      Environment: {Variables: {WORD: !Ref Word}}
      FunctionUrlConfig: {AuthType: NONE}
  Inner:
    Type: AWS::CloudFormation::Stack
    Properties: {TemplateURL: inner.yaml}
  Named:
    Type: AWS::SSM::Parameter
    Properties: {Name: !Sub "/shop/${Word}", Type: String, Value: x}
Outputs:
  Word: {Value: !Ref Word}
`

func TestTheCommandLineDeploysTemplatesWithTheirFilesAndRemovesThem(t *testing.T) {
	harness.Parallel(t)
	s := newShell(t, "")
	s.write("shop/code/index.mjs", "export const handler = async () => process.env.WORD + '!';")
	s.write("shop/inner.yaml", "Resources: {P: {Type: AWS::SSM::Parameter, Properties: {Name: /shop/inner, Type: String, Value: x}}}")
	s.write("shop/template.yaml", shopTemplate)
	template := filepath.Join(s.work, "shop", "template.yaml")

	s.WantHearth(2, []string{"give --yes"}, "deploy", template)
	s.WantHearth(0, []string{"no stacks yet"}, "stacks")
	s.WantHearth(2, []string{"--memory is about a function"}, "deploy", template, "--yes", "--memory", "256")
	s.WantHearth(2, []string{"--stack is for a template"}, "deploy", filepath.Join(s.work, "shop", "code"), "--stack", "x")
	s.WantHearth(1, []string{"[Nothing]"}, "deploy", template, "--yes", "--parameters", "Nothing=x")
	s.WantHearth(0, []string{"shop is CREATE_COMPLETE", "Word  one", "http://"}, "deploy", template, "--yes")
	s.WantHearth(0, []string{"one!"}, "invoke", "shop-fn")
	s.WantHearth(0, []string{"shop", "CREATE_COMPLETE"}, "stacks")
	s.WantHearth(0, []string{"shop is as it was"}, "deploy", template)

	// The code changes, a name that cannot be changed is made anew; parameters stay what they were.
	s.write("shop/code/index.mjs", "export const handler = async () => process.env.WORD + '?';")
	out, err := s.HearthCommand("deploy", template, "--yes", "--parameters", "Word=two").CombinedOutput()
	for _, text := range []string{"~ change  Shop (AWS::Lambda::Function): Code, Environment", "± replace Named (AWS::SSM::Parameter): Name", "0 to add, ", "1 to replace, 0 to remove", "UPDATE_COMPLETE", "Word  two"} {
		if err != nil || !strings.Contains(string(out), text) {
			t.Errorf("the update does not print %q: %v\n%s", text, err, out)
		}
	}
	s.write("shop/template.yaml", strings.Replace(shopTemplate, "Outputs:", "Outputs:\n  More: {Value: more}", 1))
	var deployed struct {
		Changed bool
		Outputs map[string]string
		URLs    []string
	}
	text, _ := s.Hearth("deploy", template, "--yes", "--json")
	if err := json.Unmarshal([]byte(text), &deployed); err != nil || !deployed.Changed || deployed.Outputs["Word"] != "two" || deployed.Outputs["More"] != "more" || len(deployed.URLs) != 1 {
		t.Errorf("deploy --json prints %s (%v)", text, err)
	}
	s.WantHearth(0, []string{"two?"}, "invoke", "shop-fn")

	// What fails is named, and undone.
	s.write("shop/template.yaml", strings.Replace(shopTemplate, "Outputs:", "  Bad: {Type: AWS::Lambda::Permission, Properties: {FunctionName: nobody, Action: 'lambda:InvokeFunction', Principal: x.amazonaws.com}}\nOutputs:", 1))
	failed, err := s.HearthCommand("deploy", template, "--yes").CombinedOutput()
	if err == nil || !strings.Contains(string(failed), "CREATE_FAILED") || !strings.Contains(string(failed), "Function not found") || !strings.Contains(string(failed), "stack shop is UPDATE_ROLLBACK_COMPLETE") {
		t.Errorf("an update that fails: %v\n%s", err, failed)
	}
	s.WantHearth(4, []string{"there is no stack nobody"}, "delete", "--stack", "nobody")
	s.WantHearth(0, []string{"stack shop is deleted"}, "delete", "--stack", "shop")
	s.WantHearth(0, []string{"no stacks yet"}, "stacks")
	s.WantHearth(4, nil, "invoke", "shop-fn")
}

// What cdk synth writes, of two stacks where the one whose name comes first needs the other.
func TestTheCommandLineDeploysWhatTheCDKSynthesized(t *testing.T) {
	harness.Parallel(t)
	s := newShell(t, "")
	s.write("cdk.out/cdk.out", `{"version":"48.0.0"}`)
	s.write("cdk.out/manifest.json", `{"version":"48.0.0","artifacts":{
"A":{"type":"aws:cloudformation:stack","environment":"aws://unknown-account/unknown-region","dependencies":["B"],"properties":{"templateFile":"A.template.json"}},
"B.assets":{"type":"cdk:asset-manifest","properties":{"file":"B.assets.json"}},
"B":{"type":"aws:cloudformation:stack","environment":"aws://unknown-account/unknown-region","dependencies":["B.assets"],"properties":{"templateFile":"B.template.json","stackName":"base","tags":{"team":"a"}}},
"C":{"type":"aws:cloudformation:stack","environment":"aws://111111111111/eu-west-1","properties":{"templateFile":"A.template.json"}},
"Tree":{"type":"cdk:tree","properties":{"file":"tree.json"}}}}`)
	s.write("cdk.out/B.assets.json", `{"version":"48.0.0","files":{"abc":{"source":{"path":"asset.abc","packaging":"zip"},"destinations":{"here":{"bucketName":"cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}","objectKey":"abc.zip"}}}},"dockerImages":{}}`)
	s.write("cdk.out/asset.abc/index.js", "exports.handler = async () => 'of an asset';")
	s.write("cdk.out/B.template.json", `{"Resources":{
"Role":{"Type":"AWS::IAM::Role","Properties":{"AssumeRolePolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}}},
"Fn":{"Type":"AWS::Lambda::Function","Properties":{"FunctionName":"asset-fn","Runtime":"nodejs22.x","Handler":"index.handler","Role":{"Fn::GetAtt":["Role","Arn"]},"Code":{"S3Bucket":{"Fn::Sub":"cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}"},"S3Key":"abc.zip"}}}},
"Outputs":{"Arn":{"Value":{"Fn::GetAtt":["Fn","Arn"]},"Export":{"Name":"base-arn"}}}}`)
	s.write("cdk.out/A.template.json", `{"Resources":{"P":{"Type":"AWS::SSM::Parameter","Properties":{"Type":"String","Value":{"Fn::ImportValue":"base-arn"}}}}}`)
	app := filepath.Join(s.work, "cdk.out")

	s.WantHearth(2, []string{"it has A, C, base"}, "deploy", app, "--yes", "--stack", "Z")
	s.WantHearth(1, []string{"stack C is for aws://111111111111/eu-west-1"}, "deploy", app, "--yes", "--stack", "C")
	s.WantHearth(0, []string{"base is CREATE_COMPLETE", "A is CREATE_COMPLETE"}, "deploy", app, "--yes", "--stack", "A")
	s.WantHearth(0, []string{"of an asset"}, "invoke", "asset-fn")
	s.write("serverless.yml", "service: x\n")
	none := s.HearthCommand("deploy", filepath.Join(s.work, "serverless.yml"))
	none.Env = append(none.Env, "PATH="+s.work)
	if out, err := none.CombinedOutput(); err == nil || !strings.Contains(string(out), "npm install -g osls") {
		t.Errorf("serverless.yml without osls: %v\n%s", err, out)
	}
}

// Without lambda_api, as on most servers, the admin socket takes uploads and stacks too. Nothing is
// made before somebody says yes.
func TestTheCommandLineAsksBeforeItDeploysByTheAdminSocket(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "respond served")
	a := &harness.API{Server: s}
	s.Start()
	dir := harness.TempDir(t)
	for name, content := range map[string]string{
		"code/index.mjs": "export const handler = async () => 'by the socket';",
		"template.yaml":  "Transform: AWS::Serverless-2016-10-31\nResources: {Fn: {Type: AWS::Serverless::Function, Properties: {FunctionName: socket-fn, CodeUri: code, Runtime: nodejs22.x, Handler: index.handler}}}\n",
	} {
		path := filepath.Join(dir, name)
		a.Check(os.MkdirAll(filepath.Dir(path), 0o700))
		a.Check(os.WriteFile(path, []byte(content), 0o600))
	}
	for _, test := range []struct {
		answer, want string
		fails        bool
	}{{"n\n", "nothing was changed", true}, {"maybe", "nothing was changed", true}, {"y\n", "CREATE_COMPLETE", false}} {
		if test.answer == "y\n" {
			a.WantHearth(0, []string{"no stacks yet"}, "stacks")
		}
		cmd := a.HearthCommand("deploy", filepath.Join(dir, "template.yaml"), "--stack", "asked")
		cmd.Stdin = strings.NewReader(test.answer)
		out, err := cmd.CombinedOutput()
		if (err != nil) != test.fails || !strings.Contains(string(out), "+ add     Fn (AWS::Lambda::Function)") || !strings.Contains(string(out), test.want) {
			t.Errorf("the answer %q: %v\n%s", test.answer, err, out)
		}
	}
	a.WantHearth(0, []string{"by the socket"}, "invoke", "socket-fn")
	a.WantHearth(0, []string{"asked", "CREATE_COMPLETE"}, "stacks")
}
