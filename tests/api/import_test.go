package api

import (
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

const importScript = `
import json
import boto3
from botocore.exceptions import ClientError

v2 = boto3.client("apigatewayv2")
gw = boto3.client("apigateway")
fn = boto3.client("lambda")
arn = fn.get_function(FunctionName="echo")["Configuration"]["FunctionArn"]
uri = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/%s/invocations" % arn

def refused(text, call, **args):
    try:
        answer = call(**args)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "BadRequestException" and text in error.response["Error"]["Message"], str(error)
    else:
        raise AssertionError((text, answer))

function = {"type": "aws_proxy", "httpMethod": "POST", "uri": uri, "payloadFormatVersion": "2.0"}
document = {"openapi": "3.0.1", "info": {"title": "shop", "version": "1"}, "servers": [{"url": "https://x.example/v1"}], "paths": {
    "/items/{id}": {"get": {"operationId": "item", "x-amazon-apigateway-integration": function}, "post": {"security": [{"users": ["write"]}], "x-amazon-apigateway-integration": function}}},
    "components": {"securitySchemes": {"users": {"type": "oauth2", "x-amazon-apigateway-authorizer": {"type": "jwt", "identitySource": "$request.header.Authorization",
        "jwtConfiguration": {"issuer": "https://id.example.com", "audience": ["shop"]}}}}},
    "x-amazon-apigateway-cors": {"allowOrigins": ["https://www.example.com"]}}
api = v2.import_api(Body=json.dumps(document), Basepath="prepend")
id = api["ApiId"]
assert api["Name"] == "shop" and api["CorsConfiguration"]["AllowOrigins"] == ["https://www.example.com"], api
routes = {r["RouteKey"]: r for r in v2.get_routes(ApiId=id)["Items"]}
assert sorted(routes) == ["GET /v1/items/{id}", "POST /v1/items/{id}"] and routes["POST /v1/items/{id}"]["AuthorizationType"] == "JWT", routes
assert routes["POST /v1/items/{id}"]["AuthorizationScopes"] == ["write"] and len(v2.get_integrations(ApiId=id)["Items"]) == 1
v2.create_stage(ApiId=id, StageName="$default", AutoDeploy=True)
document["paths"]["/items/{id}"]["post"]["security"] = [{"strangers": []}]
refused("the route would be open", v2.reimport_api, ApiId=id, Body=json.dumps(document))
refused("neither OpenAPI 3", v2.import_api, Body="{}")
refused("Swagger 2 is not supported", v2.import_api, Body='{"swagger": "2.0"}')
del document["paths"]["/items/{id}"]["post"]
document["paths"]["/$default"] = {"x-amazon-apigateway-any-method": {"x-amazon-apigateway-integration": function}}
v2.reimport_api(ApiId=id, Body=json.dumps(document))
assert sorted(r["RouteKey"] for r in v2.get_routes(ApiId=id)["Items"]) == ["$default", "GET /items/{id}"]

swagger = """
swagger: "2.0"
info: { title: old, version: "1" }
basePath: /v1
schemes: [ https ]
paths:
  /pets/{id}:
    get:
      produces: [ application/json ]
      parameters: [ { name: id, in: path, required: true, type: string } ]
      responses: { 200: { description: a pet, schema: { $ref: "#/definitions/Empty" } } }
      security: [ { gate: [] } ]
      x-amazon-apigateway-integration: { type: aws_proxy, httpMethod: POST, uri: "%s", passthroughBehavior: when_no_match }
    options:
      responses: { 200: { description: preflight, headers: { Access-Control-Allow-Origin: { type: string } } } }
      x-amazon-apigateway-integration:
        type: mock
        requestTemplates: { application/json: "{statusCode:200}" }
        responses: { default: { statusCode: "200", responseParameters: { method.response.header.Access-Control-Allow-Origin: "'*'" } } }
  /other:
    x-amazon-apigateway-any-method:
      x-amazon-apigateway-integration: { type: aws_proxy, httpMethod: POST, uri: "%s" }
securityDefinitions:
  gate:
    type: apiKey
    name: Authorization
    in: header
    x-amazon-apigateway-authtype: custom
    x-amazon-apigateway-authorizer: { type: token, authorizerUri: "%s", authorizerResultTtlInSeconds: 0 }
definitions: { Empty: { type: object } }
""" % (uri, uri, uri.replace("function:echo", "function:gate"))
rest = gw.import_rest_api(body=swagger, parameters={"endpointConfigurationTypes": "REGIONAL"})
assert rest["name"] == "old" and rest["endpointConfiguration"]["types"] == ["REGIONAL"], rest
old = rest["id"]
paths = lambda: {r["path"]: sorted(r.get("resourceMethods", {})) for r in gw.get_resources(restApiId=old)["items"]}
assert paths() == {"/": [], "/pets": [], "/pets/{id}": ["GET", "OPTIONS"], "/other": ["ANY"]}, paths()
by = gw.get_authorizers(restApiId=old)["items"][0]
gw.create_deployment(restApiId=old, stageName="live")
refused("GET /pets/{id}: The integration type HTTP is not supported", gw.put_rest_api, restApiId=old, mode="merge", body=swagger.replace("type: aws_proxy", "type: http", 1))
refused("x-amazon-apigateway-policy is not supported", gw.import_rest_api, body=swagger + "x-amazon-apigateway-policy: {}\n")
refused("is not supported", gw.import_rest_api, body=swagger, parameters={"basepath": "split"})
gw.put_rest_api(restApiId=old, mode="overwrite", body=swagger.replace("/other:", "/new/{proxy+}:"))
assert paths() == {"/": [], "/pets": [], "/pets/{id}": ["GET", "OPTIONS"], "/new": [], "/new/{proxy+}": ["ANY"]}, paths()
assert len(gw.get_authorizers(restApiId=old)["items"]) == 1
by = gw.get_authorizers(restApiId=old)["items"][0]["id"]
gw.create_deployment(restApiId=old, stageName="live")
for name, source in [("echo", id + "/*"), ("echo", old + "/*"), ("gate", old + "/authorizers/" + by)]:
    fn.add_permission(FunctionName=name, StatementId=source[:10], Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com", SourceArn="arn:aws:execute-api:us-east-1:000000000000:" + source)

# What is exported is imported again.
exported = v2.export_api(ApiId=id, Specification="OAS30", OutputType="JSON", StageName="$default")["body"].read().decode()
assert "x-amazon-apigateway-integration" in exported, exported
again = v2.reimport_api(ApiId=id, Body=exported)
assert v2.export_api(ApiId=id, Specification="OAS30", OutputType="JSON")["body"].read().decode() == exported
assert b"openapi: 3.0.1" in v2.export_api(ApiId=id, Specification="OAS30", OutputType="YAML", IncludeExtensions=False)["body"].read()
exported = gw.get_export(restApiId=old, stageName="live", exportType="oas30", accepts="application/yaml", parameters={"extensions": "apigateway"})["body"].read()
assert gw.put_rest_api(restApiId=old, mode="overwrite", body=exported)["id"] == old
assert paths() == {"/": [], "/pets": [], "/pets/{id}": ["GET", "OPTIONS"], "/new": [], "/new/{proxy+}": ["ANY"]}, paths()
assert "x-amazon-apigateway-integration" not in gw.get_export(restApiId=old, stageName="live", exportType="swagger")["body"].read().decode()
print(id, old)
`

func TestAPIsAreImported(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	a.Create("echo", harness.NodeZip(t, echoEvent))
	a.Create("gate", harness.NodeZip(t, gateHandler))
	s := newShell(a)
	s.write("make.py", []byte(importScript))
	ids := strings.Fields(s.run(botoPython(t), "make.py"))
	if len(ids) != 2 {
		t.Fatalf("%q", ids)
	}
	ask := func(id, method, path, token string) harness.Response {
		r := a.Request(method, path, nil)
		r.Host = id + ".execute-api.us-east-1.localhost"
		if token != "" {
			r.Header.Set("Authorization", token)
		}
		return a.Do(r)
	}
	ask(ids[0], "GET", "/items/7", "").Want(t, 200, `"routeKey":"GET /items/{id}"`)
	ask(ids[0], "PUT", "/else", "").Want(t, 200, `"routeKey":"$default"`)
	ask(ids[1], "GET", "/live/pets/7", "").Want(t, 401, `{"message":"Unauthorized"}`)
	ask(ids[1], "GET", "/live/pets/7", "Bearer open").Want(t, 200, `"pathParameters":{"id":"7"}`)
	ask(ids[1], "GET", "/live/new/a/b", "").Want(t, 200, `"proxy":"a/b"`)
	if got := ask(ids[1], "OPTIONS", "/live/pets/7", ""); got.Status != 200 || got.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%d %v", got.Status, got.Header)
	}
}
