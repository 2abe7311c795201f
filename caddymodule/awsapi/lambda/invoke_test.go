package lambda_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func TestInvokeAnswersWithWhatTheFunctionReturns(t *testing.T) {
	w := newWorld(t)
	w.create("f")
	_, err := w.PublishVersion(t.Context(), &lambda.PublishVersionInput{FunctionName: aws.String("f")})
	check(t, err)
	_, err = w.CreateAlias(t.Context(), &lambda.CreateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: aws.String("1")})
	check(t, err)
	for _, test := range []struct{ name, qualifier, version string }{
		{"f", "", "$LATEST"}, {"f", "1", "1"}, {"f", "live", "1"}, {"f:live", "", "1"}, {"function:f", "", "$LATEST"},
		{arnOf + "f", "$LATEST", "$LATEST"}, {arnOf + "f:live", "live", "1"}, {"000000000000:function:f:1", "", "1"},
	} {
		in := &lambda.InvokeInput{FunctionName: &test.name, Payload: []byte(`{"do":"echo","text":"[1]"}`)}
		if test.qualifier != "" {
			in.Qualifier = &test.qualifier
		}
		out, err := w.Invoke(t.Context(), in)
		check(t, err)
		if string(out.Payload) != "[1]" || out.StatusCode != 200 || out.FunctionError != nil || aws.ToString(out.ExecutedVersion) != test.version || out.LogResult != nil {
			t.Errorf("%s %s: %+v, payload %s", test.name, test.qualifier, out, out.Payload)
		}
	}
}

func TestAFunctionErrorIsAnAnswer(t *testing.T) {
	w := newWorld(t)
	w.create("f")
	w.create("broken", func(in *lambda.CreateFunctionInput) { in.Handler = aws.String("fail") })
	for _, test := range []struct{ name, payload, want string }{
		{"f", `{"do":"fail"}`, `{"errorType":"Error","errorMessage":"asked to"}`},
		{"f", `{"do":"exit"}`, `{"errorType":"Runtime.ExitError"`},
		{"broken", `{}`, `{"errorType":"Runtime.ImportModuleError","errorMessage":"no module"}`},
	} {
		out, err := w.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &test.name, Payload: []byte(test.payload)})
		check(t, err)
		if aws.ToString(out.FunctionError) != "Unhandled" || !strings.HasPrefix(string(out.Payload), test.want) || out.StatusCode != 200 || aws.ToString(out.ExecutedVersion) != "$LATEST" {
			t.Errorf("%s %s: error %q, payload %s", test.name, test.payload, aws.ToString(out.FunctionError), out.Payload)
		}
	}
}

func TestTheTailOfTheLogComesWithTheAnswer(t *testing.T) {
	w := newWorld(t)
	w.create("f")
	out, err := w.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("f"), LogType: types.LogTypeTail, Payload: []byte(`{"do":"log","text":"hello"}`)})
	check(t, err)
	text, err := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult))
	check(t, err)
	if !strings.HasPrefix(string(text), "START RequestId: ") || !strings.Contains(string(text), "\nhello\nEND RequestId: ") || !strings.Contains(string(text), "REPORT") {
		t.Errorf("the log is %q", text)
	}
}

func TestDryRunAndEventDoNotRunTheFunction(t *testing.T) {
	w := newWorld(t)
	w.create("f")
	out, err := w.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("f"), InvocationType: types.InvocationTypeDryRun})
	check(t, err)
	if out.StatusCode != 204 {
		t.Errorf("DryRun: status %d", out.StatusCode)
	}
	out, err = w.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("f"), InvocationType: types.InvocationTypeEvent, Payload: []byte(`{"a":1}`)})
	check(t, err)
	if out.StatusCode != 202 || len(out.Payload) != 0 {
		t.Errorf("Event: status %d, payload %s", out.StatusCode, out.Payload)
	}
	//lint:ignore SA1019 old clients still call it
	_, err = w.InvokeAsync(t.Context(), &lambda.InvokeAsyncInput{FunctionName: aws.String("f"), InvokeArgs: strings.NewReader(`{"b":2}`)})
	check(t, err)
	if len(w.pushed.events) != 2 || string(w.pushed.events[0].Payload) != `{"a":1}` || string(w.pushed.events[1].Payload) != `{"b":2}` ||
		w.pushed.events[0].Function != "f" || w.pushed.events[0].Qualifier != "$LATEST" || w.pushed.events[0].Qualified || w.pushed.events[0].RequestID == "" {
		t.Errorf("pushed %+v", w.pushed.events)
	}
}

