package sources

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/hearthfn/hearth/tests/harness"

	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// A polled is a server with a function that logs the records it gets, and moto.
func polled(t *testing.T, code string) (*harness.API, *harness.Moto) {
	t.Helper()
	m := harness.StartMoto(t)
	service := func(name string) string {
		return fmt.Sprintf("%s {\n\tendpoint %s\n\taccess_key %s %s\n}\n", name, m.URL, harness.MotoKey, harness.MotoSecret)
	}
	a := harness.NewAPI(t, service("sqs")+service("kinesis")+service("dynamodb"), "")
	_, err := a.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: aws.String("f"), Runtime: types.RuntimePython313, Handler: aws.String("app.handler"), Role: aws.String(harness.APIRole),
		Code: &types.FunctionCode{ZipFile: harness.ZipOf(t, map[string]string{"app.py": code})},
	})
	a.Check(err)
	return a, m
}

const logRecords = `
import json
def handler(event, context):
    print("batch", len(event["Records"]))
    for r in event["Records"]:
        print("record", json.dumps(r, sort_keys=True))
`

func TestMappingsOfQueuesDeliverBatchesOfMessages(t *testing.T) {
	harness.Slow(t, "it waits for polls of 5 s")
	harness.Parallel(t)
	a, m := polled(t, logRecords)
	url, arn := m.MakeQueue(t, "orders")
	made, err := a.CreateEventSourceMapping(t.Context(), &lambda.CreateEventSourceMappingInput{
		FunctionName: aws.String("f"), EventSourceArn: &arn,
		FilterCriteria: &types.FilterCriteria{Filters: []types.Filter{{Pattern: aws.String(`{"body": {"kind": ["order"]}}`)}}},
	})
	a.Check(err)
	if *made.BatchSize != 10 || *made.State != "Creating" {
		t.Errorf("made with batches of %d, %s", *made.BatchSize, *made.State)
	}
	send := func(body string) {
		_, err := m.SQS.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body, MessageAttributes: map[string]sqstypes.MessageAttributeValue{
			"a": {DataType: aws.String("String"), StringValue: aws.String("x")},
		}})
		a.Check(err)
	}
	send(`{"kind":"order","n":1}`)
	send(`{"kind":"other"}`)
	send(`no JSON`)
	a.WantLog("f", `"eventSource": "aws:sqs"`, `"messageAttributes": {"a": {`, `"eventSourceARN": "`+arn)
	harness.Eventually(t, "all messages are gone from the queue: done, or filtered out", func() bool {
		got, err := m.SQS.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{"All"}})
		a.Check(err)
		return got.Attributes["ApproximateNumberOfMessages"] == "0" && got.Attributes["ApproximateNumberOfMessagesNotVisible"] == "0"
	})
	if text := a.Logs("f"); strings.Contains(text, "other") || strings.Contains(text, "no JSON") {
		t.Error("the function got what its filter does not want")
	}
	got, err := a.GetEventSourceMapping(t.Context(), &lambda.GetEventSourceMappingInput{UUID: made.UUID})
	a.Check(err)
	if got.LastProcessingResult != nil {
		t.Errorf("the last result is %q, and AWS has none of a queue", *got.LastProcessingResult)
	}

	// Paused, it polls no more; enabled again it goes on where it was.
	_, err = a.UpdateEventSourceMapping(t.Context(), &lambda.UpdateEventSourceMappingInput{UUID: made.UUID, Enabled: aws.Bool(false)})
	a.Check(err)
	m.IsOurs(t, url, `{"kind":"order","n":0}`)
	if strings.Contains(a.Logs("f"), `\"n\":0}`) {
		t.Error("a paused mapping polls")
	}
	send(`{"kind":"order","n":2}`)
	_, err = a.UpdateEventSourceMapping(t.Context(), &lambda.UpdateEventSourceMappingInput{UUID: made.UUID, Enabled: aws.Bool(true)})
	a.Check(err)
	a.WantLog("f", `\"n\":2}`)
	_, err = a.DeleteEventSourceMapping(t.Context(), &lambda.DeleteEventSourceMappingInput{UUID: made.UUID})
	a.Check(err)
}

