package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/hearthfn/hearth/tests/harness"
)

// authorizersScript makes an API whose routes ask who calls, in all the ways that HTTP APIs have.
const authorizersScript = `
import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

v2 = boto3.client("apigatewayv2", config=Config(retries={"max_attempts": 0}))
fn = boto3.client("lambda")
arn = lambda name: fn.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
wrap = lambda arn: "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/%s/invocations" % arn

def refused(code, text, call, **args):
    try:
        answer = call(**args)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, (code, str(error))
        assert text in error.response["Error"]["Message"], (text, str(error))
    else:
        raise AssertionError((code, text, answer))

id = v2.create_api(Name="closed", ProtocolType="HTTP")["ApiId"]
target = "integrations/" + v2.create_integration(ApiId=id, IntegrationType="AWS_PROXY", IntegrationUri=arn("echo"), PayloadFormatVersion="2.0")["IntegrationId"]
header = ["$request.header.Authorization"]
request = dict(ApiId=id, AuthorizerType="REQUEST", IdentitySource=header, AuthorizerUri=wrap(arn("check")))

users = v2.create_authorizer(ApiId=id, Name="users", AuthorizerType="JWT", IdentitySource=header, JwtConfiguration={"Issuer": "http://127.0.0.1:1", "Audience": ["shop"]})
assert users["JwtConfiguration"]["Audience"] == ["shop"] and "AuthorizerResultTtlInSeconds" not in users, users
simple = v2.create_authorizer(Name="simple", AuthorizerPayloadFormatVersion="2.0", EnableSimpleResponses=True, **request)
assert simple["AuthorizerResultTtlInSeconds"] == 300 and simple["EnableSimpleResponses"], simple
policy = v2.create_authorizer(Name="policy", AuthorizerPayloadFormatVersion="1.0", AuthorizerResultTtlInSeconds=0, **request)
stranger = v2.create_authorizer(Name="stranger", AuthorizerPayloadFormatVersion="2.0", **request)
assert v2.update_authorizer(ApiId=id, AuthorizerId=stranger["AuthorizerId"], Name="other")["AuthorizerUri"] == request["AuthorizerUri"]
assert v2.get_authorizer(ApiId=id, AuthorizerId=stranger["AuthorizerId"])["Name"] == "other"

refused("BadRequestException", "needs jwtConfiguration", v2.create_authorizer, ApiId=id, Name="n", AuthorizerType="JWT", IdentitySource=header)
refused("BadRequestException", "Invalid issuer", v2.create_authorizer, ApiId=id, Name="n", AuthorizerType="JWT", IdentitySource=header, JwtConfiguration={"Issuer": "id", "Audience": ["shop"]})
refused("BadRequestException", "Invalid identitySource", v2.create_authorizer, ApiId=id, Name="n", AuthorizerType="REQUEST", IdentitySource=["Authorization"], AuthorizerUri=arn("check"), AuthorizerPayloadFormatVersion="2.0")
refused("BadRequestException", "must be 1.0 or 2.0", v2.create_authorizer, Name="n", **request)
refused("BadRequestException", "less than or equal to 3600", v2.create_authorizer, Name="n", AuthorizerPayloadFormatVersion="2.0", AuthorizerResultTtlInSeconds=3601, **request)
refused("BadRequestException", "only for authorizerPayloadFormatVersion 2.0", v2.create_authorizer, Name="n", AuthorizerPayloadFormatVersion="1.0", EnableSimpleResponses=True, **request)
refused("BadRequestException", "authorizerCredentialsArn is not supported", v2.create_authorizer, Name="n", AuthorizerPayloadFormatVersion="2.0", AuthorizerCredentialsArn="arn:aws:iam::000000000000:role/r", **request)
refused("BadRequestException", "cannot be changed", v2.update_authorizer, ApiId=id, AuthorizerId=simple["AuthorizerId"], AuthorizerType="JWT")
refused("NotFoundException", "Invalid Authorizer identifier", v2.create_route, ApiId=id, RouteKey="GET /x", AuthorizationType="JWT", AuthorizerId="none")
refused("BadRequestException", "is not for the authorizationType JWT", v2.create_route, ApiId=id, RouteKey="GET /x", AuthorizationType="JWT", AuthorizerId=simple["AuthorizerId"])
refused("BadRequestException", "only for the authorizationType JWT", v2.create_route, ApiId=id, RouteKey="GET /x", AuthorizationType="CUSTOM", AuthorizationScopes=["a"], AuthorizerId=simple["AuthorizerId"])
refused("BadRequestException", "not for the authorizationType AWS_IAM", v2.create_route, ApiId=id, RouteKey="GET /x", AuthorizationType="AWS_IAM", AuthorizerId=simple["AuthorizerId"])

route = lambda path, kind, **more: v2.create_route(ApiId=id, RouteKey="ANY " + path, Target=target, AuthorizationType=kind, **more)
route("/users", "JWT", AuthorizerId=users["AuthorizerId"], AuthorizationScopes=["read"])
route("/simple/{proxy+}", "CUSTOM", AuthorizerId=simple["AuthorizerId"])
route("/policy/{proxy+}", "CUSTOM", AuthorizerId=policy["AuthorizerId"])
route("/stranger", "CUSTOM", AuthorizerId=stranger["AuthorizerId"])
route("/signed", "AWS_IAM")
refused("ConflictException", "is referenced in route", v2.delete_authorizer, ApiId=id, AuthorizerId=policy["AuthorizerId"])
v2.create_stage(ApiId=id, StageName="$default", AutoDeploy=True)
allow = lambda name, statement, source: fn.add_permission(FunctionName=name, StatementId=statement, Action="lambda:InvokeFunction",
    Principal="apigateway.amazonaws.com", SourceArn="arn:aws:execute-api:us-east-1:000000000000:%s/%s" % (id, source))
allow("echo", "api", "*")
allow("check", "simple", "authorizers/" + simple["AuthorizerId"])
allow("check", "policy", "authorizers/" + policy["AuthorizerId"])
v2.reset_authorizers_cache(ApiId=id, StageName="$default")
print(id)
`

