package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// apiScript makes an HTTP API as a user does, and asks for all that can be asked for.
const apiScript = `
import os
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
        assert error.response["ResponseMetadata"]["RequestId"], error.response
    else:
        raise AssertionError((code, text, answer))

api = v2.create_api(Name="shop", ProtocolType="HTTP", Tags={"team": "a"}, CorsConfiguration={"AllowOrigins": ["https://www.example.com"], "AllowMethods": ["GET"], "AllowHeaders": ["X-A"]})
id = api["ApiId"]
assert api["ApiEndpoint"].startswith("http://%s.execute-api.us-east-1.localhost:" % id), api
assert api["CreatedDate"].tzinfo and api["RouteSelectionExpression"] == "$request.method $request.path", api
assert v2.get_api(ApiId=id)["CorsConfiguration"] == {"AllowOrigins": ["https://www.example.com"], "AllowMethods": ["GET"], "AllowHeaders": ["x-a"]}
assert v2.get_api(ApiId=id)["ApiEndpoint"] == api["ApiEndpoint"]
assert [a["ApiId"] for a in v2.get_apis()["Items"]] == [id]

integration = v2.create_integration(ApiId=id, IntegrationType="AWS_PROXY", IntegrationUri=wrapped, PayloadFormatVersion="2.0")
assert integration["TimeoutInMillis"] == 30000 and integration["ConnectionType"] == "INTERNET", integration
target = "integrations/" + integration["IntegrationId"]
route = v2.create_route(ApiId=id, RouteKey="GET /pets/{id}", Target=target)
assert route["AuthorizationType"] == "NONE" and route["ApiKeyRequired"] is False, route
refused("ConflictException", "already exists", v2.create_route, ApiId=id, RouteKey="GET /pets/{id}", Target=target)
refused("ConflictException", "same requests", v2.create_route, ApiId=id, RouteKey="GET /pets/{name}", Target=target)
refused("BadRequestException", "route key", v2.create_route, ApiId=id, RouteKey="pets", Target=target)
refused("NotFoundException", "Invalid Integration identifier", v2.create_route, ApiId=id, RouteKey="GET /x", Target="integrations/none")
refused("BadRequestException", "authorizerId is needed", v2.create_route, ApiId=id, RouteKey="GET /x", Target=target, AuthorizationType="JWT")
refused("NotFoundException", "Invalid API identifier specified 000000000000:none", v2.get_api, ApiId="none")
refused("NotFoundException", "Invalid Route identifier", v2.get_route, ApiId=id, RouteId="none")
refused("BadRequestException", "length less than or equal to 128", v2.create_api, Name="n" * 129, ProtocolType="HTTP")
refused("BadRequestException", "CreateVpcLink is not supported: there are no VPCs", v2.create_vpc_link, Name="n", SubnetIds=["s"])
refused("BadRequestException", "Invalid Lambda function ARN", v2.create_integration, ApiId=id, IntegrationType="AWS_PROXY", IntegrationUri="arn:aws:lambda:eu-west-1:000000000000:function:echo", PayloadFormatVersion="2.0")
refused("ConflictException", "referenced by route", v2.delete_integration, ApiId=id, IntegrationId=integration["IntegrationId"])

stage = v2.create_stage(ApiId=id, StageName="dev", AutoDeploy=True, StageVariables={"table": "pets", "other": "x"})
assert stage["DeploymentId"] and "Successfully deployed" in stage["LastDeploymentStatusMessage"], stage
refused("ConflictException", "Stage already exists", v2.create_stage, ApiId=id, StageName="dev")
stage = v2.update_stage(ApiId=id, StageName="dev", StageVariables={"other": "", "more": "y"}, DefaultRouteSettings={"ThrottlingRateLimit": 1000.5, "ThrottlingBurstLimit": 500})
assert stage["StageVariables"] == {"table": "pets", "more": "y"}, stage
assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] == 1000.5, stage
log = {"DestinationArn": "arn:aws:logs:us-east-1:000000000000:log-group:shop", "Format": "$context.requestId took $context.responseLatency of $context.routeKey"}
assert v2.update_stage(ApiId=id, StageName="dev", AccessLogSettings=log)["AccessLogSettings"] == log
refused("BadRequestException", "must contain $context.requestId", v2.update_stage, ApiId=id, StageName="dev", AccessLogSettings=dict(log, Format="$context.status"))
refused("BadRequestException", "no $context.nonsense", v2.update_stage, ApiId=id, StageName="dev", AccessLogSettings=dict(log, Format="$context.requestId $context.nonsense"))
refused("BadRequestException", "Invalid destinationArn", v2.update_stage, ApiId=id, StageName="dev", AccessLogSettings=dict(log, DestinationArn="arn:aws:firehose:us-east-1:000000000000:deliverystream/s"))
before = stage["DeploymentId"]
v2.update_route(ApiId=id, RouteId=route["RouteId"], OperationName="getPet")
assert v2.get_route(ApiId=id, RouteId=route["RouteId"])["Target"] == target
assert v2.get_stage(ApiId=id, StageName="dev")["DeploymentId"] != before
assert [d["AutoDeployed"] for d in v2.get_deployments(ApiId=id)["Items"]] == [True]

# A stage without AutoDeploy serves what was deployed.
v2.create_stage(ApiId=id, StageName="$default")
deployment = v2.create_deployment(ApiId=id, StageName="$default", Description="first")
assert deployment["DeploymentStatus"] == "DEPLOYED", deployment
refused("BadRequestException", "Active stages", v2.delete_deployment, ApiId=id, DeploymentId=deployment["DeploymentId"])
later = v2.create_route(ApiId=id, RouteKey="ANY /later", Target=target)

pages = [[r["RouteKey"] for r in page["Items"]] for page in v2.get_paginator("get_routes").paginate(ApiId=id, PaginationConfig={"PageSize": 1})]
assert sorted(sum(pages, [])) == ["ANY /later", "GET /pets/{id}"], pages

name = "arn:aws:apigateway:us-east-1::/apis/" + id
v2.tag_resource(ResourceArn=name, Tags={"b": "c"})
v2.untag_resource(ResourceArn=name, TagKeys=["team"])
assert v2.get_tags(ResourceArn=name)["Tags"] == {"b": "c"}
v2.tag_resource(ResourceArn=name + "/stages/dev", Tags={"d": "e"})
assert v2.get_stage(ApiId=id, StageName="dev")["Tags"] == {"d": "e"}

quick = v2.create_api(Name="quick", ProtocolType="HTTP", Target=arn)
assert [s["StageName"] for s in v2.get_stages(ApiId=quick["ApiId"])["Items"]] == ["$default"]
assert v2.get_routes(ApiId=quick["ApiId"])["Items"][0]["RouteKey"] == "$default"
fn.add_permission(FunctionName="echo", StatementId="shop", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com",
    SourceArn="arn:aws:execute-api:us-east-1:000000000000:%s/*/*" % id)
print(id, quick["ApiId"])
`

