package api

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/hearthfn/hearth/tests/harness"
)

// Pinned, so that what passed yesterday passes today.
var (
	jsSDK = []string{"@aws-sdk/client-lambda@3.1164.0", "@aws-sdk/client-cloudwatch-logs@3.1164.0"}
	osls  = "osls@4.3.1"
)

var npmInstall = []string{"install", "--no-audit", "--no-fund", "--loglevel=error"}

// Both scripts do the same with the function whose code is in the files of the
// working directory, and end with a word.

const botoScript = `
import json, os, time
import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint = os.environ["AWS_ENDPOINT_URL"]  # older ones do not read it themselves
client = boto3.client("lambda", endpoint_url=endpoint, config=Config(retries={"max_attempts": 0}))
one, two, streaming = (open(name + ".zip", "rb").read() for name in ("one", "two", "streaming"))
role = "arn:aws:iam::000000000000:role/r"

def create(name, archive):
    out = client.create_function(FunctionName=name, Runtime="nodejs20.x", Handler="index.handler", Role=role, Code={"ZipFile": archive}, Timeout=10)
    client.get_waiter("function_exists").wait(FunctionName=name)
    client.get_waiter("function_active_v2").wait(FunctionName=name)
    return out

def invoke(name, **more):
    out = client.invoke(FunctionName=name, Payload=json.dumps({"name": "Ada"}), **more)
    assert out["StatusCode"] == 200 and "FunctionError" not in out, out
    return json.load(out["Payload"])["body"], out

def refused(code, status, call, **arguments):
    try:
        call(**arguments)
    except ClientError as e:
        got = e.response["Error"]["Code"], e.response["ResponseMetadata"]["HTTPStatusCode"]
        assert got == (code, status), e
        return e
    raise AssertionError(code + " expected")

created = create("f", one)
assert created["FunctionArn"] == "arn:aws:lambda:us-east-1:000000000000:function:f" and created["CodeSize"] == len(one), created
assert invoke("f")[0] == "one for Ada"
assert client.publish_version(FunctionName="f")["Version"] == "1"
updated = client.update_function_code(FunctionName="f", ZipFile=two, RevisionId=client.get_function(FunctionName="f")["Configuration"]["RevisionId"])
client.get_waiter("function_updated_v2").wait(FunctionName="f")
assert invoke("f")[0] == "two"
alias = client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
assert invoke(alias["AliasArn"])[0] == "one for Ada"
assert invoke("f", Qualifier="live")[1]["ExecutedVersion"] == "1"
assert "REPORT RequestId" in __import__("base64").b64decode(invoke("f", LogType="Tail")[1]["LogResult"]).decode()

create("streaming", streaming)
if hasattr(client, "invoke_with_response_stream"):  # old ones do not
    events = list(client.invoke_with_response_stream(FunctionName="streaming")["EventStream"])
    assert b"".join(e["PayloadChunk"]["Payload"] for e in events if "PayloadChunk" in e) == b"part 1 part 2", events
    assert "InvokeComplete" in events[-1], events
names = [f["FunctionName"] for page in client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 1}) for f in page["Functions"]]
assert sorted(names) == ["f", "streaming"], names

refused("ResourceNotFoundException", 404, client.invoke, FunctionName="missing")
refused("ResourceConflictException", 409, create, name="f", archive=one)
refused("InvalidRequestContentException", 400, client.invoke, FunctionName="f", Payload="{")
refused("PreconditionFailedException", 412, client.update_function_code, FunctionName="f", ZipFile=one, RevisionId=created["RevisionId"])
client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
assert refused("TooManyRequestsException", 429, client.invoke, FunctionName="f").response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
wrong = boto3.client("lambda", endpoint_url=endpoint, aws_secret_access_key="wrong", aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"])
refused("InvalidSignatureException", 403, wrong.list_functions)

logs = boto3.client("logs", endpoint_url=endpoint)
for _ in range(100):
    messages = [e["message"] for page in logs.get_paginator("filter_log_events").paginate(logGroupName="/aws/lambda/f") for e in page["events"]]
    if any("logged by Ada" in m for m in messages):
        break
    time.sleep(0.1)
else:
    raise AssertionError(messages)
client.delete_function(FunctionName="f")
refused("ResourceNotFoundException", 404, client.get_function, FunctionName="f")
print("finished")
`

