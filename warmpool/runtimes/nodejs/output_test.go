package nodejs_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

func TestConsoleLinesHaveLambdasFormat(t *testing.T) {
	p := launch(t, function{Files: map[string]string{"index.js": `
console.log('loading');
exports.handler = async () => {
  console.trace('a %s %d', 'b', 1);
  console.debug({ a: [1] });
  console.log('two\nlines');
  console.info('ü', null);
  console.warn();
  console.error(new Error('no').message);
  console.fatal('end');
  const { log } = console;
  log('unbound');
};`}})
	// What was logged while loading came before the ready frame.
	seq := p.Send(runtimes.Invoke{RequestID: "r-1"}, `{}`)
	want := []struct {
		stream uint32
		text   string
	}{
		{1, "TRACE\ta b 1"}, {1, "DEBUG\t{ a: [ 1 ] }"}, {1, "INFO\ttwo\nlines"}, {1, "INFO\tü null"},
		{2, "WARN\tundefined"}, {2, "ERROR\tno"}, {2, "FATAL\tend"}, {1, "INFO\tunbound"},
	}
	line := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\tr-1\t(?s:(.*))$`)
	for _, w := range want {
		head, text, err := p.Frame()
		if err != nil {
			t.Fatal(err)
		}
		m := line.FindStringSubmatch(text)
		if head.Kind != runtimes.KindLog || head.Seq != seq || head.Value != w.stream || m == nil || m[1] != w.text {
			t.Errorf("got %+v %q, want %d %q", head, text, w.stream, w.text)
		}
	}
	if r := p.Reply(); r.Kind != runtimes.KindResult {
		t.Errorf("got %s", r.Kind)
	}
}

func TestLoggingWhileLoadingHasNoRequest(t *testing.T) {
	p := boot(t, function{Files: map[string]string{"index.js": `console.log('loading'); exports.handler = async () => {}`}})
	p.Init(function{})
	r := p.Reply()
	if r.Kind != runtimes.KindReady || len(r.Logs) != 1 || !strings.HasSuffix(r.Logs[0], "\tundefined\tINFO\tloading") {
		t.Errorf("got %s after %q", r.Kind, r.Logs)
	}
}

func TestStandardStreamsStayInOrderWithConsole(t *testing.T) {
	p := launch(t, function{Files: map[string]string{"index.js": `
exports.handler = async () => {
  process.stdout.write('one\n');
  console.log('two');
  process.stderr.write(Buffer.from('thr\u00e9e\n'));
  process.stdout.write('Zm91cgo=', 'base64');
  console.dir({ five: 5 });
  await new Promise((done) => process.stdout.write('six', done));
  require('stream').Readable.from(['seven\n']).pipe(process.stdout);
  await new Promise(setImmediate);
  console.error('eight');
};`}})
	r := p.Invoke(`{}`)
	for i, line := range r.Logs {
		r.Logs[i] = line[strings.LastIndex(line, "\t")+1:]
	}
	if got := r.Log(); got != "one\n|two|thrée\n|four\n|{ five: 5 }\n|six|seven\n|eight" {
		t.Errorf("logged %q", got)
	}
}

func TestLongOutputGoesInSeveralFrames(t *testing.T) {
	p := launch(t, function{Files: map[string]string{"index.js": `
exports.handler = async () => { console.log('q'.repeat(3 << 20)); process.stdout.write('y'.repeat(3 << 20)) };`}})
	all := p.Invoke(`{}`).Logs
	if text := strings.Join(all, ""); len(all) < 6 || strings.Count(text, "q") != 3<<20 || strings.Count(text, "y") != 3<<20 {
		t.Errorf("got %d frames with %d bytes", len(all), len(text))
	}
}

func TestLogFormatJSON(t *testing.T) {
	p := launch(t, function{
		Env: map[string]string{"AWS_LAMBDA_LOG_FORMAT": "json", "AWS_LAMBDA_LOG_LEVEL": "warn"},
		Files: map[string]string{"index.js": `
exports.handler = async () => {
  console.info('filtered');
  console.warn('text');
  console.warn({ a: { b: 1 } });
  console.error('%s and', 'more', new RangeError('no'));
  const circular = {}; circular.self = circular;
  console.error(circular);
  console.error(1n);
  console.fatal(new TypeError('no'));
};`},
	})
	r := p.Invoke(`{}`)
	want := []string{
		`{"level":"WARN","message":"text"}`,
		`{"level":"WARN","message":{"a":{"b":1}}}`,
		`{"errorMessage":"no","errorType":"RangeError","level":"ERROR"}`,
		`{"level":"ERROR","message":"\u003cref *1\u003e { self: [Circular *1] }"}`,
		`{"level":"ERROR","message":"1n"}`,
		`{"level":"FATAL","message":{"errorMessage":"no","errorType":"TypeError"}}`,
	}
	if len(r.Logs) != len(want) {
		t.Fatalf("logged %q", r.Logs)
	}
	for i, text := range r.Logs {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}
		if line["timestamp"] == nil || line["requestId"] != "8f507cfc-xmpl-4697-b07a-ac58fc914c95" {
			t.Errorf("logged %s", text)
		}
		if line["stackTrace"] != nil {
			if !strings.HasPrefix(line["message"].(string), "more and RangeError: no\n") {
				t.Errorf("message is %v", line["message"])
			}
			delete(line, "message")
		}
		delete(line, "timestamp")
		delete(line, "requestId")
		delete(line, "stackTrace")
		if m, ok := line["message"].(map[string]any); ok {
			delete(m, "stackTrace")
		}
		if got, _ := json.Marshal(line); string(got) != want[i] {
			t.Errorf("logged %s, want %s", got, want[i])
		}
	}
}

func TestLogLevelFiltersTextToo(t *testing.T) {
	p := launch(t, function{
		Env:   map[string]string{"AWS_LAMBDA_LOG_LEVEL": "ERROR"},
		Files: map[string]string{"index.js": `exports.handler = async () => { console.log('no'); console.warn('no'); console.error('yes'); console.fatal('yes') }`},
	})
	if r := p.Invoke(`{}`); len(r.Logs) != 2 {
		t.Errorf("logged %q", r.Logs)
	}
}
