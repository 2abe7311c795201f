package stacks

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// oslsNotified has functions for events of a bucket that the stack makes, and of one that is there.
const oslsNotified = `service: files
provider: {name: aws, runtime: nodejs22.x, region: us-east-1}
package: {patterns: ["!**", index.js]}
functions:
  hello:
    handler: index.handler
    events:
      - s3: {bucket: files-new, event: "s3:ObjectCreated:*", rules: [{prefix: in/}, {suffix: .txt}]}
      - s3: {bucket: files-new, event: "s3:ObjectRemoved:*"}
  known:
    handler: index.handler
    events:
      - s3: {bucket: files-known, event: "s3:ObjectCreated:*", rules: [{prefix: in/}, {suffix: .txt}], existing: true}
      - s3: {bucket: files-known, event: "s3:ObjectRemoved:*", existing: true}
`

func TestOslsHasFunctionsRunForEventsOfBuckets(t *testing.T) {
	harness.Slow(t, "npm installs osls, which another test does, too")
	harness.Parallel(t)
	s, _ := newNotified(t, "")
	s.run("npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "osls@4.3.1")
	s.write("serverless.yml", oslsNotified)
	s.write("index.js", `exports.handler = async (event) => console.log("GOT " + JSON.stringify(event));`)
	osls := func(args ...string) { s.run("node_modules/.bin/osls", args...) }
	s.run("aws", "s3", "mb", "s3://files-known")
	osls("deploy")
	s.python(notified + `
put("files-new", "in/a.txt", "b.txt")
s3.delete_object(Bucket="files-new", Key="b.txt")
assert {key: r["eventName"] for key, r in got("files-dev-hello", 2).items()} == {"in/a.txt": "ObjectCreated:Put", "b.txt": "ObjectRemoved:Delete"}
s3.delete_object(Bucket="files-new", Key="in/a.txt")
put("files-known", "in/c.txt", "d.txt")
s3.delete_object(Bucket="files-known", Key="d.txt")
assert {key: r["eventName"] for key, r in got("files-dev-known", 2).items()} == {"in/c.txt": "ObjectCreated:Put", "d.txt": "ObjectRemoved:Delete"}
`)
	osls("remove")
	s.python(`assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == ["files-known"] and "LambdaFunctionConfigurations" not in s3.get_bucket_notification_configuration(Bucket="files-known")`)
}

// cdkNotified is an application of the CDK whose buckets, one of the stack and one that is there,
// have a function run. The CDK has a function of its own call S3 for that.
const cdkNotified = `
const cdk = require('aws-cdk-lib'), s3 = require('aws-cdk-lib/aws-s3'), n = require('aws-cdk-lib/aws-s3-notifications'), lambda = require('aws-cdk-lib/aws-lambda');
const app = new cdk.App({ outdir: 'cdk.out', analyticsReporting: false });
const stack = new cdk.Stack(app, 'files', { synthesizer: new cdk.LegacyStackSynthesizer() });
const fn = new lambda.Function(stack, 'Fn', { functionName: 'cdk-fn', runtime: lambda.Runtime.NODEJS_22_X, handler: 'index.handler',
  code: lambda.Code.fromInline('exports.handler = async (event) => console.log("GOT " + JSON.stringify(event));') });
const made = new s3.Bucket(stack, 'Made', { bucketName: 'cdk-made', removalPolicy: cdk.RemovalPolicy.DESTROY });
made.addEventNotification(s3.EventType.OBJECT_CREATED, new n.LambdaDestination(fn), { prefix: 'in/', suffix: '.txt' });
s3.Bucket.fromBucketName(stack, 'Known', 'cdk-known').addEventNotification(s3.EventType.OBJECT_REMOVED, new n.LambdaDestination(fn));
app.synth();
`

func TestTheCDKHasFunctionsRunForEventsOfBuckets(t *testing.T) {
	harness.Slow(t, "npm installs the constructs of the CDK, 186 MB")
	harness.Parallel(t)
	s, _ := newNotified(t, "runtimes {\n boto3 "+botoFolder(t)+"\n}\n")
	s.run("npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "aws-cdk-lib@2.276.0", "constructs@>=4")
	s.write("app.js", cdkNotified)
	s.run("node", "app.js")
	s.python(notified + `
s3.create_bucket(Bucket="cdk-known")
iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust))
archive = io.BytesIO()
with zipfile.ZipFile(archive, "w") as z:
    z.writestr("index.js", telling)
lam.create_function(FunctionName="of-others", Runtime="nodejs22.x", Handler="index.handler", Role="arn:aws:iam::000000000000:role/r", Code={"ZipFile": archive.getvalue()})
lam.add_permission(FunctionName="of-others", StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com", SourceAccount=account())
add = {"LambdaFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:of-others", "Id": "of-others", "Events": ["s3:ObjectCreated:*"]}
s3.put_bucket_notification_configuration(Bucket="cdk-known", NotificationConfiguration={"LambdaFunctionConfigurations": [add]})
with open("cdk.out/files.template.json") as f:
    create("files", json.load(f))
settled("files", "CREATE_COMPLETE")
put("cdk-made", "in/a.txt", "b.txt")
put("cdk-known", "c")
s3.delete_object(Bucket="cdk-known", Key="c")
assert {key: r["eventName"] for key, r in got("cdk-fn", 2).items()} == {"in/a.txt": "ObjectCreated:Put", "c": "ObjectRemoved:Delete"}
assert len(s3.get_bucket_notification_configuration(Bucket="cdk-known")["LambdaFunctionConfigurations"]) == 2
for key in ["in/a.txt", "b.txt"]:
    s3.delete_object(Bucket="cdk-made", Key=key)
cfn.delete_stack(StackName="files")
cfn.get_waiter("stack_delete_complete").wait(StackName="files", WaiterConfig={"Delay": 1})
assert s3.get_bucket_notification_configuration(Bucket="cdk-known")["LambdaFunctionConfigurations"] == [add]
assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == ["cdk-known"]
`)
}

// botoFolder has boto3 and what it needs.
func botoFolder(t *testing.T) string {
	t.Helper()
	out, err := exec.Command(botoPython(t), "-c", "import boto3, os; print(os.path.dirname(os.path.dirname(boto3.__file__)))").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
