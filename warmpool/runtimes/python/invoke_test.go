package python_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

func TestResultsAreJSONAsLambdaWritesIt(t *testing.T) {
	code := `
import collections, decimal
Point = collections.namedtuple("Point", "x y")
results = {
    "object": {"statusCode": 200, "body": "hällo", "n": None, "t": True},
    "decimal": {"a": decimal.Decimal("12.50"), "b": [decimal.Decimal("5E+3"), decimal.Decimal("0.12345678901234567890123")]},
    "decimal nan": decimal.Decimal("NaN"),
    "decimal alone": decimal.Decimal("7"),
    "named tuple": [Point(1, Point(2, b"z"))],
    "bytes within": {"b": b"caf\xc3\xa9"},
    "bytes": b'{"raw": 1}',
    "nan": float("nan"),
    "keys": {1: 1, None: 2, True: 3},
    "surrogate": "\ud83d",
    "nothing": None,
}
def handler(event, context):
    return results[event]
`
	want := map[string]string{
		"object":        `{"statusCode": 200, "body": "hällo", "n": null, "t": true}`,
		"decimal":       `{"a": 12.50, "b": [5E+3, 0.12345678901234567890123]}`,
		"decimal nan":   `NaN`,
		"decimal alone": `7`,
		"named tuple":   `[{"x": 1, "y": {"x": 2, "y": "z"}}]`,
		"bytes within":  `{"b": "café"}`,
		"bytes":         `{"raw": 1}`,
		"nan":           `NaN`,
		"keys":          `{"1": 3, "null": 2}`,
		"surrogate":     `"\ud83d"`,
		"nothing":       `null`,
	}
	onEvery(t, func(t *testing.T, f function) {
		f.Files = map[string]string{"app.py": code}
		p := launch(t, f)
		for name, want := range want {
			if got := p.Result(`"` + name + `"`); got != want {
				t.Errorf("%s: got %s, want %s", name, got, want)
			}
		}
	})
}

func TestOlderRuntimesEscapeResults(t *testing.T) {
	f := function{
		Files: map[string]string{"app.py": "import decimal\ndef handler(event, context): return [event, decimal.Decimal(1)]"},
		Env:   map[string]string{"AWS_EXECUTION_ENV": "AWS_Lambda_python3.11"},
	}
	if got := launch(t, f).Result(`"hä"`); got != `["h\u00e4", 1]` {
		t.Errorf("got %s", got)
	}
}

// As recorded from AWS, with the variables of the runtime.
func TestErrorsOfTheOldestRuntimeNameNoRequest(t *testing.T) {
	for runtime, want := range map[string]bool{"python3.8": false, "python3.9": true} {
		f := function{
			Files: map[string]string{"app.py": "def handler(event, context): raise ValueError('x')"},
			Env:   map[string]string{"AWS_EXECUTION_ENV": "AWS_Lambda_" + runtime},
		}
		r := launch(t, f).InvokeAs(runtimes.Invoke{RequestID: "r-1"}, `{}`)
		if e := r.Failure(t); e.ErrorType != "ValueError" || len(e.StackTrace) != 1 || strings.Contains(string(r.Payload), `"requestId": "r-1"`) != want {
			t.Errorf("%s: %s", runtime, r.Payload)
		}
	}
}

