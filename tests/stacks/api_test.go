package stacks

import (
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// apisScript makes APIs of all kinds with what belongs to them.
const apisScript = `
def sub(text): return {"Fn::Sub": text}
def ref(name): return {"Ref": name}
def att(name, attribute): return {"Fn::GetAtt": [name, attribute]}
uri = sub("arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Fn.Arn}/invocations")
template = {"Resources": {
    "Role": dict(role, Properties=dict(role["Properties"], Policies=[{"PolicyName": "own", "PolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}}])),
    "Fn": function("hello"),
    "Version": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": ref("Fn"), "Description": "1"}},
    "Alias": {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": ref("Fn"), "FunctionVersion": att("Version", "Version"), "Name": "live"}},
    "Target": {"Type": "AWS::ApplicationAutoScaling::ScalableTarget", "DependsOn": "Alias", "Properties": {"ServiceNamespace": "lambda", "ScalableDimension": "lambda:function:ProvisionedConcurrency", "ResourceId": sub("function:${Fn}:live"), "MinCapacity": "0", "MaxCapacity": 1,
        "ScheduledActions": [{"ScheduledActionName": "night", "Schedule": "cron(0 0 * * ? *)", "ScalableTargetAction": {"MinCapacity": 0, "MaxCapacity": 0}}]}},
    "Scaling": {"Type": "AWS::ApplicationAutoScaling::ScalingPolicy", "Properties": {"PolicyName": "use", "PolicyType": "TargetTrackingScaling", "ScalingTargetId": ref("Target"),
        "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 0.7, "PredefinedMetricSpecification": {"PredefinedMetricType": "LambdaProvisionedConcurrencyUtilization"}}}},
    "Config": {"Type": "AWS::Lambda::EventInvokeConfig", "Properties": {"FunctionName": ref("Fn"), "Qualifier": "$LATEST", "MaximumRetryAttempts": 0}},
    "Url": {"Type": "AWS::Lambda::Url", "Properties": {"TargetFunctionArn": att("Fn", "Arn"), "AuthType": "NONE", "Cors": {"AllowOrigins": ["*"]}}},
    "UrlPermission": {"Type": "AWS::Lambda::Permission", "Properties": {"FunctionName": ref("Fn"), "Action": "lambda:InvokeFunctionUrl", "Principal": "*", "FunctionUrlAuthType": "NONE"}},
    "Http": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Name": "http", "ProtocolType": "HTTP", "CorsConfiguration": {"AllowOrigins": ["*"]}}},
    "HttpStage": {"Type": "AWS::ApiGatewayV2::Stage", "Properties": {"ApiId": ref("Http"), "StageName": "$default", "AutoDeploy": True, "DefaultRouteSettings": {"DetailedMetricsEnabled": False}}},
    "HttpTo": {"Type": "AWS::ApiGatewayV2::Integration", "Properties": {"ApiId": ref("Http"), "IntegrationType": "AWS_PROXY", "IntegrationUri": att("Fn", "Arn"), "PayloadFormatVersion": "2.0", "TimeoutInMillis": "30000"}},
    "HttpRoute": {"Type": "AWS::ApiGatewayV2::Route", "Properties": {"ApiId": ref("Http"), "RouteKey": "GET /hello", "Target": {"Fn::Join": ["/", ["integrations", ref("HttpTo")]]}}},
    "HttpPermission": {"Type": "AWS::Lambda::Permission", "Properties": {"FunctionName": att("Fn", "Arn"), "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com", "SourceArn": sub("arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Http}/*")}},
    "RestPermission": {"Type": "AWS::Lambda::Permission", "Properties": {"FunctionName": ref("Fn"), "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com"}},
    "Rest": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "rest", "EndpointConfiguration": {"Types": ["REGIONAL"]}, "BinaryMediaTypes": ["image/png"]}},
    "Path": {"Type": "AWS::ApiGateway::Resource", "Properties": {"RestApiId": ref("Rest"), "ParentId": att("Rest", "RootResourceId"), "PathPart": "hello"}},
    "Get": {"Type": "AWS::ApiGateway::Method", "Properties": {"RestApiId": ref("Rest"), "ResourceId": ref("Path"), "HttpMethod": "GET", "AuthorizationType": "NONE", "ApiKeyRequired": True,
        "Integration": {"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": uri}, "MethodResponses": []}},
    "Deployment": {"Type": "AWS::ApiGateway::Deployment", "DependsOn": ["Get"], "Properties": {"RestApiId": ref("Rest"), "StageName": "dev"}},
    "Prod": {"Type": "AWS::ApiGateway::Stage", "Properties": {"RestApiId": ref("Rest"), "DeploymentId": ref("Deployment"), "StageName": "prod", "Variables": {"a": "b"}, "MethodSettings": [{"ResourcePath": "/*", "HttpMethod": "*", "ThrottlingRateLimit": 100, "ThrottlingBurstLimit": 50}]}},
    "Key": {"Type": "AWS::ApiGateway::ApiKey", "Properties": {"Enabled": True, "Value": "a-key-of-twenty-characters"}},
    "Plan": {"Type": "AWS::ApiGateway::UsagePlan", "DependsOn": "Prod", "Properties": {"ApiStages": [{"ApiId": ref("Rest"), "Stage": "prod"}], "Throttle": {"RateLimit": 100, "BurstLimit": 100}}},
    "PlanKey": {"Type": "AWS::ApiGateway::UsagePlanKey", "Properties": {"KeyId": ref("Key"), "KeyType": "API_KEY", "UsagePlanId": ref("Plan")}},
    "Doc": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Body": {"openapi": "3.0.1", "info": {"title": "doc", "version": "1"}, "paths": {"/doc": {"get": {"responses": {}, "x-amazon-apigateway-integration": {"type": "aws_proxy", "httpMethod": "POST", "uri": uri}}}}}}},
    "DocDeployment": {"Type": "AWS::ApiGateway::Deployment", "Properties": {"RestApiId": ref("Doc"), "StageName": "Stage"}},
}, "Outputs": {
    "Url": {"Value": att("Url", "FunctionUrl")},
    "Http": {"Value": {"Fn::Join": ["", ["http://", ref("Http"), ".execute-api.", ref("AWS::Region"), ".", ref("AWS::URLSuffix"), "/hello"]]}},
    "Endpoint": {"Value": att("Http", "ApiEndpoint")},
    "Rest": {"Value": sub("http://${Rest}.execute-api.${AWS::Region}.${AWS::URLSuffix}/prod/hello")},
    "Doc": {"Value": sub("http://${Doc}.execute-api.${AWS::Region}.${AWS::URLSuffix}/Stage/doc")},
}}
resources = template["Resources"]
refused("ValidationError", "Encountered unsupported property Bad", create, name="x", template={"Resources": {"D": {"Type": "AWS::ApiGateway::Deployment", "Properties": {"RestApiId": "x", "Bad": 1}}}})
create("apis", template)
settled("apis", "CREATE_COMPLETE")
o = outputs("apis")
assert get(o["Url"]) == (200, "hello") and get(o["Http"]) == (200, "hello") and get(o["Endpoint"] + "/hello") == (200, "hello"), o
assert get(o["Rest"])[0] == 403 and get(o["Rest"], **{"x-api-key": "a-key-of-twenty-characters"}) == (200, "hello"), get(o["Rest"], **{"x-api-key": "a-key-of-twenty-characters"})
assert get(o["Doc"]) == (200, "hello")
ids = {name: r["PhysicalResourceId"] for name, r in made("apis").items()}
assert call(ids["Alias"])["body"] == "hello" and ids["Version"].endswith(":1"), ids
assert lam.get_function_event_invoke_config(FunctionName=ids["Fn"])["MaximumRetryAttempts"] == 0

scaling = client("application-autoscaling")
assert scaling.describe_scalable_targets(ServiceNamespace="lambda")["ScalableTargets"][0]["MaxCapacity"] == 1
assert [x["PolicyName"] for x in scaling.describe_scaling_policies(ServiceNamespace="lambda")["ScalingPolicies"]] == ["use"]
assert [x["ScheduledActionName"] for x in scaling.describe_scheduled_actions(ServiceNamespace="lambda")["ScheduledActions"]] == ["night"]

# An update in place: the addresses stay.
resources["Fn"]["Properties"]["Code"]["ZipFile"] = "exports.handler = async () => ({ statusCode: 200, body: 'changed' });"
resources["Version2"] = dict(resources.pop("Version"))
resources["Alias"]["Properties"]["FunctionVersion"] = att("Version2", "Version")
del resources["Http"]["Properties"]["CorsConfiguration"]
resources["HttpRoute"]["Properties"]["RouteKey"] = "GET /other"
resources["Rest"]["Properties"]["BinaryMediaTypes"] = ["image/gif"]
resources["Get"]["Properties"]["ApiKeyRequired"] = False
resources["Deployment2"] = resources.pop("Deployment")
resources["Prod"]["Properties"].update(DeploymentId=ref("Deployment2"), Variables={"c": "d"})
del resources["Prod"]["Properties"]["MethodSettings"]
del resources["Plan"], resources["PlanKey"]
update("apis", template)
settled("apis", "UPDATE_COMPLETE")
assert outputs("apis") == o
assert get(o["Url"]) == (200, "changed") and get(o["Http"])[0] == 404 and get(o["Endpoint"] + "/other") == (200, "changed")
assert get(o["Rest"]) == (200, "changed"), get(o["Rest"])
assert get(o["Rest"].replace("/prod/", "/dev/")) == (200, "changed")
assert call(ids["Alias"])["body"] == "changed" and made("apis")["Version2"]["PhysicalResourceId"].endswith(":2")
assert "CorsConfiguration" not in client("apigatewayv2").get_api(ApiId=ids["Http"])
stage = client("apigateway").get_stage(restApiId=ids["Rest"], stageName="prod")
assert stage["variables"] == {"c": "d"} and stage.get("methodSettings", {}) == {}, stage
assert client("apigateway").get_rest_api(restApiId=ids["Rest"])["binaryMediaTypes"] == ["image/gif"]

cfn.delete_stack(StackName="apis")
cfn.get_waiter("stack_delete_complete").wait(StackName="apis", WaiterConfig={"Delay": 1})
assert client("apigatewayv2").get_apis()["Items"] == [] and client("apigateway").get_rest_apis()["items"] == [] and client("apigateway").get_api_keys()["items"] == []
assert scaling.describe_scalable_targets(ServiceNamespace="lambda").get("ScalableTargets", []) == []
assert lam.list_functions()["Functions"] == [] and iam.list_roles()["Roles"] == []
`

func TestAStackMakesAPIs(t *testing.T) {
	harness.Parallel(t)
	newShell(t, "").python(apisScript)
}
