package stacks

import (
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// oslsService has an event of each kind, and a queue of the SQS of the configuration. cors makes
// an OPTIONS of the type MOCK.
const oslsService = `service: shop
provider: {name: aws, runtime: nodejs22.x, region: us-east-1}
package: {patterns: ["!**", index.mjs]}
functions:
  hello:
    handler: index.handler
    events:
      - httpApi: {path: /hello, method: get}
      - http: {path: hi, method: get, cors: true}
      - schedule: rate(10 minutes)
      - schedule: {method: scheduler, rate: [cron(0 12 * * ? *)], timezone: Europe/Berlin}
      - sqs: {arn: !GetAtt Orders.Arn, batchSize: 2}
    url: true
resources:
  Resources:
    Orders: {Type: AWS::SQS::Queue, Properties: {QueueName: orders}}
`

// oslsScript looks at what osls has made.
const oslsScript = `
o, word = outputs("shop-dev"), os.environ["WORD"]
assert get(o["HttpApiUrl"].replace("https:", "http:") + "/hello") == (200, word), o
rest = urllib.parse.urlsplit(o["ServiceEndpoint"])
port = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"]).port
ask = urllib.request.Request("http://127.0.0.1:%d/dev/hi" % port, method="OPTIONS", headers={"Host": rest.netloc})
with urllib.request.urlopen(ask) as answer:
    assert answer.status == 200 and answer.headers["Access-Control-Allow-Origin"] == "*", answer.headers
resources = made("shop-dev")
assert {"AWS::Scheduler::Schedule", "AWS::Events::Rule", "AWS::Lambda::Url"} <= {r["ResourceType"] for r in resources.values()}, resources
sqs = client("sqs")
sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName="orders")["QueueUrl"], MessageBody="an order")
for _ in range(300):
    if logs.filter_log_events(logGroupName="/aws/lambda/shop-dev-hello", filterPattern='"got an order at %s"' % word)["events"]:
        break
    time.sleep(0.1)
else:
    raise AssertionError("the message did not come")
rest = client("apigateway")
method = resources["ApiGatewayMethodHiOptions"]["PhysicalResourceId"]
api = resources["ApiGatewayRestApi"]["PhysicalResourceId"]
at = next(r["id"] for r in rest.get_resources(restApiId=api)["items"] if r["path"] == "/hi")
assert rest.get_integration(restApiId=api, resourceId=at, httpMethod="OPTIONS")["contentHandling"] == "CONVERT_TO_TEXT"
refused("BadRequestException", "contentHandling is not supported", rest.update_integration, restApiId=api, resourceId=at, httpMethod="OPTIONS",
    patchOperations=[{"op": "replace", "path": "/contentHandling", "value": "CONVERT_TO_BINARY"}])
`

func TestOslsDeploysAServiceRollsItBackAndRemovesIt(t *testing.T) {
	harness.Parallel(t)
	s := newShell(t, harness.StartMoto(t).Options())
	s.run("npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "osls@4.3.1")
	s.write("serverless.yml", oslsService)
	word := func(word string) {
		s.write("index.mjs", "export const handler = async (event) => {\n"+
			"  for (const { body } of event.Records ?? []) console.log(`got ${body} at "+word+"`);\n  return { statusCode: 200, body: '"+word+"' };\n};\n")
	}
	serves := func(word string) {
		s.python("os.environ['WORD'] = '" + word + "'\n" + oslsScript)
	}
	osls := func(args ...string) string { return s.run("node_modules/.bin/osls", args...) }

	word("one")
	osls("deploy")
	serves("one")
	listed := osls("deploy", "list")
	_, first, _ := strings.Cut(listed, "Timestamp: ")
	first, _, found := strings.Cut(first, "\n")
	if !found {
		t.Fatalf("deploy list names no deployment:\n%s", listed)
	}
	word("two")
	osls("deploy")
	serves("two")
	if out := osls("info"); !strings.Contains(out, "shop-dev-hello") {
		t.Errorf("info does not name the function:\n%s", out)
	}
	osls("rollback", "--timestamp", strings.TrimSpace(first))
	serves("one")
	osls("remove")
	s.python(`
assert [x["StackStatus"] for x in cfn.list_stacks()["StackSummaries"] if x["StackName"] == "shop-dev"] == ["DELETE_COMPLETE"]
assert lam.list_functions()["Functions"] == [] and s3.list_buckets()["Buckets"] == []
`)
}
