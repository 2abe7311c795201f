package pull

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/hearthfn/hearth/warmpool/environment"
)

// A counter is a queue that, as SQS, does not notice that who waits for a message has
// gone: it hands the next one out nevertheless.
type counter struct {
	asked   chan struct{} // somebody waits for a message
	message chan string
	deleted chan string
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		QueueName string
		Entries   []struct{ ReceiptHandle string }
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var answer any = map[string]any{}
	switch _, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); operation {
	case "GetQueueUrl":
		answer = map[string]any{"QueueUrl": "http://" + r.Host + "/q"}
	case "GetQueueAttributes":
		answer = map[string]any{"Attributes": map[string]string{"VisibilityTimeout": "30"}}
	case "ReceiveMessage":
		c.asked <- struct{}{}
		text := <-c.message
		answer = map[string]any{"Messages": []any{map[string]any{"MessageId": text, "ReceiptHandle": text, "Body": text}}}
	case "DeleteMessageBatch":
		c.deleted <- in.Entries[0].ReceiptHandle
		answer = map[string]any{"Successful": []any{}, "Failed": []any{}}
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	_ = json.NewEncoder(w).Encode(answer)
}

// A content function succeeds with all that it gets.
type content struct{ Sender }

func (content) Invoke(_ context.Context, call *environment.Call) error {
	call.Outcome, call.Payload = environment.OutcomeResult, []byte("null")
	return nil
}

// A message that comes while polling ends, because its mapping has changed, is done by
// who asked for it, and not received twice.
func TestPollingEndsWithTheAnswerToItsLastQuestion(t *testing.T) {
	c := &counter{make(chan struct{}), make(chan string), make(chan string, 1)}
	server := httptest.NewServer(c)
	defer server.Close()
	b := newBank(t, content{})
	defer b.close()
	q := &queue{
		batcher: b.batcher(t, "arn:aws:sqs:us-east-1:000000000000:q", nil),
		client: sqs.New(sqs.Options{Region: "us-east-1", BaseEndpoint: aws.String(server.URL), HTTPClient: server.Client(),
			DisableMessageChecksumValidation: true, Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}),
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- q.run(ctx) }()
	<-c.asked
	cancel()
	select {
	case err := <-done:
		t.Fatalf("polling has ended, %v, while the queue still hands out a message", err)
	case c.message <- "m":
	}
	if receipt := <-c.deleted; receipt != "m" {
		t.Errorf("deleted was %s", receipt)
	}
	if err := <-done; err == nil {
		t.Error("polling ended by itself")
	}
}
