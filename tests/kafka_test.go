package tests

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A broker is a Kafka with topics, and a client that writes to it.
type broker struct {
	*kfake.Cluster
	t      *testing.T
	client *kgo.Client
}

func startBroker(t *testing.T, partitions int32, options []kfake.Opt, client ...kgo.Opt) *broker {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(partitions, "orders")}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	b := &broker{Cluster: cluster, t: t}
	if b.client, err = kgo.NewClient(append(client, kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.client.Close(); cluster.Close() })
	return b
}

func (b *broker) put(partition int32, values ...string) {
	b.t.Helper()
	records := make([]*kgo.Record, len(values))
	for n, v := range values {
		records[n] = &kgo.Record{Topic: "orders", Partition: partition, Value: []byte(v)}
	}
	if err := b.client.ProduceSync(b.t.Context(), records...).FirstErr(); err != nil {
		b.t.Fatal(err)
	}
}

const logKafka = `
import base64
def handler(event, context):
    for shard, records in event["records"].items():
        for r in records:
            print("done %s %s" % (shard, base64.b64decode(r["value"]).decode()), flush=True)
`

func TestTopicsOfKafkaInTheCaddyfileAreRead(t *testing.T) {
	b := startBroker(t, 2, nil)
	s := newServer(t, "", "")
	s.configure(fmt.Sprintf("event_source kafka://%s,127.0.0.1:1 f {\n topic orders\n filter `{\"value\":{\"kind\":[\"order\"]}}`\n}\n", b.ListenAddrs()[0])+
		pythonFunction("f", s.code("f", map[string]string{"app.py": logKafka}), ""), "")
	s.start()
	b.put(0, `{"kind":"order","n":1}`, `{"kind":"other"}`, "no JSON")
	b.put(1, `{"kind":"order","n":2}`)
	s.wantLog("f", `done orders-0 {"kind":"order","n":1}`, `done orders-1 {"kind":"order","n":2}`)
	if text := s.logs("f"); strings.Contains(text, "other") || strings.Contains(text, "no JSON") {
		t.Error("the function got what its filter does not want")
	}
}

func TestMappingsOfSelfManagedKafkaAreRead(t *testing.T) {
	b := startBroker(t, 1, nil)
	a := newAPI(t, "", "")
	_, err := a.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: aws.String("f"), Runtime: types.RuntimePython313, Handler: aws.String("app.handler"), Role: aws.String(apiRole),
		Code: &types.FunctionCode{ZipFile: zipOf(t, map[string]string{"app.py": logKafka})},
	})
	a.check(err)
	b.put(0, "one")
	made, err := a.CreateEventSourceMapping(t.Context(), &lambda.CreateEventSourceMappingInput{
		FunctionName: aws.String("f"), Topics: []string{"orders"}, StartingPosition: types.EventSourcePositionTrimHorizon,
		SelfManagedEventSource:            &types.SelfManagedEventSource{Endpoints: map[string][]string{"KAFKA_BOOTSTRAP_SERVERS": b.ListenAddrs()}},
		SelfManagedKafkaEventSourceConfig: &types.SelfManagedKafkaEventSourceConfig{ConsumerGroupId: aws.String("packers")},
	})
	a.check(err)
	if *made.BatchSize != 100 {
		t.Errorf("batches have %d", *made.BatchSize)
	}
	a.wantLog("f", "done orders-0 one")
	result := func() string {
		got, err := a.GetEventSourceMapping(t.Context(), &lambda.GetEventSourceMappingInput{UUID: made.UUID})
		a.check(err)
		return aws.ToString(got.LastProcessingResult)
	}
	eventually(t, "the mapping says that its last batch was processed", func() bool { return result() == "OK" })
	b.Close()
	eventually(t, "the mapping says that no broker answers", func() bool { return strings.HasPrefix(result(), "PROBLEM: no broker of Kafka answers") })
	if !strings.Contains(a.output(), "an event source cannot be polled") {
		t.Error("the log does not say so")
	}
	if n := a.metric(`hearth_mapping_source_problems_total{function="f"}`); n < 1 {
		t.Errorf("the metric says %v", n)
	}
	_, err = a.DeleteEventSourceMapping(t.Context(), &lambda.DeleteEventSourceMappingInput{UUID: made.UUID})
	a.check(err)
}