// checkCaller answers in both forms, by what the caller says of itself.
const checkCaller = `
  const who = (event.identitySource instanceof Array ? event.identitySource[0] : event.identitySource);
  if (who === 'fail') throw new Error('as asked');
  if (who === 'junk') return 'yes';
  if (event.version === '2.0') return { isAuthorized: who === 'me', context: { who, n: 1, arn: event.routeArn } };
  return { principalId: who, context: { n: 1 }, policyDocument: { Version: '2012-10-17', Statement: [
    { Effect: 'Allow', Action: 'execute-api:Invoke', Resource: event.methodArn.replace(/\/policy\/.*/, '/policy/open/*') },
    { Effect: 'Deny', Action: 'execute-api:Invoke', Resource: '*/policy/open/closed' } ] } };`

func TestRoutesOfAnAPIAskWhoCalls(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	a.Create("echo", harness.NodeZip(t, echoEvent))
	a.Create("check", harness.NodeZip(t, checkCaller))
	s := newShell(a)
	s.write("make.py", []byte(authorizersScript))
	id := strings.TrimSpace(s.run(botoPython(t), "make.py"))
	call := func(path, who string) harness.Response {
		r := a.Request("GET", path, nil)
		r.Host = id + ".execute-api.us-east-1.localhost"
		if who != "" {
			r.Header.Set("Authorization", who)
		}
		return a.Do(r)
	}
	for _, test := range []struct {
		path, who string
		status    int
		body      string
	}{
		{"/users", "", 401, `{"message":"Unauthorized"}`},
		{"/users", "Bearer nonsense", 401, `{"message":"Unauthorized"}`},
		{"/simple/a", "", 401, `{"message":"Unauthorized"}`},
		{"/simple/a", "you", 403, `{"message":"Forbidden"}`},
		{"/simple/a", "fail", 500, `{"message":"Internal Server Error"}`},
		{"/simple/a", "junk", 500, `{"message":"Internal Server Error"}`},
		{"/policy/open/x", "fail", 500, `{"message":"Internal Server Error"}`},
		{"/policy/shut", "me", 403, `{"message":"Forbidden"}`},
		{"/policy/open/closed", "me", 403, `{"message":"Forbidden"}`},
		{"/policy/open/%63losed", "me", 403, `{"message":"Forbidden"}`},
		{"/stranger", "me", 500, `{"message":"Internal Server Error"}`}, // no permission
		{"/signed", "", 403, `{"message":"Forbidden"}`},
		{"/signed", "AWS4-HMAC-SHA256 x", 403, `{"message":"Forbidden"}`},
	} {
		if got := call(test.path, test.who); got.Status != test.status || got.Body != test.body {
			t.Errorf("%s by %q: %d %s, want %+v", test.path, test.who, got.Status, got.Body, test)
		}
	}
	told := func(r harness.Response) (of struct {
		Lambda map[string]any
		IAM    struct{ AccessKey, AccountID, CallerID, UserARN, UserID string }
	}) {
		t.Helper()
		var event struct {
			RequestContext struct{ Authorizer json.RawMessage }
		}
		if err := json.Unmarshal([]byte(r.Body), &event); err != nil || r.Status != 200 {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		if err := json.Unmarshal(event.RequestContext.Authorizer, &of); err != nil {
			t.Fatalf("%s", r.Body)
		}
		return of
	}
	if of := told(call("/simple/a", "me")); of.Lambda["who"] != "me" || of.Lambda["n"] != 1.0 || of.Lambda["arn"] != "arn:aws:execute-api:us-east-1:000000000000:"+id+"/$default/GET/simple/a" {
		t.Errorf("%+v", of)
	}
	if of := told(call("/policy/open/x", "me")); of.Lambda["n"] != 1.0 {
		t.Errorf("%+v", of)
	}
	const body = `{"a":1}`
	signed := func(change func(c *aws.Credentials)) harness.Response {
		r := a.Request("POST", "/signed?b=c", strings.NewReader(body))
		r.Host = id + ".execute-api.us-east-1.localhost"
		digest := sha256.Sum256([]byte(body))
		c := a.Credentials
		change(&c)
		a.Check(v4.NewSigner().SignHTTP(context.Background(), c, r, hex.EncodeToString(digest[:]), "execute-api", "us-east-1", time.Now()))
		return a.Do(r)
	}
	if of := told(signed(func(*aws.Credentials) {})); of.IAM.AccessKey != a.Credentials.AccessKeyID || of.IAM.AccountID != "000000000000" || !strings.HasPrefix(of.IAM.UserARN, "arn:aws:iam::000000000000:user/") {
		t.Errorf("%+v", of)
	}
	signed(func(c *aws.Credentials) { c.SecretAccessKey += "x" }).Want(t, 403, `{"message":"Forbidden"}`)
}