const jsScript = `
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import * as l from '@aws-sdk/client-lambda';
import { CloudWatchLogsClient, paginateFilterLogEvents } from '@aws-sdk/client-cloudwatch-logs';

const client = new l.Lambda({ maxAttempts: 1 });
const [one, two, streaming] = ['one', 'two', 'streaming'].map((name) => readFileSync(name + '.zip'));
const text = (bytes) => new TextDecoder().decode(bytes);
const waiting = { client, maxWaitTime: 60 };

const create = async (FunctionName, ZipFile) => {
  const out = await client.createFunction({ FunctionName, Runtime: 'nodejs20.x', Handler: 'index.handler', Role: 'arn:aws:iam::000000000000:role/r', Code: { ZipFile }, Timeout: 10 });
  await l.waitUntilFunctionExists(waiting, { FunctionName });
  await l.waitUntilFunctionActiveV2(waiting, { FunctionName });
  return out;
};
const invoke = async (FunctionName, more) => {
  const out = await client.invoke({ FunctionName, Payload: JSON.stringify({ name: 'Ada' }), ...more });
  assert.equal(out.StatusCode, 200);
  assert.equal(out.FunctionError, undefined);
  return { ...out, body: JSON.parse(text(out.Payload)).body };
};

const created = await create('f', one);
assert.equal(created.CodeSize, one.length);
assert.equal((await invoke('f')).body, 'one for Ada');
assert.equal((await client.publishVersion({ FunctionName: 'f' })).Version, '1');
await client.updateFunctionCode({ FunctionName: 'f', ZipFile: two });
await l.waitUntilFunctionUpdatedV2(waiting, { FunctionName: 'f' });
assert.equal((await invoke('f')).body, 'two');
const alias = await client.createAlias({ FunctionName: 'f', Name: 'live', FunctionVersion: '1', RoutingConfig: {} });
assert.equal((await invoke(alias.AliasArn)).body, 'one for Ada');
assert.equal((await invoke('f', { Qualifier: 'live' })).ExecutedVersion, '1');
assert.match(atob((await invoke('f', { LogType: 'Tail' })).LogResult), /REPORT RequestId/);

await create('streaming', streaming);
let streamed = '', complete = false;
for await (const event of (await client.invokeWithResponseStream({ FunctionName: 'streaming' })).EventStream) {
  if (event.PayloadChunk) streamed += text(event.PayloadChunk.Payload);
  complete ||= event.InvokeComplete !== undefined;
}
assert.deepEqual([streamed, complete], ['part 1 part 2', true]);
const names = [];
for await (const page of l.paginateListFunctions({ client, pageSize: 1 }, {})) names.push(...page.Functions.map((f) => f.FunctionName));
assert.deepEqual(names.sort(), ['f', 'streaming']);

await assert.rejects(client.invoke({ FunctionName: 'missing' }), l.ResourceNotFoundException);
await assert.rejects(create('f', one), l.ResourceConflictException);
await assert.rejects(client.invoke({ FunctionName: 'f', Payload: '{' }), l.InvalidRequestContentException);
await assert.rejects(client.updateFunctionCode({ FunctionName: 'f', ZipFile: one, RevisionId: created.RevisionId }), l.PreconditionFailedException);
await client.putFunctionConcurrency({ FunctionName: 'f', ReservedConcurrentExecutions: 0 });
await assert.rejects(client.invoke({ FunctionName: 'f' }), (e) => e instanceof l.TooManyRequestsException && e.Reason === 'ReservedFunctionConcurrentInvocationLimitExceeded');
const wrong = new l.Lambda({ maxAttempts: 1, credentials: { accessKeyId: process.env.AWS_ACCESS_KEY_ID, secretAccessKey: 'wrong' } });
await assert.rejects(wrong.listFunctions(), { name: 'InvalidSignatureException' });

const logs = new CloudWatchLogsClient();
let messages = '';
for (const end = Date.now() + 10000; !messages.includes('logged by Ada'); ) {
  assert.ok(Date.now() < end, messages);
  for await (const page of paginateFilterLogEvents({ client: logs }, { logGroupName: '/aws/lambda/f' })) messages += page.events.map((e) => e.message).join('');
}
await client.deleteFunction({ FunctionName: 'f' });
await assert.rejects(client.getFunction({ FunctionName: 'f' }), l.ResourceNotFoundException);
console.log('finished');
`

