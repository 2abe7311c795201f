package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

const proxyScript = `
import sys
import boto3
from botocore.exceptions import ClientError

v2 = boto3.client("apigatewayv2")
gw = boto3.client("apigateway")
open_, closed = sys.argv[1:]

def refused(text, call, **args):
    try:
        answer = call(**args)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "BadRequestException" and text in error.response["Error"]["Message"], str(error)
    else:
        raise AssertionError((text, answer))

id = v2.create_api(Name="proxy", ProtocolType="HTTP", Target=open_)["ApiId"]
to = dict(ApiId=id, IntegrationType="HTTP_PROXY", PayloadFormatVersion="1.0")
refused("begins with http://", v2.create_integration, IntegrationMethod="ANY", IntegrationUri="ftp://a", **to)
refused("only for stage variables", v2.create_integration, IntegrationMethod="ANY", IntegrationUri="http://a/${b}", **to)
def route(key, uri, method="ANY", **more):
    target = v2.create_integration(IntegrationMethod=method, IntegrationUri=uri, **to, **more)["IntegrationId"]
    v2.create_route(ApiId=id, RouteKey=key, Target="integrations/" + target)
route("ANY /feed/{proxy+}", open_ + "/to/{proxy}?k=v")
route("POST /put", open_ + "/exact", "PUT")
route("GET /closed", closed)
server = open_.removeprefix("http://")
route("GET /vars", "http://${stageVariables.server}/v/${stageVariables.version}")
route("GET /unset", "http://${stageVariables.none}/")
route("GET /mapped/{id}", open_, RequestParameters={"overwrite:path": "/to/${request.path.id}", "append:header.X-A": "$request.querystring.a", "overwrite:header.X-B": "${context.stage}-${stageVariables.version}",
    "remove:querystring.a": "''", "append:querystring.b": "1", "append:header.X-C": "$request.header.None"},
    ResponseParameters={"200": {"overwrite:statuscode": "201", "append:header.X-To": "$response.header.X-From", "remove:header.X-From": "''"}})
mapped = [i for i in v2.get_integrations(ApiId=id)["Items"] if "RequestParameters" in i]
assert mapped[0]["ResponseParameters"]["200"]["overwrite:statuscode"] == "201", mapped
for text, parameters in [("Operations on header authorization are restricted", {"append:header.Authorization": "x"}), ("this header cannot", {"append:header.Trailer": "x"}),
        ("$request.body.a is not supported", {"append:header.X-A": "$request.body.a"}), ("are supported", {"replace:header.X-A": "x"}), ("context.none", {"append:header.X": "$context.none"})]:
    refused(text, route, key="GET /refused", uri=open_, RequestParameters=parameters)
refused("has no path", route, key="GET /refused", uri=open_ + "/a", RequestParameters={"overwrite:path": "/x"})
v2.update_stage(ApiId=id, StageName="$default", StageVariables={"server": server, "version": "7"})
refused("{env.HOME} is no path parameter", route, key="GET /env", uri=open_ + "/{env.HOME}")

rest = gw.create_rest_api(name="proxy")
resource = gw.create_resource(restApiId=rest["id"], parentId=rest["rootResourceId"], pathPart="{all+}")["id"]
at = dict(restApiId=rest["id"], resourceId=resource, httpMethod="ANY")
gw.put_method(authorizationType="NONE", requestParameters={"method.request.path.all": True}, **at)
refused("is no path parameter", gw.put_integration, type="HTTP_PROXY", integrationHttpMethod="ANY", uri=open_ + "/{proxy}", **at)
gw.put_integration(type="HTTP_PROXY", integrationHttpMethod="ANY", uri=open_ + "/old/{proxy}", requestParameters={"integration.request.path.proxy": "method.request.path.all"}, **at)
gw.put_method(restApiId=rest["id"], resourceId=rest["rootResourceId"], httpMethod="GET", authorizationType="NONE")
gw.put_integration(restApiId=rest["id"], resourceId=rest["rootResourceId"], httpMethod="GET", type="HTTP_PROXY", integrationHttpMethod="GET", uri=closed)
gw.put_method(restApiId=rest["id"], resourceId=rest["rootResourceId"], httpMethod="PUT", authorizationType="NONE", requestParameters={"method.request.header.X-In": False})
to = dict(restApiId=rest["id"], resourceId=rest["rootResourceId"], httpMethod="PUT", type="HTTP_PROXY", integrationHttpMethod="POST", uri="http://${stageVariables.server}/rest")
refused("Invalid mapping expression", gw.put_integration, requestParameters={"integration.request.header.X-A": "request.header.X"}, **to)
gw.put_integration(requestParameters={"integration.request.header.X-A": "method.request.header.X-In", "integration.request.header.X-B": "'fixed'", "integration.request.querystring.stage": "context.stage"}, **to)
gw.create_deployment(restApiId=rest["id"], stageName="live", variables={"server": server})
print(id, rest["id"])
`

