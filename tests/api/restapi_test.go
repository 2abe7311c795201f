package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// restScript makes a REST API as a user does, and asks for all that can be asked for.
const restScript = `
import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

once = Config(retries={"max_attempts": 0})
gw = boto3.client("apigateway", config=once)
fn = boto3.client("lambda", config=once)
arn = fn.get_function(FunctionName="echo")["Configuration"]["FunctionArn"]
uri = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/%s/invocations" % arn

def refused(code, text, call, **args):
    try:
        answer = call(**args)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, (code, str(error))
        assert text in error.response["Error"]["Message"], (text, str(error))
    else:
        raise AssertionError((code, text, answer))

api = gw.create_rest_api(name="shop", description="d", tags={"team": "a"}, endpointConfiguration={"types": ["REGIONAL"]}, binaryMediaTypes=["image/png"])
id, root = api["id"], api["rootResourceId"]
assert api["createdDate"].tzinfo and api["apiKeySource"] == "HEADER" and api["endpointConfiguration"]["types"] == ["REGIONAL"], api
refused("BadRequestException", "policy is not supported", gw.create_rest_api, name="n", policy="{}")
refused("BadRequestException", "minimumCompressionSize is not supported", gw.create_rest_api, name="n", minimumCompressionSize=1)
refused("NotFoundException", "Invalid API identifier specified 000000000000:none", gw.get_rest_api, restApiId="none")
api = gw.update_rest_api(restApiId=id, patchOperations=[{"op": "replace", "path": "/name", "value": "store"}, {"op": "add", "path": "/binaryMediaTypes/image~1*"}])
assert api["name"] == "store" and api["binaryMediaTypes"] == ["image/png", "image/*"], api
refused("BadRequestException", "Invalid patch path  '/x' specified for op 'replace'. Must be one of: [", gw.update_rest_api, restApiId=id, patchOperations=[{"op": "replace", "path": "/x", "value": "y"}])
assert [a["id"] for a in gw.get_rest_apis()["items"]] == [id]

assert gw.get_resources(restApiId=id)["items"] == [{"id": root, "path": "/"}]
pets = gw.create_resource(restApiId=id, parentId=root, pathPart="pets")["id"]
pet = gw.create_resource(restApiId=id, parentId=pets, pathPart="{id}")
assert pet["path"] == "/pets/{id}" and pet["parentId"] == pets, pet
pet = pet["id"]
rest = gw.create_resource(restApiId=id, parentId=root, pathPart="{proxy+}")["id"]
refused("ConflictException", "Another resource", gw.create_resource, restApiId=id, parentId=root, pathPart="pets")
refused("BadRequestException", "A sibling ({id}) of this resource already has a variable path part -- only one is allowed", gw.create_resource, restApiId=id, parentId=pets, pathPart="{name}")
refused("BadRequestException", "path part", gw.create_resource, restApiId=id, parentId=root, pathPart="a/b")
refused("BadRequestException", "Cannot create a child of a resource with a greedy path variable: {proxy+}", gw.create_resource, restApiId=id, parentId=rest, pathPart="a")

refused("BadRequestException", "doesn't contain any methods", gw.create_deployment, restApiId=id)
refused("NotFoundException", "Invalid Resource identifier specified", gw.put_method, restApiId="none", resourceId=pet, httpMethod="GET", authorizationType="NONE")
refused("BadRequestException", "Invalid HttpMethod specified. Valid options are", gw.put_method, restApiId=id, resourceId=pet, httpMethod="WRONG", authorizationType="NONE")
refused("BadRequestException", "Parameter names must be unique", gw.put_method, restApiId=id, resourceId=pet, httpMethod="GET", authorizationType="NONE", requestParameters={"method.request.path.a": True, "method.request.header.a": True})
refused("BadRequestException", "Root resource cannot update its pathPart", gw.update_resource, restApiId=id, resourceId=root, patchOperations=[{"op": "replace", "path": "/pathPart", "value": "a"}])
refused("BadRequestException", "Resources cannot be cyclical", gw.update_resource, restApiId=id, resourceId=pets, patchOperations=[{"op": "replace", "path": "/parentId", "value": pet}])
refused("ValidationException", "at 'statusCode' failed to satisfy constraint: Member must satisfy regular expression pattern", gw.put_method_response, restApiId=id, resourceId=pet, httpMethod="GET", statusCode="wrong")
for resource, method in [(pet, "GET"), (rest, "ANY"), (root, "GET")]:
    made = gw.put_method(restApiId=id, resourceId=resource, httpMethod=method, authorizationType="NONE", requestParameters={"method.request.path.id": True})
    assert made["apiKeyRequired"] is False and made["authorizationType"] == "NONE", made
refused("BadRequestException", "No integration defined", gw.create_deployment, restApiId=id)
closed = dict(restApiId=id, resourceId=pet, httpMethod="GET")
for operation in [{"op": "remove", "path": "/authorizationType"}, {"op": "add", "path": "/apiKeyRequired", "value": "false"}]: # would open it
    refused("BadRequestException", "Invalid patch operation specified. Must be one of: [replace]", gw.update_method, patchOperations=[operation], **closed)
refused("BadRequestException", "Invalid authorizer ID specified", gw.update_method, patchOperations=[{"op": "replace", "path": "/authorizerId", "value": "none"}], **closed)
refused("BadRequestException", "'/pathPart' specified for op 'remove'", gw.update_resource, restApiId=id, resourceId=pets, patchOperations=[{"op": "remove", "path": "/pathPart"}])
refused("NotFoundException", "Invalid Response status code specified", gw.get_method_response, statusCode="201", **closed)
refused("ConflictException", "already exists", gw.put_method, restApiId=id, resourceId=pet, httpMethod="GET", authorizationType="NONE")
closed = gw.create_resource(restApiId=id, parentId=root, pathPart="closed")["id"]
refused("BadRequestException", "requires a valid authorizer", gw.put_method, restApiId=id, resourceId=closed, httpMethod="GET", authorizationType="CUSTOM", authorizerId="none")
refused("BadRequestException", "there is no Cognito", gw.create_authorizer, restApiId=id, name="n", type="COGNITO_USER_POOLS", providerARNs=["arn:aws:cognito-idp:us-east-1:000000000000:userpool/p"])
gate = uri.replace("function:echo", "function:gate")
refused("BadRequestException", "Invalid identitySource", gw.create_authorizer, restApiId=id, name="n", type="TOKEN", authorizerUri=gate, identitySource="$request.header.A")
by = gw.create_authorizer(restApiId=id, name="gate", type="TOKEN", authorizerUri=gate, identitySource="method.request.header.Authorization", identityValidationExpression="Bearer .+")
assert by["authorizerResultTtlInSeconds"] == 300 and by["authType"] == "custom", by
refused("ConflictException", "must be unique", gw.create_authorizer, restApiId=id, name="gate", type="REQUEST", authorizerUri=gate, identitySource="method.request.header.A")
by = gw.update_authorizer(restApiId=id, authorizerId=by["id"], patchOperations=[{"op": "replace", "path": "/authorizerResultTtlInSeconds", "value": "0"}])
assert by["authorizerResultTtlInSeconds"] == 0 and gw.get_authorizers(restApiId=id)["items"][0]["name"] == "gate", by
gw.put_method(restApiId=id, resourceId=closed, httpMethod="GET", authorizationType="CUSTOM", authorizerId=by["id"])
gw.put_method(restApiId=id, resourceId=closed, httpMethod="POST", authorizationType="AWS_IAM")
for method in ["GET", "POST"]:
    gw.put_integration(restApiId=id, resourceId=closed, httpMethod=method, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
refused("ConflictException", "is referenced in method", gw.delete_authorizer, restApiId=id, authorizerId=by["id"])
fn.add_permission(FunctionName="echo", StatementId="closed", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com",
    SourceArn="arn:aws:execute-api:us-east-1:000000000000:%s/live/POST/closed" % id)
fn.add_permission(FunctionName="gate", StatementId="gate", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com",
    SourceArn="arn:aws:execute-api:us-east-1:000000000000:%s/authorizers/%s" % (id, by["id"]))
for resource, method in [(pet, "GET"), (rest, "ANY"), (root, "GET")]:
    to = gw.put_integration(restApiId=id, resourceId=resource, httpMethod=method, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    assert to["timeoutInMillis"] == 29000 and to["passthroughBehavior"] == "WHEN_NO_MATCH" and to["cacheNamespace"] == resource, to
put = dict(restApiId=id, resourceId=pet, httpMethod="GET")
refused("BadRequestException", "credentials is not supported", gw.put_integration, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri, credentials="arn:aws:iam::000000000000:role/r", **put)
refused("BadRequestException", "integration type HTTP is not supported", gw.put_integration, type="HTTP", integrationHttpMethod="POST", uri=uri, **put)
refused("BadRequestException", "is POST", gw.put_integration, type="AWS_PROXY", integrationHttpMethod="GET", uri=uri, **put)
to = gw.update_integration(patchOperations=[{"op": "replace", "path": "/timeoutInMillis", "value": "28000"}], **put)
assert to["timeoutInMillis"] == 28000 and gw.get_integration(**put)["uri"] == uri, to

options = dict(restApiId=id, resourceId=pets, httpMethod="OPTIONS")
gw.put_method(authorizationType="NONE", **options)
gw.put_method_response(statusCode="200", responseParameters={"method.response.header." + h: True for h in ("Access-Control-Allow-Origin", "Access-Control-Allow-Methods")}, responseModels={"application/json": "Empty"}, **options)
refused("BadRequestException", "#macro is not supported", gw.put_integration, type="MOCK", requestTemplates={"application/json": "#macro(a)#end"}, **options)
refused("BadRequestException", "not supported of MOCK", gw.put_integration, type="MOCK", requestTemplates={"application/json": "$input.json('$')"}, **options)
gw.put_integration(type="MOCK", requestTemplates={"application/json": "{statusCode:200}"}, **options)
refused("BadRequestException", "Invalid mapping expression", gw.put_integration_response, statusCode="200", responseParameters={"method.response.header.Other": "'*'"}, **options)
gw.put_integration_response(statusCode="200", responseParameters={"method.response.header.Access-Control-Allow-Origin": "'https://www.example.com'", "method.response.header.Access-Control-Allow-Methods": "'GET,OPTIONS'"},
    responseTemplates={"application/json": '#set($origin = $input.params("Origin"))\n#if($origin.matches("https://.*[.]example[.]org")) #set($context.responseOverride.header.Access-Control-Allow-Origin = $origin) #end'}, **options)
shown = gw.get_method(**options)
assert shown["methodIntegration"]["integrationResponses"]["200"]["statusCode"] == "200" and shown["methodResponses"]["200"]["responseModels"] == {"application/json": "Empty"}, shown
whole = gw.get_resource(restApiId=id, resourceId=pets, embed=["methods"])
assert whole["resourceMethods"]["OPTIONS"]["methodIntegration"]["type"] == "MOCK", whole
assert gw.get_resource(restApiId=id, resourceId=pets)["resourceMethods"] == {"OPTIONS": {}}

first = gw.create_deployment(restApiId=id, stageName="live", variables={"table": "pets"}, description="first")
assert gw.get_deployment(restApiId=id, deploymentId=first["id"], embed=["apisummary"])["apiSummary"]["/pets/{id}"]["GET"]["authorizationType"] == "NONE"
refused("BadRequestException", "Active stages", gw.delete_deployment, restApiId=id, deploymentId=first["id"])
stage = gw.create_stage(restApiId=id, stageName="dev", deploymentId=first["id"], tags={"a": "b"})
assert stage["cacheClusterStatus"] == "NOT_AVAILABLE" and stage["tracingEnabled"] is False, stage
refused("ConflictException", "Stage already exists", gw.create_stage, restApiId=id, stageName="dev", deploymentId=first["id"])
refused("BadRequestException", "tracingEnabled is not supported", gw.create_stage, restApiId=id, stageName="x", deploymentId=first["id"], tracingEnabled=True)
stage = gw.update_stage(restApiId=id, stageName="dev", patchOperations=[
    {"op": "replace", "path": "/*/*/throttling/rateLimit", "value": "1000"}, {"op": "replace", "path": "/*/*/throttling/burstLimit", "value": "500"},
    {"op": "replace", "path": "/pets~1{id}/GET/throttling/rateLimit", "value": "0"}, {"op": "replace", "path": "/pets~1{id}/GET/throttling/burstLimit", "value": "0"},
    {"op": "replace", "path": "/variables/table", "value": "cats"}])
assert stage["variables"] == {"table": "cats"} and stage["methodSettings"]["*/*"]["throttlingRateLimit"] == 1000.0, stage
refused("BadRequestException", "metrics is not supported", gw.update_stage, restApiId=id, stageName="dev", patchOperations=[{"op": "replace", "path": "/*/*/metrics/enabled", "value": "true"}])
log = {"destinationArn": "arn:aws:logs:us-east-1:000000000000:log-group:store", "format": "$context.requestId $context.resourcePath"}
refused("BadRequestException", "Invalid destinationArn", gw.update_stage, restApiId=id, stageName="live", patchOperations=[{"op": "replace", "path": "/accessLogSettings/format", "value": "$context.requestId"}])
stage = gw.update_stage(restApiId=id, stageName="live", patchOperations=[{"op": "replace", "path": "/accessLogSettings/" + k, "value": v} for k, v in log.items()])
assert stage["accessLogSettings"] == log, stage
assert sorted(s["stageName"] for s in gw.get_stages(restApiId=id)["item"]) == ["dev", "live"]
gw.delete_method(restApiId=id, resourceId=root, httpMethod="GET") # not deployed

name = "arn:aws:apigateway:us-east-1::/restapis/" + id
gw.tag_resource(resourceArn=name, tags={"b": "c"})
gw.untag_resource(resourceArn=name, tagKeys=["team"])
assert gw.get_tags(resourceArn=name)["tags"] == {"b": "c"}
assert gw.get_tags(resourceArn=name + "/stages/dev")["tags"] == {"a": "b"}
assert gw.get_account()["features"] == ["UsagePlans"]
assert gw.update_account(patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": "arn:aws:iam::000000000000:role/r"}])["cloudwatchRoleArn"]
assert [m["name"] for m in gw.get_models(restApiId=id)["items"]] == ["Empty", "Error"]
pages = [[r["id"] for r in page["items"]] for page in gw.get_paginator("get_resources").paginate(restApiId=id, PaginationConfig={"PageSize": 1})]
assert len(pages) == 5 and len(sum(pages, [])) == 5, pages
refused("BadRequestException", "CreateVpcLink is not supported: there are no VPCs", gw.create_vpc_link, name="n", targetArns=["a"])
refused("NotFoundException", "Invalid API identifier", boto3.client("apigatewayv2", config=once).get_api, ApiId=id)
fn.add_permission(FunctionName="echo", StatementId="shop", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com",
    SourceArn="arn:aws:execute-api:us-east-1:000000000000:%s/*/GET/*" % id)
print(id)
`

