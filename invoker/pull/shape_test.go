package pull

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	dynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	kinesis "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	sqs "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// Shapes are those that AWS sent to functions, as LocalStack's tests recorded them.
func TestRecordsLookAsThoseOfAWS(t *testing.T) {
	b := newBank(t, newRiver(t))
	defer b.close()
	stream := &kinesisStream{arn: "arn:aws:kinesis:us-east-1:000000000000:stream/s"}
	k, err := stream.recordOf("shardId-000000000000", "arn:aws:iam::000000000000:role/r", &kinesis.Record{
		PartitionKey: aws.String("p"), SequenceNumber: aws.String("42"), Data: []byte("hello"), ApproximateArrivalTimestamp: aws.Time(time.UnixMilli(1700000000123))})
	if err != nil {
		t.Fatal(err)
	}
	wantJSON(t, k.event, `{"awsRegion":"us-east-1","eventID":"shardId-000000000000:42","eventName":"aws:kinesis:record","eventSource":"aws:kinesis",
		"eventSourceARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s","eventVersion":"1.0","invokeIdentityArn":"arn:aws:iam::000000000000:role/r",
		"kinesis":{"approximateArrivalTimestamp":1700000000.123,"data":"aGVsbG8=","kinesisSchemaVersion":"1.0","partitionKey":"p","sequenceNumber":"42"}}`)

	for at, text := range map[int64]string{1700000000000: "1700000000.0", 1700000000500: "1700000000.5"} {
		d, err := (&dynamoStream{arn: "arn"}).recordOf(&dynamodb.Record{EventID: aws.String("1"), EventName: "INSERT", EventVersion: aws.String("1.1"),
			Dynamodb: &dynamodb.StreamRecord{SequenceNumber: aws.String("7"), ApproximateCreationDateTime: aws.Time(time.UnixMilli(at))}})
		if err != nil || !strings.Contains(string(d.event), `"ApproximateCreationDateTime":`+text+`,`) {
			t.Errorf("%s has not %s, %v", d.event, text, err)
		}
	}

	// Without attributes, the poller for batching windows writes null.
	for window, md5 := range map[int]string{0: ``, 1: `"md5OfMessageAttributes":null,`} {
		q := &queue{batcher: b.batcher(t, "arn:aws:sqs:us-east-1:000000000000:q", func(m *registry.Mapping) { m.MaximumBatchingWindowInSeconds = &window })}
		m, err := q.recordOf(&sqs.Message{MessageId: aws.String("1"), ReceiptHandle: aws.String("r"), Body: aws.String("b"), MD5OfBody: aws.String("5")})
		if err != nil {
			t.Fatal(err)
		}
		wantJSON(t, m.event, `{"messageId":"1","receiptHandle":"r","body":"b","attributes":null,"messageAttributes":{},"md5OfBody":"5",`+md5+`
			"eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:us-east-1:000000000000:q","awsRegion":"us-east-1"}`)
		m, err = q.recordOf(&sqs.Message{MessageId: aws.String("1"), MD5OfMessageAttributes: aws.String("6")})
		if err != nil || !strings.Contains(string(m.event), `"md5OfMessageAttributes":"6"`) {
			t.Errorf("with attributes: %s, %v", m.event, err)
		}
	}
}

func wantJSON(t *testing.T, got []byte, want string) {
	t.Helper()
	var a, b any
	if err := errors.Join(json.Unmarshal(got, &a), json.Unmarshal([]byte(want), &b)); err != nil {
		t.Fatal(err)
	}
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	if string(x) != string(y) {
		t.Errorf("got  %s\nwant %s", x, y)
	}
}

