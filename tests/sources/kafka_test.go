package sources

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/hearthfn/hearth/tests/harness"
)

const logKafka = `
import base64
def handler(event, context):
    for shard, records in event["records"].items():
        for r in records:
            print("done %s %s" % (shard, base64.b64decode(r["value"]).decode()), flush=True)
`

func TestTopicsOfKafkaInTheCaddyfileAreRead(t *testing.T) {
	harness.Parallel(t)
	b := harness.StartBroker(t, 2, nil)
	s := harness.NewServer(t, "", "")
	s.Configure(fmt.Sprintf("event_source kafka://%s,127.0.0.1:1 f {\n topic orders\n filter `{\"value\":{\"kind\":[\"order\"]}}`\n}\n", b.ListenAddrs()[0])+
		harness.PythonFunction("f", s.Code("f", map[string]string{"app.py": logKafka}), ""), "")
	s.Start()
	b.Put(0, `{"kind":"order","n":1}`, `{"kind":"other"}`, "no JSON")
	b.Put(1, `{"kind":"order","n":2}`)
	s.WantLog("f", `done orders-0 {"kind":"order","n":1}`, `done orders-1 {"kind":"order","n":2}`)
	if text := s.Logs("f"); strings.Contains(text, "other") || strings.Contains(text, "no JSON") {
		t.Error("the function got what its filter does not want")
	}
}

func TestTopicsOfKafkaAreReadWithAPassword(t *testing.T) {
	harness.Parallel(t)
	b := harness.StartBroker(t, 1, []kfake.Opt{kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "packer", "open sesame")},
		kgo.SASL(scram.Auth{User: "packer", Pass: "open sesame"}.AsSha512Mechanism()))
	s := harness.NewServer(t, "", "")
	s.Configure(fmt.Sprintf("event_source kafka://%s f {\n topic orders\n sasl scram-sha-512 packer {env.PACKER_PASSWORD}\n}\n", b.ListenAddrs()[0])+
		harness.PythonFunction("f", s.Code("f", map[string]string{"app.py": logKafka}), ""), "")
	s.Env = []string{"PACKER_PASSWORD=open sesame"}
	s.Start()
	b.Put(0, "one")
	s.WantLog("f", "done orders-0 one")
	if strings.Contains(s.Output(), "sesame") {
		t.Error("the password is in the log")
	}
}

func TestMappingsOfSelfManagedKafkaAreRead(t *testing.T) {
	harness.Parallel(t)
	b := harness.StartBroker(t, 1, nil)
	a := harness.NewAPI(t, "", "")
	_, err := a.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: aws.String("f"), Runtime: types.RuntimePython313, Handler: aws.String("app.handler"), Role: aws.String(harness.APIRole),
		Code: &types.FunctionCode{ZipFile: harness.ZipOf(t, map[string]string{"app.py": logKafka})},
	})
	a.Check(err)
	b.Put(0, "one")
	made, err := a.CreateEventSourceMapping(t.Context(), &lambda.CreateEventSourceMappingInput{
		FunctionName: aws.String("f"), Topics: []string{"orders"}, StartingPosition: types.EventSourcePositionTrimHorizon, SourceAccessConfigurations: harness.NoPassword(),
		SelfManagedEventSource:            &types.SelfManagedEventSource{Endpoints: map[string][]string{"KAFKA_BOOTSTRAP_SERVERS": b.ListenAddrs()}},
		SelfManagedKafkaEventSourceConfig: &types.SelfManagedKafkaEventSourceConfig{ConsumerGroupId: aws.String("packers")},
	})
	a.Check(err)
	if *made.BatchSize != 100 {
		t.Errorf("batches have %d", *made.BatchSize)
	}
	same := &lambda.CreateEventSourceMappingInput{
		FunctionName: aws.String("f"), Topics: []string{"orders"}, SourceAccessConfigurations: harness.NoPassword(),
		SelfManagedEventSource: &types.SelfManagedEventSource{Endpoints: map[string][]string{"KAFKA_BOOTSTRAP_SERVERS": b.ListenAddrs()}},
	}
	_, err = a.CreateEventSourceMapping(t.Context(), same)
	harness.Refused(t, err, 409, "ResourceConflictException", "An event source mapping with event source (\""+b.ListenAddrs()[0]+"\"), function (\"arn:aws:lambda:")
	a.WantLog("f", "done orders-0 one")
	result := func() string {
		got, err := a.GetEventSourceMapping(t.Context(), &lambda.GetEventSourceMappingInput{UUID: made.UUID})
		a.Check(err)
		return aws.ToString(got.LastProcessingResult)
	}
	harness.Eventually(t, "the mapping says that its last batch was processed", func() bool { return result() == "OK" })
	if age := a.Metric(fmt.Sprintf("hearth_mapping_iterator_age_seconds{function=\"f\",source=\"kafka://%s\"}", b.ListenAddrs()[0])); age <= 0 || age > 60 {
		t.Errorf("the iterator age is %v", age)
	}
	if got := a.Admin("GET", "/hearth/sources"); !regexp.MustCompile(`^\{"sources":\[\{"id":"` + *made.UUID + `","age_ms":\d+,"at":"20`).MatchString(got.Body) {
		t.Errorf("the lag is %s", got.Body)
	}
	if text, _ := a.Hearth("sources", "f"); !regexp.MustCompile(`kafka://\S+/orders +f +Enabled +100 +[0-9.ms]+ +OK`).MatchString(text) {
		t.Errorf("the command says %s", text)
	}
	harness.Eventually(t, "CloudWatch has the iterator age", func() bool {
		got, err := a.CloudWatch().GetMetricStatistics(t.Context(), &cloudwatch.GetMetricStatisticsInput{
			Namespace: aws.String("AWS/Lambda"), MetricName: aws.String("IteratorAge"), Dimensions: []cwtypes.Dimension{{Name: aws.String("FunctionName"), Value: aws.String("f")}},
			StartTime: aws.Time(time.Now().Add(-time.Hour)), EndTime: aws.Time(time.Now().Add(time.Minute)), Period: aws.Int32(86400), Statistics: []cwtypes.Statistic{"Maximum"},
		})
		a.Check(err)
		return len(got.Datapoints) > 0 && *got.Datapoints[0].Maximum < 60_000 && got.Datapoints[0].Unit == "Milliseconds"
	})
	if config := made.SelfManagedKafkaEventSourceConfig; aws.ToString(config.ConsumerGroupId) != "packers" {
		t.Errorf("the group is %+v", config)
	}
	b.Close()
	harness.Eventually(t, "the mapping says that no broker answers", func() bool { return strings.HasPrefix(result(), "PROBLEM: no broker of Kafka answers") })
	if !strings.Contains(a.Output(), "an event source cannot be polled") {
		t.Error("the log does not say so")
	}
	if n := a.Metric(`hearth_mapping_source_problems_total{function="f"}`); n < 1 {
		t.Errorf("the metric says %v", n)
	}
	_, err = a.DeleteEventSourceMapping(t.Context(), &lambda.DeleteEventSourceMappingInput{UUID: made.UUID})
	a.Check(err)
}

