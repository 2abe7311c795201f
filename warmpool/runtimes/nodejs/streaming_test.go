package nodejs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

// A streamed is what the frames of a streamed response say.
type streamed struct {
	kind   string // content type; "" when the response never began
	body   string
	end    runtimes.Head
	error  string // payload of the error frame at the end
	logs   []string
	chunks int
}

// stream runs one invocation of a streaming handler.
func stream(t testing.TB, p *process, event string) streamed {
	t.Helper()
	seq := p.Send(runtimes.Invoke{}, event)
	var s streamed
	for {
		head, payload, err := p.Frame()
		if err != nil {
			t.Fatalf("after %+v: %v", s, err)
		}
		if head.Seq != seq {
			t.Fatalf("%s is for invocation %d, want %d", head.Kind, head.Seq, seq)
		}
		switch head.Kind {
		case runtimes.KindLog:
			s.logs = append(s.logs, payload)
		case runtimes.KindStreamStart:
			if s.kind != "" {
				t.Fatal("the response began twice")
			}
			s.kind = payload
		case runtimes.KindStreamChunk:
			s.body += payload
			s.chunks++
		case runtimes.KindStreamEnd, runtimes.KindError:
			s.end, s.error = head, payload
			return s
		default:
			t.Fatalf("got %s", head.Kind)
		}
	}
}

// streamingHandler is the source of a file with that handler.
func streamingHandler(body string) map[string]string {
	return map[string]string{"index.mjs": `
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
export const handler = awslambda.streamifyResponse(async (event, response, context) => { ` + body + ` });`}
}

func TestResponsesAreStreamed(t *testing.T) {
	const plain = "application/octet-stream"
	const http = "application/vnd.awslambda.http-integration-response"
	for name, c := range map[string]struct{ source, kind, body string }{
		"writes":       {`response.write('a'); response.write(Buffer.from('b')); response.end('ü')`, plain, "abü"},
		"content type": {`response.setContentType('text/html'); response.end('<p>')`, "text/html", "<p>"},
		"over time":    {`response.write('a'); await new Promise((r) => setTimeout(r, 2)); response.end('b')`, plain, "ab"},
		"ends later":   {`setTimeout(() => response.end('later'), 2)`, plain, "later"},
		"pipeline":     {`await pipeline(Readable.from(['a', 'b', 'c']), response)`, plain, "abc"},
		"objects":      {`response.write({ a: 1 }); response.end()`, plain, `{"a":1}`},
		"bytes":        {`response.write(new Uint8Array([104, 105])); response.end()`, plain, "hi"},
		"empty":        {`response.end()`, plain, ""},
		"large":        {`response.end('x'.repeat(3 << 20))`, plain, strings.Repeat("x", 3<<20)},
		"over 6 MB":    {`for (let i = 0; i < 8; i++) response.write('x'.repeat(1 << 20)); response.end()`, plain, strings.Repeat("x", 8<<20)},
		"HTTP": {`response = awslambda.HttpResponseStream.from(response, { statusCode: 201, headers: { a: 'b' }, cookies: ['c=d'] }); response.write('hi'); response.end()`,
			http, `{"statusCode":201,"headers":{"a":"b"},"cookies":["c=d"]}` + "\x00\x00\x00\x00\x00\x00\x00\x00hi"},
		"HTTP without a body": {`awslambda.HttpResponseStream.from(response, { statusCode: 204 }).end()`, http, `{"statusCode":204}` + "\x00\x00\x00\x00\x00\x00\x00\x00"},
		"HTTP pipeline": {`await pipeline(Readable.from(['a', 'b']), awslambda.HttpResponseStream.from(response, { statusCode: 200 }))`,
			http, `{"statusCode":200}` + "\x00\x00\x00\x00\x00\x00\x00\x00ab"},
	} {
		t.Run(name, func(t *testing.T) {
			p := launch(t, function{Files: streamingHandler(c.source)})
			for range 2 {
				s := stream(t, p, `{}`)
				if s.end.Kind != runtimes.KindStreamEnd || s.kind != c.kind || s.body != c.body {
					t.Errorf("got %s %q with %.100q in %d bytes, logs %q", s.end.Kind, s.kind, s.body, len(s.body), s.logs)
				}
			}
		})
	}
}