// sdkShell is a server and a folder with the code that the scripts use.
func sdkShell(t *testing.T) *shell {
	s := newShell(harness.NewAPI(t, "", ""))
	s.write("one.zip", harness.NodeZip(t, "console.log('logged by', event.name); return { body: `one for ${event.name}` };"))
	s.write("two.zip", harness.NodeZip(t, "return { body: 'two' };"))
	s.write("streaming.zip", harness.ZipOf(t, map[string]string{"index.mjs": "export const handler = awslambda.streamifyResponse(async (event, stream) => { stream.write('part 1 '); stream.end('part 2'); });"}))
	return s
}

// botoPython is a Python that has boto3.
func botoPython(t *testing.T) string {
	t.Helper()
	// The system's has what its packages bring, whatever comes first on PATH.
	for _, candidate := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(candidate, "-c", "import boto3").Run() == nil {
			return candidate
		}
	}
	t.Fatal("no Python here has boto3: install it (Debian: python3-boto3)")
	return ""
}

func TestAPIServesBoto3(t *testing.T) {
	harness.Parallel(t)
	python := botoPython(t)
	s := sdkShell(t)
	s.write("script.py", []byte(botoScript))
	s.want(s.run(python, "script.py"), "finished")
}

func TestAPIServesTheSDKForJavaScript(t *testing.T) {
	harness.Slow(t, "npm installs it")
	harness.Parallel(t)
	needs(t, "npm", "Node.js with npm (Debian: npm)")
	s := sdkShell(t)
	s.run("npm", append(npmInstall, jsSDK...)...)
	s.write("script.mjs", []byte(jsScript))
	s.want(s.run("node", "script.mjs"), "finished")
}

// What osls does by the Lambda API and CloudWatch Logs alone: deploying a whole service
// and removing it are CloudFormation's and S3's work.
func TestAPIServesTheServerlessFramework(t *testing.T) {
	harness.Slow(t, "npm installs it")
	harness.Parallel(t)
	needs(t, "npm", "Node.js with npm (Debian: npm)")
	a := harness.NewAPI(t, "", "function /hello shop-dev-hello")
	s := newShell(a)
	if out, err := s.try("npm", append(npmInstall, osls)...); err != nil {
		t.Fatalf("npm cannot install %s: is a registry reachable?\n%s", osls, harness.Tail(out, 5))
	}
	s.write("serverless.yml", []byte(`service: shop
provider: { name: aws, runtime: nodejs20.x, region: us-east-1, deploymentBucket: bucket }
package: { patterns: ['!**', index.js] }
functions:
  hello: { handler: index.handler }
`))
	handler := func(answer string) {
		s.write("index.js", []byte("exports.handler = async (event) => { console.log('logged by', event.name); return { statusCode: 200, body: '"+answer+"' }; };"))
	}
	osls := func(args ...string) string {
		t.Helper()
		return s.run("node_modules/.bin/osls", args...)
	}
	handler("one")
	osls("package")
	archive, err := os.ReadFile(filepath.Join(s.work, ".serverless", "shop.zip"))
	a.Check(err)
	a.Create("shop-dev-hello", archive, func(in *lambda.CreateFunctionInput) { in.Publish = true })
	s.want(osls("invoke", "--function", "hello", "--data", `{"name":"Ada"}`, "--log"), `"body": "one"`, "logged by Ada")
	handler("two")
	osls("deploy", "function", "--function", "hello")
	s.want(a.Get("/hello").Body, "two")
	harness.Eventually(t, "the line is in the log", func() bool { return strings.Contains(osls("logs", "--function", "hello"), "logged by Ada") })
	s.want(osls("deploy", "list", "functions"), "$LATEST, 1")
	osls("rollback", "function", "--function", "hello", "--function-version", "1")
	s.want(a.Get("/hello").Body, "one")
}
