package nodejs_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

func TestErrorsHaveLambdasShape(t *testing.T) {
	for name, c := range map[string]struct {
		source  string
		kind    string
		message string
		trace   string // how its first line begins
		logged  string // a part
	}{
		"error":            {`new Error('no')`, "Error", "no", "Error: no", `"errorType":"Error","errorMessage":"no","stack":["Error: no"`},
		"own class":        {`new (class Mine extends Error { name = 'Mine'; code = 'E1'; extra = { a: 1 } })('no')`, "Mine", "no", "Mine: no", `"code":"E1"`},
		"cause":            {`new Error('no', { cause: new TypeError('why') })`, "Error", "no", "Error: no", `"cause":{"errorType":"TypeError","errorMessage":"why"`},
		"circular":         {`(() => { const e = new Error('no'); e.self = e; return e })()`, "Error", "no", "Error: no", `"errorMessage":"no"`},
		"circular cause":   {`(() => { const e = new Error('no'); e.cause = e; return e })()`, "Error", "no", "Error: no", `"errorMessage":"no"`},
		"BigInt property":  {`Object.assign(new Error('no'), { n: 1n })`, "Error", "no", "Error: no", `"errorMessage":"no"`},
		"other realm":      {`require('vm').runInNewContext('new RangeError("no")')`, "RangeError", "no", "RangeError: no", `"errorMessage":"no"`},
		"like an error":    {`({ name: 'Like', message: 'no', stack: 'Like: no\n  at x' })`, "Like", "no", "Like: no", `"message":"no"`},
		"no stack":         {`Object.assign(new Error('no'), { stack: undefined })`, "Error", "no", "", `"errorMessage":"no"`},
		"string":           {`'no'`, "string", "no", "", `"errorMessage":"no"`},
		"number":           {`7`, "number", "7", "", `"errorMessage":"7"`},
		"object":           {`({ a: 1 })`, "object", "[object Object]", "", `"errorMessage":"[object Object]"`},
		"nothing":          {`undefined`, "string", "handled", "", `"errorMessage":"handled"`},
		"without toString": {`Object.create(null)`, "handled", "callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack", "", `"errorMessage":"[object Object]"`},
		"getter that throws": {`Object.defineProperty(new Error('no'), 'message', { get() { throw new Error('trap') } })`, "handled",
			"callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack", "", `"errorType":"handled"`},
	} {
		t.Run(name, func(t *testing.T) {
			p := launch(t, function{Files: map[string]string{"index.js": `exports.handler = async () => { throw ` + c.source + ` }`}})
			r := p.Invoke(`{}`)
			f := r.Failure(t)
			if f.ErrorType != c.kind || f.ErrorMessage != c.message || !strings.HasPrefix(strings.Join(f.Trace, "\n"), c.trace) {
				t.Errorf("got %s", r.Payload)
			}
			if len(r.Logs) != 1 || !strings.Contains(r.Log(), "\tERROR\tInvoke Error \t{") || !strings.Contains(r.Log(), c.logged) {
				t.Errorf("logged %q, want %s in it", r.Logs, c.logged)
			}
			if again := p.Invoke(`{}`); again.Kind != runtimes.KindError {
				t.Errorf("then got %s", again.Kind)
			}
		})
	}
}

func TestErrorOverTheLimitIsCut(t *testing.T) {
	p := launch(t, function{Files: map[string]string{"index.js": `exports.handler = async () => { throw new Error('x'.repeat(7 << 20)) }`}})
	if f := p.Invoke(`{}`).Failure(t); f.ErrorType != "Error" || len(f.ErrorMessage) != 4096 {
		t.Errorf("got %s with %d bytes", f.ErrorType, len(f.ErrorMessage))
	}
}

func TestWhatNobodyCatchesFailsTheInvocationAndEndsTheProcess(t *testing.T) {
	for name, c := range map[string]struct {
		source, kind, message, what string
		status                      int
	}{
		"exception in a timer":         {`setTimeout(() => { throw new TypeError('late') }, 1); await new Promise(() => setTimeout(() => {}, 60000))`, "TypeError", "late", "Uncaught Exception", 129},
		"thrown string":                {`setTimeout(() => { throw 'late' }, 1); await new Promise(() => setTimeout(() => {}, 60000))`, "string", "late", "Uncaught Exception", 129},
		"exception in an emitter":      {`new (require('events'))().emit('error', new RangeError('late'))`, "RangeError", "late", "", 0},
		"rejection":                    {`Promise.reject(new TypeError('lost')); await new Promise(() => setTimeout(() => {}, 60000))`, "Runtime.UnhandledPromiseRejection", "TypeError: lost", "Unhandled Promise Rejection", 128},
		"rejection with nothing":       {`Promise.reject(); await new Promise(() => setTimeout(() => {}, 60000))`, "Runtime.UnhandledPromiseRejection", "undefined", "Unhandled Promise Rejection", 128},
		"rejection without a toString": {`Promise.reject(Object.create(null)); await new Promise(() => setTimeout(() => {}, 60000))`, "Runtime.UnhandledPromiseRejection", "[object Object]", "Unhandled Promise Rejection", 128},
	} {
		t.Run(name, func(t *testing.T) {
			p := launch(t, function{Files: map[string]string{"index.js": `exports.handler = async () => { ` + c.source + ` }`}})
			r := p.Invoke(`{}`)
			if f := r.Failure(t); f.ErrorType != c.kind || f.ErrorMessage != c.message {
				t.Errorf("got %s", r.Payload)
			}
			if c.what == "" { // it was caught, as the handler's
				return
			}
			if !strings.Contains(r.Log(), "\tERROR\t"+c.what+" \t{") {
				t.Errorf("logged %q", r.Logs)
			}
			if logs, status := p.Wait(); status != c.status || len(logs) > 0 {
				t.Errorf("status %d after %q, want %d", status, logs, c.status)
			}
		})
	}
}