func TestIntegrationsSendRequestsToServersThatFunctionsReach(t *testing.T) {
	harness.Parallel(t)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-From", "upstream")
		fmt.Fprintf(w, "%s %s at %s", r.Method, r.RequestURI, r.Host)
		if r.Header.Get("X-B") != "" {
			fmt.Fprintf(w, " with %q %q %q", r.Header["X-A"], r.Header["X-B"], r.Header["X-C"])
		}
	}))
	t.Cleanup(upstream.Close)
	closed := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("an integration reached what functions do not")
	}))
	t.Cleanup(closed.Close)
	address := strings.TrimPrefix(upstream.URL, "http://")
	a := harness.NewAPI(t, "reach "+address+"\n", "")
	s := newShell(a)
	s.write("make.py", []byte(proxyScript))
	ids := strings.Fields(s.run(botoPython(t), "make.py", upstream.URL, closed.URL))
	if len(ids) != 2 {
		t.Fatalf("%q", ids)
	}
	ask := func(id, method, path string) harness.Response {
		r := a.Request(method, path, nil)
		r.Host = id + ".execute-api.us-east-1.localhost"
		return a.Do(r)
	}
	ask(ids[0], "GET", "/any/a%2Fb?q=1").Want(t, 200, "GET /any/a%2Fb?q=1 at "+address)
	ask(ids[0], "GET", "/feed/a%2Fb/c?q=1").Want(t, 200, "GET /to/a%2Fb/c?k=v&q=1 at "+address)
	ask(ids[0], "POST", "/put").Want(t, 200, "PUT /exact at "+address)
	ask(ids[0], "GET", "/vars").Want(t, 200, "GET /v/7 at "+address)
	ask(ids[0], "GET", "/unset").Want(t, 500, `{"message":"Internal Server Error"}`)
	mapped := ask(ids[0], "GET", "/mapped/a%20b?a=1&c=2")
	mapped.Want(t, 201, "GET /to/a%20b?b=1&c=2 at "+address+` with ["1"] ["$default-7"] []`)
	if h := mapped.Header; h.Get("X-To") != "upstream" || h.Get("X-From") != "" {
		t.Errorf("%v", h)
	}
	ask(ids[0], "GET", "/mapped/%2e%2e").Want(t, 400, "Bad Request")
	ask(ids[1], "PUT", "/live").Want(t, 200, "POST /rest?stage=live at "+address+` with [] ["fixed"] []`)
	ask(ids[0], "GET", "/closed").Want(t, 503, `{"message":"Service Unavailable"}`)
	ask(ids[1], "PATCH", "/live/x/y%20z").Want(t, 200, "PATCH /old/x/y%20z at "+address)
	ask(ids[1], "GET", "/live").Want(t, 504, `{"message": "Network error communicating with endpoint"}`)
}
