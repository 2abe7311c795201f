package lambda

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"github.com/hearthfn/hearth/warmpool/environment"
)

// chunkTimeout is how long a client may take to read one message. A client that does not read
// at all must not occupy an environment forever.
const chunkTimeout = 2 * time.Minute

// maxChunk is how much of a response one message has at most, in bytes; the
// framing allows 16 MB, clients buffer it.
const maxChunk = 1 << 20

// invokeWithResponseStream runs a function, and sends its output as an event stream while the
// function writes it.
// https://docs.aws.amazon.com/lambda/latest/api/API_InvokeWithResponseStream.html
func invokeWithResponseStream(a *API, r *request) error {
	var in invokeInput
	if err := r.read(&in); err != nil {
		return err
	}
	f, err := a.prepare(r, &in)
	if err != nil {
		return err
	}
	if in.InvocationType == typeDryRun {
		return a.dryRun(r, f)
	}
	call := r.exchange.call
	s := &payloadStream{w: r.w, call: call, control: http.NewResponseController(r.w), encoder: eventstream.NewEncoder()}
	call.Stream = s
	err = a.Invoker.Invoke(r.Context(), call)
	if err := a.outcomeOf(r, f, err); err != nil {
		return err
	}
	defer func() { _ = s.control.SetWriteDeadline(time.Time{}) }() // for the next request of the connection
	if !s.begun {
		if err := s.Start(""); err != nil {
			return nil // the client is gone
		}
		if call.Outcome == environment.OutcomeResult {
			if err := s.Write(call.Payload); err != nil {
				return nil
			}
		}
	}
	_ = s.complete() // the client may be gone
	return nil
}

// A payloadStream writes a response as messages of an event stream.
type payloadStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	call    *environment.Call
	encoder *eventstream.Encoder
	begun   bool
}

// Start implements environment.ResponseStream.
func (s *payloadStream) Start(string) error {
	s.begun = true
	header := s.w.Header()
	header.Set("Content-Type", "application/vnd.amazon.eventstream")
	header.Set("X-Amz-Executed-Version", s.call.Version)
	s.w.WriteHeader(http.StatusOK)
	return nil
}

// Write implements environment.ResponseStream.
func (s *payloadStream) Write(chunk []byte) error {
	for len(chunk) > 0 {
		n := min(len(chunk), maxChunk)
		if err := s.send("PayloadChunk", "application/octet-stream", chunk[:n]); err != nil {
			return err
		}
		chunk = chunk[n:]
	}
	return nil
}

// complete ends the stream, with the function's error if it failed.
func (s *payloadStream) complete() error {
	var end struct {
		ErrorCode    string `json:",omitempty"`
		ErrorDetails string `json:",omitempty"`
		LogResult    string `json:",omitempty"`
	}
	if s.call.Outcome != environment.OutcomeResult {
		end.ErrorCode, end.ErrorDetails = "Unhandled", string(s.call.Payload)
	}
	if s.call.Tail {
		end.LogResult = base64.StdEncoding.EncodeToString(s.call.LogTail)
	}
	body, err := json.Marshal(end)
	if err != nil {
		return err
	}
	return s.send("InvokeComplete", "application/json", body)
}

func (s *payloadStream) send(event, contentType string, payload []byte) error {
	// A connection that supports no deadlines has none.
	_ = s.control.SetWriteDeadline(time.Now().Add(chunkTimeout))
	err := s.encoder.Encode(s.w, eventstream.Message{
		Headers: eventstream.Headers{
			{Name: eventstreamType, Value: eventstream.StringValue("event")},
			{Name: eventstreamEvent, Value: eventstream.StringValue(event)},
			{Name: eventstreamContent, Value: eventstream.StringValue(contentType)},
		},
		Payload: payload,
	})
	if err != nil {
		return err
	}
	return s.control.Flush()
}

// Headers of a message.
// https://smithy.io/2.0/aws/amazon-eventstream.html
const (
	eventstreamType    = ":message-type"
	eventstreamEvent   = ":event-type"
	eventstreamContent = ":content-type"
)