func TestInvocationsThatCannotBeAreRefused(t *testing.T) {
	w := newWorld(t)
	w.create("f")
	_, err := w.PutFunctionConcurrency(t.Context(), &lambda.PutFunctionConcurrencyInput{FunctionName: aws.String("f"), ReservedConcurrentExecutions: aws.Int32(0)})
	check(t, err)
	invoke := func(name string, change ...func(*lambda.InvokeInput)) error {
		in := &lambda.InvokeInput{FunctionName: &name, Payload: []byte("{}")}
		for _, f := range change {
			f(in)
		}
		_, err := w.Invoke(t.Context(), in)
		return err
	}
	refused(t, invoke("missing"), 404, "ResourceNotFoundException", "Function not found: "+arnOf+"missing")
	refused(t, invoke("f:none"), 404, "ResourceNotFoundException", "Function not found: "+arnOf+"f:none")
	refused(t, invoke("f"), 429, "TooManyRequestsException", "Rate Exceeded.")
	refused(t, invoke("arn:aws:lambda:eu-west-1:000000000000:function:f"), 404, "ResourceNotFoundException", "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')")
	refused(t, invoke("arn:aws:lambda:us-east-1:111111111111:function:f"), 403, "AccessDeniedException", "")
	refused(t, invoke("f:1", func(in *lambda.InvokeInput) { in.Qualifier = aws.String("2") }), 400, "InvalidParameterValueException", "The derived qualifier from the function name does not match the specified qualifier.")
	refused(t, invoke("f", func(in *lambda.InvokeInput) { in.Payload = []byte("{") }), 400, "InvalidRequestContentException", "Could not parse request body into json: Could not parse payload into json: ")
	refused(t, invoke("f", func(in *lambda.InvokeInput) { in.ClientContext = aws.String("?") }), 400, "InvalidRequestContentException", "Client context must be")
	refused(t, invoke("f", func(in *lambda.InvokeInput) { in.TenantId = aws.String("t") }), 400, "InvalidParameterValueException", "TenancyConfig is not supported")
	refused(t, invoke("f", func(in *lambda.InvokeInput) { in.Payload = []byte(`"` + strings.Repeat("x", 6291456) + `"`) }), 413, "RequestTooLargeException", "Request must be smaller than 6291456 bytes for the InvokeFunction operation")
	refused(t, invoke("f", func(in *lambda.InvokeInput) {
		in.InvocationType, in.Payload = types.InvocationTypeEvent, []byte(`"`+strings.Repeat("x", 1<<20)+`"`)
	}), 413, "RequestTooLargeException", "1048578 byte payload is too large for the Event invocation type (limit 1048576 bytes)")
}

func TestAResponseIsStreamed(t *testing.T) {
	w := newWorld(t)
	w.create("f")
	stream := func(payload string, logs types.LogType) (text string, end types.InvokeWithResponseStreamCompleteEvent) {
		t.Helper()
		out, err := w.InvokeWithResponseStream(t.Context(), &lambda.InvokeWithResponseStreamInput{FunctionName: aws.String("f"), Payload: []byte(payload), LogType: logs})
		check(t, err)
		if aws.ToString(out.ExecutedVersion) != "$LATEST" {
			t.Errorf("executed version %s", aws.ToString(out.ExecutedVersion))
		}
		events := out.GetStream()
		ends := 0
		for event := range events.Events() {
			switch event := event.(type) {
			case *types.InvokeWithResponseStreamResponseEventMemberPayloadChunk:
				text += string(event.Value.Payload)
			case *types.InvokeWithResponseStreamResponseEventMemberInvokeComplete:
				end = event.Value
				ends++
			}
		}
		check(t, events.Close())
		check(t, events.Err())
		if ends != 1 {
			t.Errorf("InvokeComplete came %d times", ends)
		}
		return text, end
	}
	if text, end := stream(`{"do":"stream","size":5}`, types.LogTypeTail); text != "abcde" || end.ErrorCode != nil || end.LogResult == nil {
		t.Errorf("text %q, end %+v", text, end)
	}
	if text, end := stream(`{"do":"echo","text":"\"whole\""}`, types.LogTypeNone); text != `"whole"` || end.ErrorCode != nil || end.LogResult != nil {
		t.Errorf("of no stream: text %q, end %+v", text, end)
	}
	if text, end := stream(`{"do":"size","size":3000000}`, types.LogTypeNone); len(text) != 3000000 {
		t.Errorf("%d bytes, end %+v", len(text), end)
	}
	if text, end := stream(`{"do":"stream","size":2,"text":"fail"}`, types.LogTypeNone); text != "ab" || aws.ToString(end.ErrorCode) != "Unhandled" || aws.ToString(end.ErrorDetails) != `{"errorType":"Error","errorMessage":"midway"}` {
		t.Errorf("midway: text %q, code %q, details %q", text, aws.ToString(end.ErrorCode), aws.ToString(end.ErrorDetails))
	}
	_, err := w.InvokeWithResponseStream(t.Context(), &lambda.InvokeWithResponseStreamInput{FunctionName: aws.String("missing")})
	refused(t, err, 404, "ResourceNotFoundException", "Function not found")
}
