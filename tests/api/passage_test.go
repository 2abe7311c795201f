package api

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/hearthfn/hearth/tests/harness"
	"github.com/hearthfn/hearth/tests/objectstore"
)

// passageScript calls the services of the configuration by this server's address and key alone.
const passageScript = botoStart + `
sqs, sns, ddb, kinesis = (boto3.client(name, config=once) for name in ("sqs", "sns", "dynamodb", "kinesis"))
url = sqs.create_queue(QueueName="orders")["QueueUrl"]
assert url == os.environ["AWS_ENDPOINT_URL"] + "/123456789012/orders", url
assert sqs.get_queue_url(QueueName="orders")["QueueUrl"] == url and sqs.list_queues()["QueueUrls"] == [url]
sqs.send_message(QueueUrl=url, MessageBody="über <1>", MessageAttributes={"a": {"DataType": "String", "StringValue": "b"}})
got = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
assert [m["Body"] for m in got] == ["über <1>"] and got[0]["MessageAttributes"]["a"]["StringValue"] == "b", got
sqs.delete_message(QueueUrl=url, ReceiptHandle=got[0]["ReceiptHandle"])
arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
topic = sns.create_topic(Name="news")["TopicArn"]
sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
sns.publish(TopicArn=topic, Message="hello")
assert "hello" in sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"]
ddb.create_table(TableName="t", KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}], AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}], BillingMode="PAY_PER_REQUEST")
ddb.put_item(TableName="t", Item={"k": {"S": "a"}, "n": {"N": "1.50"}})
assert ddb.get_item(TableName="t", Key={"k": {"S": "a"}})["Item"]["n"]["N"].startswith("1.5")
refused("ResourceNotFoundException", "", ddb.get_item, TableName="none", Key={"k": {"S": "a"}})
kinesis.create_stream(StreamName="s", ShardCount=1)
assert kinesis.put_record(StreamName="s", Data=b"\x00\xff", PartitionKey="p")["SequenceNumber"]
reader = dict(config=once, aws_access_key_id="reader", aws_secret_access_key="only-for-reading-0")
assert boto3.client("dynamodb", **reader).get_item(TableName="t", Key={"k": {"S": "a"}})["Item"]["k"] == {"S": "a"}
refused("AccessDeniedException", "its access key is read-only", boto3.client("dynamodb", **reader).put_item, TableName="t", Item={"k": {"S": "b"}})
refused("UnrecognizedClientException", "is invalid", boto3.client("dynamodb", config=once, aws_access_key_id="AKIAWRONG", aws_secret_access_key="wrong").list_tables)
print("finished")
`

func TestCallsOfDataServicesArePassedOn(t *testing.T) {
	harness.Parallel(t)
	m := harness.StartMoto(t)
	const account = "us-east-1:123456789012:"
	own := "{\n endpoint " + m.URL + "\n access_key " + harness.MotoKey + " " + harness.MotoSecret + "\n}\n"
	a := harness.NewAPI(t, "account 123456789012\naccess_key reader only-for-reading-0 read_only\nsqs "+own+"sns "+own+"dynamodb "+own+"kinesis "+own, "")
	s := newShell(a)
	s.write("script.py", []byte(passageScript))
	s.want(s.run(botoPython(t), "script.py"), "finished")

	s.role("shop", lambdaTrust, `[{"Effect":"Allow","Action":["dynamodb:PutItem","dynamodb:GetItem"],"Resource":"arn:aws:dynamodb:`+account+`table/t"},{"Effect":"Allow","Action":"sqs:SendMessage","Resource":"arn:aws:sqs:`+account+`orders"}]`)
	f := newActor(a, "f", "shop", func(in *lambda.CreateFunctionInput) { in.Role = aws.String("arn:aws:iam::123456789012:role/shop") })
	f.may(does{"service": "dynamodb", "target": "DynamoDB_20120810.PutItem", "body": `{"TableName":"t","Item":{"k":{"S":"from f"}}}`}, "{")
	f.may(does{"service": "dynamodb", "target": "DynamoDB_20120810.GetItem", "body": `{"TableName":"t","Key":{"k":{"S":"from f"}}}`}, "from f")
	f.mayNot(does{"service": "dynamodb", "target": "DynamoDB_20120810.DeleteTable", "body": `{"TableName":"t"}`}, 403, "AccessDeniedException", "assumed-role/shop/f is not authorized to perform: dynamodb:DeleteTable")
	f.may(does{"service": "sqs", "target": "AmazonSQS.SendMessage", "body": `{"QueueUrl":"http://any/123456789012/orders","MessageBody":"from f"}`}, "MessageId")
	f.mayNot(does{"service": "sqs", "target": "AmazonSQS.ReceiveMessage", "body": `{"QueueUrl":"http://any/123456789012/orders"}`}, 403, "sqs:ReceiveMessage")
	f.mayNot(does{"service": "secretsmanager", "target": "secretsmanager.GetSecretValue", "body": `{}`}, 400, "GetSecretValue of secretsmanager is not supported")
	if got := *m.Next(t, m.URL+"/123456789012/orders").Body; got != "from f" {
		t.Errorf("the queue has %s", got)
	}
}