func TestMessagesThatFailComeAgainAndOthersOfTheirBatchDoNot(t *testing.T) {
	harness.Parallel(t)
	a, m := polled(t, `
import json
seen = set()
def handler(event, context):
    failed = []
    for r in event["Records"]:
        n = json.loads(r["body"])["n"]
        print("got", n)
        if n == 2 and n not in seen:
            seen.add(n)
            failed.append({"itemIdentifier": r["messageId"]})
    return {"batchItemFailures": failed}
`)
	url, arn := m.MakeQueue(t, "partly")
	var entries []sqstypes.SendMessageBatchRequestEntry
	for n := range 4 {
		entries = append(entries, sqstypes.SendMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(n)), MessageBody: aws.String(fmt.Sprintf(`{"n":%d}`, n))})
	}
	_, err := m.SQS.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: entries})
	a.Check(err)
	_, err = a.CreateEventSourceMapping(t.Context(), &lambda.CreateEventSourceMappingInput{
		FunctionName: aws.String("f"), EventSourceArn: &arn, FunctionResponseTypes: []types.FunctionResponseType{types.FunctionResponseTypeReportBatchItemFailures},
	})
	a.Check(err)
	harness.Eventually(t, "the message that failed comes again", func() bool { return strings.Count(a.Logs("f"), "got 2") == 2 })
	for _, n := range []string{"got 0", "got 1", "got 3"} {
		if c := strings.Count(a.Logs("f"), n); c != 1 {
			t.Errorf("%q is there %d times", n, c)
		}
	}
}

// A poisoned record is found by halves and told; the others are done, in order.
func TestAPoisonedRecordOfAStreamIsBisectedAndGivenUp(t *testing.T) {
	harness.Parallel(t)
	a, m := polled(t, `
import base64, os
def handler(event, context):
    bodies = [base64.b64decode(r["kinesis"]["data"]).decode() for r in event["Records"]]
    if "poison" in bodies:
        print("failing in", os.environ["_X_AMZN_TRACE_ID"])
        raise Exception("poison of %d" % len(bodies))
    for b in bodies:
        print("done", b)
`)
	_, dead := m.MakeQueue(t, "dead")
	k := kinesis.New(kinesis.Options{Region: "us-east-1", BaseEndpoint: &m.URL, Credentials: harness.Keys(harness.MotoKey, harness.MotoSecret)})
	_, err := k.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String("s"), ShardCount: aws.Int32(1)})
	a.Check(err)
	arn := "arn:aws:kinesis:us-east-1:123456789012:stream/s"
	for n := range 10 {
		data := fmt.Sprintf("r%d", n)
		if n == 6 {
			data = "poison"
		}
		_, err := k.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: aws.String("s"), PartitionKey: aws.String("k"), Data: []byte(data)})
		a.Check(err)
	}
	_, err = a.CreateEventSourceMapping(t.Context(), &lambda.CreateEventSourceMappingInput{
		FunctionName: aws.String("f"), EventSourceArn: &arn, StartingPosition: types.EventSourcePositionTrimHorizon, BatchSize: aws.Int32(10),
		BisectBatchOnFunctionError: aws.Bool(true), MaximumRetryAttempts: aws.Int32(1),
		DestinationConfig: &types.DestinationConfig{OnFailure: &types.OnFailure{Destination: &dead}},
	})
	a.Check(err)
	harness.Eventually(t, "the records behind the poisoned one are done", func() bool { return strings.Contains(a.Logs("f"), "done r9") })
	var order []string
	for _, line := range strings.Split(a.Logs("f"), "\n") {
		if _, after, found := strings.Cut(line, "done r"); found {
			order = append(order, after[:1])
		}
	}
	if got := strings.Join(order, ""); got != "012345789" {
		t.Errorf("done were %s", got)
	}
	queue, err := m.SQS.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String("dead")})
	a.Check(err)
	got, err := m.SQS.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: queue.QueueUrl, WaitTimeSeconds: 5, MessageSystemAttributeNames: []sqstypes.MessageSystemAttributeName{"All"}})
	a.Check(err)
	if len(got.Messages) != 1 {
		t.Fatalf("%d records of what was given up", len(got.Messages))
	}
	failing := regexp.MustCompile(`failing in (\S+)`).FindAllStringSubmatch(a.Logs("f"), -1)
	if header := got.Messages[0].Attributes["AWSTraceHeader"]; len(failing) == 0 || header != failing[len(failing)-1][1] {
		t.Errorf("the trace header is %q, the failing calls had %q", header, failing)
	}
	var told struct {
		RequestContext   struct{ Condition string }
		KinesisBatchInfo struct {
			BatchSize           int
			ShardID             string `json:"shardId"`
			StartSequenceNumber string
			StreamARN           string `json:"streamArn"`
		}
	}
	if err := json.Unmarshal([]byte(*got.Messages[0].Body), &told); err != nil || told.RequestContext.Condition != "RetryAttemptsExhausted" ||
		told.KinesisBatchInfo.BatchSize != 1 || told.KinesisBatchInfo.StreamARN != arn || told.KinesisBatchInfo.ShardID == "" {
		t.Errorf("told is %s, %v", *got.Messages[0].Body, err)
	}

	// The checkpoint outlives the server.
	a.Stop()
	_, err = k.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: aws.String("s"), PartitionKey: aws.String("k"), Data: []byte("after")})
	a.Check(err)
	a.Start()
	harness.Eventually(t, "the record that came meanwhile is done", func() bool { return strings.Contains(a.Logs("f"), "done after") })
	if n := strings.Count(a.Logs("f"), "done r0"); n != 1 {
		t.Errorf("the first record was done %d times", n)
	}
}

