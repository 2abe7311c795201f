package stacks

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// cdkTemplate is what the CDK makes of a function with an address, without what nothing here reads.
const cdkTemplate = `{"Resources":{
"Role":{"Type":"AWS::IAM::Role","Properties":{"AssumeRolePolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]},
	"ManagedPolicyArns":[{"Fn::Join":["",["arn:",{"Ref":"AWS::Partition"},":iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"]]}]}},
"Fn":{"Type":"AWS::Lambda::Function","Properties":{"FunctionName":"swapped","Runtime":"nodejs22.x","Handler":"index.handler","Role":{"Fn::GetAtt":["Role","Arn"]},
	"Code":{"S3Bucket":"cdk-hnb659fds-assets-000000000000-us-east-1","S3Key":"ASSET.zip"}},"Metadata":{"aws:asset:path":"asset.ASSET","aws:asset:property":"Code"}},
"Url":{"Type":"AWS::Lambda::Url","Properties":{"AuthType":"NONE","TargetFunctionArn":{"Fn::GetAtt":["Fn","Arn"]}}}},
"Parameters":{"BootstrapVersion":{"Type":"AWS::SSM::Parameter::Value<String>","Default":"/cdk-bootstrap/hnb659fds/version"}},
"Rules":{"CheckBootstrapVersion":{"Assertions":[{"Assert":{"Fn::Not":[{"Fn::Contains":[["1","2","3","4","5"],{"Ref":"BootstrapVersion"}]}]},"AssertDescription":"too old"}]}}}`

// synth writes what cdk synth does for the template above and code that answers a word.
func (s *shell) synth(word string) {
	code := "exports.handler = async () => '" + word + "';"
	digest := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return hex.EncodeToString(sum[:])
	}
	id := digest(code)
	body := strings.ReplaceAll(cdkTemplate, "ASSET", id)
	role := func(name string) string {
		return "arn:${AWS::Partition}:iam::000000000000:role/cdk-hnb659fds-" + name + "-role-000000000000-us-east-1"
	}
	const bucket, version = "cdk-hnb659fds-assets-000000000000-us-east-1", "/cdk-bootstrap/hnb659fds/version"
	file := func(path, packaging, key string) map[string]any {
		return map[string]any{
			"source": map[string]any{"path": path, "packaging": packaging},
			"destinations": map[string]any{"here": map[string]any{
				"bucketName": bucket, "objectKey": key, "region": "us-east-1", "assumeRoleArn": role("file-publishing"),
			}},
		}
	}
	put := func(name string, content any) {
		data, err := json.Marshal(content)
		s.Check(err)
		s.write("cdk.out/"+name, string(data))
	}
	s.write("cdk.out/asset."+id+"/index.js", code)
	s.write("cdk.out/shop.template.json", body)
	put("shop.assets.json", map[string]any{"version": "48.0.0", "dockerImages": map[string]any{}, "files": map[string]any{
		id: file("asset."+id, "zip", id+".zip"), digest(body): file("shop.template.json", "file", digest(body)+".json"),
	}})
	put("manifest.json", map[string]any{"version": "48.0.0", "artifacts": map[string]any{
		"shop.assets": map[string]any{"type": "cdk:asset-manifest", "properties": map[string]any{
			"file": "shop.assets.json", "requiresBootstrapStackVersion": 6, "bootstrapStackVersionSsmParameter": version,
		}},
		"shop": map[string]any{
			"type": "aws:cloudformation:stack", "environment": "aws://000000000000/us-east-1", "dependencies": []string{"shop.assets"}, "displayName": "shop",
			"properties": map[string]any{
				"templateFile": "shop.template.json", "assumeRoleArn": role("deploy"), "cloudFormationExecutionRoleArn": role("cfn-exec"),
				"stackTemplateAssetObjectUrl": "s3://" + bucket + "/" + digest(body) + ".json", "requiresBootstrapStackVersion": 6,
				"bootstrapStackVersionSsmParameter": version, "additionalDependencies": []string{"shop.assets"},
				"lookupRole": map[string]any{"arn": role("lookup"), "requiresBootstrapStackVersion": 8, "bootstrapStackVersionSsmParameter": version},
			},
		},
	}})
}

func TestTheCDKBootstrapsAndDeploysByTheRolesThatItMade(t *testing.T) {
	harness.Parallel(t)
	s := newShell(t, "")
	s.run("npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "aws-cdk@2.1148.1")
	cdk := func(want string, args ...string) {
		t.Helper()
		out := s.run("node_modules/.bin/cdk", append(args, "--app", "cdk.out", "--no-notices", "--no-version-reporting")...)
		if !strings.Contains(out, want) || strings.Contains(out, "Proceeding anyway") || strings.Contains(out, "Could not create a change set") {
			t.Errorf("cdk %s does not print %q, or does without a role:\n%s", args[0], want, harness.Tail(out, 30))
		}
	}

	s.synth("one")
	cdk("bootstrapped.", "bootstrap", "aws://000000000000/us-east-1")
	cdk("✅  shop", "deploy", "--require-approval", "never")
	s.python(`
assert call("swapped") == "one"
execution = "arn:aws:iam::000000000000:role/cdk-hnb659fds-cfn-exec-role-000000000000-us-east-1"
assert stack("shop")["RoleARN"] == execution and stack("CDKToolkit")["StackStatus"] == "CREATE_COMPLETE"
sts = boto3.client("sts", config=once, endpoint_url=os.environ["AWS_ENDPOINT_URL"])
def acting(name):
    c = sts.assume_role(RoleArn="arn:aws:iam::000000000000:role/cdk-hnb659fds-%s-role-000000000000-us-east-1" % name, RoleSessionName="test")["Credentials"]
    return lambda service: boto3.client(service, config=once, endpoint_url=os.environ["AWS_ENDPOINT_URL"], aws_access_key_id=c["AccessKeyId"], aws_secret_access_key=c["SecretAccessKey"], aws_session_token=c["SessionToken"])
# The roles may do what they are for, and no more.
refused("AccessDeniedException", "lambda:GetFunction", acting("deploy")("lambda").get_function, FunctionName="swapped")
assert acting("lookup")("lambda").get_function(FunctionName="swapped")["Configuration"]["FunctionName"] == "swapped"
refused("AccessDeniedException", "lambda:DeleteFunction", acting("lookup")("lambda").delete_function, FunctionName="swapped")
refused("AccessDenied", "sts:AssumeRole", sts.assume_role, RoleArn=execution, RoleSessionName="test")
`)
	s.synth("two")
	cdk(".S3Key", "diff")
	cdk("hotswapped!", "deploy", "--require-approval", "never", "--hotswap")
	s.python(`assert call("swapped") == "two"`)
	cdk("✅  shop", "deploy", "--require-approval", "never")
	cdk("destroyed", "destroy", "--force")
	cdk("bootstrapped (no changes).", "bootstrap", "aws://000000000000/us-east-1")
	s.python(`assert lam.list_functions()["Functions"] == []`)
}
