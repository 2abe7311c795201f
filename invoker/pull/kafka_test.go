package pull

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// A press is the function that gets records of Kafka.
type press struct {
	t    *testing.T
	play func(values []string) (answer string, failed bool)

	mu    sync.Mutex // guards what follows
	calls []kafkaEvent
	sent  []string
}

type kafkaEvent struct {
	EventSource      string
	BootstrapServers string
	Records          map[string][]struct {
		Topic         string
		Partition     int
		Offset        int64
		Timestamp     int64
		TimestampType string
		Key, Value    []byte
		Headers       []map[string][]int8
	}
}

// values are those of an event, partition by partition.
func (e *kafkaEvent) values() (all []string) {
	shards := make([]string, 0, len(e.Records))
	for shard := range e.Records {
		shards = append(shards, shard)
	}
	slices.Sort(shards)
	for _, shard := range shards {
		for _, r := range e.Records[shard] {
			all = append(all, string(r.Value))
		}
	}
	return all
}

func (p *press) Invoke(_ context.Context, call *environment.Call) error {
	var e kafkaEvent
	if err := json.Unmarshal(call.Frame[bytes.Index(call.Frame, []byte(`{"eventSource"`)):], &e); err != nil {
		p.t.Error(err)
	}
	call.Version, call.Outcome, call.Payload = "$LATEST", environment.OutcomeResult, []byte("null")
	if p.play != nil {
		answer, failed := p.play(e.values())
		if call.Payload = []byte(answer); failed {
			call.Outcome = environment.OutcomeError
			return nil
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, e)
	return nil
}

func (p *press) Send(_ context.Context, _ string, d *Delivery) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, string(d.Body))
	return nil
}

// done are the values of each partition in the order in which calls with them succeeded.
func (p *press) done() map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make(map[string]string)
	for _, e := range p.calls {
		for shard, records := range e.Records {
			for _, r := range records {
				all[shard] = strings.TrimSpace(all[shard] + " " + string(r.Value))
			}
		}
	}
	return all
}

// A mill is a Kafka with a topic and the function that gets what is in it.
type mill struct {
	*bank
	*press
	t       *testing.T
	cluster *kfake.Cluster
	client  *kgo.Client
	options []kgo.Opt
}

const kafkaUUID = "00000000-0000-0000-0000-000000000000"

func newMill(t *testing.T, partitions int32, options ...kfake.Opt) *mill {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(partitions, "orders")}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	m := &mill{t: t, press: &press{t: t}, cluster: cluster}
	m.bank = newBank(t, m.press)
	t.Cleanup(func() {
		if m.client != nil {
			m.client.Close()
		}
		m.bank.close()
		cluster.Close()
	})
	return m
}

// put writes a value to a partition.
func (m *mill) put(partition int32, values ...string) {
	m.t.Helper()
	if m.client == nil {
		var err error
		if m.client, err = kgo.NewClient(append(m.options, kgo.SeedBrokers(m.cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))...); err != nil {
			m.t.Fatal(err)
		}
	}
	for _, v := range values {
		r := &kgo.Record{Topic: "orders", Partition: partition, Key: []byte("k"), Value: []byte(v), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte{1, 255}}}}
		if err := m.client.ProduceSync(m.t.Context(), r).FirstErr(); err != nil {
			m.t.Fatal(err)
		}
	}
}

// grind reads the topic until stop.
func (m *mill) grind(change func(m *registry.Mapping)) (stop func()) {
	m.t.Helper()
	p := m.poller(change)
	ctx, cancel := context.WithCancel(m.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := p.run(ctx); ctx.Err() == nil {
			m.t.Error(err)
		}
	}()
	return sync.OnceFunc(func() { cancel(); <-done })
}

func (m *mill) poller(change func(m *registry.Mapping)) poller {
	m.t.Helper()
	mapping := registry.Mapping{UUID: kafkaUUID, FunctionName: "f", Qualifier: "$LATEST", EventSourceArn: kafkaScheme + strings.Join(m.cluster.ListenAddrs(), ","), Topics: []string{"orders"}}
	if change != nil {
		change(&mapping)
	}
	if err := Check(&mapping); err != nil {
		m.t.Fatal(err)
	}
	p, err := newPoller(m.Engine, mapping)
	if err != nil {
		m.t.Fatal(err)
	}
	return p
}

// committed is how far the group has come in a partition.
func (m *mill) committed(partition int32) int64 {
	m.t.Helper()
	got, err := kadm.NewClient(m.client).FetchOffsets(m.t.Context(), kafkaUUID)
	if one, ok := got.Lookup("orders", partition); ok && err == nil {
		return one.At
	}
	return 0 // there is no group yet, for one
}

func (m *mill) wait(what string, is func() bool) {
	m.t.Helper()
	for end := time.Now().Add(30 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			m.t.Fatalf("after 30 s it is not so that %s; done are %v", what, m.done())
		}
	}
}

