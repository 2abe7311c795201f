package api

import (
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// validationScript makes a REST API that checks its requests and answers errors in its own way, and
// another by an import.
const validationScript = `
import json
import boto3
from botocore.exceptions import ClientError

gw = boto3.client("apigateway")
fn = boto3.client("lambda")
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

id = gw.create_rest_api(name="shop")["id"]
root = gw.get_resources(restApiId=id)["items"][0]["id"]
item = json.dumps({"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "price": {"type": "number", "minimum": 0}}})
model = gw.create_model(restApiId=id, name="Item", contentType="application/json", schema=item)
assert model["schema"] == item and model["id"], model
items = {"type": "array", "items": {"$ref": "https://apigateway.amazonaws.com/restapis/%s/models/Item" % id}}
gw.create_model(restApiId=id, name="Items", contentType="application/json", schema=json.dumps(items))
of = dict(restApiId=id, contentType="application/json")
refused("ConflictException", "Model name already exists for this REST API", gw.create_model, name="Item", schema=item, **of)
refused("BadRequestException", "must have at least 1 property", gw.create_model, name="Other", schema="", **of)
refused("BadRequestException", "is not supported: a $ref leads to", gw.create_model, name="Other", schema='{"$ref":"http://169.254.169.254/x"}', **of)
refused("BadRequestException", "is not there", gw.create_model, name="Other", schema='{"$ref":"None"}', **of)
refused("BadRequestException", "(?=b)", gw.create_model, name="Other", schema='{"pattern":"a(?=b)"}', **of)
refused("BadRequestException", "alphanumeric", gw.create_model, name="a_b", schema=item, **of)
refused("BadRequestException", "Must be one of: [/description, /schema]", gw.update_model, restApiId=id, modelName="Item", patchOperations=[{"op": "replace", "path": "/name", "value": "x"}])
assert gw.update_model(restApiId=id, modelName="Item", patchOperations=[{"op": "replace", "path": "/description", "value": "an item"}])["description"] == "an item"
refused("ConflictException", "Cannot delete model 'Item', is referenced in model: Items", gw.delete_model, restApiId=id, modelName="Item")
assert [m["name"] for m in gw.get_models(restApiId=id)["items"]] == ["Empty", "Error", "Item", "Items"]

refused("BadRequestException", "Invalid REST API identifier specified", gw.create_request_validator, restApiId="none", name="n")
both = gw.create_request_validator(restApiId=id, name="both", validateRequestBody=True, validateRequestParameters=True)
assert both["validateRequestBody"] and gw.get_request_validators(restApiId=id)["items"][0]["name"] == "both", both
refused("BadRequestException", "Must be one of: [/name, /validateRequestParameters, /validateRequestBody]", gw.update_request_validator, restApiId=id, requestValidatorId=both["id"], patchOperations=[{"op": "replace", "path": "/x", "value": "y"}])
refused("NotFoundException", "Invalid Request Validator identifier specified", gw.get_request_validator, restApiId=id, requestValidatorId="none")
resource = gw.create_resource(restApiId=id, parentId=root, pathPart="items")["id"]
put = dict(restApiId=id, resourceId=resource, authorizationType="NONE")
refused("BadRequestException", "Invalid Request Validator identifier specified", gw.put_method, httpMethod="POST", requestValidatorId="none", **put)
refused("BadRequestException", "Invalid model identifier specified: None", gw.put_method, httpMethod="POST", requestModels={"application/json": "None"}, **put)
method = gw.put_method(httpMethod="POST", requestValidatorId=both["id"], requestModels={"application/json": "Items"},
    requestParameters={"method.request.header.X-Trace": True, "method.request.querystring.q": True, "method.request.querystring.maybe": False}, **put)
assert method["requestValidatorId"] == both["id"], method
gw.put_method(httpMethod="GET", apiKeyRequired=True, **put)
gw.put_method(httpMethod="PUT", requestValidatorId=both["id"], requestModels={"$default": "Item"}, **put)
for name in ["GET", "POST"]:
    gw.put_integration(restApiId=id, resourceId=resource, httpMethod=name, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
gw.put_method_response(restApiId=id, resourceId=resource, httpMethod="PUT", statusCode="200")
gw.put_integration(restApiId=id, resourceId=resource, httpMethod="PUT", type="MOCK", requestTemplates={"application/json": '{"statusCode":200}'})
gw.put_integration_response(restApiId=id, resourceId=resource, httpMethod="PUT", statusCode="200")
refused("ConflictException", "is referenced in method request: /items/POST", gw.delete_model, restApiId=id, modelName="Items")
refused("ConflictException", "is referenced in method request", gw.delete_request_validator, restApiId=id, requestValidatorId=both["id"])

refused("ValidationException", "Member must satisfy enum value set", gw.put_gateway_response, restApiId=id, responseType="OTHER")
refused("BadRequestException", "is not supported: write 'text'", gw.put_gateway_response, restApiId=id, responseType="THROTTLED", responseTemplates={"application/json": "$context.none"})
assert gw.get_gateway_response(restApiId=id, responseType="DEFAULT_4XX")["defaultResponse"]
gw.put_gateway_response(restApiId=id, responseType="DEFAULT_4XX", responseParameters={"gatewayresponse.header.Access-Control-Allow-Origin": "'*'"})
made = gw.put_gateway_response(restApiId=id, responseType="BAD_REQUEST_BODY", statusCode="422",
    responseParameters={"gatewayresponse.header.X-Query": "method.request.querystring.q", "gatewayresponse.header.X-Stage": "context.stage"},
    responseTemplates={"application/json": '{"why":"$context.error.validationErrorString","type":"$context.error.responseType","table":"$stageVariables.table"}', "text/plain": "no"})
assert made["statusCode"] == "422" and not made["defaultResponse"], made
assert gw.get_gateway_response(restApiId=id, responseType="THROTTLED")["responseParameters"], "of DEFAULT_4XX"
gw.put_gateway_response(restApiId=id, responseType="INVALID_API_KEY", statusCode="402")
refused("BadRequestException", "Invalid patch path /wrong", gw.update_gateway_response, restApiId=id, responseType="INVALID_API_KEY", patchOperations=[{"op": "add", "path": "/wrong", "value": "x"}])
gw.update_gateway_response(restApiId=id, responseType="INVALID_API_KEY", patchOperations=[{"op": "add", "path": "/responseParameters/gatewayresponse.header.X-A", "value": "'a'"}])
assert len(gw.get_gateway_responses(restApiId=id)["items"]) == 21
gw.put_gateway_response(restApiId=id, responseType="EXPIRED_TOKEN")
gw.delete_gateway_response(restApiId=id, responseType="EXPIRED_TOKEN")
refused("NotFoundException", "Gateway response type not defined on api", gw.delete_gateway_response, restApiId=id, responseType="EXPIRED_TOKEN")
gw.create_deployment(restApiId=id, stageName="live", variables={"table": "pets"})

document = {"swagger": "2.0", "info": {"title": "again", "version": "1"}, "x-amazon-apigateway-request-validator": "body",
    "x-amazon-apigateway-request-validators": {"body": {"validateRequestBody": True, "validateRequestParameters": False}},
    "x-amazon-apigateway-gateway-responses": {"MISSING_AUTHENTICATION_TOKEN": {"statusCode": "404", "responseTemplates": {"application/json": '{"message":"nothing here"}'}}},
    "paths": {"/items": {"post": {"parameters": [{"in": "body", "name": "items", "schema": {"type": "array", "items": {"$ref": "#/definitions/Item"}}}],
        "x-amazon-apigateway-integration": {"type": "aws_proxy", "httpMethod": "POST", "uri": uri}}}},
    "definitions": {"Item": json.loads(item)}}
other = gw.import_rest_api(body=json.dumps(document))["id"]
names = [m["name"] for m in gw.get_models(restApiId=other)["items"]]
assert names[:3] == ["Empty", "Error", "Item"] and names[3].startswith("MODEL"), names
refused("BadRequestException", "the request validator", gw.import_rest_api, body=json.dumps(dict(document, **{"x-amazon-apigateway-request-validator": "none"})))
gw.create_deployment(restApiId=other, stageName="live")
exported = gw.get_export(restApiId=other, stageName="live", exportType="oas30", parameters={"extensions": "apigateway"})["body"].read()
gw.put_rest_api(restApiId=other, mode="overwrite", body=exported)
assert [m["name"] for m in gw.get_models(restApiId=other)["items"]] == names
gw.create_deployment(restApiId=other, stageName="live")
for one in [id, other]:
    fn.add_permission(FunctionName="echo", StatementId=one, Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com", SourceArn="arn:aws:execute-api:us-east-1:000000000000:%s/*" % one)
refused("BadRequestException", "only for REST APIs", boto3.client("apigatewayv2").import_api, Body=json.dumps(dict(document, openapi="3.0.1", swagger=None)))
print(id, other)
`

func TestRESTAPIsValidateRequestsAndAnswerErrorsInTheirOwnWay(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	a.Create("echo", harness.NodeZip(t, echoEvent))
	s := newShell(a)
	s.write("make.py", []byte(validationScript))
	ids := strings.Fields(s.run(botoPython(t), "make.py"))
	if len(ids) != 2 {
		t.Fatal(ids)
	}
	ask := func(id, method, path, body string, header ...string) harness.Response {
		r := a.Request(method, "/live"+path, strings.NewReader(body))
		r.Host = id + ".execute-api.us-east-1.localhost"
		for n := 0; n+1 < len(header); n += 2 {
			r.Header.Set(header[n], header[n+1])
		}
		return a.Do(r)
	}
	id, imported := ids[0], ids[1]
	right := []string{"X-Trace", "1", "Content-Type", "application/json; charset=utf-8"}
	ask(id, "POST", "/items?q=1", `[{"name":"a","price":1.5}]`, right...).Want(t, 200, `"httpMethod":"POST"`)
	ask(id, "POST", "/items", ``).Want(t, 400, `{"message": "Missing required request parameters: [X-Trace, q]"}`)
	ask(id, "POST", "/items?q=", `[]`, right...).Want(t, 400, `{"message": "Missing required request parameters: [q]"}`)
	wrong := ask(id, "POST", "/items?q=1", `[{"price":1}]`, right...)
	wrong.Want(t, 422, `{"why":"[object has missing required properties (["name"])]","type":"BAD_REQUEST_BODY","table":"pets"}`)
	if h := wrong.Header; h.Get("X-Query") != "1" || h.Get("X-Stage") != "live" || h.Get("X-Amzn-Errortype") != "BadRequestException" || h.Get("Content-Type") != "application/json" {
		t.Errorf("%v", h)
	}
	ask(id, "POST", "/items?q=1", ``, right...).Want(t, 422, "BAD_REQUEST_BODY")
	ask(id, "POST", "/items?q=1", `[`, append(right, "Accept", "text/plain")...).Want(t, 422, "no")
	ask(id, "POST", "/items?q=1", `x`, "X-Trace", "1", "Content-Type", "text/plain").Want(t, 200, `"body":"x"`)
	deep := strings.Repeat("[", 5000)
	ask(id, "POST", "/items?q=1", deep, right...).Want(t, 422, "nested deeper")
	// An integration that does not read the body, and a model for all types.
	ask(id, "PUT", "/items", `{"name":"a"}`).Want(t, 200, "")
	ask(id, "PUT", "/items", `{"name":1}`, "Content-Type", "application/json").Want(t, 422, "instance type (integer)")
	keyless := ask(id, "GET", "/items", "")
	keyless.Want(t, 402, `{"message":"Forbidden"}`)
	if keyless.Header.Get("X-A") != "a" {
		t.Errorf("%v", keyless.Header)
	}
	none := ask(id, "GET", "/none", "")
	none.Want(t, 403, `{"message":"Missing Authentication Token"}`)
	if none.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%v", none.Header)
	}
	ask(imported, "POST", "/items", `[{"name":"a"}]`).Want(t, 200, `"httpMethod":"POST"`)
	ask(imported, "POST", "/items", `[{"name":1}]`).Want(t, 400, `{"message": "Invalid request body"}`)
	ask(imported, "GET", "/none", "").Want(t, 404, `{"message":"nothing here"}`)
}
