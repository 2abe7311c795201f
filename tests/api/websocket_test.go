package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/coder/websocket"

	"github.com/hearthfn/hearth/tests/harness"
)

// socketScript makes a WebSocket API as a user does, and asks for all that can be asked for.
const socketScript = `
import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

once = Config(retries={"max_attempts": 0})
v2 = boto3.client("apigatewayv2", config=once)
fn = boto3.client("lambda", config=once)
arn = fn.get_function(FunctionName="echo")["Configuration"]["FunctionArn"]
wrapped = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/%s/invocations" % arn

def refused(code, text, call, **args):
    try:
        answer = call(**args)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, (code, str(error))
        assert text in error.response["Error"]["Message"], (text, str(error))
    else:
        raise AssertionError((code, text, answer))

selection = "$request.body.action"
refused("BadRequestException", "routeSelectionExpression is required", v2.create_api, Name="n", ProtocolType="WEBSOCKET")
refused("BadRequestException", "$request.header.x is not supported", v2.create_api, Name="n", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.header.x")
refused("BadRequestException", "target is only for HTTP", v2.create_api, Name="n", ProtocolType="WEBSOCKET", RouteSelectionExpression=selection, Target=arn)
refused("BadRequestException", "corsConfiguration is only", v2.create_api, Name="n", ProtocolType="WEBSOCKET", RouteSelectionExpression=selection, CorsConfiguration={"AllowOrigins": ["*"]})
api = v2.create_api(Name="chat", ProtocolType="WEBSOCKET", RouteSelectionExpression=selection)
id = api["ApiId"]
assert api["ApiEndpoint"].startswith("ws://%s.execute-api.us-east-1.localhost:" % id), api
assert api["ProtocolType"] == "WEBSOCKET" and api["RouteSelectionExpression"] == selection, api
assert v2.get_api(ApiId=id)["ApiEndpoint"] == api["ApiEndpoint"]

refused("BadRequestException", "MOCK is not supported", v2.create_integration, ApiId=id, IntegrationType="MOCK")
refused("BadRequestException", "payloadFormatVersion of WebSocket APIs is 1.0", v2.create_integration, ApiId=id, IntegrationType="AWS_PROXY", IntegrationUri=wrapped, PayloadFormatVersion="2.0")
refused("BadRequestException", "at most 29000", v2.create_integration, ApiId=id, IntegrationType="AWS_PROXY", IntegrationUri=wrapped, TimeoutInMillis=30000)
integration = v2.create_integration(ApiId=id, IntegrationType="AWS_PROXY", IntegrationMethod="POST", IntegrationUri=wrapped)
assert integration["TimeoutInMillis"] == 29000 and integration["PassthroughBehavior"] == "WHEN_NO_MATCH", integration
target = "integrations/" + integration["IntegrationId"]
refused("BadRequestException", "authorizerType of WebSocket APIs is REQUEST", v2.create_authorizer, ApiId=id, Name="a", AuthorizerType="JWT", IdentitySource=["$request.header.Authorization"])
refused("BadRequestException", "Invalid identitySource", v2.create_authorizer, ApiId=id, Name="a", AuthorizerType="REQUEST", AuthorizerUri=wrapped, IdentitySource=["$request.header.Authorization"])
refused("BadRequestException", "only for HTTP APIs", v2.create_authorizer, ApiId=id, Name="a", AuthorizerType="REQUEST", AuthorizerUri=wrapped, IdentitySource=[], AuthorizerPayloadFormatVersion="2.0")
guard = v2.create_authorizer(ApiId=id, Name="guard", AuthorizerType="REQUEST", AuthorizerUri=wrapped.replace(":echo/", ":guard/"), IdentitySource=["route.request.querystring.token"])["AuthorizerId"]
v2.create_route(ApiId=id, RouteKey="$connect", Target=target, AuthorizationType="CUSTOM", AuthorizerId=guard)
fn.add_permission(FunctionName="guard", StatementId="chat", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com", SourceArn="arn:aws:execute-api:us-east-1:000000000000:%s/authorizers/%s" % (id, guard))
for key in "$disconnect", "quiet":
    v2.create_route(ApiId=id, RouteKey=key, Target=target)
route = v2.create_route(ApiId=id, RouteKey="say", Target=target, RouteResponseSelectionExpression="$default")
assert route["RouteResponseSelectionExpression"] == "$default", route
refused("ConflictException", "already exists", v2.create_route, ApiId=id, RouteKey="say", Target=target)
refused("BadRequestException", "dollar sign", v2.create_route, ApiId=id, RouteKey="$other", Target=target)
refused("BadRequestException", "only for the route $connect", v2.create_route, ApiId=id, RouteKey="x", Target=target, AuthorizationType="AWS_IAM")
refused("BadRequestException", "apiKeyRequired is only for the route $connect", v2.create_route, ApiId=id, RouteKey="x", Target=target, ApiKeyRequired=True)
refused("NotFoundException", "Invalid Integration identifier", v2.create_route, ApiId=id, RouteKey="x", Target="integrations/none")

refused("BadRequestException", "routeResponseKey is $default", v2.create_route_response, ApiId=id, RouteId=route["RouteId"], RouteResponseKey="other")
refused("NotFoundException", "Invalid Route identifier", v2.create_route_response, ApiId=id, RouteId="none", RouteResponseKey="$default")
response = v2.create_route_response(ApiId=id, RouteId=route["RouteId"], RouteResponseKey="$default")
refused("ConflictException", "already exists", v2.create_route_response, ApiId=id, RouteId=route["RouteId"], RouteResponseKey="$default")
assert [r["RouteResponseId"] for r in v2.get_route_responses(ApiId=id, RouteId=route["RouteId"])["Items"]] == [response["RouteResponseId"]]
extra = v2.create_route(ApiId=id, RouteKey="extra", Target=target)
second = v2.create_route_response(ApiId=id, RouteId=extra["RouteId"], RouteResponseKey="$default")["RouteResponseId"]
assert v2.update_route_response(ApiId=id, RouteId=extra["RouteId"], RouteResponseId=second)["RouteResponseKey"] == "$default"
v2.delete_route_response(ApiId=id, RouteId=extra["RouteId"], RouteResponseId=second)
refused("NotFoundException", "Invalid RouteResponse identifier", v2.get_route_response, ApiId=id, RouteId=extra["RouteId"], RouteResponseId=second)
v2.delete_route(ApiId=id, RouteId=extra["RouteId"])
refused("BadRequestException", "are not mapped", v2.create_integration_response, ApiId=id, IntegrationId=integration["IntegrationId"], IntegrationResponseKey="$default")
refused("BadRequestException", "does not validate messages", v2.create_model, ApiId=id, Name="m", Schema="{}")

refused("BadRequestException", "Stage name only allows", v2.create_stage, ApiId=id, StageName="$default")
refused("BadRequestException", "Execution logs", v2.create_stage, ApiId=id, StageName="dev", DefaultRouteSettings={"LoggingLevel": "INFO"})
refused("BadRequestException", "accessLogSettings are not supported for WebSocket", v2.create_stage, ApiId=id, StageName="dev", AccessLogSettings={"DestinationArn": "arn:aws:logs:us-east-1:000000000000:log-group:x", "Format": "$context.requestId"})
refused("BadRequestException", "detailedMetricsEnabled", v2.create_stage, ApiId=id, StageName="dev", DefaultRouteSettings={"DetailedMetricsEnabled": True})
deployment = v2.create_deployment(ApiId=id)["DeploymentId"]
v2.create_stage(ApiId=id, StageName="dev", DeploymentId=deployment, StageVariables={"table": "rooms"})
fn.add_permission(FunctionName="echo", StatementId="chat", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com", SourceArn="arn:aws:execute-api:us-east-1:000000000000:%s/dev/*" % id)
http = v2.create_api(Name="h", ProtocolType="HTTP")["ApiId"]
refused("BadRequestException", "only for WebSocket APIs", v2.create_route, ApiId=http, RouteKey="GET /", RouteResponseSelectionExpression="$default")

keyed = v2.create_api(Name="keyed", ProtocolType="WEBSOCKET", RouteSelectionExpression=selection)["ApiId"]
refused("BadRequestException", "apiKeyRequired needs a target", v2.create_route, ApiId=keyed, RouteKey="$connect", ApiKeyRequired=True)
to = "integrations/" + v2.create_integration(ApiId=keyed, IntegrationType="AWS_PROXY", IntegrationMethod="POST", IntegrationUri=wrapped)["IntegrationId"]
assert v2.create_route(ApiId=keyed, RouteKey="$connect", Target=to, ApiKeyRequired=True)["ApiKeyRequired"] is True
v2.create_stage(ApiId=keyed, StageName="dev", AutoDeploy=True)
fn.add_permission(FunctionName="echo", StatementId="keyed", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com", SourceArn="arn:aws:execute-api:us-east-1:000000000000:%s/dev/*" % keyed)
v1 = boto3.client("apigateway", config=once)
plan = v1.create_usage_plan(name="p", apiStages=[{"apiId": keyed, "stage": "dev"}], quota={"limit": 1, "period": "MONTH"})["id"]
key = v1.create_api_key(name="k", value="0123456789abcdef0123", enabled=True)["id"]
v1.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType="API_KEY")

bare = v2.create_api(Name="bare", ProtocolType="WEBSOCKET", RouteSelectionExpression=selection)["ApiId"]
v2.create_route(ApiId=bare, RouteKey="$connect", AuthorizationType="AWS_IAM") # without a target
v2.create_stage(ApiId=bare, StageName="dev", AutoDeploy=True)
print(id, keyed, bare)
`