// objectsScript uses the object store of the configuration by this server's address.
const objectsScript = botoStart + `
import io
s3 = boto3.client("s3", config=Config(retries={"max_attempts": 0}, signature_version="s3v4", s3={"addressing_style": "path"}))
s3.create_bucket(Bucket="shop")
s3.put_object(Bucket="shop", Key="a b/ü+%.txt", Body=b"one", Metadata={"m": "v"})
got = s3.get_object(Bucket="shop", Key="a b/ü+%.txt")
assert got["Body"].read() == b"one" and {k.lower(): v for k, v in got["Metadata"].items()} == {"m": "v"}, got
s3.upload_fileobj(io.BytesIO(b"x" * (9 << 20)), "shop", "large")
assert s3.head_object(Bucket="shop", Key="large")["ContentLength"] == 9 << 20
assert s3.get_object(Bucket="shop", Key="large", Range="bytes=5-7")["Body"].read() == b"xxx"
s3.copy_object(Bucket="shop", Key="copy", CopySource={"Bucket": "shop", "Key": "a b/ü+%.txt"})
assert [o["Key"] for o in s3.list_objects_v2(Bucket="shop")["Contents"]] == ["a b/ü+%.txt", "copy", "large"]
with urllib.request.urlopen(s3.generate_presigned_url("get_object", Params={"Bucket": "shop", "Key": "copy"})) as answer:
    assert answer.read() == b"one"
assert len(s3.delete_objects(Bucket="shop", Delete={"Objects": [{"Key": "large"}]})["Deleted"]) == 1
refused("NoSuchKey", "", s3.get_object, Bucket="shop", Key="none")
print("finished")
`

func TestRequestsForObjectsArePassedOn(t *testing.T) {
	harness.Parallel(t)
	store := objectstore.StartMinIO(t, "", "")
	a := harness.NewAPI(t, "s3 {\n endpoint "+store.Endpoint+"\n access_key minioadmin minioadmin\n}\n", "")
	s := newShell(a)
	s.write("script.py", []byte(objectsScript))
	s.want(s.run(botoPython(t), "script.py"), "finished")
	s.role("shop", lambdaTrust, `[{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject","s3:DeleteObject"],"Resource":"arn:aws:s3:::shop/mine/*"}]`)
	f := newActor(a, "f", "shop")
	on := func(method, path, body string) does {
		return does{"service": "s3", "method": method, "path": path, "body": body}
	}
	f.may(on("PUT", "/shop/mine/a", "from f"), "")
	f.may(on("GET", "/shop/mine/a", ""), "from f")
	f.mayNot(on("GET", "/shop/copy", ""), 403, "<Code>AccessDenied</Code>", "assumed-role/shop/f is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::shop/copy because")
	f.mayNot(on("GET", "/shop/mine/../copy", ""), 400, "InvalidURI")
	f.mayNot(on("DELETE", "/shop", ""), 403, "s3:DeleteBucket")
}
