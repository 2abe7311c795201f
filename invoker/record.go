package invoker

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Conditions of a Record.
const (
	ConditionSuccess = "Success"
	ConditionRetries = "RetriesExhausted"
	ConditionAge     = "EventAgeExceeded"
	ConditionZero    = "ZeroReservedConcurrency"
	ConditionLoop    = "RecursiveLoop" // AWS sends the event too; its word is not known
)

// A Record is what a destination gets.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
type Record struct {
	Version         string           `json:"version"` // 1.0
	Timestamp       string           `json:"timestamp"`
	RequestContext  RequestContext   `json:"requestContext"`
	RequestPayload  json.RawMessage  `json:"requestPayload"`
	ResponseContext *ResponseContext `json:"responseContext,omitempty"`
	ResponsePayload json.RawMessage  `json:"responsePayload,omitempty"`
}

// A RequestContext is about the invocation.
type RequestContext struct {
	RequestID              string `json:"requestId"`
	FunctionARN            string `json:"functionArn"`
	Condition              string `json:"condition"`
	ApproximateInvokeCount int    `json:"approximateInvokeCount"`
}

// A ResponseContext is about what the function answered last.
type ResponseContext struct {
	StatusCode      int    `json:"statusCode"`
	ExecutedVersion string `json:"executedVersion"`
	FunctionError   string `json:"functionError,omitempty"`
}

// A Letter is what a dead-letter queue gets: the event, and why in attributes.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-dlq
type Letter struct {
	RequestID    string
	ErrorCode    int    // 200: the function answered with an error
	ErrorMessage string // at most 1 KB
}

// ErrNoDestination says that trying again would be no use: this server is not set up
// for the destination.
var ErrNoDestination = errors.New("this server cannot deliver to it")

// A Delivery is what a destination gets.
type Delivery struct {
	Body   []byte  // JSON
	Folder string  // the folder in a bucket: async/FUNCTION
	Trace  string  // X-Amzn-Trace-Id of the invocation; "" for none
	Letter *Letter // nil except for a dead-letter queue
	// Attributes of the message, and its group and its name in a FIFO queue, for those that
	// are relayed.
	Attributes    map[string]string
	GroupID, Once string
}

// A Sender delivers to destinations. It may be called again for what it has
// delivered already.
type Sender interface {
	// Send hands what it is given to the destination that an ARN or URL names. After an
	// ErrNoDestination it is not called again.
	Send(ctx context.Context, destination string, d *Delivery) error
}

const recordTime = "2006-01-02T15:04:05.000Z"

// record is what the destinations of a message's function get.
func (r *run) record(condition string) ([]byte, error) {
	out := Record{
		Version: "1.0", Timestamp: time.Now().UTC().Format(recordTime), RequestPayload: r.message.Payload,
		RequestContext: RequestContext{
			RequestID: r.message.RequestID, FunctionARN: r.invoker.Account.ARN(r.message.Function, r.message.Qualifier),
			Condition: condition, ApproximateInvokeCount: r.attempts,
		},
	}
	if r.answered {
		out.ResponseContext = &ResponseContext{StatusCode: 200, ExecutedVersion: r.call.Version}
		if condition != ConditionSuccess {
			out.ResponseContext.FunctionError = "Unhandled"
		}
		if json.Valid(r.call.Payload) {
			out.ResponsePayload = r.call.Payload
		}
	}
	return json.Marshal(out)
}