func TestMappingsOfSourcesThatAreNotPolledAreRefused(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	_, err := a.CreateFunction(context.Background(), &lambda.CreateFunctionInput{
		FunctionName: aws.String("f"), Runtime: types.RuntimePython313, Handler: aws.String("app.handler"), Role: aws.String(harness.APIRole),
		Code: &types.FunctionCode{ZipFile: harness.ZipOf(t, map[string]string{"app.py": logRecords})},
	})
	a.Check(err)
	brokers := &types.SelfManagedEventSource{Endpoints: map[string][]string{"KAFKA_BOOTSTRAP_SERVERS": {"127.0.0.1:9092"}}}
	for want, in := range map[string]lambda.CreateEventSourceMappingInput{
		"of mq are not supported": {EventSourceArn: aws.String("arn:aws:mq:us-east-1:123456789012:broker:b:b-1"), Queues: []string{"orders"}},
		"name the brokers":        {EventSourceArn: aws.String("arn:aws:kafka:us-east-1:123456789012:cluster/c/1"), Topics: []string{"orders"}},
		"one topic":               {SelfManagedEventSource: brokers, SourceAccessConfigurations: harness.NoPassword()},
		"Required 'sourceAccessConfigurations' parameter is missing.": {SelfManagedEventSource: brokers, Topics: []string{"orders"}},
		"event_source of the Caddyfile": {SelfManagedEventSource: brokers, Topics: []string{"orders"}, SourceAccessConfigurations: []types.SourceAccessConfiguration{
			{Type: types.SourceAccessTypeSaslScram512Auth, URI: aws.String("arn:aws:secretsmanager:us-east-1:123456789012:secret:s-1")},
		}},
		"HOST:PORT": {Topics: []string{"orders"}, SourceAccessConfigurations: harness.NoPassword(), SelfManagedEventSource: &types.SelfManagedEventSource{Endpoints: map[string][]string{"KAFKA_BOOTSTRAP_SERVERS": {"broker:70000"}}}},
	} {
		in.FunctionName = aws.String("f")
		if _, err = a.CreateEventSourceMapping(t.Context(), &in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %s: %v", want, err)
		}
	}
}