const removeScript = `
import sys
import boto3
v2 = boto3.client("apigatewayv2")
for api in v2.get_apis()["Items"]:
    v2.delete_api(ApiId=api["ApiId"])
assert v2.get_apis()["Items"] == []
print("finished")
`

const echoEvent = `return { statusCode: 200, body: JSON.stringify(event) };`

func TestAnAPIThatBoto3MakesIsServed(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	a.Create("echo", harness.NodeZip(t, echoEvent))
	s := newShell(a)
	s.write("make.py", []byte(apiScript))
	s.write("remove.py", []byte(removeScript))
	ids := strings.Fields(s.run(botoPython(t), "make.py"))
	if len(ids) != 2 {
		t.Fatalf("%q", ids)
	}
	get := func(id, path string, header ...string) harness.Response {
		r := a.Request("GET", path, nil)
		r.Host = id + ".execute-api.us-east-1.localhost"
		for n := 0; n+1 < len(header); n += 2 {
			r.Header.Set(header[n], header[n+1])
		}
		return a.Do(r)
	}
	served := func() {
		t.Helper()
		answer := get(ids[0], "/dev/pets/7?q=1")
		var event struct {
			RouteKey, RawPath              string
			PathParameters, StageVariables map[string]string
			RequestContext                 struct {
				APIID, Stage string
				HTTP         struct{ Path string }
			}
		}
		if err := json.Unmarshal([]byte(answer.Body), &event); err != nil || answer.Status != http.StatusOK {
			t.Fatalf("%d %s", answer.Status, answer.Body)
		}
		c := event.RequestContext
		if event.RouteKey != "GET /pets/{id}" || event.RawPath != "/dev/pets/7" || event.PathParameters["id"] != "7" ||
			event.StageVariables["table"] != "pets" || c.APIID != ids[0] || c.Stage != "dev" || c.HTTP.Path != "/dev/pets/7" {
			t.Errorf("%s", answer.Body)
		}
	}
	served()
	harness.Eventually(t, "the request is in the access log", func() bool {
		return strings.Contains(a.Output(), "of GET /pets/{id}") && strings.Contains(a.Output(), `"destination":"arn:aws:logs:us-east-1:000000000000:log-group:shop"`)
	})
	get(ids[0], "/pets/8").Want(t, 200, `"stage":"$default"`)
	get(ids[0], "/dev/later").Want(t, 200, `"routeKey":"ANY /later"`)
	get(ids[0], "/later").Want(t, 404, `{"message":"Not Found"}`) // it was not deployed
	get(ids[0], "/dev").Want(t, 404, `{"message":"Not Found"}`)
	get("none", "/").Want(t, 404, `{"message":"Not Found"}`)
	if got := get(ids[0], "/dev/pets/7", "Origin", "https://www.example.com").Header.Get("Access-Control-Allow-Origin"); got != "https://www.example.com" {
		t.Errorf("Access-Control-Allow-Origin: %q", got)
	}
	// The function's policy names the other API alone.
	get(ids[1], "/").Want(t, 500, `{"message":"Internal Server Error"}`)
	a.Stop()
	a.Restart()
	served()
	s.want(s.run(botoPython(t), "remove.py"), "finished")
	get(ids[0], "/dev/pets/7").Want(t, 404, `{"message":"Not Found"}`)
}
