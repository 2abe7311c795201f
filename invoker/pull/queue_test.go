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
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
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
type content struct {
	Sender
	qualifiers chan string // of its calls, if it is there
}

func (c content) Invoke(_ context.Context, call *environment.Call) error {
	if c.qualifiers != nil {
		c.qualifiers <- call.Qualifier
	}
	call.Outcome, call.Payload = environment.OutcomeResult, []byte("null")
	return nil
}

// poll is the poller of a mapping's queue, which c is.
func (b *bank) poll(t *testing.T, c *counter, batcher *batcher) *queue {
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	return &queue{
		batcher: batcher,
		client: sqs.New(sqs.Options{Region: "us-east-1", BaseEndpoint: aws.String(server.URL), HTTPClient: server.Client(),
			DisableMessageChecksumValidation: true, Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}),
	}
}

const counterARN = "arn:aws:sqs:us-east-1:000000000000:q"

// A message that comes while polling ends, because its mapping has changed, is done by
// who asked for it, and not received twice.
func TestPollingEndsWithTheAnswerToItsLastQuestion(t *testing.T) {
	c := &counter{make(chan struct{}), make(chan string), make(chan string, 1)}
	b := newBank(t, content{})
	defer b.close()
	q := b.poll(t, c, b.batcher(t, counterARN, nil))
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

// What is sent to a queue after its mapping has another target is not for the one before,
// though it was asked for then.
func TestMessageAfterAChangeIsForTheFunctionOfTheMappingNow(t *testing.T) {
	for _, state := range []string{"Enabled", "Disabled"} {
		c := &counter{make(chan struct{}), make(chan string), make(chan string, 1)}
		ran := content{qualifiers: make(chan string, 1)}
		b := newBank(t, ran)
		defer b.close()
		reg := b.reg.With([]*function.Function{{Name: "f", Version: function.Latest}})
		m, err := reg.CreateMapping(t.Context(), registry.Mapping{FunctionName: "f", Qualifier: "$LATEST", State: "Enabled", EventSourceArn: counterARN})
		if err != nil {
			t.Fatal(err)
		}
		q := b.poll(t, c, b.batcher(t, counterARN, func(of *registry.Mapping) { *of = m }))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- q.run(ctx) }()
		<-c.asked
		if _, err := reg.UpdateMapping(t.Context(), m.UUID, func(m *registry.Mapping) error {
			m.Qualifier, m.State = "2", state
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		cancel()
		c.message <- "m"
		want := map[string]string{"Enabled": "2", "Disabled": "$LATEST"}[state]
		if got := <-ran.qualifiers; got != want {
			t.Errorf("%s: the message went to %s, want %s", state, got, want)
		}
		<-c.deleted
		<-done
	}
}
