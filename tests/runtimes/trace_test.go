package runtimes

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/hearthfn/hearth/tests/harness"

	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// traceBootstrap is a custom runtime that tells the trace header of an invocation, and
// that of its event.
const traceBootstrap = `#!/bin/sh
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
while true; do
	event=$(curl -s -D /tmp/head "$api/next")
	id=$(sed -n 's/^Lambda-Runtime-Aws-Request-Id: //p' /tmp/head | tr -d '\r')
	trace=$(sed -n 's/^Lambda-Runtime-Trace-Id: //p' /tmp/head | tr -d '\r')
	arn=$(sed -n 's/^Lambda-Runtime-Invoked-Function-Arn: //p' /tmp/head | tr -d '\r')
	header=$(echo "$event" | sed -n 's/.*"[xX]-[aA]mzn-[tT]race-[iI]d":"\([^"]*\)".*/\1/p')
	echo "seen [$trace] [$header] [$arn]"
	curl -s -d "{\"statusCode\":200,\"body\":\"[$trace] [$header] [$arn]\"}" "$api/$id/response" >/dev/null
done
`

const traceNode = `exports.handler = async (event, context) => {
	const header = Object.entries(event.headers ?? {}).find(([k]) => k.toLowerCase() === 'x-amzn-trace-id')?.[1] ?? '';
	const text = '[' + process.env._X_AMZN_TRACE_ID + '] [' + header + '] [' + context.invokedFunctionArn + ']';
	console.log('seen ' + text);
	return { statusCode: 200, body: text };
};`

const tracePython = `import os
def handler(event, context):
    header = next((v for k, v in event.get('headers', {}).items() if k.lower() == 'x-amzn-trace-id'), '')
    text = '[%s] [%s] [%s]' % (os.environ['_X_AMZN_TRACE_ID'], header, context.invoked_function_arn)
    print('seen ' + text)
    return {'statusCode': 200, 'body': text}
`

const traceRuby = `def h(event:, context:)
  header = (event['headers'] || {}).find { |k, _| k.downcase == 'x-amzn-trace-id' }
  text = "[#{ENV['_X_AMZN_TRACE_ID']}] [#{header&.last}] [#{context.invoked_function_arn}]"
  puts 'seen ' + text
  { statusCode: 200, body: text }
end
`

const (
	traceForm = `\[(Root=1-[0-9a-f]{8}-[0-9a-f]{24});Parent=[0-9a-f]{16};Sampled=0;Lineage=1:[0-9a-f]{8}:0\]`
	arnForm   = `\[arn:aws:lambda:us-east-1:000000000000:function:%s\]`
)