func (m *mill) wantDone(partition int32, values string) {
	m.t.Helper()
	shard := fmt.Sprintf("orders-%d", partition)
	m.wait("partition "+fmt.Sprint(partition)+" is done: "+values, func() bool { return m.done()[shard] == values })
}

func TestRecordsOfKafkaComeInTheOrderOfTheirPartitionAsLambdaHasThem(t *testing.T) {
	m := newMill(t, 2)
	m.put(0, "a1", "a2", "a3")
	m.put(1, "b1", "b2")
	stop := m.grind(nil)
	m.wantDone(0, "a1 a2 a3")
	m.wantDone(1, "b1 b2")
	m.wait("offsets are committed", func() bool { return m.committed(0) == 3 && m.committed(1) == 2 })
	stop()
	m.put(0, "a4")
	defer m.grind(nil)()
	m.wantDone(0, "a1 a2 a3 a4")

	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.calls[0]
	r := e.Records["orders-0"][0]
	if e.EventSource != "SelfManagedKafka" || e.BootstrapServers != m.cluster.ListenAddrs()[0] || r.Topic != "orders" || r.Partition != 0 || r.Offset != 0 ||
		r.TimestampType != "CREATE_TIME" || time.Since(time.UnixMilli(r.Timestamp)) > time.Minute || string(r.Key) != "k" || fmt.Sprint(r.Headers) != "[map[h:[1 -1]]]" {
		t.Errorf("the function got %+v", e)
	}
}

func TestABatchOfKafkaThatFailsIsBisectedDownToItsPoison(t *testing.T) {
	m := newMill(t, 2)
	m.play = func(values []string) (string, bool) { return "{}", slices.Contains(values, "bad") }
	m.put(0, "a1", "a2", "bad", "a4")
	m.put(1, "b1", "b2")
	defer m.grind(func(m *registry.Mapping) {
		m.BisectBatchOnFunctionError, m.MaximumRetryAttempts, m.OnFailure = ptr(true), ptr(1), "arn:aws:sqs:us-east-1:000000000000:dead"
	})()
	m.wantDone(0, "a1 a2 a4")
	m.wantDone(1, "b1 b2")
	m.wait("all is committed", func() bool { return m.committed(0) == 4 && m.committed(1) == 2 })
	m.mu.Lock()
	defer m.mu.Unlock()
	var told struct {
		RequestContext struct{ Condition string }
		KafkaBatchInfo struct {
			BatchSize   int
			RecordsInfo map[string]struct{ FirstRecordOffset, LastRecordOffset string }
		}
	}
	if len(m.sent) != 1 || json.Unmarshal([]byte(m.sent[0]), &told) != nil || told.RequestContext.Condition != "RetryAttemptsExhausted" ||
		told.KafkaBatchInfo.BatchSize != 1 || told.KafkaBatchInfo.RecordsInfo["orders-0"].FirstRecordOffset != "2" {
		t.Errorf("told was %s", m.sent)
	}
}

func TestRecordsOfKafkaThatAreReportedAreTriedFromThereOn(t *testing.T) {
	m := newMill(t, 2)
	var tries [][]string
	m.play = func(values []string) (string, bool) {
		if tries = append(tries, values); len(tries) == 1 {
			return `{"batchItemFailures":[{"itemIdentifier":{"partition":"orders-0","offset":1}}]}`, false
		}
		return `{"batchItemFailures":[]}`, false
	}
	m.put(0, "a1", "a2", "a3")
	m.put(1, "b1", "b2")
	stop := m.grind(func(m *registry.Mapping) {
		m.FunctionResponseTypes, m.BatchSize = []string{"ReportBatchItemFailures"}, ptr(5)
	})
	m.wait("all is committed", func() bool { return m.committed(0) == 3 && m.committed(1) == 2 })
	stop()
	if got := fmt.Sprint(tries); got != "[[a1 a2 a3 b1 b2] [a2 a3]]" {
		t.Errorf("the function got %s", got)
	}
}

func TestOffsetsOfKafkaAreCommittedAfterTheFunctionSucceeded(t *testing.T) {
	m := newMill(t, 1)
	tried, heal := make(chan struct{}, 100), make(chan struct{})
	m.play = func([]string) (string, bool) {
		tried <- struct{}{}
		select {
		case <-heal:
			return "{}", false
		default:
			return "{}", true
		}
	}
	m.put(0, "a1", "a2")
	stop := m.grind(nil)
	<-tried
	<-tried
	if at := m.committed(0); at > 0 {
		t.Errorf("%d is committed, though the function fails", at)
	}
	stop()
	close(heal)
	defer m.grind(nil)()
	m.wantDone(0, "a1 a2")
	m.wait("it is committed", func() bool { return m.committed(0) == 2 })
}