// A rejection that nobody handles comes to light after the reply. The process is
// lost, but not the call that is next.
func TestRejectionLeftByOneInvocationDoesNotReachTheNext(t *testing.T) {
	p := launch(t, function{Files: map[string]string{"index.js": `
exports.handler = async (event) => { if (event === 2) Promise.reject(new Error('lost')); return event };`}})
	for range 3 {
		p.Send(runtimes.Invoke{}, `1`) // all frames are there before the first is read, or nearly
	}
	p.Send(runtimes.Invoke{}, `2`)
	p.Send(runtimes.Invoke{}, `3`)
	for _, want := range []string{`1`, `1`, `1`, `2`} {
		if r := p.Reply(); r.Kind != runtimes.KindResult || r.Payload != want {
			t.Fatalf("got %s %s, want %s", r.Kind, r.Payload, want)
		}
	}
	logs, status := p.Wait()
	if status != 128 || len(logs) != 1 || !strings.Contains(logs[0], "Unhandled Promise Rejection") {
		t.Errorf("status %d after %q", status, logs)
	}
}

func TestExitInTheHandlerFlushesWhatWasLogged(t *testing.T) {
	for _, concurrency := range []int{1, 2} {
		p := launch(t, function{Concurrency: concurrency, Files: map[string]string{"index.js": `
process.on('exit', () => console.log('at exit'));
exports.handler = async () => { console.log('before'); process.stdout.write('unfinished'); process.exit(7) };`}})
		p.Send(runtimes.Invoke{}, `{}`)
		logs, status := p.Wait()
		if all := strings.Join(logs, "|"); status != 7 || len(logs) != 3 || !strings.Contains(all, "\tbefore|log unfinished|") || !strings.HasSuffix(all, "\tat exit") {
			t.Errorf("concurrency %d: status %d after %q", concurrency, status, logs)
		}
	}
}

func TestCodeThatReplacesBuiltinsDoesNoHarm(t *testing.T) {
	p := launch(t, function{Files: map[string]string{"index.js": `
const fs = require('fs');
const broken = () => { throw new Error('replaced') };
for (const name of ['readSync', 'writeSync', 'read', 'write', 'readFileSync']) fs[name] = broken;
JSON.stringify = broken;
JSON.parse = broken;
Date.now = broken;
performance.now = broken;
globalThis.setImmediate = broken;
globalThis.setTimeout = broken;
require('util').format = broken;
process.exit = broken;
exports.handler = async (event) => { console.log('logged'); return event };`}})
	for range 3 {
		if r := p.Invoke(`{"a":1}`); r.Kind != runtimes.KindResult || r.Payload != `{"a":1}` || !strings.HasSuffix(r.Log(), "\tlogged") {
			t.Errorf("got %s %s %q", r.Kind, r.Payload, r.Logs)
		}
	}
	p.Requests.Close()
	if _, status := p.Wait(); status != 0 {
		t.Errorf("status %d", status)
	}
}

func TestErrorsAreLoggedAsJSONWhenLogsAre(t *testing.T) {
	p := launch(t, function{
		Env:   map[string]string{"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "ERROR"},
		Files: map[string]string{"index.js": `exports.handler = async () => { throw Object.assign(new TypeError('no'), { code: 'E1' }) }`},
	})
	r := p.Invoke(`{}`)
	var line struct {
		Level, RequestID string
		Message          struct {
			ErrorType, ErrorMessage, Code string
			StackTrace                    []string
		}
	}
	if len(r.Logs) != 1 || json.Unmarshal([]byte(r.Logs[0]), &line) != nil {
		t.Fatalf("logged %q", r.Logs)
	}
	if m := line.Message; line.Level != "ERROR" || line.RequestID == "" || m.ErrorType != "TypeError" || m.ErrorMessage != "no" || m.Code != "E1" || len(m.StackTrace) < 2 {
		t.Errorf("logged %s", r.Logs[0])
	}
}
