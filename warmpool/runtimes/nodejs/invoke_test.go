package nodejs_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

func TestHandlersAnswerInEveryWayThatLambdaKnows(t *testing.T) {
	const nodeExit = "Runtime.NodeJsExit"
	for name, c := range map[string]struct {
		source string
		want   string // the result, or
		kind   string // errorType
	}{
		"async":                     {`async (event) => ({ got: event.n + 1 })`, `{"got":2}`, ""},
		"async after a timer":       {`async () => { await new Promise((r) => setTimeout(r, 2)); return 'later' }`, `"later"`, ""},
		"async after a tick":        {`async () => { await new Promise((r) => process.nextTick(r)); return 'tick' }`, `"tick"`, ""},
		"async after I/O":           {`async () => (await require('fs').promises.readFile(__filename)).length > 0`, `true`, ""},
		"promise":                   {`() => Promise.resolve([1])`, `[1]`, ""},
		"thenable":                  {`() => ({ then(ok) { setTimeout(ok, 1, 'then') } })`, `"then"`, ""},
		"thenable, at once":         {`() => ({ then(ok, no) { ok('first'); ok('second'); no('third') } })`, `"first"`, ""},
		"nothing":                   {`async () => {}`, `null`, ""},
		"a function":                {`async () => () => 1`, `null`, ""},
		"toJSON":                    {`async () => ({ toJSON: () => 'json' })`, `"json"`, ""},
		"unicode":                   {`async () => 'hä \u{1F525} \ud800'`, `"hä 🔥 \ud800"`, ""},
		"callback":                  {`(event, context, callback) => callback(null, event)`, `{"n":1}`, ""},
		"callback, later":           {`(event, context, callback) => { setTimeout(callback, 1, undefined, 'later') }`, `"later"`, ""},
		"callback of an error":      {`(event, context, callback) => callback(new TypeError('no'))`, ``, "TypeError"},
		"callback of a string":      {`(event, context, callback) => callback('no')`, ``, "string"},
		"callback twice":            {`(event, context, callback) => { callback(null, 1); callback(null, 2) }`, `1`, ""},
		"callback in async":         {`async (event, context, callback) => { callback(null, 'callback'); return 'promise' }`, `"callback"`, ""},
		"never called back":         {`(event, context, callback) => { setTimeout(() => {}, 1) }`, `null`, ""},
		"plain function":            {`(event) => 'ignored'`, `null`, ""},
		"returns by the way":        {`(event, context) => setTimeout(() => context.succeed('later'), 1)`, `"later"`, ""},
		"done":                      {`(event, context) => { context.done(null, 'done') }`, `"done"`, ""},
		"done, alone":               {`(event, { done }) => { setTimeout(done, 1, null, 'done') }`, `"done"`, ""},
		"done with an error":        {`(event, context) => { context.done(new RangeError('no')) }`, ``, "RangeError"},
		"succeed":                   {`(event, context) => { context.succeed({ ok: true }) }`, `{"ok":true}`, ""},
		"fail":                      {`(event, context) => { context.fail(new RangeError('no')) }`, ``, "RangeError"},
		"fail with nothing":         {`(event, context) => { context.fail() }`, ``, "string"},
		"throws":                    {`() => { throw new RangeError('no') }`, ``, "RangeError"},
		"rejects":                   {`async () => { throw new RangeError('no') }`, ``, "RangeError"},
		"async that never settles":  {`async () => { await new Promise(() => {}) }`, ``, nodeExit},
		"promise that never does":   {`() => new Promise(() => {})`, `null`, ""},
		"circular":                  {`async () => { const a = {}; a.a = a; return a }`, ``, "Runtime.JSONStringifyError"},
		"BigInt":                    {`async () => 1n`, ``, "Runtime.JSONStringifyError"},
		"circular, by callback":     {`(event, context, callback) => { const a = {}; a.a = a; callback(null, a) }`, ``, "Runtime.JSONStringifyError"},
		"throws in toJSON":          {`async () => ({ toJSON() { throw new Error('no') } })`, ``, "Runtime.JSONStringifyError"},
		"a handler that has a this": {`new (class { h = async () => 'bound' })().h`, `"bound"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := launch(t, function{Files: map[string]string{"index.js": `exports.handler = ` + c.source}})
			for range 2 { // the second time finds everything as the first did
				r := p.Invoke(`{"n":1}`)
				if c.kind != "" {
					if f := r.Failure(t); f.ErrorType != c.kind {
						t.Errorf("got %s, want %s", r.Payload, c.kind)
					}
					if !strings.Contains(r.Log(), "\tERROR\tInvoke Error \t{\"errorType\":") {
						t.Errorf("logged %q", r.Logs)
					}
				} else if r.Kind != runtimes.KindResult || r.Payload != c.want || len(r.Logs) > 0 {
					t.Errorf("got %s %s %q, want %s", r.Kind, r.Payload, r.Logs, c.want)
				}
			}
		})
	}
}

func TestNode24TakesWhatAHandlerReturns(t *testing.T) {
	files := map[string]string{"index.js": `exports.handler = (event) => ({ got: event });`}
	f := function{Files: files, Env: map[string]string{"AWS_EXECUTION_ENV": "AWS_Lambda_nodejs24.x"}}
	if got := launch(t, f).Result(`1`); got != `{"got":1}` {
		t.Errorf("got %s", got)
	}
	if got := launch(t, function{Files: files, Concurrency: 2}).Result(`1`); got != `{"got":1}` {
		t.Errorf("with concurrency: got %s", got)
	}
}

func TestCallbackWaitsForTheEventLoopUnlessTold(t *testing.T) {
	p := launch(t, function{Files: map[string]string{"index.js": `
let fired = 0;
exports.handler = (event, context, callback) => {
  const result = { fired };
  if (event.timer) setTimeout(() => { fired++; result.fired = fired }, 5);
  context.callbackWaitsForEmptyEventLoop = event.waits ?? context.callbackWaitsForEmptyEventLoop;
  callback(null, result);
};`}})
	if got := p.Result(`{"timer":true}`); got != `{"fired":1}` {
		t.Errorf("waiting: got %s", got)
	}
	if got := p.Result(`{"timer":true,"waits":false}`); got != `{"fired":1}` {
		t.Errorf("not waiting: got %s", got)
	}
	// The timer that was left fires during this one.
	if got := p.Result(`{"timer":true,"waits":true}`); got != `{"fired":3}` {
		t.Errorf("waiting again: got %s", got)
	}
}

func TestContextIsComplete(t *testing.T) {
	p := launch(t, function{Files: map[string]string{"index.js": `
exports.handler = async (event, context) => {
  const copy = { ...context };
  return { ...copy, left: copy.getRemainingTimeInMillis(), keys: Object.keys(context).join() };
};`}})
	in := runtimes.Invoke{
		RequestID: "8f507cfc-xmpl-4697-b07a-ac58fc914c95", DeadlineMillis: float64(time.Now().Add(30 * time.Second).UnixMilli()),
		InvokedFunctionARN: "arn:aws:lambda:eu-central-1:000000000000:function:thumb:live",
		ClientContext:      `{"client":{"app_title":"ü"},"custom":{"a":1}}`, Identity: `{"cognitoIdentityId":"id"}`,
	}
	r := p.InvokeAs(in, `{}`)
	var got map[string]any
	if err := json.Unmarshal([]byte(r.Payload), &got); err != nil {
		t.Fatal(err)
	}
	if left, _ := got["left"].(float64); left < 20_000 || left > 30_000 {
		t.Errorf("%v ms left", got["left"])
	}
	delete(got, "left")
	want := map[string]any{
		"callbackWaitsForEmptyEventLoop": true,
		"functionName":                   "thumb", "functionVersion": "$LATEST", "memoryLimitInMB": "256",
		"logGroupName": "/aws/lambda/thumb", "logStreamName": "2026/11/23/[$LATEST]0123",
		"awsRequestId": in.RequestID, "invokedFunctionArn": in.InvokedFunctionARN,
		"clientContext": map[string]any{"client": map[string]any{"app_title": "ü"}, "custom": map[string]any{"a": 1.0}},
		"identity":      map[string]any{"cognitoIdentityId": "id"},
		"keys":          "callbackWaitsForEmptyEventLoop,succeed,fail,done,functionVersion,functionName,memoryLimitInMB,logGroupName,logStreamName,clientContext,identity,invokedFunctionArn,awsRequestId,getRemainingTimeInMillis",
	}
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("got\n%s, want\n%s", g, w)
	}

	r = p.Invoke(`{}`) // without what is optional
	if !strings.Contains(r.Payload, `"invokedFunctionArn":"arn:aws:lambda:eu-central-1:000000000000:function:thumb"`) || strings.Contains(r.Payload, "clientContext\":") {
		t.Errorf("got %s", r.Payload)
	}
	if f := p.InvokeAs(runtimes.Invoke{ClientContext: "{"}, `{}`).Failure(t); !strings.HasPrefix(f.ErrorMessage, "Cannot parse ClientContext as json: ") {
		t.Errorf("got %+v", f)
	}
}

func TestTraceIDIsSetForEachInvocation(t *testing.T) {
	p := launch(t, function{Files: map[string]string{"index.js": `exports.handler = async () => process.env._X_AMZN_TRACE_ID`}})
	for _, trace := range []string{"Root=1;Sampled=1", "Root=2", "Root=2", "", "Root=2"} {
		want := `"` + trace + `"`
		if trace == "" {
			want = "null"
		}
		if r := p.InvokeAs(runtimes.Invoke{TraceID: trace}, `{}`); r.Payload != want {
			t.Errorf("got %s, want %s", r.Payload, want)
		}
	}
}

func TestEventThatIsNoJSONFailsOnlyItsInvocation(t *testing.T) {
	p := launch(t, function{Files: map[string]string{"index.js": `exports.handler = async (event) => event`}})
	if f := p.Invoke(`{"a":`).Failure(t); f.ErrorType != "SyntaxError" {
		t.Errorf("got %+v", f)
	}
	if got := p.Result(`{"a":1}`); got != `{"a":1}` {
		t.Errorf("got %s", got)
	}
}

func TestLargeEventsAndResults(t *testing.T) {
	for _, concurrency := range []int{1, 2} {
		p := launch(t, function{Concurrency: concurrency, Files: map[string]string{"index.js": `
exports.handler = async (event) => event.length === undefined ? 'x'.repeat(event.n) : event;`}})
		for _, size := range []int{10, 3900, 4060, 4070, 4080, 4090, 4100, 8192, 65536, 1 << 20, 6 << 20} {
			for _, text := range []string{"a", "ü"} {
				event := `"` + strings.Repeat(text, size/len(text)) + `"`
				if r := p.Invoke(event); r.Payload != event {
					t.Errorf("concurrency %d: %d bytes of %s came back as %s of %d bytes", concurrency, len(event), text, r.Kind, len(r.Payload))
				}
			}
		}
		if got := p.Result(fmt.Sprintf(`{"n":%d}`, runtimes.MaxResponse-2)); len(got) != runtimes.MaxResponse {
			t.Errorf("got %d bytes, want %d", len(got), runtimes.MaxResponse)
		}
		f := p.Invoke(fmt.Sprintf(`{"n":%d}`, runtimes.MaxResponse-1)).Failure(t)
		if f.ErrorType != "Function.ResponseSizeTooLarge" || f.ErrorMessage != "Response payload size exceeded maximum allowed payload size (6291556 bytes)." {
			t.Errorf("got %+v", f)
		}
		if got := p.Result(`"after"`); got != `"after"` {
			t.Errorf("got %s", got)
		}
	}
}