func TestEveryInvocationHasATraceHeader(t *testing.T) {
	harness.Slow(t, "it compiles Java")
	harness.Parallel(t)
	a := &harness.API{Server: harness.NewServer(t, "", "")}
	dir := a.Code("custom", map[string]string{"readme": ""})
	writeScript(a.Server, dir, "bootstrap", traceBootstrap)
	folder, _, _ := a.JavaCode()
	functions := map[string]string{
		"java":   javaFunction("java", "example.Outputs::trace", folder, ""),
		"node":   fmt.Sprintf("function node {\n runtime nodejs20.x\n handler index.handler\n code %s\n}\n", a.Code("node", map[string]string{"index.js": traceNode})),
		"python": harness.PythonFunction("python", a.Code("python", map[string]string{"app.py": tracePython}), ""),
		"custom": customFunction("custom", dir, ""),
		"ruby":   rubyFunction("ruby", "app.h", a.Code("ruby", map[string]string{"app.rb": traceRuby}), ""),
	}
	options, site := "", ""
	for name, f := range functions {
		options += f
		site += fmt.Sprintf("@%[1]s1 path /%[1]s/1\n@%[1]s2 path /%[1]s/2\nfunction @%[1]s1 %[1]s {\n payload 1.0\n}\nfunction @%[1]s2 %[1]s\n", name)
	}
	a.Configure(options, site)
	a.Start()
	a.Connect()
	for name := range functions {
		arn := fmt.Sprintf(arnForm, name)
		seen := make(map[string]bool)
		want := func(what, text, form string) {
			t.Helper()
			got := regexp.MustCompile(form).FindStringSubmatch(text)
			switch {
			case got == nil:
				t.Errorf("%s, %s: got %s, want %s", name, what, text, form)
			case seen[got[1]]:
				t.Errorf("%s, %s: a second time %s", name, what, got[1])
			default:
				seen[got[1]] = true
				if len(got) > 2 && got[2] != got[1] {
					t.Errorf("%s, %s: the event has %s, the runtime %s", name, what, got[2], got[1])
				}
			}
		}
		for range 2 {
			for _, version := range []string{"1", "2"} {
				want("route", a.Get("/"+name+"/"+version).Body, `^`+traceForm+` \[(Root=1-[0-9a-f-]{33})\] `+arn+`$`)
			}
			out, err := a.Invoke(context.Background(), &lambda.InvokeInput{FunctionName: aws.String(name)})
			a.Check(err)
			want("Invoke", string(out.Payload), `"`+traceForm+` \[\] `+arn+`"`)
		}
		_, err := a.Invoke(context.Background(), &lambda.InvokeInput{FunctionName: aws.String(name), InvocationType: types.InvocationTypeEvent, Payload: []byte(`{"headers":{"x-amzn-trace-id":"event"}}`)})
		a.Check(err)
		harness.Eventually(t, "the event of "+name+" is delivered", func() bool {
			return regexp.MustCompile(`seen ` + traceForm + ` \[event\] ` + arn).MatchString(a.Logs(name))
		})
		// A header that is sent is kept, but for what a web client says of the lineage.
		r := a.Request("GET", "/"+name+"/2", nil)
		r.Header.Set("X-Amzn-Trace-Id", "Root=1-5e66d96f-7491f09a3f1479d18acf3d05;Parent=0123456789abcdef;Sampled=1;Lineage=1:ffffffff:99")
		a.Do(r).Want(t, 200, "[Root=1-5e66d96f-7491f09a3f1479d18acf3d05;Parent=0123456789abcdef;Sampled=1;Lineage=1:")
	}
}

func TestRecursiveLoopIsStopped(t *testing.T) {
	harness.Serial(t)
	sink := "exports.handler = async (event) => { console.log('given up', JSON.stringify(event)) }"
	a := harness.NewAPI(t, "", "function /loop/* loop\n")
	a.Create("loop", harness.ZipOf(t, map[string]string{"index.js": traceNode}))
	a.Create("other", harness.ZipOf(t, map[string]string{"index.js": traceNode}))
	a.Create("sink", harness.ZipOf(t, map[string]string{"index.js": sink}))
	_, err := a.PutFunctionEventInvokeConfig(context.Background(), &lambda.PutFunctionEventInvokeConfigInput{
		FunctionName:      aws.String("loop"),
		DestinationConfig: &types.DestinationConfig{OnFailure: &types.OnFailure{Destination: aws.String("arn:aws:lambda:us-east-1:000000000000:function:sink")}},
	})
	a.Check(err)
	// AWS's SDK sends the header of the invocation that it runs in.
	t.Setenv("AWS_LAMBDA_FUNCTION_NAME", "loop")
	t.Setenv("_X_AMZN_TRACE_ID", "")
	invoke := func(name string) (string, error) {
		out, err := a.Invoke(context.Background(), &lambda.InvokeInput{FunctionName: aws.String(name)})
		if err != nil {
			return "", err
		}
		var answer struct{ Body string }
		a.Check(json.Unmarshal(out.Payload, &answer))
		trace, _, _ := strings.Cut(strings.TrimPrefix(answer.Body, "["), "]")
		return trace, nil
	}
	for n := range 16 {
		trace, err := invoke("loop")
		if err != nil || !strings.HasSuffix(trace, fmt.Sprint(":", n)) {
			t.Fatalf("run %d: got %s, %v", n+1, trace, err)
		}
		t.Setenv("_X_AMZN_TRACE_ID", trace)
	}
	const words = "Lambda has detected your function being invoked in a recursive loop with other Amazon Web Services resources and stopped your function's invocation."
	_, err = invoke("loop")
	harness.Refused(t, err, 400, "RecursiveInvocationException", words)
	_, err = a.InvokeWithResponseStream(context.Background(), &lambda.InvokeWithResponseStreamInput{FunctionName: aws.String("loop")})
	harness.Refused(t, err, 400, "RecursiveInvocationException", words)
	if _, err := invoke("other"); err != nil {
		t.Errorf("another function in the same chain: %v", err)
	}
	_, err = a.Invoke(context.Background(), &lambda.InvokeInput{FunctionName: aws.String("loop"), InvocationType: types.InvocationTypeEvent, Payload: []byte(`{"n":17}`)})
	a.Check(err)
	a.WantLog("sink", `"requestPayload":{"n":17}`, `"condition":"RecursiveLoop"`)
	if got := a.Get("/metrics").Body; !strings.Contains(got, `hearth_recursive_invocations_dropped_total{function="loop"} 3`) {
		t.Error("the metrics do not count 3 dropped invocations of loop")
	}
	// What a web client claims is not believed.
	header := a.Request("GET", "/loop/x", nil)
	trace, _, _ := strings.Cut(strings.TrimPrefix(a.Get("/loop/x").Body, "["), "]")
	header.Header.Set("X-Amzn-Trace-Id", strings.TrimSuffix(trace, ":0")+":99")
	a.Do(header).Want(t, 200, ":0] [")

	setting := func(loop types.RecursiveLoop) {
		t.Helper()
		_, err := a.PutFunctionRecursionConfig(context.Background(), &lambda.PutFunctionRecursionConfigInput{FunctionName: aws.String("loop"), RecursiveLoop: loop})
		a.Check(err)
		got, err := a.GetFunctionRecursionConfig(context.Background(), &lambda.GetFunctionRecursionConfigInput{FunctionName: aws.String("loop")})
		a.Check(err)
		if got.RecursiveLoop != loop {
			t.Errorf("the setting is %s, want %s", got.RecursiveLoop, loop)
		}
	}
	setting(types.RecursiveLoopAllow)
	if trace, err := invoke("loop"); err != nil || !strings.HasSuffix(trace, ":16") {
		t.Errorf("allowed: got %s, %v", trace, err)
	}
	setting(types.RecursiveLoopTerminate)
	_, err = invoke("loop")
	harness.Refused(t, err, 400, "RecursiveInvocationException", words)
}

