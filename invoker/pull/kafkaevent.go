package pull

import (
	"encoding/base64"
	"encoding/json"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A kafkaRecord is a record as Lambda gives it to a function. Key and value are Base64;
// bytes of headers are signed, as Java has them.
type kafkaRecord struct {
	Topic         string              `json:"topic"`
	Partition     int32               `json:"partition"`
	Offset        int64               `json:"offset"`
	Timestamp     int64               `json:"timestamp"`
	TimestampType string              `json:"timestampType"`
	Key           any                 `json:"key,omitempty"`
	Value         any                 `json:"value,omitempty"`
	Headers       []map[string][]int8 `json:"headers"`
}

// recordOf is a record as Lambda gives it to a function.
// https://docs.aws.amazon.com/lambda/latest/dg/with-kafka.html#smaa-sample-event
func (t *topic) recordOf(r *kgo.Record) (record, error) {
	out := kafkaRecord{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp.UnixMilli(), TimestampType: "CREATE_TIME",
		Headers: make([]map[string][]int8, len(r.Headers)),
	}
	switch r.Attrs.TimestampType() {
	case 1:
		out.TimestampType = "LOG_APPEND_TIME"
	case -1:
		out.TimestampType = "NO_TIMESTAMP_TYPE"
	}
	for n, h := range r.Headers {
		signed := make([]int8, len(h.Value))
		for i, b := range h.Value {
			signed[i] = int8(b)
		}
		out.Headers[n] = map[string][]int8{h.Key: signed}
	}
	shard := r.Topic + "-" + strconv.Itoa(int(r.Partition))
	one := record{id: shard + "-" + strconv.FormatInt(r.Offset, 10), shard: shard, at: r.Timestamp, data: []string{"key", "value"}}
	if len(t.filters) > 0 {
		var err error
		out.Key, out.Value = decoded(r.Key), decoded(r.Value)
		if one.filters, err = json.Marshal(out); err != nil {
			return one, err
		}
	}
	out.Key, out.Value = encoded(r.Key), encoded(r.Value)
	var err error
	one.event, err = json.Marshal(out)
	return one, err
}

// encoded is nil for what a record has not.
func encoded(b []byte) any {
	if b == nil {
		return nil
	}
	return base64.StdEncoding.EncodeToString(b)
}

// decoded is what a filter sees: JSON, or text.
func decoded(b []byte) any {
	switch {
	case b == nil:
		return nil
	case json.Valid(b):
		return json.RawMessage(b)
	}
	return string(b)
}

// eventOf is what the function gets: records by their partitions.
func (t *topic) eventOf(records []record) []byte {
	servers, _ := json.Marshal(t.servers) // of a string
	event := append([]byte(`{"eventSource":"SelfManagedKafka","bootstrapServers":`), servers...)
	event = append(event, `,"records":{`...)
	for n, r := range records {
		switch {
		case n == 0:
			event = append(event, `"`+r.shard+`":[`...) // its letters are none that are escaped
		case r.shard != records[n-1].shard:
			event = append(event, `],"`+r.shard+`":[`...)
		default:
			event = append(event, ',')
		}
		event = append(event, r.event...)
	}
	return append(event, `]}}`...)
}

type (
	kafkaInfo struct {
		BatchSize        int                       `json:"batchSize"`
		EventSourceArn   string                    `json:"eventSourceArn"`
		BootstrapServers string                    `json:"bootstrapServers"`
		PayloadSize      int                       `json:"payloadSize"`
		RecordsInfo      map[string]*partitionInfo `json:"recordsInfo"`
	}
	partitionInfo struct {
		FirstRecordOffset    string `json:"firstRecordOffset"`
		LastRecordOffset     string `json:"lastRecordOffset"`
		FirstRecordTimestamp string `json:"firstRecordTimestamp"`
		LastRecordTimestamp  string `json:"lastRecordTimestamp"`
	}
)

// describe implements ordered.
// https://docs.aws.amazon.com/lambda/latest/dg/kafka-on-failure.html
func (c *consumer) describe(records []record) (name, place string, info any) {
	out := kafkaInfo{len(records), c.mapping.EventSourceArn, c.servers, len(c.eventOf(records)), make(map[string]*partitionInfo)}
	for _, r := range records {
		at, offset := arrival(r.at), r.id[len(r.shard)+1:]
		p := out.RecordsInfo[r.shard]
		if p == nil {
			p = &partitionInfo{FirstRecordOffset: offset, FirstRecordTimestamp: at}
			out.RecordsInfo[r.shard] = p
		}
		p.LastRecordOffset, p.LastRecordTimestamp = offset, at
	}
	return "KafkaBatchInfo", records[0].shard, out
}