func TestMessagesDoNotComeAgainWhileTheirFunctionRuns(t *testing.T) {
	harness.Parallel(t)
	a, m := polled(t, `
import time
def handler(event, context):
    print("run of", event["Records"][0]["body"])
    time.sleep(5)
    print("end of", event["Records"][0]["body"])
`)
	_, err := a.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), Timeout: aws.Int32(20)})
	a.Check(err)
	url, arn := m.MakeQueue(t, "slow") // which shows messages again after 2 s
	_, err = m.SQS.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("one")})
	a.Check(err)
	_, err = a.CreateEventSourceMapping(t.Context(), &lambda.CreateEventSourceMappingInput{FunctionName: aws.String("f"), EventSourceArn: &arn})
	a.Check(err)
	harness.Eventually(t, "it ends", func() bool { return strings.Contains(a.Logs("f"), "end of one") })
	if n := strings.Count(a.Logs("f"), "run of one"); n != 1 {
		t.Errorf("it ran %d times", n)
	}
}

func TestMessagesOfAGroupKeepTheirOrder(t *testing.T) {
	harness.Parallel(t)
	a, m := polled(t, `
import json, random
def handler(event, context):
    failed = []
    for r in event["Records"]:
        if failed or random.random() < 0.2:
            failed.append({"itemIdentifier": r["messageId"]})
        else:
            print("done", r["attributes"]["MessageGroupId"], r["body"])
    return {"batchItemFailures": failed}
`)
	name := "ordered.fifo"
	q, err := m.SQS.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: map[string]string{"FifoQueue": "true", "VisibilityTimeout": "1"}})
	a.Check(err)
	const each = 12
	for n := range each {
		for _, group := range []string{"a", "b"} {
			_, err := m.SQS.SendMessage(t.Context(), &sqs.SendMessageInput{
				QueueUrl: q.QueueUrl, MessageBody: aws.String(fmt.Sprintf("%02d", n)), MessageGroupId: &group, MessageDeduplicationId: aws.String(fmt.Sprint(group, n)),
			})
			a.Check(err)
		}
	}
	_, err = a.CreateEventSourceMapping(t.Context(), &lambda.CreateEventSourceMappingInput{
		FunctionName: aws.String("f"), EventSourceArn: aws.String("arn:aws:sqs:us-east-1:123456789012:" + name), BatchSize: aws.Int32(1), // moto mixes up several that come again
		FunctionResponseTypes: []types.FunctionResponseType{types.FunctionResponseTypeReportBatchItemFailures},
	})
	a.Check(err)
	done := func(group string) (order []string) {
		lines := strings.Split(a.Logs("f"), "\n")
		slices.Sort(lines) // which begin with the time: each environment has a log of its own
		for _, line := range lines {
			if _, text, found := strings.Cut(line, "done "+group+" "); found {
				order = append(order, text)
			}
		}
		return order
	}
	harness.Eventually(t, "all are done", func() bool { return len(done("a")) >= each && len(done("b")) >= each })
	for _, group := range []string{"a", "b"} {
		order := done(group)
		if len(order) != each || !slices.IsSorted(order) {
			t.Errorf("group %s was done as %s", group, order)
		}
	}
}