func TestContextIsComplete(t *testing.T) {
	code := `
import os
def handler(event, context):
    c, i = context.client_context, context.identity
    return {
        "fields": [context.aws_request_id, context.function_name, context.function_version, context.invoked_function_arn,
                   context.memory_limit_in_mb, context.log_group_name, context.log_stream_name],
        "remaining": context.get_remaining_time_in_millis(),
        "client": c and [c.custom, c.env, c.client and [c.client.installation_id, c.client.app_title, c.client.app_version_name]],
        "identity": [i.cognito_identity_id, i.cognito_identity_pool_id],
        "trace": os.environ.get("_X_AMZN_TRACE_ID"),
        "text": repr(context),
    }
`
	onEvery(t, func(t *testing.T, f function) {
		f.Files = map[string]string{"app.py": code}
		p := launch(t, f)
		type answer struct {
			Fields    []string
			Remaining int
			Client    []any
			Identity  []*string
			Trace     *string
			Text      string
		}
		ask := func(in runtimes.Invoke) (a answer) {
			t.Helper()
			r := p.InvokeAs(in, `{}`)
			if r.Kind != runtimes.KindResult {
				t.Fatalf("got %s %s", r.Kind, r.Payload)
			}
			if err := json.Unmarshal([]byte(r.Payload), &a); err != nil {
				t.Fatal(err)
			}
			return a
		}
		bare := ask(runtimes.Invoke{RequestID: "r-5"})
		want := "r-5 thumb $LATEST arn:aws:lambda:eu-central-1:000000000000:function:thumb 256 /aws/lambda/thumb 2026/11/23/[$LATEST]0123"
		if got := strings.Join(bare.Fields, " "); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if bare.Remaining < 50_000 || bare.Remaining > 60_000 {
			t.Errorf("%d ms remain, want nearly a minute", bare.Remaining)
		}
		if bare.Client != nil || bare.Identity[0] != nil || bare.Identity[1] != nil || bare.Trace != nil {
			t.Errorf("got %+v, want no client context, identity or trace", bare)
		}
		if !strings.HasPrefix(bare.Text, "LambdaContext([aws_request_id=r-5,log_group_name=") {
			t.Errorf("it prints as %s", bare.Text)
		}

		full := ask(runtimes.Invoke{
			RequestID: "r-6", TraceID: "Root=1-2-3;Sampled=1", InvokedFunctionARN: "arn:x:live", DeadlineMillis: 1,
			ClientContext: `{"custom":{"k":"ä"},"env":{"e":1},"client":{"installation_id":"i","app_title":"t"}}`,
			Identity:      `{"cognitoIdentityId":"c","cognitoIdentityPoolId":"p"}`,
		})
		if full.Fields[0] != "r-6" || full.Fields[3] != "arn:x:live" || full.Remaining != 0 || full.Trace == nil || *full.Trace != "Root=1-2-3;Sampled=1" {
			t.Errorf("got %+v", full)
		}
		if got := fmt.Sprint(full.Client, " ", *full.Identity[0], *full.Identity[1]); got != "[map[k:ä] map[e:1] [i t <nil>]] cp" {
			t.Errorf("got %s", got)
		}
		if again := ask(runtimes.Invoke{}); again.Trace != nil {
			t.Errorf("the trace %s of the last invocation is still there", *again.Trace)
		}
		e := p.InvokeAs(runtimes.Invoke{ClientContext: "{"}, `{}`).Failure(t)
		if e.ErrorType != "Runtime.LambdaContextUnmarshalError" || !strings.HasPrefix(e.ErrorMessage, "Unable to parse Client Context JSON: ") {
			t.Errorf("got %+v", e)
		}
	})
}

func TestLargeFramesPassBothWays(t *testing.T) {
	onEvery(t, func(t *testing.T, f function) {
		f.Files = map[string]string{"app.py": "def handler(event, context): return event"}
		p := launch(t, f)
		for _, size := range []int{1, 3900, 3950, 3980, 4096, 5000, 1 << 16, 1 << 20, runtimes.MaxResponse - 2, 10} {
			event := `"` + strings.Repeat("x", size) + `"`
			// The process replies while the pipe of requests is still being filled.
			if got := p.Result(event); got != event {
				t.Errorf("%d bytes: got %d bytes back", size, len(got))
			}
		}
	})
}

func TestFramesWrittenAheadAreHandledInTurn(t *testing.T) {
	p := launch(t, function{Files: map[string]string{"app.py": "import time\ndef handler(event, context):\n  time.sleep(0.001)\n  return event"}})
	var seqs []uint32
	for range 14 { // a pipe has room for sixteen packets
		seqs = append(seqs, p.Send(runtimes.Invoke{}, `"ahead"`))
	}
	for _, seq := range seqs {
		if r := p.Reply(); r.Seq != seq || r.Payload != `"ahead"` {
			t.Fatalf("got %s %s for invocation %d, want %d", r.Kind, r.Payload, r.Seq, seq)
		}
	}
}

func TestFramesOfOneWriteAreAnsweredInOrder(t *testing.T) {
	p := launch(t, function{Files: map[string]string{"app.py": "def handler(event, context):\n  return event"}})
	p.EchoTogether(`"a"`, `"`+strings.Repeat("b", 4000)+`"`, `"c"`, `"d"`)
	p.EchoTogether(`"e"`)
}