func TestBoto3MakesAWebSocketAPI(t *testing.T) {
	harness.Parallel(t)
	python := botoPython(t)
	a := harness.NewAPI(t, "", "websocket own {\n\tstage dev\n}")
	a.Create("echo", harness.ZipOf(t, map[string]string{"index.mjs": `export const handler = async (e) => {
  if (e.queryStringParameters?.refuse) return { statusCode: 403 };
  return { statusCode: 200, body: JSON.stringify({ ...e.requestContext, ...e.stageVariables }) };
};`}))
	a.Create("guard", harness.ZipOf(t, map[string]string{"index.mjs": `export const handler = async (e) => ({
  principalId: 'user', context: { token: e.queryStringParameters.token, kind: e.type, event: e.requestContext.eventType },
  policyDocument: { Version: '2012-10-17', Statement: [{ Action: 'execute-api:Invoke', Resource: e.methodArn,
    Effect: e.queryStringParameters.token === 'good' && e.methodArn.endsWith('/dev/$connect') ? 'Allow' : 'Deny' }] },
});`}))
	s := newShell(a)
	s.write("script.py", []byte(socketScript))
	made := strings.Fields(s.run(python, "script.py"))
	if len(made) != 3 {
		t.Fatalf("%q", made)
	}
	id, keyed, bare := made[0], made[1], made[2]
	suffix := ".execute-api.us-east-1.localhost" + strings.TrimPrefix(a.URL(""), "http://127.0.0.1")
	host := id + suffix

	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, strings.TrimPrefix(a.URL(""), "http://"))
	}}
	defer transport.CloseIdleConnections()
	dialTo := func(host, path string, header ...http.Header) (*websocket.Conn, int) {
		c, r, err := websocket.Dial(ctx, "ws://"+host+path, &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}, HTTPHeader: append(header, nil)[0]})
		if err != nil {
			if r == nil {
				t.Fatal(err)
			}
			return nil, r.StatusCode
		}
		t.Cleanup(func() { _ = c.CloseNow() })
		return c, 0
	}
	dial := func(path string, header ...http.Header) (*websocket.Conn, int) { return dialTo(host, path, header...) }
	for _, test := range []struct {
		key  string
		want int
	}{{"", 403}, {"0123456789abcdef0124", 403}, {"0123456789abcdef0123", 0}, {"0123456789abcdef0123", 429}} {
		if _, status := dialTo(keyed+suffix, "/dev", http.Header{"X-Api-Key": {test.key}}); status != test.want {
			t.Errorf("the API key %q: %d, want %d", test.key, status, test.want)
		}
	}
	if _, status := dialTo(bare+suffix, "/dev"); status != 403 {
		t.Errorf("a $connect that asks for a signature and has no target: %d, want 403", status)
	}
	for path, want := range map[string]int{"/dev?refuse=1&token=good": 403, "/dev": 401, "/dev?token=bad": 403, "/": 403, "/other": 403, "/dev/more": 403} {
		if _, status := dial(path); status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
	}
	c, status := dial("/dev?token=good")
	if c == nil {
		t.Fatalf("refused by %d", status)
	}
	a.Check(c.Write(ctx, websocket.MessageText, []byte(`{"action":"quiet"}`))) // it has no response
	a.Check(c.Write(ctx, websocket.MessageText, []byte(`{"action":"say"}`)))
	_, text, err := c.Read(ctx)
	a.Check(err)
	var said struct {
		RouteKey, Stage, APIID, DomainName, ConnectionID, Table string
		Authorizer                                              map[string]string
	}
	a.Check(json.Unmarshal(text, &said))
	if said.RouteKey != "say" || said.Stage != "dev" || said.APIID != id || said.DomainName != host || said.Table != "rooms" ||
		!maps.Equal(said.Authorizer, map[string]string{"principalId": "user", "token": "good", "kind": "REQUEST", "event": "CONNECT"}) {
		t.Errorf("%s", text)
	}
	a.Check(c.Write(ctx, websocket.MessageText, []byte(`{}`)))
	if _, text, err := c.Read(ctx); err != nil || !strings.Contains(string(text), "Forbidden") {
		t.Errorf("%s %v", text, err)
	}
	postTo := func(host, id string) harness.Response {
		r := a.Request("POST", "/dev/@connections/"+strings.ReplaceAll(id, "=", "%3D"), strings.NewReader("posted"))
		r.Host = host
		digest := sha256.Sum256([]byte("posted"))
		a.Check(v4.NewSigner().SignHTTP(ctx, a.Credentials, r, hex.EncodeToString(digest[:]), "execute-api", "us-east-1", time.Now()))
		return a.Do(r)
	}
	post := func(id string) harness.Response { return postTo(host, id) }
	postTo("127.0.0.1", said.ConnectionID).Want(t, 410, "Gone") // the site of another API
	post(said.ConnectionID).Want(t, 200, "")
	if _, text, err := c.Read(ctx); err != nil || string(text) != "posted" {
		t.Errorf("%s %v", text, err)
	}

	// Signed by a key instead.
	s.write("signed.py", []byte(`
import sys, boto3
v2, id = boto3.client("apigatewayv2"), sys.argv[1]
connect = [r for r in v2.get_routes(ApiId=id)["Items"] if r["RouteKey"] == "$connect"][0]
v2.update_route(ApiId=id, RouteId=connect["RouteId"], AuthorizationType="AWS_IAM")
v2.create_deployment(ApiId=id, StageName="dev")
`))
	s.run(python, "signed.py", id)
	signed := a.Request("GET", "/dev", nil)
	signed.Host = host
	digest := sha256.Sum256(nil)
	a.Check(v4.NewSigner().SignHTTP(ctx, a.Credentials, signed, hex.EncodeToString(digest[:]), "execute-api", "us-east-1", time.Now()))
	harness.Eventually(t, "only signed requests connect", func() bool { _, status := dial("/dev?token=good"); return status == 403 })
	by, status := dial("/dev", signed.Header)
	if by == nil {
		t.Fatalf("a signed request is refused by %d", status)
	}
	a.Check(by.Write(ctx, websocket.MessageText, []byte(`{"action":"say"}`)))
	if _, text, err := by.Read(ctx); err != nil || !strings.Contains(string(text), `"userArn":"arn:aws:iam::000000000000:user/`+a.Credentials.AccessKeyID) {
		t.Errorf("%s %v", text, err)
	}
	s.write("signed.py", []byte(`
import sys, boto3
v2, id = boto3.client("apigatewayv2"), sys.argv[1]
connect = [r for r in v2.get_routes(ApiId=id)["Items"] if r["RouteKey"] == "$connect"][0]
v2.update_route(ApiId=id, RouteId=connect["RouteId"], AuthorizationType="NONE")
v2.create_deployment(ApiId=id, StageName="dev")
`))
	s.run(python, "signed.py", id)
	harness.Eventually(t, "everybody connects", func() bool { c, _ := dial("/dev"); return c != nil })

	// Without the permission nobody connects; without the API its sockets end.
	s.write("end.py", []byte(`
import sys, boto3
boto3.client("lambda").remove_permission(FunctionName="echo", StatementId="chat")
`))
	s.run(python, "end.py")
	harness.Eventually(t, "a client is refused without the permission", func() bool { _, status := dial("/dev?token=good"); return status == 502 })
	s.write("end.py", []byte(`
import sys, boto3
boto3.client("apigatewayv2").delete_api(ApiId=sys.argv[1])
`))
	s.run(python, "end.py", id)
	if _, _, err := c.Read(ctx); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("without its API: %v", err)
	}
	post(said.ConnectionID).Want(t, 404, "")
}