func TestChangesOfTablesReachFunctions(t *testing.T) {
	harness.Parallel(t)
	a, m := polled(t, logRecords)
	arn := m.Dynamo(t, "CreateTable", `{"TableName":"t","KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],
		"BillingMode":"PAY_PER_REQUEST","StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_AND_OLD_IMAGES"}}`).TableDescription.LatestStreamArn
	m.Dynamo(t, "PutItem", `{"TableName":"t","Item":{"id":{"S":"one"},"n":{"N":"1"},"b":{"B":"AQI="},"l":{"L":[{"BOOL":true},{"NULL":true}]},"s":{"SS":["x"]},"m":{"M":{"k":{"S":"v"}}}}}`)
	_, err := a.CreateEventSourceMapping(t.Context(), &lambda.CreateEventSourceMappingInput{
		FunctionName: aws.String("f"), EventSourceArn: &arn, StartingPosition: types.EventSourcePositionTrimHorizon,
		FilterCriteria: &types.FilterCriteria{Filters: []types.Filter{{Pattern: aws.String(`{"dynamodb":{"Keys":{"id":{"S":[{"anything-but":"unwanted"}]}}}}`)}}},
	})
	a.Check(err)
	a.WantLog("f", `"eventName": "INSERT"`, `"eventSource": "aws:dynamodb"`, `"eventSourceARN": "`+arn, `"StreamViewType": "NEW_AND_OLD_IMAGES"`,
		`"Keys": {"id": {"S": "one"}}`, `"b": {"B": "AQI="}`, `"l": {"L": [{"BOOL": true}, {"NULL": true}]}`, `"m": {"M": {"k": {"S": "v"}}}`, `"n": {"N": "1"}`, `"s": {"SS": ["x"]}`)
	m.Dynamo(t, "PutItem", `{"TableName":"t","Item":{"id":{"S":"unwanted"}}}`)
	m.Dynamo(t, "PutItem", `{"TableName":"t","Item":{"id":{"S":"one"},"n":{"N":"2"}}}`)
	m.Dynamo(t, "DeleteItem", `{"TableName":"t","Key":{"id":{"S":"one"}}}`)
	a.WantLog("f", `"eventName": "MODIFY"`, `"eventName": "REMOVE"`)
	if strings.Contains(a.Logs("f"), "unwanted") {
		t.Error("the function got what its filter does not want")
	}
}

func TestRecordsKeepTheirOrderWhenAStreamIsResharded(t *testing.T) {
	harness.Parallel(t)
	m, l := harness.StartMoto(t), harness.NewLedger(t)
	client, arn := m.Stream(t, "s", 1)
	s := harness.NewServer(t, "", "")
	s.Configure(fmt.Sprintf("aws_endpoint %s\nevent_source %s f {\n access_key %s %s\n}\n", m.URL, arn, harness.MotoKey, harness.MotoSecret)+
		l.Function(s, "f", `"\n".join(__import__("base64").b64decode(r["kinesis"]["data"]).decode() for r in event["Records"])`), "")
	s.Start()
	accepted := make(map[string]bool)
	n := 0
	put := func() { putRecords(t, client, "s", n, n+10, accepted); n += 10 }
	put()
	shards := func() (open []string) {
		got, err := client.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: aws.String("s")})
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range got.Shards {
			if one.SequenceNumberRange.EndingSequenceNumber == nil {
				open = append(open, *one.ShardId)
			}
		}
		return open
	}
	first := shards()
	_, err := client.SplitShard(t.Context(), &kinesis.SplitShardInput{StreamName: aws.String("s"), ShardToSplit: &first[0], NewStartingHashKey: aws.String("170141183460469231731687303715884105728")})
	if err != nil {
		t.Fatal(err)
	}
	put()
	halves := shards()
	if len(halves) != 2 {
		t.Fatalf("open after the split are %s", halves)
	}
	_, err = client.MergeShards(t.Context(), &kinesis.MergeShardsInput{StreamName: aws.String("s"), ShardToMerge: &halves[0], AdjacentShardToMerge: &halves[1]})
	if err != nil {
		t.Fatal(err)
	}
	put()
	l.Wait(accepted)
	l.InOrder("kinesis")
	if again := l.Duplicates("kinesis"); again != 0 {
		t.Errorf("%d records ran twice", again)
	}
}