func TestFrameThatThePipeJoinedToALongOne(t *testing.T) {
	for _, concurrency := range []int{1, 2} {
		f := function{Concurrency: concurrency, Files: map[string]string{"app.py": "def handler(event, context): return len(event)"}}
		p := boot(t, f)
		p.Init(f)
		want := map[uint32]string{}
		for _, size := range []int{5000, 1, 9000, 2, 3} {
			want[p.Send(runtimes.Invoke{}, `"`+strings.Repeat("x", size)+`"`)] = fmt.Sprint(size)
		}
		if r := p.Reply(); r.Kind != runtimes.KindReady {
			t.Fatalf("got %s %s", r.Kind, r.Payload)
		}
		for range want {
			if r := p.Reply(); r.Payload != want[r.Seq] {
				t.Errorf("invocation %d: got %s, want %s", r.Seq, r.Payload, want[r.Seq])
			}
		}
	}
}

func TestNextFrameIsNotReadBeforeTheReply(t *testing.T) {
	gate := filepath.Join(t.TempDir(), "gate")
	if err := unix.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	p := launch(t, function{Files: map[string]string{"app.py": "def handler(event, context):\n  print('began')\n  open(event).read()\n"}})
	p.Send(runtimes.Invoke{}, `"`+gate+`"`)
	if _, text, err := p.Frame(); err != nil || text != "began" {
		t.Fatalf("got %q %v", text, err)
	}
	second := p.Send(runtimes.Invoke{}, `"`+gate+`"`)
	// Taken back, as the gateway does: it is still there.
	unread, err := os.OpenFile(fmt.Sprintf("/proc/%d/fd/3", p.Cmd.Process.Pid), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unread.Close()
	buf := make([]byte, runtimes.PacketSize)
	n, err := unread.Read(buf)
	if err != nil || runtimes.InvokeSeq(buf[:n]) != second {
		t.Errorf("read %d bytes, %v: want the second frame", n, err)
	}
	if err := os.WriteFile(gate, nil, 0); err != nil {
		t.Fatal(err)
	}
	if r := p.Reply(); r.Kind != runtimes.KindResult {
		t.Errorf("got %s %s", r.Kind, r.Payload)
	}
}

func TestEndOfTheChannelEndsTheProcess(t *testing.T) {
	f := function{Files: map[string]string{"app.py": `
import threading, time
def handler(event, context):
    threading.Thread(target=time.sleep, args=(60,)).start()
`}}
	p := launch(t, f)
	p.Result(`{}`)
	p.Requests.Close()
	if logs, status := p.Wait(); status != 0 || len(logs) > 0 {
		t.Errorf("status %d after %q", status, logs)
	}
}

func TestFunctionMayPatchTheStandardLibrary(t *testing.T) {
	p := launch(t, function{Files: map[string]string{"app.py": `
import json, os, time, threading
def no(*args, **kwargs):
    raise AssertionError("patched")
json.loads = json.dumps = json.JSONEncoder.default = os.read = os.write = time.time = time.perf_counter_ns = no
def handler(event, context):
    print("fine")
    assert event, "nothing"
    return [event, context.get_remaining_time_in_millis() > 0]
`}})
	if e := p.InvokeAs(runtimes.Invoke{ClientContext: "{}"}, `0`).Failure(t); e.ErrorMessage != "nothing" {
		t.Errorf("got %+v", e)
	}
	for range 2 {
		if r := p.Invoke(`{"a": 1} `); r.Payload != `[{"a": 1}, true]` || r.Log() != "fine" {
			t.Errorf("got %s %s after %q", r.Kind, r.Payload, r.Logs)
		}
	}
}

func TestDurationIsReported(t *testing.T) {
	p := launch(t, function{Files: map[string]string{"app.py": "import time\ndef handler(event, context):\n  time.sleep(0.02)\n  if event: raise ValueError\n"}})
	for _, event := range []string{"0", "1"} {
		if r := p.Invoke(event); r.Value < 20_000 || r.Value > 10_000_000 {
			t.Errorf("%s took %d us, want 20,000 and some", r.Kind, r.Value)
		}
	}
}