func TestNoRecordOfKafkaIsLostWhenItsBrokerRestarts(t *testing.T) {
	harness.Slow(t, "it waits for a broker")
	harness.Parallel(t)
	options := []kfake.Opt{kfake.DataDir(t.TempDir()), kfake.SyncWrites(), kfake.Ports(harness.FreePort(t))}
	b, l := harness.StartBroker(t, 2, options), harness.NewLedger(t)
	s := harness.NewServer(t, "", "")
	s.Configure(fmt.Sprintf("event_source kafka://%s f {\n topic orders\n batch_size 5\n batch_window 1ms\n}\n", b.ListenAddrs()[0])+l.Function(s, "f", kafkaIDs), "")
	s.Start()
	accepted := make(map[string]bool)
	put := func() {
		n := len(accepted)
		for p := range int32(2) {
			for i := range 20 {
				value := fmt.Sprintf("%06d", n+i)
				b.Put(p, value)
				accepted[fmt.Sprintf("%d-%s", p, value)] = true
			}
		}
	}
	put()
	l.Wait(accepted)
	for range 2 {
		put()
		b.Client.Close()
		b.Close()
		b = harness.StartBroker(t, 2, options)
		put()
		l.Wait(accepted)
	}
	again := 0
	for _, times := range l.Ran {
		again += times - 1
	}
	t.Logf("%d records, %d of them twice", len(accepted), again)
}

// kafkaIDs is an expression of the lines PARTITION-VALUE of all records of an event.
const kafkaIDs = `"\n".join("%d-%s" % (r["partition"], __import__("base64").b64decode(r["value"]).decode()) for rs in event["records"].values() for r in rs)`

// Two nodes read one topic, and are killed in turn. What a batch had done when its node
// died is done again; nothing else is.
func TestNoRecordOfKafkaIsLostWhenNodesAreKilled(t *testing.T) {
	harness.Slow(t, "it kills nodes")
	harness.Parallel(t)
	const partitions, batch, kills = 4, 5, 2
	b, l := harness.StartBroker(t, partitions, nil), harness.NewLedger(t)
	var nodes [2]*harness.Server
	for n := range nodes {
		s := harness.NewServer(t, "", "")
		s.Configure(fmt.Sprintf("event_source kafka://%s f {\n topic orders\n group packers\n batch_size %d\n batch_window 1ms\n}\n", b.ListenAddrs()[0], batch)+
			l.Function(s, "f", kafkaIDs), "")
		nodes[n] = s.Start()
	}
	accepted := make(map[string]bool)
	put := func(count int) {
		for range count {
			n := len(accepted) / partitions
			for p := range int32(partitions) {
				b.Put(p, fmt.Sprintf("%06d", n))
				accepted[fmt.Sprintf("%d-%06d", p, n)] = true
			}
		}
	}
	put(20)
	l.Wait(accepted)
	for n := range kills {
		put(100)
		s := nodes[n%2]
		s.Kill() // while it works on them
		put(20)
		l.Wait(accepted) // the other has taken over
		s.Start()
	}
	l.Mu.Lock()
	defer l.Mu.Unlock()
	again := 0
	for _, times := range l.Ran {
		again += times - 1
	}
	t.Logf("%d records, %d of them twice, after %d kills", len(accepted), again, kills)
	if again > kills*batch {
		t.Errorf("%d records were done again, more than a batch for each kill", again)
	}
	last := make(map[string]string)
	for _, id := range l.Order {
		p, value, _ := strings.Cut(id, "-")
		if value < last[p] {
			t.Errorf("in partition %s, %s was done after %s", p, value, last[p])
		}
		last[p] = value
	}
}
