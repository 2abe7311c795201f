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
refused("stage variables", v2.create_integration, IntegrationMethod="ANY", IntegrationUri="http://a/${stageVariables.b}", **to)
def route(key, uri, method="ANY"):
    target = v2.create_integration(IntegrationMethod=method, IntegrationUri=uri, **to)["IntegrationId"]
    v2.create_route(ApiId=id, RouteKey=key, Target="integrations/" + target)
route("ANY /feed/{proxy+}", open_ + "/to/{proxy}?k=v")
route("POST /put", open_ + "/exact", "PUT")
route("GET /closed", closed)
refused("{env.HOME} is no path parameter", route, key="GET /env", uri=open_ + "/{env.HOME}")

rest = gw.create_rest_api(name="proxy")
resource = gw.create_resource(restApiId=rest["id"], parentId=rest["rootResourceId"], pathPart="{all+}")["id"]
at = dict(restApiId=rest["id"], resourceId=resource, httpMethod="ANY")
gw.put_method(authorizationType="NONE", requestParameters={"method.request.path.all": True}, **at)
refused("is no path parameter", gw.put_integration, type="HTTP_PROXY", integrationHttpMethod="ANY", uri=open_ + "/{proxy}", **at)
gw.put_integration(type="HTTP_PROXY", integrationHttpMethod="ANY", uri=open_ + "/old/{proxy}", requestParameters={"integration.request.path.proxy": "method.request.path.all"}, **at)
gw.put_method(restApiId=rest["id"], resourceId=rest["rootResourceId"], httpMethod="GET", authorizationType="NONE")
gw.put_integration(restApiId=rest["id"], resourceId=rest["rootResourceId"], httpMethod="GET", type="HTTP_PROXY", integrationHttpMethod="GET", uri=closed)
gw.create_deployment(restApiId=rest["id"], stageName="live")
print(id, rest["id"])
`

func TestIntegrationsSendRequestsToServersThatFunctionsReach(t *testing.T) {
	harness.Parallel(t)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s at %s", r.Method, r.RequestURI, r.Host)
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
	ask(ids[0], "GET", "/closed").Want(t, 503, `{"message":"Service Unavailable"}`)
	ask(ids[1], "PATCH", "/live/x/y%20z").Want(t, 200, "PATCH /old/x/y%20z at "+address)
	ask(ids[1], "GET", "/live").Want(t, 504, `{"message": "Network error communicating with endpoint"}`)
}
