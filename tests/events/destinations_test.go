package events

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/hearthfn/hearth/tests/harness"
)

// A destinationRecord is what Lambda gives a destination.
type destinationRecord struct {
	Version        string
	Timestamp      time.Time
	RequestContext struct {
		RequestID, FunctionARN, Condition string
		ApproximateInvokeCount            int
	}
	RequestPayload  json.RawMessage
	ResponseContext *struct {
		StatusCode                     int
		ExecutedVersion, FunctionError string
	}
	ResponsePayload json.RawMessage
}

// wantRecord fails unless body is the record of an event that f had once.
func wantRecord(t *testing.T, body, condition, event, answer string) {
	t.Helper()
	var r destinationRecord
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	fault := ""
	if condition != "Success" {
		fault = "Unhandled"
	}
	if r.Version != "1.0" || time.Since(r.Timestamp) > time.Minute || r.RequestContext.RequestID == "" ||
		r.RequestContext.FunctionARN != "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST" || r.RequestContext.Condition != condition ||
		r.RequestContext.ApproximateInvokeCount != 1 || strings.ReplaceAll(string(r.RequestPayload), " ", "") != event || r.ResponseContext == nil ||
		r.ResponseContext.StatusCode != 200 || r.ResponseContext.ExecutedVersion != "$LATEST" || r.ResponseContext.FunctionError != fault ||
		!strings.Contains(string(r.ResponsePayload), answer) {
		t.Errorf("the record is %s", body)
	}
}

func TestResultsGoToTheDestinationsOfTheCaddyfile(t *testing.T) {
	harness.Parallel(t)
	s, r, m := harness.NewServer(t, "", ""), harness.NewRecorder(t), harness.StartMoto(t)
	bucket, err := http.NewRequest("PUT", m.URL+"/results", nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Do(bucket).Want(t, 200, "")
	address, queue := m.Queue(t, "failed")
	topic, err := m.Sns.CreateTopic(context.Background(), &sns.CreateTopicInput{Name: aws.String("done")})
	if err != nil {
		t.Fatal(err)
	}
	fans, fan := m.Queue(t, "fans")
	if _, err := m.Sns.Subscribe(context.Background(), &sns.SubscribeInput{TopicArn: topic.TopicArn, Protocol: aws.String("sqs"), Endpoint: &fan}); err != nil {
		t.Fatal(err)
	}
	destinations := map[string]string{
		"url": r.URL + "/results", "function": "arn:aws:lambda:us-east-1:000000000000:function:next", "sns": *topic.TopicArn, "s3": "arn:aws:s3:::results/kept/", "sqs": queue,
	}
	for name, to := range destinations {
		s.Configure(m.Options()+r.Function(s, "next", "")+r.Function(s, "f", "async {\n retries 0\n on_success "+to+"\n on_failure "+to+"\n}"),
			"receive /hooks/* generic {\n open\n}")
		s.Stop() // a reload may reset a connection that is being made
		s.Restarted()
		read := func(n int) string {
			switch name {
			case "url":
				return r.Wait("results", n)[n-1]
			case "function":
				return r.Wait("next", n)[n-1]
			case "sqs":
				return *m.Next(t, address).Body
			case "sns":
				var notice struct{ Message string }
				if err := json.Unmarshal([]byte(*m.Next(t, fans).Body), &notice); err != nil {
					t.Fatal(err)
				}
				return notice.Message
			}
			// One second may make both of them, whose names do not tell then.
			all := m.Objects(t, "results", "kept/aws/lambda/async/", n)
			if n == 2 && strings.Contains(all[1], `"condition":"Success"`) {
				return all[0]
			}
			return all[n-1]
		}
		r.Failing("f", false)
		s.Post("/hooks/f", `{"n":1}`).Want(t, 200, "")
		wantRecord(t, read(1), "Success", `{"n":1}`, `42`)
		s.NothingWaits()
		r.Failing("f", true)
		s.Post("/hooks/f", `{"n":2}`).Want(t, 200, "")
		wantRecord(t, read(2), "RetriesExhausted", `{"n":2}`, "told to fail")
		s.NothingWaits()
	}
	if dead := s.Events("?dead=true"); len(dead) != 0 {
		t.Errorf("kept aside: %+v", dead)
	}
	s.TellsNone(harness.MotoSecret)
}
