package sources

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/hearthfn/hearth/tests/harness"

	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func TestEventSourcesOfTheCaddyfileArePolledAndFollowAReload(t *testing.T) {
	harness.Slow(t, "it waits for polls of 5 s")
	harness.Parallel(t)
	m := harness.StartMoto(t)
	url, arn := m.MakeQueue(t, "orders")
	a := harness.NewAPI(t, "", "")
	a.Stop()
	functions := func(more string) string {
		return fmt.Sprintf("aws_endpoint %s\nevent_source %s f {\n\taccess_key %s %s\n\tfilter `{\"body\":{\"kind\":[\"order\"]}}`\n%s}\n", m.URL, arn, harness.MotoKey, harness.MotoSecret, more) +
			harness.PythonFunction("f", a.Code("f", map[string]string{"app.py": logRecords}), "")
	}
	send := func(n int) {
		t.Helper()
		_, err := m.SQS.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String(fmt.Sprintf(`{"kind":"order","n":%d}`, n))})
		a.Check(err)
	}
	done := func() bool {
		got, err := m.SQS.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{"All"}})
		a.Check(err)
		return got.Attributes["ApproximateNumberOfMessages"] == "0" && got.Attributes["ApproximateNumberOfMessagesNotVisible"] == "0"
	}
	a.Configure(functions(""), "")
	a.Start()
	send(1)
	a.WantLog("f", `\"n\":1}`)
	harness.Eventually(t, "the message is deleted", done)

	list, err := a.ListEventSourceMappings(t.Context(), &lambda.ListEventSourceMappingsInput{FunctionName: aws.String("f")})
	a.Check(err)
	if len(list.EventSourceMappings) != 1 || *list.EventSourceMappings[0].EventSourceArn != arn || *list.EventSourceMappings[0].State != "Enabled" {
		t.Fatalf("the API shows %+v", list.EventSourceMappings)
	}
	id := list.EventSourceMappings[0].UUID
	_, err = a.DeleteEventSourceMapping(t.Context(), &lambda.DeleteEventSourceMappingInput{UUID: id})
	if err == nil || !strings.Contains(err.Error(), "Caddyfile") {
		t.Errorf("deleting it by the API says %v", err)
	}

	a.Configure(functions("\tdisabled\n"), "")
	a.Reload()
	m.IsOurs(t, url, `{"kind":"order","n":0}`)
	if strings.Contains(a.Logs("f"), `\"n\":0}`) {
		t.Error("a disabled event source is polled")
	}
	send(2)
	a.Configure(functions("\tbatch_size 5\n"), "")
	a.Reload()
	a.WantLog("f", `\"n\":2}`)
	harness.Eventually(t, "the message is deleted", done)
}

func TestEventSourcesThatMakeNoSenseAreRefused(t *testing.T) {
	harness.Parallel(t)
	for source, want := range map[string]string{
		"arn:aws:sqs:us-east-1:000000000000:q f {\n batch_size 10001\n}":              "1 to 10000",
		"arn:aws:sqs:us-east-1:000000000000:q f {\n bisect\n}":                        "queues have not bisecting",
		"arn:aws:sqs:us-east-1:000000000000:q f {\n retries 3\n}":                     "redrive policy",
		"arn:aws:sqs:us-east-1:000000000000:q.fifo f {\n batch_size 11\n}":            "at most 10",
		"arn:aws:sqs:us-east-1:000000000000:q f {\n filter `{\"a\":1}`\n}":            "filter",
		"arn:aws:kinesis:us-east-1:000000000000:stream/s f {\n start yesterday\n}":    "neither trim_horizon",
		"arn:aws:kinesis:us-east-1:000000000000:stream/s f {\n concurrency 3\n}":      "for queues alone",
		"arn:aws:kinesis:us-east-1:000000000000:stream/s f {\n on_failure nowhere\n}": "destination",
		"kafka://broker f {\n topic orders\n}":                                        "HOST:PORT",
		"kafka://a:9092,b:9092/orders f {\n topic orders\n}":                          "HOST:PORT",
		"kafka://broker:9092 f":                                                   "one topic",
		"kafka://broker:9092 f {\n topic a/b\n}":                                  "one topic",
		"kafka://broker:9092 f {\n topic orders\n sasl gssapi me secret\n}":       "GSSAPI is not supported",
		"kafka://me:secret@broker:9092 f {\n topic orders\n}":                     "wants a SASL mechanism",
		"kafka://broker:9092 f {\n topic orders\n tls {\n ca /nowhere.pem\n }\n}": "/nowhere.pem",
		"kafka://broker:9092 f {\n topic orders\n parallelization 2\n}":           "topics of Kafka have not",
		"arn:aws:s3:::photos f {\n tumbling_window 10s\n}":                        "buckets have not tumbling windows",
		"ftp://host/x f": "not supported",
		"nonsense f":     "not supported",
	} {
		s := harness.NewServer(t, "event_source "+source, "")
		s.StartFails(want)
	}
}

func TestANodeThatDrainsPollsNoMore(t *testing.T) {
	harness.Parallel(t)
	r, l := harness.NewRedis(t), harness.NewLedger(t)
	c := r.Client()
	s := harness.NewServer(t, "", "")
	s.Configure(fmt.Sprintf("event_source %s f {\n topic orders\n}\n", r.URL())+l.Function(s, "f", `"\n".join(r["values"]["id"] for r in event["Records"])`), "")
	s.Start()
	harness.AddRecords(t, c, "orders", "before")
	l.Wait(map[string]bool{"before": true})
	s.Admin("POST", "/hearth/drain").Want(t, 200, "")
	harness.Eventually(t, "nobody reads the stream", func() bool {
		groups, err := c.XInfoGroups(t.Context(), "orders").Result()
		return err == nil && len(groups) == 1 && groups[0].Consumers == 0
	})
	harness.AddRecords(t, c, "orders", "meanwhile") // by a name that a reader would have left
	if groups, err := c.XInfoGroups(t.Context(), "orders").Result(); err != nil || groups[0].Consumers != 0 || groups[0].Lag != 1 {
		t.Errorf("a node that drains polls: %+v, %v", groups, err)
	}
	s.Admin("DELETE", "/hearth/drain").Want(t, 200, "")
	l.Wait(map[string]bool{"meanwhile": true})
}