func TestStreamArrivesAsItIsWritten(t *testing.T) {
	p := launch(t, function{Files: streamingHandler(`response.write('first'); await new Promise(() => setTimeout(() => {}, 60000))`)})
	p.Send(runtimes.Invoke{}, `{}`)
	for _, want := range []runtimes.Kind{runtimes.KindStreamStart, runtimes.KindStreamChunk} {
		if head, _, err := p.Frame(); err != nil || head.Kind != want {
			t.Fatalf("got %s, %v, want %s", head.Kind, err, want)
		}
	}
}

func TestErrorsOfStreamingHandlers(t *testing.T) {
	for name, c := range map[string]struct{ source, body, kind, message string }{
		"before the first byte": {`throw new TypeError('no')`, "", "TypeError", "no"},
		"after the first byte":  {`response.write('a'); throw new TypeError('no')`, "a", "TypeError", "no"},
		"in a pipeline":         {`await pipeline(Readable.from((function* () { yield 'a'; throw new RangeError('no') })()), response)`, "a", "RangeError", "no"},
		"stream destroyed":      {`response.write('a'); response.destroy(new RangeError('no'))`, "a", "RangeError", "no"},
		"type too late":         {`response.write('a'); response.setContentType('text/plain')`, "a", "Runtime.InvalidStreamingOperation", "Cannot set content-type, too late."},
		"never ended":           {`response.write('a')`, "a", "Runtime.InvalidStreamingOperation", "Response stream is not finished."},
		"never settled":         {`response.write('a'); await new Promise(() => {})`, "a", "Runtime.InvalidStreamingOperation", "Response stream is not finished."},
		"writes go on":          {`setTimeout(() => response.write('late'), 1); response.write('a'); throw new TypeError('no')`, "a", "TypeError", "no"},
	} {
		t.Run(name, func(t *testing.T) {
			p := launch(t, function{Files: streamingHandler(`if (event.ok) { await new Promise((r) => setTimeout(r, 5)); response.end('fine'); return; } ` + c.source)})
			s := stream(t, p, `{}`)
			if s.end.Kind != runtimes.KindError || s.body != c.body {
				t.Fatalf("got %s %s with %q", s.end.Kind, s.error, s.body)
			}
			f := reply{Head: s.end, Payload: s.error}.Failure(t)
			if f.ErrorType != c.kind || f.ErrorMessage != c.message {
				t.Errorf("got %s", s.error)
			}
			if len(s.logs) != 1 || !strings.Contains(s.logs[0], "Invoke Error") {
				t.Errorf("logged %q", s.logs)
			}
			if s := stream(t, p, `{"ok":true}`); s.end.Kind != runtimes.KindStreamEnd || s.body != "fine" {
				t.Errorf("then got %s %s with %q", s.end.Kind, s.error, s.body)
			}
		})
	}
}

func TestStreamingHandlerMustBeAsync(t *testing.T) {
	p := launch(t, function{Files: map[string]string{"index.js": `exports.handler = awslambda.streamifyResponse((event, response) => { response.end('a') })`}})
	s := stream(t, p, `{}`)
	f := reply{Head: s.end, Payload: s.error}.Failure(t)
	if f.ErrorType != "string" || f.ErrorMessage != "Streaming does not support non-async handlers." {
		t.Errorf("got %s", s.error)
	}
}

func TestHighWaterMarkIsTheHandlers(t *testing.T) {
	p := launch(t, function{Files: map[string]string{"index.js": `
exports.handler = awslambda.streamifyResponse(async (event, response) => { response.end(String(response.writableHighWaterMark)) }, { highWaterMark: 1234 })`}})
	if s := stream(t, p, `{}`); s.body != "1234" {
		t.Errorf("got %q", s.body)
	}
}

func TestStreamsOfSeveralInvocationsAreToldApart(t *testing.T) {
	f := function{Concurrency: 2, Files: streamingHandler(`
for (let i = 0; i < 5; i++) { response.write(event); await new Promise((r) => setTimeout(r, 1)) }
response.end()`)}
	p := launch(t, f)
	want := map[uint32]string{p.Send(runtimes.Invoke{}, `"a"`): "aaaaa", p.Send(runtimes.Invoke{}, `"b"`): "bbbbb"}
	got := make(map[uint32]string)
	for left := 2; left > 0; {
		head, payload, err := p.Frame()
		if err != nil {
			t.Fatal(err)
		}
		switch head.Kind {
		case runtimes.KindStreamChunk:
			got[head.Seq] += payload
		case runtimes.KindStreamEnd:
			left--
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v", got)
	}
}
