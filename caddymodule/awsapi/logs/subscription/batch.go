package subscription

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"slices"

	"github.com/hearthfn/hearth/warmpool/logs"
)

// Bounds of what one event for a function has. An asynchronous event is up to 1 MB; what does not
// compress grows by a third.
const (
	maxBatchBytes = 512 << 10 // of all texts, each with overhead
	maxBatch      = 10000     // events
	overhead      = 110       // of the JSON around a text
)

type logEvent struct {
	ID        string `json:"id"`
	Timestamp int64  `json:"timestamp"`
	Message   string `json:"message"`
}

// A message is what a function gets, compressed.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html#LambdaFunctionExample
type message struct {
	MessageType         string     `json:"messageType"`
	Owner               string     `json:"owner"`
	LogGroup            string     `json:"logGroup"`
	LogStream           string     `json:"logStream"`
	SubscriptionFilters []string   `json:"subscriptionFilters"`
	LogEvents           []logEvent `json:"logEvents"`
}

// A batch is events that wait to be sent, by log stream.
type batch struct {
	streams map[string][]logEvent
	order   []string // of the streams
	size    int
	count   int
}

func (b *batch) add(e *logs.Event, text string) {
	if b.streams == nil {
		b.streams = make(map[string][]logEvent)
	}
	if b.streams[e.Stream] == nil {
		b.order = append(b.order, e.Stream)
	}
	b.streams[e.Stream] = append(b.streams[e.Stream], logEvent{e.ID(), e.Time.UnixMilli(), text})
	b.size += len(text) + overhead
	b.count++
}

// full reports whether an event with such a text is for the next batch.
func (b *batch) full(text string) bool {
	return b.count >= maxBatch || b.count > 0 && b.size+len(text)+overhead > maxBatchBytes
}

// payloads are the events for the function: one for each log stream.
func (b *batch) payloads(f *Filter, account string) ([][]byte, error) {
	all := make([][]byte, 0, len(b.order))
	for _, stream := range b.order {
		text, err := json.Marshal(&message{"DATA_MESSAGE", account, f.Group, stream, []string{f.Name}, slices.Clip(b.streams[stream])})
		if err != nil {
			return nil, err
		}
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, err = w.Write(text)
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			return nil, err
		}
		var event struct {
			AWSLogs struct {
				Data []byte `json:"data"` // base64 in JSON
			} `json:"awslogs"`
		}
		event.AWSLogs.Data = packed.Bytes()
		payload, err := json.Marshal(&event)
		if err != nil {
			return nil, err
		}
		all = append(all, payload)
	}
	return all, nil
}
