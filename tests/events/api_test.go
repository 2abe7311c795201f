package events

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthfn/hearth/tests/harness"
)

// event invokes a function with the type Event.
func postEvent(a *harness.API, name, payload string) {
	a.T.Helper()
	out, err := a.Invoke(context.Background(), &lambda.InvokeInput{
		FunctionName: &name, Payload: []byte(payload), InvocationType: types.InvocationTypeEvent,
	})
	a.Check(err)
	if out.StatusCode != 202 || len(out.Payload) != 0 || out.FunctionError != nil {
		a.T.Errorf("Invoke of %s with type Event answers %d %s", name, out.StatusCode, out.Payload)
	}
}

func TestEventsOfInvokeGoToTheDestinationsOfTheAPI(t *testing.T) {
	harness.Parallel(t)
	m, r := harness.StartMoto(t), harness.NewRecorder(t)
	a := harness.NewAPI(t, m.Options()+r.Reach(), "")
	address, queue := m.Queue(t, "failed")
	r.Tell(a, "f")
	r.Tell(a, "next")
	a.EventConfig("f", "", "arn:aws:lambda:us-east-1:000000000000:function:next", queue)

	postEvent(a, "f", `{"n":1}`)
	wantRecord(t, r.Wait("next", 1)[0], "Success", `{"n":1}`, "42")
	r.Failing("f", true)
	postEvent(a, "f", `{"n":2}`)
	told := m.Next(t, address)
	wantRecord(t, *told.Body, "RetriesExhausted", `{"n":2}`, "told to fail")
	if header := told.Attributes["AWSTraceHeader"]; !strings.HasPrefix(header, "Root=1-") || !strings.Contains(header, ";Lineage=1:") {
		t.Errorf("the trace header is %q", header)
	}
	r.Wait("f", 2)
	a.NothingWaits()

	// A qualifier has destinations of its own; those of $LATEST are not for it.
	version, err := a.PublishVersion(context.Background(), &lambda.PublishVersionInput{FunctionName: aws.String("f")})
	a.Check(err)
	postEvent(a, "f:"+*version.Version, `{"n":3}`)
	r.Wait("f", 3)
	a.EventConfig("f", *version.Version, "", queue)
	postEvent(a, "f:"+*version.Version, `{"n":4}`)
	body := *m.Next(t, address).Body
	if !strings.Contains(body, `function:f:1"`) || !strings.Contains(body, `"executedVersion":"1"`) {
		t.Errorf("the record of version 1 is %s", body)
	}
	r.Wait("next", 1)
	a.TellsNone(harness.MotoSecret)
}

func TestDeadLetterQueueGetsTheEventOfAFailedFunction(t *testing.T) {
	harness.Parallel(t)
	m, r := harness.StartMoto(t), harness.NewRecorder(t)
	a := harness.NewAPI(t, m.Options()+r.Reach(), "")
	address, queue := m.Queue(t, "letters")
	r.Tell(a, "f", func(in *lambda.CreateFunctionInput) { in.DeadLetterConfig = &types.DeadLetterConfig{TargetArn: &queue} })
	a.EventConfig("f", "", "", "")
	r.Failing("f", true)
	postEvent(a, "f", `{"text":"ü 😀"}`)

	letter := m.Next(t, address)
	if *letter.Body != `{"text":"ü 😀"}` {
		t.Errorf("the queue got %s", *letter.Body)
	}
	attribute := func(name string) string { return aws.ToString(letter.MessageAttributes[name].StringValue) }
	if attribute("ErrorCode") != "200" || attribute("ErrorMessage") != "told to fail" || len(attribute("RequestID")) != 36 {
		t.Errorf("its attributes are %s, %s, %s", attribute("RequestID"), attribute("ErrorCode"), attribute("ErrorMessage"))
	}
	a.NothingWaits()
	if dead := a.Events("?dead=true"); len(dead) != 0 {
		t.Errorf("it is kept aside too: %+v", dead)
	}
}

func TestDeadEventsOfDestinationsThatFailAreReplayed(t *testing.T) {
	harness.Parallel(t)
	m, r := harness.StartMoto(t), harness.NewRecorder(t)
	a := harness.NewAPI(t, m.Options()+r.Reach(), "")
	r.Tell(a, "f")
	a.EventConfig("f", "", "", "arn:aws:sqs:us-east-1:000000000000:nowhere")
	r.Failing("f", true)
	postEvent(a, "f", `{"n":1}`)
	harness.Eventually(t, "the event is kept aside", func() bool { return len(a.Events("?dead=true")) == 1 })
	if e := a.Events("?dead=true")[0]; !strings.Contains(e.Error, "nowhere") {
		t.Errorf("it is kept aside as %+v", e)
	}
	r.Failing("f", false)
	a.Admin("POST", "/hearth/events/replay").Want(t, 200, `{"events":1}`)
	r.Wait("f", 2)
	a.NothingWaits()
}

func TestEventsOfInvokeAreRefusedAsByLambda(t *testing.T) {
	harness.Parallel(t)
	r := harness.NewRecorder(t)
	a := harness.NewAPI(t, "async {\n max_waiting 1\n}\n"+r.Reach(), "")
	r.Tell(a, "f")
	name := "f"
	send := func(payload string) error {
		_, err := a.Invoke(context.Background(), &lambda.InvokeInput{FunctionName: &name, Payload: []byte(payload), InvocationType: types.InvocationTypeEvent})
		return err
	}
	harness.Refused(t, send("not JSON"), 400, "InvalidRequestContentException", "Could not parse request body into json")
	harness.Refused(t, send(fmt.Sprintf("%q", strings.Repeat("x", 1<<20))), 413, "RequestTooLargeException", "")
	name = "unknown"
	harness.Refused(t, send("{}"), 404, "ResourceNotFoundException", "Function not found")
	if kept := a.Events(""); len(kept) != 0 || len(r.Of("f")) != 0 {
		t.Errorf("kept: %+v", kept)
	}
}
