package api

import (
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// foreignScript calls a service of each protocol that the clients of this boto3 speak.
// All have the address of a site that has Lambda's API alone.
const foreignScript = `
import io, os
import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint = os.environ["AWS_ENDPOINT_URL"]
once = Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"})
form = "application/x-www-form-urlencoded"

def client(service, **more):
    return boto3.client(service, endpoint_url=endpoint, config=once.merge(Config(**more)))

calls = [
    ("dynamodb", "PutItem", lambda c: c.put_item(TableName="t", Item={"a": {"S": "b"}})),
    ("sqs", "SendMessage", lambda c: c.send_message(QueueUrl=endpoint + "/000000000000/q", MessageBody="m")),
    ("kinesis", "PutRecord", lambda c: c.put_record(StreamName="s", Data=b"d", PartitionKey="k")),
    ("secretsmanager", "CreateSecret", lambda c: c.create_secret(Name="n", SecretString="v")),
    ("sns", "Publish", lambda c: c.publish(TopicArn="arn:aws:sns:us-east-1:000000000000:t", Message="m")),
    ("ec2", "DescribeInstances", lambda c: c.describe_instances()),
    ("snowball", "ListJobs", lambda c: c.list_jobs()),
    ("s3", "PutObject", lambda c: c.put_object(Bucket="b", Key="k", Body=b"data")),
    ("s3", "PutObject", lambda c: c.put_object(Bucket="b", Key="k", Body=io.BytesIO(bytes(20 << 20)))),
    ("s3", "GetObject", lambda c: c.get_object(Bucket="b", Key="k")),
    ("s3", "ListBuckets", lambda c: c.list_buckets()),
    ("s3", "DeleteObjects", lambda c: c.delete_objects(Bucket="b", Delete={"Objects": [{"Key": "k"}]})),
    ("cloudfront", "ListDistributions", lambda c: c.list_distributions()),
    ("route53", "ListHostedZones", lambda c: c.list_hosted_zones()),
    ("stepfunctions", "ListStateMachines", lambda c: c.list_state_machines()),
    ("efs", "CreateFileSystem", lambda c: c.create_file_system(CreationToken="t")),
]
signing = {"stepfunctions": "states", "efs": "elasticfilesystem"}
for service, operation, call in calls:
    for wrong in ({}, {"aws_secret_access_key": "wrong", "aws_access_key_id": "AKIAWRONG"}):
        c = boto3.client(service, endpoint_url=endpoint, config=once, **wrong)
        try:
            answer = call(c)
        except ClientError as error:
            message = error.response["Error"]["Message"]
            assert operation in str(error) and "of %s is not supported" % signing.get(service, service) in message, (service, str(error))
            rest = c.meta.service_model.metadata["protocol"].startswith("rest-")
            assert rest or operation + " of " in message, message
            assert error.response["Error"]["Code"] in ("UnknownOperationException", "InvalidAction", "NotImplemented"), error.response
            assert error.response["ResponseMetadata"]["RequestId"], error.response
        else:
            raise AssertionError((service, operation, answer))

# Nobody can tell more in the answer to a HEAD.
try:
    boto3.client("s3", endpoint_url=endpoint, config=once).head_object(Bucket="b", Key="k")
except ClientError as error:
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 501, error.response
else:
    raise AssertionError("head_object")

# Unsigned calls are known by their target.
try:
    boto3.client("cognito-idp", endpoint_url=endpoint, config=once.merge(Config(signature_version=UNSIGNED))).initiate_auth(AuthFlow="USER_PASSWORD_AUTH", ClientId="c", AuthParameters={})
except ClientError as error:
    assert "InitiateAuth of AWSCognitoIdentityProviderService is not supported" in str(error), str(error)
else:
    raise AssertionError("initiate_auth")

# What the site does answer is nobody else's.
url = endpoint + "/b/public"
assert boto3.client("s3", endpoint_url=endpoint, config=once).get_object(Bucket="b", Key="public")["Body"].read() == b"the site's own"
print("finished")
`

func TestCallsOfOtherServicesAreRefusedByName(t *testing.T) {
	harness.Parallel(t)
	// Nodes that share a Redis take no uploads. apis would forbid what nothing else answers.
	s := newShell(harness.NewAPI(t, harness.RedisOption(harness.NewRedis(t).URL()), "apis\nrespond /b/public `the site's own`"))
	s.write("script.py", []byte(foreignScript))
	s.want(s.run(botoPython(t), "script.py"), "finished")
}
