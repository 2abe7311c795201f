package tests

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// tell makes a function by the API that tells the recorder its event, and fails when
// the recorder does.
func (r *recorder) tell(a *api, name string, change ...func(*lambda.CreateFunctionInput)) {
	a.t.Helper()
	code := zipOf(a.t, map[string]string{"app.py": tellingCode})
	a.create(name, code, append(change, func(in *lambda.CreateFunctionInput) {
		in.Runtime, in.Handler = types.RuntimePython311, aws.String("app.handler")
		in.Environment = &types.Environment{Variables: map[string]string{"RECORDER": r.URL[strings.LastIndexByte(r.URL, ':')+1:]}}
	})...)
}

// event invokes a function with the type Event.
func (a *api) event(name, payload string) {
	a.t.Helper()
	out, err := a.Invoke(context.Background(), &lambda.InvokeInput{
		FunctionName: &name, Payload: []byte(payload), InvocationType: types.InvocationTypeEvent,
	})
	a.check(err)
	if out.StatusCode != 202 || len(out.Payload) != 0 || out.FunctionError != nil {
		a.t.Errorf("Invoke of %s with type Event answers %d %s", name, out.StatusCode, out.Payload)
	}
}

// eventConfig has a function tried once, with destinations.
func (a *api) eventConfig(name, qualifier, success, failure string) {
	a.t.Helper()
	in := &lambda.PutFunctionEventInvokeConfigInput{
		FunctionName: &name, MaximumRetryAttempts: aws.Int32(0), MaximumEventAgeInSeconds: aws.Int32(60), DestinationConfig: &types.DestinationConfig{},
	}
	if qualifier != "" {
		in.Qualifier = &qualifier
	}
	if success != "" {
		in.DestinationConfig.OnSuccess = &types.OnSuccess{Destination: &success}
	}
	if failure != "" {
		in.DestinationConfig.OnFailure = &types.OnFailure{Destination: &failure}
	}
	_, err := a.PutFunctionEventInvokeConfig(context.Background(), in)
	a.check(err)
}

func TestEventsOfInvokeGoToTheDestinationsOfTheAPI(t *testing.T) {
	m, r := startMoto(t), newRecorder(t)
	a := newAPI(t, m.options()+r.reach(), "")
	address, queue := m.queue(t, "failed")
	r.tell(a, "f")
	r.tell(a, "next")
	a.eventConfig("f", "", "arn:aws:lambda:us-east-1:000000000000:function:next", queue)

	a.event("f", `{"n":1}`)
	wantRecord(t, r.wait("next", 1)[0], "Success", `{"n":1}`, "42")
	r.failing("f", true)
	a.event("f", `{"n":2}`)
	told := m.next(t, address)
	wantRecord(t, *told.Body, "RetriesExhausted", `{"n":2}`, "told to fail")
	if header := told.Attributes["AWSTraceHeader"]; !strings.HasPrefix(header, "Root=1-") || !strings.Contains(header, ";Lineage=1:") {
		t.Errorf("the trace header is %q", header)
	}
	r.wait("f", 2)
	a.nothingWaits()

	// A qualifier has destinations of its own; those of $LATEST are not for it.
	version, err := a.PublishVersion(context.Background(), &lambda.PublishVersionInput{FunctionName: aws.String("f")})
	a.check(err)
	a.event("f:"+*version.Version, `{"n":3}`)
	r.wait("f", 3)
	a.eventConfig("f", *version.Version, "", queue)
	a.event("f:"+*version.Version, `{"n":4}`)
	body := *m.next(t, address).Body
	if !strings.Contains(body, `function:f:1"`) || !strings.Contains(body, `"executedVersion":"1"`) {
		t.Errorf("the record of version 1 is %s", body)
	}
	r.wait("next", 1)
	a.tellsNone(motoSecret)
}

func TestDeadLetterQueueGetsTheEventOfAFailedFunction(t *testing.T) {
	m, r := startMoto(t), newRecorder(t)
	a := newAPI(t, m.options()+r.reach(), "")
	address, queue := m.queue(t, "letters")
	r.tell(a, "f", func(in *lambda.CreateFunctionInput) { in.DeadLetterConfig = &types.DeadLetterConfig{TargetArn: &queue} })
	a.eventConfig("f", "", "", "")
	r.failing("f", true)
	a.event("f", `{"text":"ü 😀"}`)

	letter := m.next(t, address)
	if *letter.Body != `{"text":"ü 😀"}` {
		t.Errorf("the queue got %s", *letter.Body)
	}
	attribute := func(name string) string { return aws.ToString(letter.MessageAttributes[name].StringValue) }
	if attribute("ErrorCode") != "200" || attribute("ErrorMessage") != "told to fail" || len(attribute("RequestID")) != 36 {
		t.Errorf("its attributes are %s, %s, %s", attribute("RequestID"), attribute("ErrorCode"), attribute("ErrorMessage"))
	}
	a.nothingWaits()
	if dead := a.events("?dead=true"); len(dead) != 0 {
		t.Errorf("it is kept aside too: %+v", dead)
	}
}

func TestDeadEventsOfDestinationsThatFailAreReplayed(t *testing.T) {
	m, r := startMoto(t), newRecorder(t)
	a := newAPI(t, m.options()+r.reach(), "")
	r.tell(a, "f")
	a.eventConfig("f", "", "", "arn:aws:sqs:us-east-1:000000000000:nowhere")
	r.failing("f", true)
	a.event("f", `{"n":1}`)
	eventually(t, "the event is kept aside", func() bool { return len(a.events("?dead=true")) == 1 })
	if e := a.events("?dead=true")[0]; !strings.Contains(e.Error, "nowhere") {
		t.Errorf("it is kept aside as %+v", e)
	}
	r.failing("f", false)
	a.admin("POST", "/hearth/events/replay").want(t, 200, `{"events":1}`)
	r.wait("f", 2)
	a.nothingWaits()
}

func TestEventsOfInvokeAreRefusedAsByLambda(t *testing.T) {
	r := newRecorder(t)
	a := newAPI(t, "async {\n max_waiting 1\n}\n"+r.reach(), "")
	r.tell(a, "f")
	name := "f"
	send := func(payload string) error {
		_, err := a.Invoke(context.Background(), &lambda.InvokeInput{FunctionName: &name, Payload: []byte(payload), InvocationType: types.InvocationTypeEvent})
		return err
	}
	refused(t, send("not JSON"), 400, "InvalidRequestContentException", "Could not parse request body into json")
	refused(t, send(fmt.Sprintf("%q", strings.Repeat("x", 1<<20))), 413, "RequestTooLargeException", "")
	name = "unknown"
	refused(t, send("{}"), 404, "ResourceNotFoundException", "Function not found")
	if kept := a.events(""); len(kept) != 0 || len(r.of("f")) != 0 {
		t.Errorf("kept: %+v", kept)
	}
}
