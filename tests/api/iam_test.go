package api

import (
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// botoStart begins the scripts that follow. Clients check nothing, so that the server does.
const botoStart = `
import os, urllib.request
import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

once = Config(retries={"max_attempts": 0}, parameter_validation=False)

def refused(code, text, call, **args):
    try:
        answer = call(**args)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, (code, str(error))
        assert text in error.response["Error"]["Message"], (text, str(error))
        assert error.response["ResponseMetadata"]["RequestId"], error.response
    else:
        raise AssertionError((code, text, answer))

`

// stsScript asks whose the access key is.
const stsScript = botoStart + `
sts = boto3.client("sts", config=once)
me = sts.get_caller_identity()
key = os.environ["AWS_ACCESS_KEY_ID"]
assert (me["UserId"], me["Account"], me["Arn"]) == (key, "000000000000", "arn:aws:iam::000000000000:user/" + key), me
assert me["ResponseMetadata"]["RequestId"], me
assert sts.get_access_key_info(AccessKeyId=key)["Account"] == "000000000000"
refused("ValidationError", "length greater than or equal to 16", sts.get_access_key_info, AccessKeyId="A")
refused("InvalidAction", "operation GetFederationToken is not supported", sts.get_federation_token, Name="ab")
refused("InvalidClientTokenId", "security token included in the request is invalid", boto3.client("sts", config=once, aws_access_key_id="AKIAWRONG", aws_secret_access_key="wrong").get_caller_identity)
refused("SignatureDoesNotMatch", "does not match", boto3.client("sts", config=once, aws_access_key_id=key, aws_secret_access_key="wrong").get_caller_identity)

# Temporary credentials of a role may do what its policies say.
trust = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}}'
role = boto3.client("iam", config=once).create_role(RoleName="deploy", Path="/ci/", AssumeRolePolicyDocument=trust)["Role"]
def session(c):
    return dict(aws_access_key_id=c["AccessKeyId"], aws_secret_access_key=c["SecretAccessKey"], aws_session_token=c["SessionToken"], config=once)
assumed = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="me", DurationSeconds=900)
refused("AccessDeniedException", "no identity-based policy allows the lambda:ListFunctions action", boto3.client("lambda", **session(assumed["Credentials"])).list_functions)
boto3.client("iam", config=once).attach_role_policy(RoleName="deploy", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
inside = boto3.client("sts", **session(assumed["Credentials"]))
who = inside.get_caller_identity()
assert who["Arn"] == assumed["AssumedRoleUser"]["Arn"] == "arn:aws:sts::000000000000:assumed-role/deploy/me", who
assert who["UserId"] == assumed["AssumedRoleUser"]["AssumedRoleId"] == role["RoleId"] + ":me", who
assert 880 < (assumed["Credentials"]["Expiration"] - assumed["Credentials"]["Expiration"].now(assumed["Credentials"]["Expiration"].tzinfo)).total_seconds() <= 900
boto3.client("lambda", **session(assumed["Credentials"])).list_functions()
boto3.client("logs", **session(assumed["Credentials"])).create_log_group(logGroupName="by-a-role")
assert inside.assume_role(RoleArn=role["Arn"], RoleSessionName="again")["AssumedRoleUser"]["Arn"].endswith("/again")
mine = boto3.client("sts", **session(sts.get_session_token()["Credentials"]))
assert mine.get_caller_identity()["Arn"] == me["Arn"]
refused("AccessDenied", "Cannot call GetSessionToken with session credentials", mine.get_session_token)
refused("AccessDenied", "not authorized to perform: sts:AssumeRole on resource: " + role["Arn"] + "s because there is no such role", sts.assume_role, RoleArn=role["Arn"] + "s", RoleSessionName="me")
refused("ValidationError", "exceeds the MaxSessionDuration", sts.assume_role, RoleArn=role["Arn"], RoleSessionName="me", DurationSeconds=3601)
refused("ValidationError", "1 hour session limit", inside.assume_role, RoleArn=role["Arn"], RoleSessionName="me", DurationSeconds=3601)
refused("ValidationError", "Policy is not supported", sts.assume_role, RoleArn=role["Arn"], RoleSessionName="me", Policy="{}")
refused("ValidationError", "no MFA devices", sts.get_session_token, SerialNumber="123456789", TokenCode="123456")
reader = dict(aws_access_key_id="reader", aws_secret_access_key="only-for-reading-0", config=once)
refused("AccessDenied", "sts:AssumeRole because its access key is read-only", boto3.client("sts", **reader).assume_role, RoleArn=role["Arn"], RoleSessionName="me")
reading = session(boto3.client("sts", **reader).get_session_token()["Credentials"])
boto3.client("iam", **reading).get_role(RoleName="deploy")
refused("AccessDenied", "user/reader is not authorized to perform: iam:DeleteRole", boto3.client("iam", **reading).delete_role, RoleName="deploy")
refused("InvalidClientTokenId", "is invalid", boto3.client("sts", config=once, aws_session_token="no", aws_access_key_id=key, aws_secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"]).get_caller_identity)

# A query stands for a form, as in the addresses by which others learn who somebody is.
with urllib.request.urlopen(sts.generate_presigned_url("get_caller_identity", HttpMethod="GET")) as answer:
    assert b"<Account>000000000000</Account>" in answer.read() and answer.headers["Content-Type"] == "text/xml"
print("finished")
`

func TestAKeyIsAUserOfTheAccount(t *testing.T) {
	harness.Parallel(t)
	s := newShell(harness.NewAPI(t, "access_key reader only-for-reading-0 read_only\n", ""))
	s.write("script.py", []byte(stsScript))
	s.want(s.run(botoPython(t), "script.py"), "finished")
	s.want(s.run("aws", "sts", "get-caller-identity", "--query", "Arn", "--output", "text"), "arn:aws:iam::000000000000:user/AKIA")
}

// iamScript makes roles and policies, is refused as AWS refuses, and leaves a role.
const iamScript = botoStart + `
import json
iam = boto3.client("iam", config=once)
trust = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
allow = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::b/a+b %20/*"}]})
basic = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"

role = iam.create_role(RoleName="Shop", Path="/svc/", AssumeRolePolicyDocument=trust, Description="ein Lädchen & mehr", Tags=[{"Key": "team", "Value": "a b"}])["Role"]
assert role["Arn"] == "arn:aws:iam::000000000000:role/svc/Shop" and role["RoleId"].startswith("AROA") and len(role["RoleId"]) == 21, role
got = iam.get_role(RoleName="shop")["Role"]
assert got == role and got["AssumeRolePolicyDocument"] == json.loads(trust) and got["MaxSessionDuration"] == 3600 and got["CreateDate"].tzinfo, got
refused("EntityAlreadyExists", "Role with name SHOP already exists.", iam.create_role, RoleName="SHOP", AssumeRolePolicyDocument=trust)
refused("NoSuchEntity", "The role with name none cannot be found.", iam.get_role, RoleName="none")
refused("MalformedPolicyDocument", "prohibited field Resource", iam.create_role, RoleName="r", AssumeRolePolicyDocument=allow)
refused("ValidationError", "1 validation error detected: Value 'a b' at 'roleName' failed to satisfy constraint: Member must satisfy regular expression pattern", iam.create_role, RoleName="a b", AssumeRolePolicyDocument=trust)
refused("InvalidInput", "reserved", iam.create_role, RoleName="r", AssumeRolePolicyDocument=trust, Tags=[{"Key": "aws:a", "Value": ""}])
refused("InvalidAction", "operation CreateUser is not supported: the access keys are in the configuration", iam.create_user, UserName="u")
refused("InvalidAction", "operation CreateGroup is not supported", iam.create_group, GroupName="u")
assert iam.get_user()["User"]["UserName"] == os.environ["AWS_ACCESS_KEY_ID"]

iam.update_role(RoleName="Shop", MaxSessionDuration=7200)
iam.update_role(RoleName="Shop", Description="")
iam.tag_role(RoleName="Shop", Tags=[{"Key": "stage", "Value": "dev"}, {"Key": "Team", "Value": "b"}])
iam.untag_role(RoleName="Shop", TagKeys=["stage"])
got = iam.get_role(RoleName="Shop")["Role"]
assert got["MaxSessionDuration"] == 7200 and "Description" not in got and got["Tags"] == [{"Key": "Team", "Value": "b"}], got
assert iam.list_role_tags(RoleName="Shop")["Tags"] == got["Tags"]

iam.put_role_policy(RoleName="Shop", PolicyName="read", PolicyDocument=allow)
assert iam.get_role_policy(RoleName="Shop", PolicyName="read")["PolicyDocument"] == json.loads(allow)
assert iam.list_role_policies(RoleName="Shop")["PolicyNames"] == ["read"]
refused("NoSuchEntity", "The role policy with name none cannot be found.", iam.get_role_policy, RoleName="Shop", PolicyName="none")
refused("MalformedPolicyDocument", "must contain actions", iam.put_role_policy, RoleName="Shop", PolicyName="p", PolicyDocument='{"Statement":{"Effect":"Allow","Resource":"*"}}')
refused("LimitExceeded", "Maximum policy size of 10240 bytes exceeded for role Shop", iam.put_role_policy, RoleName="Shop", PolicyName="p", PolicyDocument=allow.replace("GetObject", "G" * 10240))

policy = iam.create_policy(PolicyName="write", Path="/svc/", PolicyDocument=allow, Description="d", Tags=[{"Key": "k", "Value": "v"}])["Policy"]
arn = policy["Arn"]
assert arn == "arn:aws:iam::000000000000:policy/svc/write" and policy["DefaultVersionId"] == "v1", policy
refused("EntityAlreadyExists", "A policy called write already exists.", iam.create_policy, PolicyName="write", PolicyDocument=allow)
for a in (basic, arn, basic):
    iam.attach_role_policy(RoleName="Shop", PolicyArn=a)
refused("NoSuchEntity", "does not exist or is not attachable", iam.attach_role_policy, RoleName="Shop", PolicyArn=arn + "s")
refused("NoSuchEntity", "does not exist or is not attachable", iam.attach_role_policy, RoleName="Shop", PolicyArn="arn:aws:iam::aws:policy/AWSLambdaBasicExecutionRole")
pages = list(iam.get_paginator("list_attached_role_policies").paginate(RoleName="Shop", PaginationConfig={"PageSize": 1}))
assert [p["AttachedPolicies"][0]["PolicyName"] for p in pages] == ["write", "AWSLambdaBasicExecutionRole"], pages
assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
assert iam.get_policy(PolicyArn=basic)["Policy"]["AttachmentCount"] == 1
assert iam.get_policy_version(PolicyArn=basic, VersionId=iam.get_policy(PolicyArn=basic)["Policy"]["DefaultVersionId"])["PolicyVersion"]["Document"]["Statement"]
refused("InvalidInput", "does not know the document", iam.get_policy_version, PolicyArn="arn:aws:iam::aws:policy/job-function/Billing", VersionId="v1")
refused("AccessDenied", "AWS's own", iam.delete_policy, PolicyArn=basic)
assert [r["RoleName"] for r in iam.list_entities_for_policy(PolicyArn=arn)["PolicyRoles"]] == ["Shop"]
assert [p["PolicyName"] for p in iam.list_policies(Scope="Local")["Policies"]] == ["write"]
assert [p["PolicyName"] for p in iam.list_policies(OnlyAttached=True)["Policies"]] == ["AWSLambdaBasicExecutionRole", "write"]

for n in range(2, 6):
    v = iam.create_policy_version(PolicyArn=arn, PolicyDocument=allow.replace("Get", "Put"), SetAsDefault=n == 3)["PolicyVersion"]
    assert v["VersionId"] == "v%d" % n and v["IsDefaultVersion"] == (n == 3), v
refused("LimitExceeded", "can have up to 5 versions", iam.create_policy_version, PolicyArn=arn, PolicyDocument=allow)
assert [v["VersionId"] for v in iam.list_policy_versions(PolicyArn=arn)["Versions"]] == ["v5", "v4", "v3", "v2", "v1"]
assert iam.get_policy_version(PolicyArn=arn, VersionId="v3")["PolicyVersion"]["Document"]["Statement"][0]["Action"] == ["s3:PutObject"]
refused("DeleteConflict", "Cannot delete the default version of a policy.", iam.delete_policy_version, PolicyArn=arn, VersionId="v3")
refused("NoSuchEntity", "version v9 does not exist", iam.set_default_policy_version, PolicyArn=arn, VersionId="v9")

iam.put_role_permissions_boundary(RoleName="Shop", PermissionsBoundary=arn)
assert iam.get_role(RoleName="Shop")["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == arn
refused("DeleteConflict", "must detach all policies first", iam.delete_role, RoleName="Shop")
for a in (basic, arn):
    iam.detach_role_policy(RoleName="Shop", PolicyArn=a)
refused("NoSuchEntity", "was not found", iam.detach_role_policy, RoleName="Shop", PolicyArn=arn)
refused("DeleteConflict", "must delete policies first", iam.delete_role, RoleName="Shop")
refused("DeleteConflict", "Cannot delete a policy attached to entities.", iam.delete_policy, PolicyArn=arn)
iam.delete_role_permissions_boundary(RoleName="Shop")
refused("DeleteConflict", "This policy has more than one version.", iam.delete_policy, PolicyArn=arn)
for v in ("v1", "v2", "v4", "v5"):
    iam.delete_policy_version(PolicyArn=arn, VersionId=v)
iam.delete_policy(PolicyArn=arn)
refused("NoSuchEntity", "was not found", iam.get_policy, PolicyArn=arn)
assert iam.list_instance_profiles_for_role(RoleName="Shop")["InstanceProfiles"] == []

for n in range(5):
    iam.create_role(RoleName="r%d" % n, AssumeRolePolicyDocument=trust)
pages = list(iam.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 4}))
assert [[r["RoleName"] for r in p["Roles"]] for p in pages] == [["r0", "r1", "r2", "r3"], ["r4", "Shop"]], pages
for n in range(5):
    iam.delete_role(RoleName="r%d" % n)
iam.get_waiter("role_exists").wait(RoleName="Shop")
assert [r["RoleName"] for r in iam.list_roles(PathPrefix="/svc/")["Roles"]] == ["Shop"] and iam.list_roles(PathPrefix="/x")["Roles"] == []
reader = boto3.client("iam", config=once, aws_access_key_id="reader", aws_secret_access_key="only-for-reading-0")
reader.get_role(RoleName="Shop")
refused("AccessDenied", "is not authorized to perform: iam:DeleteRole because its access key is read-only", reader.delete_role, RoleName="Shop")
print("finished")
`

func TestRolesAndPoliciesAreKept(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "access_key reader only-for-reading-0 read_only\n", "")
	s := newShell(a)
	s.write("script.py", []byte(iamScript))
	s.want(s.run(botoPython(t), "script.py"), "finished")
	a.Stop()
	a.Restart()
	s.want(s.run("aws", "iam", "get-role", "--role-name", "Shop", "--query", "Role.[Arn,AssumeRolePolicyDocument.Statement[0].Principal.Service]", "--output", "text"),
		"arn:aws:iam::000000000000:role/svc/Shop\tlambda.amazonaws.com")
	if out := s.run("aws", "iam", "list-role-policies", "--role-name", "Shop", "--query", "PolicyNames", "--output", "text"); strings.TrimSpace(out) != "read" {
		t.Errorf("the policies are %q", out)
	}
}
