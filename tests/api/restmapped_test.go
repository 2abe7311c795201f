package api

import (
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

const mappedScript = `
import boto3
from botocore.exceptions import ClientError

gw = boto3.client("apigateway")
fn = boto3.client("lambda")
arn = fn.get_function(FunctionName="shout")["Configuration"]["FunctionArn"]
uri = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/%s/invocations" % arn.replace(":shout", ":$" + "{stageVariables.name}")

def refused(text, call, **args):
    try:
        answer = call(**args)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "BadRequestException" and text in error.response["Error"]["Message"], str(error)
    else:
        raise AssertionError((text, answer))

id = gw.create_rest_api(name="mapped")["id"]
root = gw.get_resources(restApiId=id)["items"][0]["id"]
at = dict(restApiId=id, resourceId=gw.create_resource(restApiId=id, parentId=root, pathPart="{who}")["id"])
guard = gw.create_authorizer(restApiId=id, name="guard", type="TOKEN", identitySource="method.request.header.X-Who",
    authorizerUri="arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/%s/invocations" % arn.replace(":shout", ":guard"))["id"]
for method in ["POST", "PUT", "PATCH"]:
    gw.put_method(httpMethod=method, **(dict(authorizationType="CUSTOM", authorizerId=guard) if method == "PATCH" else dict(authorizationType="NONE")), **at)
    for status in ["200", "302", "404"]:
        gw.put_method_response(httpMethod=method, statusCode=status, responseParameters={"method.response.header.Location": False}, **at)
to = dict(type="AWS", integrationHttpMethod="POST", httpMethod="POST", **at)
refused("for other services than Lambda", gw.put_integration, uri="arn:aws:apigateway:us-east-1:sqs:path/0/queue", **to)
refused("$util.qr('') is not supported", gw.put_integration, uri=uri, requestTemplates={"application/json": "$util.qr('')"}, **to)
gw.put_integration(uri=uri, passthroughBehavior="NEVER", requestTemplates={"application/json": '''{"who": "$input.params('who')", "stage": "$context.stage", "all": $input.json('$'),
    "names": [#foreach($n in $input.path('$.names'))"$util.escapeJavaScript($n)"#if($foreach.hasNext),#end#end]}'''}, **to)
refused("a function answers no headers", gw.put_integration_response, httpMethod="POST", statusCode="200", responseParameters={"method.response.header.Location": "integration.response.header.X"}, **at)
gw.put_integration_response(httpMethod="POST", statusCode="200", responseTemplates={"application/json": "$input.json('$.event')", "text/plain": "hello $input.path('$.event.who')"}, **at)
gw.put_integration_response(httpMethod="POST", statusCode="302", selectionPattern="moved.*", responseParameters={"method.response.header.Location": "integration.response.body.errorMessage"}, **at)
gw.put_integration_response(httpMethod="POST", statusCode="404", selectionPattern="gone", responseTemplates={"application/json": '{"error":"$input.path("$.errorMessage")"}'}, **at)
gw.put_integration(type="AWS", integrationHttpMethod="POST", httpMethod="PATCH", uri=uri, requestTemplates={"application/json":
    """#define($each){#foreach($k in $map.keySet())"$k": "$map.get($k)"#if($foreach.hasNext),#end#end}#end{"principal": "$context.authorizer.principalId",
    #set($map = $context.authorizer)"authorizer": $each, #set($map = $input.params().path)"path": $each, "body": $util.parseJson($input.path('$.text')).a[1]}"""}, **at)
gw.put_integration_response(httpMethod="PATCH", statusCode="200", **at)
gw.put_integration(type="AWS", integrationHttpMethod="POST", httpMethod="PUT", uri=uri, **at)
gw.put_integration_response(httpMethod="PUT", statusCode="200", selectionPattern="-", **at)
gw.create_deployment(restApiId=id, stageName="live", variables={"name": "shout"})
gw.update_integration_response(httpMethod="PUT", statusCode="200", patchOperations=[{"op": "replace", "path": "/selectionPattern", "value": ""}], **at)
gw.create_deployment(restApiId=id, stageName="next", variables={"name": "shout"})
for name in ["shout", "guard"]:
    fn.add_permission(FunctionName=name, StatementId="s", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com", SourceArn="arn:aws:execute-api:us-east-1:000000000000:%s/*" % id)
print(id)
`

func TestTemplatesMakeTheEventsAndAnswersOfFunctions(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	a.Create("shout", harness.NodeZip(t, `if (event.all?.fail) throw new Error(event.all.fail); return { event };`))
	a.Create("guard", harness.NodeZip(t, `return { principalId: event.authorizationToken, context: { plan: "gold" },
		policyDocument: { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "execute-api:Invoke", Resource: "*" }] } };`))
	s := newShell(a)
	s.write("make.py", []byte(mappedScript))
	id := strings.TrimSpace(s.run(botoPython(t), "make.py"))
	ask := func(method, path, body string, header ...string) harness.Response {
		r := a.Request(method, path, strings.NewReader(body))
		r.Host = id + ".execute-api.us-east-1.localhost"
		for n := 0; n+1 < len(header); n += 2 {
			r.Header.Set(header[n], header[n+1])
		}
		return a.Do(r)
	}
	ask("POST", "/live/ada", `{"names":["a","b\"c"]}`).Want(t, 200, `{"all":{"names":["a","b\"c"]},"names":["a","b\"c"],"stage":"live","who":"ada"}`)
	ask("POST", "/live/ada", ``, "Accept", "text/plain").Want(t, 200, "hello ada")
	moved := ask("POST", "/live/ada", `{"fail":"moved away"}`)
	moved.Want(t, 302, `"errorMessage":"moved away"`)
	if got := moved.Header.Get("Location"); got != "moved away" {
		t.Errorf("%q", got)
	}
	ask("POST", "/live/ada", `{"fail":"gone"}`).Want(t, 404, `{"error":"gone"}`)
	ask("POST", "/live/ada", `{"fail":"gone, and more"}`).Want(t, 200, `""`) // no pattern is for it
	ask("POST", "/live/ada", `{}`, "Content-Type", "text/plain").Want(t, 415, `{"message":"Unsupported Media Type"}`)
	ask("POST", "/live/a%22b", `{}`).Want(t, 500, `{"message": "Internal server error"}`) // the template makes no JSON
	ask("PATCH", "/live/ada", `{"text":"{\"a\":[0,7]}"}`, "X-Who", "me").Want(t, 200, `{"event":{"principal":"me","authorizer":{"plan":"gold","principalId":"me"},"path":{"who":"ada"},"body":7}}`)
	ask("PUT", "/live/ada", `{"x":1}`).Want(t, 500, `{"message": "Internal server error"}`)
	ask("PUT", "/next/ada", `{"x":1}`).Want(t, 200, `{"event":{"x":1}}`)
	ask("PUT", "/next/ada", ``).Want(t, 200, `{"event":{}}`)
}
