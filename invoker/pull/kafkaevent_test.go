package pull

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hearthfn/hearth/warmpool/function/registry"
)

func TestRecordsOfKafkaLookAsLambdaHasThem(t *testing.T) {
	m := registry.Mapping{EventSourceArn: "kafka://a:9092,b:9092", Topics: []string{"orders"}}
	if err := Check(&m); err != nil {
		t.Fatal(err)
	}
	b, err := newBatcher(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	topic, err := newTopic(b)
	if err != nil {
		t.Fatal(err)
	}
	at := time.UnixMilli(1545084650987)
	var records []record
	for _, r := range []*kgo.Record{
		{Topic: "orders", Offset: 15, Timestamp: at, Key: []byte("abcDEFghiJKLmnoPQRstuVWXyz1234=="), Value: []byte("Hello, this is a test."),
			Headers: []kgo.RecordHeader{{Key: "headerKey", Value: []byte("headerValue\xff")}}},
		{Topic: "orders", Offset: 16, Timestamp: at, Key: []byte{}, Attrs: kgo.NewRecordAttrs(kgo.RecordAttrsOpts{TimestampType: 1})}, // no value: it is deleted
		{Topic: "orders", Partition: 2, Offset: 3, Timestamp: at},
	} {
		one, err := topic.recordOf(r)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, one)
	}
	const want = `{"eventSource":"SelfManagedKafka","bootstrapServers":"a:9092,b:9092","records":{` +
		`"orders-0":[{"topic":"orders","partition":0,"offset":15,"timestamp":1545084650987,"timestampType":"CREATE_TIME",` +
		`"key":"YWJjREVGZ2hpSktMbW5vUFFSc3R1VldYeXoxMjM0PT0=","value":"SGVsbG8sIHRoaXMgaXMgYSB0ZXN0Lg==",` +
		`"headers":[{"headerKey":[104,101,97,100,101,114,86,97,108,117,101,-1]}]},` +
		`{"topic":"orders","partition":0,"offset":16,"timestamp":1545084650987,"timestampType":"LOG_APPEND_TIME","key":"","headers":[]}],` +
		`"orders-2":[{"topic":"orders","partition":2,"offset":3,"timestamp":1545084650987,"timestampType":"CREATE_TIME","headers":[]}]}}`
	if got := string(topic.event(records)); got != want {
		t.Errorf("the event is\n%s, want\n%s", got, want)
	}
}

// https://docs.aws.amazon.com/lambda/latest/dg/kafka-filtering.html
func TestFiltersOfKafkaSeeKeysAndValuesDecoded(t *testing.T) {
	const device = `{"device_ID":"AB1234","session":{"start_time":"x","duration":162}}`
	for _, c := range []struct {
		pattern, key, value string
		wanted              bool
	}{
		{`{"value":{"device_ID":[{"prefix":"AB"}]}}`, "", device, true},
		{`{"value":{"device_ID":[{"prefix":"CD"}]}}`, "", device, false},
		{`{"value":{"session":{"duration":[{"numeric":[">",100]}]}}}`, "", device, true},
		{`{"value":{"device_ID":[{"prefix":"AB"}]}}`, "", "plain text", false},
		{`{"value":[{"prefix":"plain"}]}`, "", "plain text", true},
		{`{"key":["shop-1"]}`, "shop-1", "x", true},
		{`{"key":["shop-1"]}`, "shop-2", "x", false},
		{`{"partition":[0]}`, "", "x", true},
	} {
		m := registry.Mapping{EventSourceArn: "kafka://a:9092", Topics: []string{"orders"}, Filters: []string{c.pattern}}
		b, err := newBatcher(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		r, err := (&topic{batcher: b}).recordOf(&kgo.Record{Topic: "orders", Key: []byte(c.key), Value: []byte(c.value)})
		if err != nil {
			t.Fatal(err)
		}
		if b.wants(&r) != c.wanted {
			t.Errorf("%s wants %s %s: %v", c.pattern, c.key, c.value, !c.wanted)
		}
	}
}

func FuzzItemFailures(f *testing.F) {
	f.Add([]byte(`{"batchItemFailures":[{"itemIdentifier":"orders-0-15"}]}`))
	f.Add([]byte(`{"batchItemFailures":[{"itemIdentifier":{"partition":"orders-0","offset":15}}]}`))
	f.Add([]byte(`{"batchItemFailures":[{"itemIdentifier":null}]}`))
	f.Add([]byte(`null`))
	records := []record{{id: "orders-0-15"}, {id: "orders-0-16"}}
	f.Fuzz(func(t *testing.T, text []byte) {
		failed, err := itemFailures(text, records)
		for id := range failed {
			if err != nil || id != records[0].id && id != records[1].id {
				t.Errorf("%s has failed, %v", id, err)
			}
		}
	})
}

func FuzzBrokers(f *testing.F) {
	f.Add("kafka://a:9092,b:9092", `{"Endpoints":{}}`)
	f.Add("kafka://[::1]:9092", ``)
	f.Add("", `{"Endpoints":{"KAFKA_BOOTSTRAP_SERVERS":["a:9092"]}}`)
	f.Fuzz(func(t *testing.T, source, endpoints string) {
		m := registry.Mapping{EventSourceArn: source, Source: map[string]json.RawMessage{"SelfManagedEventSource": json.RawMessage(endpoints)}}
		brokers, err := brokersOf(&m)
		if err != nil {
			return
		}
		for _, one := range brokers {
			if !strings.Contains(one, ":") || strings.ContainsAny(one, "/@ ") {
				t.Errorf("%q of %s is a broker", one, source)
			}
		}
		if _, err := connect(&m); err != nil {
			t.Errorf("%q: %v", brokers, err)
		}
	})
}