const removeRestScript = `
import boto3
gw = boto3.client("apigateway")
for api in gw.get_rest_apis()["items"]:
    for resource in gw.get_resources(restApiId=api["id"])["items"]:
        if resource["path"] == "/pets":
            gw.delete_resource(restApiId=api["id"], resourceId=resource["id"])
    assert len(gw.get_resources(restApiId=api["id"])["items"]) == 3
    gw.delete_rest_api(restApiId=api["id"])
assert gw.get_rest_apis()["items"] == []
print("finished")
`

// gateHandler is an authorizer that lets the token "Bearer open" through.
const gateHandler = `return { principalId: 'user', context: { level: 7 }, policyDocument: { Version: '2012-10-17', Statement: [
	{ Action: 'execute-api:Invoke', Effect: event.authorizationToken === 'Bearer open' ? 'Allow' : 'Deny', Resource: event.methodArn }] } };`

func TestARESTAPIThatBoto3MakesIsServed(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	a.Create("echo", harness.NodeZip(t, echoEvent))
	a.Create("gate", harness.NodeZip(t, gateHandler))
	s := newShell(a)
	s.write("make.py", []byte(restScript))
	s.write("remove.py", []byte(removeRestScript))
	id := strings.TrimSpace(s.run(botoPython(t), "make.py"))
	ask := func(method, path string, header ...string) harness.Response {
		r := a.Request(method, path, nil)
		r.Host = id + ".execute-api.us-east-1.localhost"
		for n := 0; n+1 < len(header); n += 2 {
			r.Header.Set(header[n], header[n+1])
		}
		return a.Do(r)
	}
	served := func() {
		t.Helper()
		answer := ask("GET", "/live/pets/7?q=1")
		var event struct {
			Resource, Path, HTTPMethod     string
			PathParameters, StageVariables map[string]string
			RequestContext                 struct{ APIID, Stage, ResourceID, ResourcePath, Path string }
		}
		if err := json.Unmarshal([]byte(answer.Body), &event); err != nil || answer.Status != http.StatusOK {
			t.Fatalf("%d %s", answer.Status, answer.Body)
		}
		c := event.RequestContext
		if event.Resource != "/pets/{id}" || event.Path != "/pets/7" || event.PathParameters["id"] != "7" || event.StageVariables["table"] != "pets" ||
			c.APIID != id || c.Stage != "live" || c.ResourceID == "" || c.ResourcePath != "/pets/{id}" || c.Path != "/live/pets/7" {
			t.Errorf("%s", answer.Body)
		}
	}
	served()
	harness.Eventually(t, "a line of the access log", func() bool {
		return strings.Contains(a.Output(), " /pets/{id}\"") && strings.Contains(a.Output(), "log-group:store")
	})
	ask("GET", "/live/").Want(t, 200, `"resource":"/"`)
	ask("GET", "/live").Want(t, 200, `"resource":"/"`)
	ask("POST", "/live/").Want(t, 403, `{"message":"Missing Authentication Token"}`)
	ask("POST", "/live/pets/7").Want(t, 403, `{"message":"Missing Authentication Token"}`)
	ask("GET", "/none/pets/7").Want(t, 403, `{"message":"Forbidden"}`)
	ask("GET", "/dev/pets/7").Want(t, 429, `{"message":"Too Many Requests"}`)
	// The function's policy lets no ANY call it, as the ARN of the source names the method of the resource.
	ask("PUT", "/live/else").Want(t, 500, `{"message": "Internal server error"}`)
	ask("GET", "/live/closed").Want(t, 401, `{"message":"Unauthorized"}`)
	ask("GET", "/live/closed", "Authorization", "Bearer ").Want(t, 401, `{"message":"Unauthorized"}`)
	ask("GET", "/live/closed", "Authorization", "Bearer shut").Want(t, 403, "explicit deny")
	ask("GET", "/live/closed", "Authorization", "Bearer open").Want(t, 200, `"level":"7"`)
	// Recorded from AWS: slashes before and after the stage do not count, nor lead past an authorizer.
	ask("GET", "/live//closed").Want(t, 401, `{"message":"Unauthorized"}`)
	ask("GET", "//live/closed").Want(t, 401, `{"message":"Unauthorized"}`)
	ask("GET", "/%6cive///closed", "Authorization", "Bearer open").Want(t, 200, `"path":"/closed"`)
	ask("POST", "/live/closed").Want(t, 403, "Missing Authentication Token")
	preflight := ask("OPTIONS", "/live/pets", "Origin", "https://a.example.org")
	if h := preflight.Header; preflight.Status != 200 || h.Get("Access-Control-Allow-Origin") != "https://a.example.org" || h.Get("Access-Control-Allow-Methods") != "GET,OPTIONS" {
		t.Errorf("%d %v", preflight.Status, h)
	}
	if got := ask("OPTIONS", "/live/pets").Header.Get("Access-Control-Allow-Origin"); got != "https://www.example.com" {
		t.Errorf("%q", got)
	}
	a.Stop()
	a.Restart()
	served()
	s.want(s.run(botoPython(t), "remove.py"), "finished")
	ask("GET", "/live/pets/7").Want(t, 404, `{"message":"Not Found"}`)
}
