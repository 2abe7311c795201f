package stacks

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// cdkApp has what applications of the CDK often have: a function that esbuild bundles, with a log
// group, a table, a queue whose messages it gets, an HTTP API, and a custom resource.
const cdkApp = `
const { App, CfnOutput, CustomResource, Duration, RemovalPolicy, Stack } = require('aws-cdk-lib');
const { HttpApi } = require('aws-cdk-lib/aws-apigatewayv2');
const { HttpLambdaIntegration } = require('aws-cdk-lib/aws-apigatewayv2-integrations');
const { AttributeType, BillingMode, Table } = require('aws-cdk-lib/aws-dynamodb');
const { Code, Function, Runtime } = require('aws-cdk-lib/aws-lambda');
const { SqsEventSource } = require('aws-cdk-lib/aws-lambda-event-sources');
const { NodejsFunction } = require('aws-cdk-lib/aws-lambda-nodejs');
const { LogGroup, RetentionDays } = require('aws-cdk-lib/aws-logs');
const { Queue } = require('aws-cdk-lib/aws-sqs');

const stack = new Stack(new App(), 'orders', { env: { account: '123456789012', region: 'us-east-1' } });
const removalPolicy = RemovalPolicy.DESTROY;
const table = new Table(stack, 'Table', { partitionKey: { name: 'id', type: AttributeType.STRING }, billingMode: BillingMode.PAY_PER_REQUEST, removalPolicy });
const queue = new Queue(stack, 'Queue', { visibilityTimeout: Duration.seconds(60) });
const keep = new NodejsFunction(stack, 'Keep', {
  entry: 'keep.ts', runtime: Runtime.NODEJS_22_X, depsLockFilePath: 'package-lock.json', bundling: { externalModules: [] }, timeout: Duration.seconds(30),
  environment: { TABLE: table.tableName }, logGroup: new LogGroup(stack, 'Log', { logGroupName: '/orders', retention: RetentionDays.ONE_WEEK, removalPolicy }),
});
table.grantReadWriteData(keep);
keep.addEventSource(new SqsEventSource(queue, { batchSize: 5 }));
const api = new HttpApi(stack, 'Api');
api.addRoutes({ path: '/orders', integration: new HttpLambdaIntegration('Orders', keep) });
const made = new Function(stack, 'Made', { runtime: Runtime.NODEJS_22_X, handler: 'index.handler', code: Code.fromAsset('custom') });
const custom = new CustomResource(stack, 'Custom', { serviceToken: made.functionArn, properties: { Word: 'made' } });
for (const [name, value] of Object.entries({ QueueUrl: queue.queueUrl, ApiId: api.apiId, Word: custom.getAttString('Word') })) new CfnOutput(stack, name, { value });
`

// cdkCustom answers as the libraries of the CDK do.
const cdkCustom = `
const https = require('https');
const url = require('url');
exports.handler = (event) => new Promise((resolve, reject) => {
  const { hostname, path } = url.parse(event.ResponseURL);
  const body = JSON.stringify({ Status: 'SUCCESS', PhysicalResourceId: 'made', StackId: event.StackId, RequestId: event.RequestId, LogicalResourceId: event.LogicalResourceId, Data: { Word: event.ResourceProperties.Word } });
  const request = https.request({ hostname, path, method: 'PUT', headers: { 'content-type': '', 'content-length': Buffer.byteLength(body) } }, resolve);
  request.on('error', reject);
  request.end(body);
}).then(() => undefined);
`

const cdkKeep = `
import { DynamoDBClient, PutItemCommand, ScanCommand } from '@aws-sdk/client-dynamodb';
const tables = new DynamoDBClient({});
export const handler = async (event: any) => {
  for (const { body } of event.Records ?? []) await tables.send(new PutItemCommand({ TableName: process.env.TABLE, Item: { id: { S: body } } }));
  return (await tables.send(new ScanCommand({ TableName: process.env.TABLE }))).Items?.map((item) => item.id.S);
};
`

func TestTheCDKDeploysAnApplicationOfManyServices(t *testing.T) {
	harness.Slow(t, "npm installs the library of the CDK")
	harness.Parallel(t)
	moto := harness.StartMoto(t)
	options := "account 123456789012\n"
	for _, service := range []string{"sqs", "dynamodb"} {
		options += fmt.Sprintf("%s {\n endpoint %s\n access_key %s %s\n}\n", service, moto.URL, harness.MotoKey, harness.MotoSecret)
	}
	s := newShell(t, options)
	for name, text := range map[string]string{
		"app.js": cdkApp, "keep.ts": cdkKeep, "custom/index.js": cdkCustom, "package.json": "{}", "cdk.json": `{"app": "node app.js"}`,
	} {
		s.write(name, text)
	}
	s.run("npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "aws-cdk@2.1148.1", "aws-cdk-lib@2.276.0", "constructs@10", "esbuild@0.25", "@aws-sdk/client-dynamodb@3")
	cdk := func(args ...string) {
		t.Helper()
		if out := s.run("node_modules/.bin/cdk", append(args, "--no-notices")...); strings.Contains(out, "Proceeding anyway") {
			t.Errorf("cdk %s does without a role:\n%s", args[0], harness.Tail(out, 30))
		}
	}
	cdk("bootstrap", "aws://123456789012/us-east-1")
	cdk("deploy", "--require-approval", "never")
	s.python(`
o = outputs("orders")
assert o["Word"] == "made", o
assert [(g["logGroupName"], g["retentionInDays"]) for g in logs.describe_log_groups(logGroupNamePrefix="/orders")["logGroups"]] == [("/orders", 7)]
client("sqs").send_message(QueueUrl=o["QueueUrl"], MessageBody="first")
port = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"]).port
for _ in range(600):
    answer = get("http://%s.execute-api.us-east-1.localhost:%d/orders" % (o["ApiId"], port))
    if answer == (200, '["first"]'):
        break
    time.sleep(0.1)
assert answer == (200, '["first"]'), (answer, o)
`)
	cdk("destroy", "--force")
	s.python(`assert lam.list_functions()["Functions"] == [] and client("dynamodb").list_tables()["TableNames"] == []`)
}