func TestMessagesOfARecursiveLoopStayInTheirQueue(t *testing.T) {
	harness.Parallel(t)
	m := harness.StartMoto(t)
	url, arn := m.MakeQueue(t, "loop")
	a := &harness.API{Server: harness.NewServer(t, "", "")}
	a.Configure(fmt.Sprintf("aws_endpoint %s\nevent_source %s f {\n\taccess_key %s %s\n}\n", m.URL, arn, harness.MotoKey, harness.MotoSecret)+
		harness.PythonFunction("f", a.Code("f", map[string]string{"app.py": `import os
def handler(event, context):
    for r in event.get("Records", []):
        print("had", r["body"], os.environ["_X_AMZN_TRACE_ID"])
    return os.environ["_X_AMZN_TRACE_ID"]
`}), ""), "")
	a.Start()
	a.Connect()
	trace := strings.TrimSuffix(strings.Trim(string(a.Call("f", "{}").Payload), `"`), ":0")
	send := func(body string, runs int) {
		t.Helper()
		in := &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body}
		if runs >= 0 {
			in.MessageSystemAttributes = map[string]sqstypes.MessageSystemAttributeValue{
				"AWSTraceHeader": {DataType: aws.String("String"), StringValue: aws.String(fmt.Sprintf("%s:%d", trace, runs))},
			}
		}
		_, err := m.SQS.SendMessage(t.Context(), in)
		a.Check(err)
	}
	send("looping", 15)
	send("early", 14)
	send("plain", -1)
	a.WantLog("f", "had early "+trace+":15", "had plain Root=1-")
	harness.Eventually(t, "the dropped one is counted", func() bool {
		return strings.Contains(a.Get("/metrics").Body, `hearth_recursive_invocations_dropped_total{function="f"} `)
	})
	harness.Eventually(t, "only the message of the loop is left", func() bool {
		got, err := m.SQS.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{"All"}})
		a.Check(err)
		return got.Attributes["ApproximateNumberOfMessages"] == "0" && got.Attributes["ApproximateNumberOfMessagesNotVisible"] == "1"
	})
	if strings.Contains(a.Logs("f"), "had looping") {
		t.Error("the message of the loop was run")
	}
}
