package stacks

import (
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// typesScript makes, changes and removes types that no other script here has.
const typesScript = `
agw = client("apigateway")
s3.create_bucket(Bucket="layers")
z = io.BytesIO()
with zipfile.ZipFile(z, "w") as f:
    f.writestr("nodejs/x.js", "exports.x = 1")
s3.put_object(Bucket="layers", Key="layer.zip", Body=z.getvalue())
def ref(name): return {"Ref": name}
def arn(name): return {"Fn::GetAtt": [name, "Arn"]}
resources = {
    "Role": role,
    "Managed": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"ManagedPolicyName": "managed", "Roles": [ref("Role")], "PolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": "*"}]}}},
    "Profile": {"Type": "AWS::IAM::InstanceProfile", "Properties": {"Roles": [ref("Role")]}},
    "Layer": {"Type": "AWS::Lambda::LayerVersion", "Properties": {"LayerName": "layer", "Content": {"S3Bucket": "layers", "S3Key": "layer.zip"}}},
    "Share": {"Type": "AWS::Lambda::LayerVersionPermission", "Properties": {"LayerVersionArn": ref("Layer"), "Action": "lambda:GetLayerVersion", "Principal": "*"}},
    "Signing": {"Type": "AWS::Lambda::CodeSigningConfig", "Properties": {"AllowedPublishers": {"SigningProfileVersionArns": ["arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/abcdefghij"]}, "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": "Warn"}}},
    "Fn": function("x", FunctionName="carried", Layers=[ref("Layer")], ReservedConcurrentExecutions=3, TracingConfig={"Mode": "Active"}, SnapStart={"ApplyOn": "None"}, KmsKeyArn="arn:aws:kms:us-east-1:000000000000:key/12345678-1234-1234-1234-123456789012",
        VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}, FileSystemConfigs=[{"Arn": "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-12345678901234567", "LocalMountPath": "/mnt/x"}], CodeSigningConfigArn=ref("Signing")),
    "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "api"}},
    "Auth": {"Type": "AWS::ApiGateway::Authorizer", "Properties": {"RestApiId": ref("Api"), "Name": "auth", "Type": "TOKEN", "IdentitySource": "method.request.header.Authorization",
        "AuthorizerUri": {"Fn::Sub": "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Fn.Arn}/invocations"}}},
    "Model": {"Type": "AWS::ApiGateway::Model", "Properties": {"RestApiId": ref("Api"), "ContentType": "application/json", "Schema": {"type": "object", "required": ["name"]}}},
    "Valid": {"Type": "AWS::ApiGateway::RequestValidator", "Properties": {"RestApiId": ref("Api"), "ValidateRequestBody": True}},
    "Answer": {"Type": "AWS::ApiGateway::GatewayResponse", "Properties": {"RestApiId": ref("Api"), "ResponseType": "BAD_REQUEST_BODY", "StatusCode": "422"}},
    "Pets": {"Type": "AWS::ApiGateway::Method", "Properties": {"RestApiId": ref("Api"), "ResourceId": {"Fn::GetAtt": ["Api", "RootResourceId"]}, "HttpMethod": "POST", "AuthorizationType": "NONE",
        "RequestValidatorId": ref("Valid"), "RequestModels": {"application/json": ref("Model")}, "Integration": {"Type": "MOCK", "RequestTemplates": {"application/json": '{"statusCode": 200}'}, "IntegrationResponses": [{"StatusCode": "200"}]}, "MethodResponses": [{"StatusCode": "200"}]}},
    "Live": {"Type": "AWS::ApiGateway::Deployment", "DependsOn": ["Pets", "Answer"], "Properties": {"RestApiId": ref("Api"), "StageName": "live"}},
    # As the CDK and SAM write every key.
    "Key": {"Type": "AWS::ApiGateway::ApiKey", "DependsOn": "Live", "Properties": {"Enabled": True, "StageKeys": [{"RestApiId": ref("Api"), "StageName": "live"}]}},
    "Account": {"Type": "AWS::ApiGateway::Account", "Properties": {"CloudWatchRoleArn": arn("Role")}},
}
template = {"Resources": resources, "Outputs": {"Api": {"Value": ref("Api")}, "Profile": {"Value": arn("Profile")}, "Role": {"Value": ref("Role")}}}
create("t", template)
settled("t", "CREATE_COMPLETE")
o = outputs("t")
name = made("t")["Profile"]["PhysicalResourceId"]
assert o["Profile"] == "arn:aws:iam::000000000000:instance-profile/" + name
assert [r["RoleName"] for r in iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]] == [o["Role"]]
assert [p["InstanceProfileName"] for p in iam.list_instance_profiles_for_role(RoleName=o["Role"])["InstanceProfiles"]] == [name]
refused("DeleteConflict", "", iam.delete_role, RoleName=o["Role"])
refused("DeleteConflict", "must remove roles", iam.delete_instance_profile, InstanceProfileName=name)
assert "managed" in [p["PolicyName"] for p in iam.list_attached_role_policies(RoleName=o["Role"])["AttachedPolicies"]]
assert "lambda:GetLayerVersion" in lam.get_layer_version_policy(LayerName="layer", VersionNumber=1)["Policy"]
f = lam.get_function(FunctionName="carried")
c = f["Configuration"]
assert f["Concurrency"] == {"ReservedConcurrentExecutions": 3} and c["TracingConfig"] == {"Mode": "Active"} and c["SnapStart"]["ApplyOn"] == "None", f
assert c["VpcConfig"]["SubnetIds"] == ["subnet-1"] and c["KMSKeyArn"].endswith("key/12345678-1234-1234-1234-123456789012") and c["FileSystemConfigs"][0]["LocalMountPath"] == "/mnt/x", c
assert lam.get_function_code_signing_config(FunctionName="carried")["CodeSigningConfigArn"] == made("t")["Signing"]["PhysicalResourceId"]
assert call("carried")["body"] == "x"
assert [a["name"] for a in agw.get_authorizers(restApiId=o["Api"])["items"]] == ["auth"] and agw.get_account()["cloudwatchRoleArn"].endswith("role/" + o["Role"])
def post(body):
    u = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"])
    r = urllib.request.Request("http://127.0.0.1:%d/live" % u.port, data=json.dumps(body).encode(), headers={"Content-Type": "application/json", "Host": "%s.execute-api.us-east-1.localhost:%d" % (o["Api"], u.port)})
    try:
        return urllib.request.urlopen(r).status
    except urllib.error.HTTPError as error:
        return error.code
assert (post({"name": "a"}), post({})) == (200, 422)
assert made("t")["Model"]["PhysicalResourceId"].isalnum() # API Gateway takes no other names of models
assert [k["stageKeys"] for k in agw.get_api_keys()["items"]] == [[o["Api"] + "/live"]]
refused("BadRequestException", "stageKeys have", agw.create_api_key, name="k", stageKeys=[{"restApiId": "a"}])
validator = agw.get_request_validators(restApiId=o["Api"])["items"][0]
assert "name" not in validator and validator["validateRequestBody"], validator
refused("BadRequestException", "name cannot be blank", agw.update_request_validator, restApiId=o["Api"], requestValidatorId=validator["id"], patchOperations=[{"op": "replace", "path": "/name", "value": " "}])
exported = json.loads(agw.get_export(restApiId=o["Api"], stageName="live", exportType="oas30", parameters={"extensions": "apigateway"})["body"].read())
assert validator["id"] in exported["x-amazon-apigateway-request-validators"], exported

# All that can change changes in place.
resources["Managed"]["Properties"]["PolicyDocument"]["Statement"][0]["Action"] = "ssm:GetParameters"
resources["Answer"]["Properties"]["StatusCode"] = "418"
resources["Model"]["Properties"]["Schema"]["required"] = ["age"]
resources["Auth"]["Properties"]["AuthorizerResultTtlInSeconds"] = 0
resources["Other"] = dict(role)
resources["Profile"]["Properties"]["Roles"] = [ref("Other")]
resources["Fn"]["Properties"]["ReservedConcurrentExecutions"] = 4
del resources["Fn"]["Properties"]["VpcConfig"]
before = made("t")
resources["Live2"] = {"Type": "AWS::ApiGateway::Deployment", "DependsOn": ["Pets", "Answer", "Model"], "Properties": {"RestApiId": ref("Api")}}
update("t", template)
settled("t", "UPDATE_COMPLETE")
after = made("t")
anew = {n for n in after if n in before and after[n]["PhysicalResourceId"] != before[n]["PhysicalResourceId"]}
assert anew == set(), anew
assert [r["RoleName"] for r in iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]] == [after["Other"]["PhysicalResourceId"]]
reserved = lam.get_function_concurrency(FunctionName="carried")
assert reserved.get("ReservedConcurrentExecutions") == 4, (reserved, told("t")[:30])
assert agw.get_authorizers(restApiId=o["Api"])["items"][0]["authorizerResultTtlInSeconds"] == 0
agw.update_stage(restApiId=o["Api"], stageName="live", patchOperations=[{"op": "replace", "path": "/deploymentId", "value": after["Live2"]["PhysicalResourceId"]}])
assert (post({"age": 1}), post({"name": "a"})) == (200, 418)
agw.update_stage(restApiId=o["Api"], stageName="live", patchOperations=[{"op": "replace", "path": "/deploymentId", "value": after["Live"]["PhysicalResourceId"]}])
id = stack("t")["StackId"]
cfn.delete_stack(StackName="t")
settled(id, "DELETE_COMPLETE")
assert iam.list_roles()["Roles"] == [] and iam.list_instance_profiles()["InstanceProfiles"] == [] and agw.get_rest_apis()["items"] == [] and lam.list_layers()["Layers"] == [] and agw.get_api_keys()["items"] == []
# What the option does not name is refused by name.
refused("ValidationError", "Unrecognized resource types: [AWS::Kinesis::Thing]", create, name="u", template={"Resources": {"K": {"Type": "AWS::Kinesis::Thing"}}})
create("u", {"Resources": {"Role": role, "Fn": function("x", TenancyConfig={"TenantIsolationMode": "PER_TENANT"})}})
settled("u", "ROLLBACK_COMPLETE")
assert any("TenancyConfig is not supported" in reason for _, _, reason in told("u")), told("u")
`

func TestStacksMakeTypesThatFewUseAndCarrySettingsThatAreIgnored(t *testing.T) {
	harness.Parallel(t)
	s := newShell(t, "ignore vpc_config kms_key_arn file_system_configs")
	s.python(typesScript)
	for _, setting := range []string{"VpcConfig", "KMSKeyArn", "FileSystemConfigs", "TracingConfig"} {
		if n := strings.Count(s.Output(), `"setting":"`+setting+`"`); n != 1 {
			t.Errorf("the log tells %d times that %s is ignored", n, setting)
		}
	}
}
