package python_test

import (
	"strings"
	"testing"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

func TestExceptionBecomesAnErrorAndALogEvent(t *testing.T) {
	onEvery(t, func(t *testing.T, f function) {
		f.Files = map[string]string{"app.py": `
def inner():
    raise ValueError("no such order")
def handler(event, context):
    inner()
`}
		p := launch(t, f)
		r := p.InvokeAs(runtimes.Invoke{RequestID: "r-1"}, `{}`)
		e := r.Failure(t)
		if e.ErrorType != "ValueError" || e.ErrorMessage != "no such order" || e.RequestID != "r-1" {
			t.Errorf("got %+v", e)
		}
		want := []string{
			"  File \"" + p.TaskRoot + "/app.py\", line 5, in handler\n    inner()\n",
			"  File \"" + p.TaskRoot + "/app.py\", line 3, in inner\n    raise ValueError(\"no such order\")\n",
		}
		if strings.Join(e.StackTrace, "|") != strings.Join(want, "|") {
			t.Errorf("stack trace is %q, want %q", e.StackTrace, want)
		}
		log := "[ERROR] ValueError: no such order\nTraceback (most recent call last):\n" +
			"\u00a0\u00a0File \"" + p.TaskRoot + "/app.py\", line 5, in handler\n\u00a0\u00a0\u00a0\u00a0inner()\n" +
			"\u00a0\u00a0File \"" + p.TaskRoot + "/app.py\", line 3, in inner\n\u00a0\u00a0\u00a0\u00a0raise ValueError(\"no such order\")\n"
		if r.Log() != log {
			t.Errorf("logged %q, want %q", r.Log(), log)
		}
		if r := p.Invoke(`{}`); r.Failure(t).ErrorType != "ValueError" {
			t.Errorf("a second invocation: got %s", r.Payload)
		}
	})
}

func TestFaultsHaveAWSNames(t *testing.T) {
	code := `
import decimal
class Odd(Exception):
    def __str__(self):
        raise RuntimeError
class Circle(list): pass
circle = []
circle.append(circle)
big = "x" * 6291555
async def coroutine(): pass
def boom():
    raise Odd
results = {
    "object": lambda: object(),
    "set": lambda: [{1}],
    "key": lambda: {(1, 2): 3},
    "circle": lambda: circle,
    "coroutine": lambda: coroutine(),
    "bytes": lambda: [b"\xff"],
    "largest": lambda: big[:-1],
    "too large": lambda: big,
    "wide": lambda: "\u00e4" * 3145778,
    "odd": boom,
    "recursion": lambda: handler("recursion", None),
    "decimal": lambda: [decimal.Decimal(1), object()],
    "long message": lambda: [][big * 2] if False else exec("raise ValueError(big * 2)", globals()),
}
def handler(event, context):
    return results[event]()
`
	const tooLarge = "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
	cases := []struct{ event, kind, message string }{
		{`"object"`, "Runtime.MarshalError", "Unable to marshal response: Object of type object is not JSON serializable"},
		{`"set"`, "Runtime.MarshalError", "Unable to marshal response: Object of type set is not JSON serializable"},
		{`"key"`, "Runtime.MarshalError", "Unable to marshal response: keys must be str, int, float, bool or None, not tuple"},
		{`"circle"`, "Runtime.MarshalError", ""},
		{`"coroutine"`, "Runtime.MarshalError", "Unable to marshal response: Object of type coroutine is not JSON serializable"},
		{`"bytes"`, "Runtime.MarshalError", "Unable to marshal response: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"},
		{`"decimal"`, "Runtime.MarshalError", "Unable to marshal response: Object of type object is not JSON serializable"},
		{`"too large"`, "Function.ResponseSizeTooLarge", tooLarge},
		{`"wide"`, "Function.ResponseSizeTooLarge", tooLarge},
		{`"long message"`, "Function.ResponseSizeTooLarge", tooLarge},
		{`"odd"`, "Odd", "<exception without text>"},
		{`"recursion"`, "RecursionError", ""},
		{`"unknown"`, "KeyError", "'unknown'"},
		{`{"a":}`, "Runtime.UnmarshalError", "Unable to unmarshal input: Expecting value: line 1 column 6 (char 5)"},
		{`"object" "object"`, "Runtime.UnmarshalError", "Unable to unmarshal input: Extra data: line 1 column 10 (char 9)"},
		{``, "Runtime.UnmarshalError", "Unable to unmarshal input: Expecting value: line 1 column 1 (char 0)"},
		{"\"\xff\"", "Runtime.UnmarshalError", "Unable to unmarshal input: 'utf-8' codec can't decode byte 0xff in position 1: invalid start byte"},
	}
	onEvery(t, func(t *testing.T, f function) {
		f.Files = map[string]string{"app.py": code}
		p := launch(t, f)
		for _, c := range cases {
			e := p.Invoke(c.event).Failure(t)
			if e.ErrorType != c.kind || c.message != "" && e.ErrorMessage != c.message {
				t.Errorf("%s: got %s: %.200s, want %s: %s", c.event, e.ErrorType, e.ErrorMessage, c.kind, c.message)
			}
		}
		if got := p.Result(` "largest" `); len(got) != runtimes.MaxResponse {
			t.Errorf("the largest result has %d bytes, want %d", len(got), runtimes.MaxResponse)
		}
	})
}

func TestWrongNumberOfParametersIsTheFunctionsError(t *testing.T) {
	p := launch(t, function{Files: map[string]string{"app.py": "def handler(event): pass"}})
	e := p.Invoke(`1`).Failure(t)
	if e.ErrorType != "TypeError" || e.ErrorMessage != "handler() takes 1 positional argument but 2 were given" {
		t.Errorf("got %+v", e)
	}
}

func TestExitOfTheHandlerEndsTheProcessWithItsStatus(t *testing.T) {
	onEvery(t, func(t *testing.T, f function) {
		f.Files = map[string]string{"app.py": `
import sys
def handler(event, context):
    print("leaving", end="")
    exit(event) if event == 3 else sys.exit(event)
`}
		for event, want := range map[string]int{"3": 3, "4": 4, "null": 0, `"no"`: 1} {
			p := launch(t, f)
			p.Send(runtimes.Invoke{}, event)
			logs, status := p.Wait()
			if status != want || len(logs) == 0 || logs[0] != "log leaving" && logs[len(logs)-1] != "log leaving" {
				t.Errorf("exit(%s): status %d after %q, want %d", event, status, logs, want)
			}
		}
	})
}

func TestErrorsInJSONLogFormat(t *testing.T) {
	p := launch(t, function{
		Files: map[string]string{"app.py": "def handler(event, context): raise KeyError(event)"},
		Env:   map[string]string{"AWS_LAMBDA_LOG_FORMAT": "JSON"},
	})
	log := p.InvokeAs(runtimes.Invoke{RequestID: "r-2"}, `"ä"`).Log()
	for _, want := range []string{`"log_level": "ERROR"`, `"errorMessage": "'ä'"`, `"errorType": "KeyError"`, `"requestId": "r-2"`, `"timestamp": "20`} {
		if !strings.Contains(log, want) {
			t.Errorf("%s is missing in %s", want, log)
		}
	}
}
