package api

import (
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

const planScript = `
import boto3
from botocore.exceptions import ClientError

gw = boto3.client("apigateway")
fn = boto3.client("lambda")
uri = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/%s/invocations" % fn.get_function(FunctionName="echo")["Configuration"]["FunctionArn"]

def refused(code, text, call, **args):
    try:
        answer = call(**args)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code and text in error.response["Error"]["Message"], str(error)
    else:
        raise AssertionError((text, answer))

api = gw.create_rest_api(name="keys")
id = api["id"]
at = dict(restApiId=id, resourceId=api["rootResourceId"], httpMethod="GET")
gw.put_method(authorizationType="NONE", apiKeyRequired=True, **at)
gw.put_integration(type="AWS_PROXY", integrationHttpMethod="POST", uri=uri, **at)
gw.create_deployment(restApiId=id, stageName="live")
fn.add_permission(FunctionName="echo", StatementId="s", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com", SourceArn="arn:aws:execute-api:us-east-1:000000000000:%s/*" % id)

key = gw.create_api_key(name="acme", enabled=True, value="acme-key-of-20-bytes-or-more")
made = gw.create_api_key(name="other", enabled=True, tags={"a": "b"})
assert key["value"] == "acme-key-of-20-bytes-or-more" and len(made["value"]) == 40 and made["id"] != made["value"], made
assert "value" not in gw.get_api_key(apiKey=made["id"]) and gw.get_api_key(apiKey=made["id"], includeValue=True)["value"] == made["value"]
refused("ConflictException", "already exists", gw.create_api_key, name="again", value=made["value"])
refused("BadRequestException", "20 to 128", gw.create_api_key, name="short", value="short")
assert [k["name"] for k in gw.get_api_keys(nameQuery="ac")["items"]] == ["acme"]

plan = gw.create_usage_plan(name="partners", apiStages=[{"apiId": id, "stage": "live"}], quota={"limit": 2, "period": "MONTH"}, throttle={"rateLimit": 1000.0, "burstLimit": 1000})
assert plan["quota"]["limit"] == 2 and plan["throttle"]["rateLimit"] == 1000.0, plan
refused("NotFoundException", "API Stage", gw.create_usage_plan, name="n", apiStages=[{"apiId": id, "stage": "none"}])
refused("BadRequestException", "of a deployed method is expected", gw.create_usage_plan, name="n", apiStages=[{"apiId": id, "stage": "live", "throttle": {"/none/GET": {"rateLimit": 1.0, "burstLimit": 1}}}])
method = "/apiStages/%s:live/throttle//GET/" % id
slow = [{"op": "replace", "path": method + "rateLimit", "value": "0.5"}, {"op": "replace", "path": method + "burstLimit", "value": "7"}]
throttled = gw.update_usage_plan(usagePlanId=plan["id"], patchOperations=slow)
assert throttled["apiStages"] == [{"apiId": id, "stage": "live", "throttle": {"/GET": {"rateLimit": 0.5, "burstLimit": 7}}}], throttled
assert "throttle" not in gw.update_usage_plan(usagePlanId=plan["id"], patchOperations=[{"op": "remove", "path": "/apiStages/%s:live/throttle" % id}])["apiStages"][0]
for k in (key, made):
    gw.create_usage_plan_key(usagePlanId=plan["id"], keyId=k["id"], keyType="API_KEY")
refused("ConflictException", "already", gw.create_usage_plan_key, usagePlanId=plan["id"], keyId=made["id"], keyType="API_KEY")
assert sorted(k["name"] for k in gw.get_usage_plan_keys(usagePlanId=plan["id"])["items"]) == ["acme", "other"]
assert [p["name"] for p in gw.get_usage_plans(keyId=key["id"])["items"]] == ["partners"]
gw.update_api_key(apiKey=made["id"], patchOperations=[{"op": "replace", "path": "/enabled", "value": "false"}])
plan = gw.update_usage_plan(usagePlanId=plan["id"], patchOperations=[{"op": "replace", "path": "/quota/limit", "value": "4"}, {"op": "replace", "path": "/quota/offset", "value": "1"}, {"op": "replace", "path": "/description", "value": "d"}])
assert plan["quota"] == {"limit": 4, "offset": 1, "period": "MONTH"} and "begun" not in plan and plan["description"] == "d", plan
refused("BadRequestException", "offset must be", gw.update_usage_plan, usagePlanId=plan["id"], patchOperations=[{"op": "replace", "path": "/quota/offset", "value": "4"}])
gone = gw.import_rest_api(body='{"swagger": "2.0", "info": {"title": "gone"}, "paths": {"/": {"get": {"x-amazon-apigateway-integration": {"type": "mock"}}}}}')["id"]
gw.create_deployment(restApiId=gone, stageName="s")
gw.update_usage_plan(usagePlanId=plan["id"], patchOperations=[{"op": "add", "path": "/apiStages", "value": gone + ":s"}])
gw.delete_rest_api(restApiId=gone)
plan = gw.update_usage_plan(usagePlanId=plan["id"], patchOperations=[{"op": "replace", "path": "/name", "value": "others"}])
assert plan["name"] == "others" and len(plan["apiStages"]) == 2, plan
refused("BadRequestException", "must be removed first", gw.delete_usage_plan, usagePlanId=plan["id"])
print(id, made["value"])
`

const endPlanScript = `
import boto3
gw = boto3.client("apigateway")
plan = gw.get_usage_plans()["items"][0]
gw.update_usage_plan(usagePlanId=plan["id"], patchOperations=[{"op": "remove", "path": "/apiStages", "value": "%s:%s" % (s["apiId"], s["stage"])} for s in plan["apiStages"]])
gw.delete_usage_plan(usagePlanId=plan["id"])
for key in gw.get_api_keys()["items"]:
    gw.delete_api_key(apiKey=key["id"])
assert gw.get_api_keys()["items"] == [] and gw.get_usage_plans()["items"] == []
print("finished")
`

func TestAPIKeysOfUsagePlansOpenMethods(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	a.Create("echo", harness.NodeZip(t, echoEvent))
	s := newShell(a)
	s.write("make.py", []byte(planScript))
	s.write("end.py", []byte(endPlanScript))
	ids := strings.Fields(s.run(botoPython(t), "make.py"))
	if len(ids) != 2 {
		t.Fatalf("%q", ids)
	}
	ask := func(key string) harness.Response {
		r := a.Request("GET", "/live", nil)
		r.Host = ids[0] + ".execute-api.us-east-1.localhost"
		if key != "" {
			r.Header.Set("X-Api-Key", key)
		}
		return a.Do(r)
	}
	const acme = "acme-key-of-20-bytes-or-more"
	ask("").Want(t, 403, `{"message":"Forbidden"}`)
	ask("none").Want(t, 403, `{"message":"Forbidden"}`)
	ask(ids[1]).Want(t, 403, `{"message":"Forbidden"}`) // it is not enabled
	for range 2 {
		ask(acme).Want(t, 200, `"apiKey":"`+acme+`"`)
	}
	a.Stop()
	a.Restart()
	ask(acme).Want(t, 200, `"stage":"live"`)
	ask(acme).Want(t, 429, `{"message":"Limit Exceeded"}`)
	s.want(s.run(botoPython(t), "end.py"), "finished")
	ask(acme).Want(t, 403, `{"message":"Forbidden"}`)
}