// Which answers are a success and which a failure of the whole batch, AWS recorded.
func TestAnswersAboutItemsAreReadAsByAWS(t *testing.T) {
	records := []record{{id: "1"}, {id: "2"}}
	for answer, want := range map[string]int{ // -1: all of the batch
		``: 0, `""`: 0, `[]`: 0, `null`: 0, `{}`: 0, `{"batchItemFailures":[]}`: 0, `{"batchItemFailures":null}`: 0,
		`{"batchItemFailures":[{"itemIdentifier":"2"}]}`:    1,
		`{"batchItemFailures":[{}]}`:                        -1,
		`{"batchItemFailures":[{"itemIdentifier":"none"}]}`: -1,
		`{"batchItemFailures":[{"itemIdentifier":""}]}`:     -1,
		`{"batchItemFailures":[{"itemIdentifier":null}]}`:   -1,
		`{"batchItemFailures":[{"foo":"2"}]}`:               -1,
		`{"batchItemFailures":[{"foo":null}]}`:              -1,
		`"done"`:                                            -1,
		`[1]`:                                               -1,
	} {
		failed, err := itemFailures([]byte(answer), records)
		if got := len(failed); want == -1 && !errors.Is(err, errAnswer) || want >= 0 && (err != nil || got != want) {
			t.Errorf("%s: %v, %v, want %d", answer, failed, err, want)
		}
	}
}

func TestFiltersTakeDataForWhatItIs(t *testing.T) {
	b := newBank(t, newRiver(t))
	defer b.close()
	for _, test := range []struct {
		filter, body string
		want         bool
	}{
		{`{"body":{"z":[{"exists":false}]}}`, `no JSON`, false},
		{`{"body":{"z":[{"exists":false}]}}`, `{"y":1}`, true},
		{`{"body":["no JSON"]}`, `no JSON`, true},
		{`{"body":[{"exists":false}]}`, `{"y":1}`, false},
		{`{"body":{"a.b":[1]}}`, `{"a":{"b":1}}`, true},
		{`{"messageAttributes":{"n":{"stringValue":[{"exists":false}]}}}`, `no JSON`, true},
	} {
		q := &queue{batcher: b.batcher(t, "arn:aws:sqs:us-east-1:000000000000:q", func(m *registry.Mapping) { m.Filters = []string{test.filter} })}
		r, err := q.recordOf(&sqs.Message{MessageId: aws.String("1"), Body: &test.body})
		if err != nil {
			t.Fatal(err)
		}
		if got := q.wants(&r); got != test.want {
			t.Errorf("%s takes %s: %v", test.filter, test.body, got)
		}
	}
}

// Records for on-failure destinations, as LocalStack's tests recorded them of AWS.
func TestOnFailureDestinationsAreToldAsByAWS(t *testing.T) {
	for name, test := range map[string]struct {
		to, play string
		failed   bool
		want     []string
	}{
		"the function fails": {"arn:aws:sqs:us-east-1:000000000000:dead", `{"errorMessage":"x"}`, true, []string{
			`"functionArn":"arn:aws:lambda:us-east-1:000000000000:function:f","condition":"RetryAttemptsExhausted","approximateInvokeCount":2}`,
			`"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"}`, `"approximateArrivalOfFirstRecord":"2000-01-01T00:00:00Z"`}},
		"items are reported": {"arn:aws:sqs:us-east-1:000000000000:dead", `{"batchItemFailures":[{"itemIdentifier":"000001"}]}`, false, []string{
			`"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":null}`}},
		"a bucket": {"arn:aws:s3:::dead", `{"errorMessage":"x"}`, true, []string{`"payload":{"Records":["r1"]}`}},
	} {
		inBubble(t, func(t *testing.T, r *river, b *bank) {
			r.play = func(*riverEvent) (string, bool) { return test.play, test.failed }
			r.put("a", "r1")
			defer b.flow(t, r, func(m *registry.Mapping) {
				m.MaximumRetryAttempts, m.OnFailure, m.FunctionResponseTypes = ptr(1), test.to, []string{"ReportBatchItemFailures"}
			})()
			time.Sleep(time.Minute)
			told := strings.Join(r.told(), " ")
			for _, want := range test.want {
				if !strings.Contains(told, want) {
					t.Errorf("%s: told was %s, not %s", name, told, want)
				}
			}
			last := -1
			for _, field := range []string{"requestContext", "responseContext", "version", "timestamp", "KinesisBatchInfo", "payload"} {
				at := strings.Index(told, `"`+field+`":`)
				if at >= 0 && at < last || at < 0 && field != "payload" {
					t.Errorf("%s: %s is not in its place: %s", name, field, told)
				}
				last = at
			}
			if has := strings.Contains(told, "payload"); has != (name == "a bucket") {
				t.Errorf("%s: told was %s", name, told)
			}
		})
	}
}
