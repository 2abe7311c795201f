package api

import (
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// stsScript asks whose the access key is.
const stsScript = `
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

sts = boto3.client("sts", config=once)
me = sts.get_caller_identity()
key = os.environ["AWS_ACCESS_KEY_ID"]
assert (me["UserId"], me["Account"], me["Arn"]) == (key, "000000000000", "arn:aws:iam::000000000000:user/" + key), me
assert me["ResponseMetadata"]["RequestId"], me
assert sts.get_access_key_info(AccessKeyId=key)["Account"] == "000000000000"
refused("ValidationError", "length greater than or equal to 16", sts.get_access_key_info, AccessKeyId="A")
refused("InvalidAction", "operation AssumeRole is not supported: this server makes no temporary credentials", sts.assume_role, RoleArn="arn:aws:iam::000000000000:role/r", RoleSessionName="s")
refused("InvalidAction", "operation GetSessionToken is not supported", sts.get_session_token)
refused("InvalidClientTokenId", "security token included in the request is invalid", boto3.client("sts", config=once, aws_access_key_id="AKIAWRONG", aws_secret_access_key="wrong").get_caller_identity)
refused("SignatureDoesNotMatch", "does not match", boto3.client("sts", config=once, aws_access_key_id=key, aws_secret_access_key="wrong").get_caller_identity)

# A query stands for a form, as in the addresses by which others learn who somebody is.
with urllib.request.urlopen(sts.generate_presigned_url("get_caller_identity", HttpMethod="GET")) as answer:
    assert b"<Account>000000000000</Account>" in answer.read() and answer.headers["Content-Type"] == "text/xml"
print("finished")
`

func TestAKeyIsAUserOfTheAccount(t *testing.T) {
	harness.Parallel(t)
	s := newShell(harness.NewAPI(t, "", ""))
	s.write("script.py", []byte(stsScript))
	s.want(s.run(botoPython(t), "script.py"), "finished")
	s.want(s.run("aws", "sts", "get-caller-identity", "--query", "Arn", "--output", "text"), "arn:aws:iam::000000000000:user/AKIA")
}
