package custom

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/runtimes"
	"github.com/hearthfn/hearth/warmpool/runtimes/runtimetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait for what should come soon.
const patience = 20 * time.Second

// A fakeProcess is the test itself.
type fakeProcess struct {
	once       sync.Once
	done       chan struct{}
	terminated chan struct{} // holds one token for each SIGTERM
	peer       error
	frozen     atomic.Bool
}

func newFakeProcess(peer error) *fakeProcess {
	return &fakeProcess{done: make(chan struct{}), terminated: make(chan struct{}, 10), peer: peer}
}

func (p *fakeProcess) Terminate() error {
	p.terminated <- struct{}{}
	return nil
}

func (p *fakeProcess) Freeze() bool {
	p.frozen.Store(true)
	return true
}

func (p *fakeProcess) Thaw() error {
	p.frozen.Store(false)
	return nil
}

func (p *fakeProcess) Done() <-chan struct{}    { return p.done }
func (p *fakeProcess) Kill()                    { p.once.Do(func() { close(p.done) }) }
func (p *fakeProcess) CheckPeer(net.Conn) error { return p.peer }

func (p *fakeProcess) Dial(ctx context.Context, port uint16) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp4", fmt.Sprintf("127.0.0.1:%d", port))
}

// A world is a Bridge with the ends that an environment and a runtime have of it.
type world struct {
	t        testing.TB
	bridge   *Bridge
	process  *fakeProcess
	requests *os.File
	replies  io.Reader
	gate     *os.File // what the supervisor waits at; with extensions
	exits    *os.File // what it tells who has ended; with extensions
	url      string
	client   *http.Client
}

func newWorld(t testing.TB, config Config, peer error) *world {
	t.Helper()
	var request, reply [2]int
	if err := unix.Pipe2(request[:], unix.O_CLOEXEC|unix.O_DIRECT); err != nil {
		t.Fatal(err)
	}
	if err := unix.Pipe2(reply[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	files := make([]*os.File, 4)
	for i, fd := range []int{request[0], request[1], reply[0], reply[1]} {
		files[i] = os.NewFile(uintptr(fd), "pipe")
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, process: newFakeProcess(peer), requests: files[1], replies: files[2],
		url: "http://" + listener.Addr().String(), client: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}}
	pipes := Pipes{Requests: files[0], Replies: files[3]}
	if len(config.Extensions) > 0 {
		if w.gate, pipes.Gate, err = os.Pipe(); err != nil {
			t.Fatal(err)
		}
		if pipes.Exits, w.exits, err = os.Pipe(); err != nil {
			t.Fatal(err)
		}
	}
	if w.bridge, err = Serve(config, w.process, listener, pipes); err != nil {
		t.Fatal(err)
	}
	files[0].Close()
	files[3].Close()
	t.Cleanup(func() {
		w.process.Kill()
		<-w.bridge.Ended()
		w.client.CloseIdleConnections()
		files[1].Close()
		files[2].Close()
		if w.gate != nil {
			w.gate.Close()
			w.exits.Close()
		}
	})
	init, err := json.Marshal(runtimes.InitPayload{FunctionName: "f", FunctionVersion: "7", Handler: "a b", InvokedFunctionARN: "arn:f", Concurrency: 1})
	if err != nil {
		t.Fatal(err)
	}
	w.write(append(runtimes.AppendHead(nil, runtimes.Head{Kind: runtimes.KindInit, Length: uint32(len(init))}), init...))
	return w
}

func (w *world) write(frame []byte) {
	w.t.Helper()
	if _, err := w.requests.Write(frame); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) invoke(seq uint32, id, event string) {
	w.t.Helper()
	frame, err := runtimetest.InvokeFrame(seq, &runtimes.Invoke{RequestID: id, DeadlineMillis: 1234, TraceID: "trace"}, []byte(event))
	if err != nil {
		w.t.Fatal(err)
	}
	w.write(frame)
}

func (w *world) frame() (runtimes.Head, string) {
	w.t.Helper()
	raw, head, err := nextReply(w.replies)
	if err != nil {
		w.t.Fatal(err)
	}
	return head, string(raw[runtimes.HeadSize:])
}

func (w *world) call(method, path string, body io.Reader, header ...string) (int, string, http.Header) {
	w.t.Helper()
	r, err := http.NewRequest(method, w.url+path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header
}

const api = "/2018-06-01/runtime"

func TestInvocationGoesToTheRuntimeAndItsAnswerBack(t *testing.T) {
	w := newWorld(t, Config{}, nil)
	w.invoke(1, "r1", `{"a":1}`)
	status, body, header := w.call("GET", api+"/invocation/next", nil)
	if status != 200 || body != `{"a":1}` || header.Get("Lambda-Runtime-Aws-Request-Id") != "r1" || header.Get("Lambda-Runtime-Deadline-Ms") != "1234" ||
		header.Get("Lambda-Runtime-Trace-Id") != "trace" || header.Get("Lambda-Runtime-Invoked-Function-Arn") != "arn:f" {
		t.Errorf("got %d %s %v", status, body, header)
	}
	if head, _ := w.frame(); head.Kind != runtimes.KindReady {
		t.Errorf("got %s, want ready", head.Kind)
	}
	if status, body, _ = w.call("POST", api+"/invocation/r1/response", strings.NewReader("result")); status != 202 || body != `{"status":"OK"}`+"\n" {
		t.Errorf("got %d %s", status, body)
	}
	if head, payload := w.frame(); head.Kind != runtimes.KindResult || head.Seq != 1 || payload != "result" {
		t.Errorf("got %s %d %s", head.Kind, head.Seq, payload)
	}
}

func TestPacketMayBeFilledUp(t *testing.T) {
	w := newWorld(t, Config{}, nil)
	var packets []byte
	for i, id := range []string{"id-1", "id-2"} {
		frame, err := runtimetest.InvokeFrame(uint32(i+1), &runtimes.Invoke{RequestID: id, DeadlineMillis: 1234}, []byte(`"`+id+`"`))
		if err != nil {
			t.Fatal(err)
		}
		packets = runtimes.AppendPacket(packets, frame)
	}
	w.write(packets)
	for _, id := range []string{"id-1", "id-2"} {
		if _, event, header := w.call("GET", api+"/invocation/next", nil); event != `"`+id+`"` || header.Get("Lambda-Runtime-Aws-Request-Id") != id {
			t.Errorf("got %s %v, want %s", event, header, id)
		}
		w.call("POST", api+"/invocation/"+id+"/response", strings.NewReader("1"))
	}
}

// The next frame is not read, and so can be taken back, before the runtime asks.
func TestFrameIsClaimedWhenTheRuntimeAsksForIt(t *testing.T) {
	w := newWorld(t, Config{}, nil)
	w.invoke(1, "r1", "1")
	w.call("GET", api+"/invocation/next", nil)
	w.invoke(2, "r2", "2")
	w.call("POST", api+"/invocation/r1/response", strings.NewReader("1"))
	w.frame() // ready
	w.frame() // result
	waiting, err := unix.IoctlGetInt(int(w.requests.Fd()), unix.TIOCINQ)
	if err != nil || waiting == 0 {
		t.Errorf("%d bytes wait for a runtime that has not asked, %v", waiting, err)
	}
	if status, body, _ := w.call("GET", api+"/invocation/next", nil); status != 200 || body != "2" {
		t.Errorf("got %d %s", status, body)
	}
}

func TestStreamIsPassedOnWithTheErrorInItsTrailers(t *testing.T) {
	w := newWorld(t, Config{}, nil)
	for i, trailer := range []string{"", "Function.Midway"} {
		seq := uint32(i + 1)
		id := fmt.Sprint("r", seq)
		w.invoke(seq, id, "1")
		w.call("GET", api+"/invocation/next", nil)
		r, err := http.NewRequest("POST", w.url+api+"/invocation/"+id+"/response", io.MultiReader(strings.NewReader("one "), strings.NewReader("two")))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Lambda-Runtime-Function-Response-Mode", "streaming")
		r.Header.Set("Content-Type", "text/plain")
		r.Trailer = http.Header{"Lambda-Runtime-Function-Error-Type": nil, "Lambda-Runtime-Function-Error-Body": nil}
		if trailer != "" {
			r.Trailer.Set("Lambda-Runtime-Function-Error-Type", trailer)
			r.Trailer.Set("Lambda-Runtime-Function-Error-Body", "eyJlcnJvclR5cGUiOiJFIn0=")
		}
		resp, err := w.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 202 {
			t.Errorf("got %d", resp.StatusCode)
		}
		var got []string
		for {
			head, payload := w.frame()
			if head.Kind == runtimes.KindReady {
				continue
			}
			got = append(got, head.Kind.String()+" "+payload)
			if head.Kind == runtimes.KindStreamEnd || head.Kind == runtimes.KindError {
				break
			}
		}
		want := "stream-start text/plain|stream-chunk one |stream-chunk two|stream-end "
		if trailer != "" {
			want = `stream-start text/plain|stream-chunk one |stream-chunk two|error {"errorType":"E"}`
		}
		if text := strings.Join(got, "|"); text != want && strings.ReplaceAll(text, "one |stream-chunk two", "one two") != strings.ReplaceAll(want, "one |stream-chunk two", "one two") {
			t.Errorf("got %s, want %s", text, want)
		}
	}
}

func TestStrangersConnectionIsClosedUnread(t *testing.T) {
	w := newWorld(t, Config{}, io.ErrNoProgress)
	if resp, err := w.client.Get(w.url + api + "/invocation/next"); err == nil {
		resp.Body.Close()
		t.Errorf("a stranger got %d", resp.StatusCode)
	}
}

func TestEndOfRequestsIsTheShutdown(t *testing.T) {
	w := newWorld(t, Config{}, nil)
	w.invoke(1, "r1", "1")
	w.call("GET", api+"/invocation/next", nil)
	w.call("POST", api+"/invocation/r1/response", strings.NewReader("1"))
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		if resp, err := w.client.Get(w.url + api + "/invocation/next"); err == nil {
			resp.Body.Close()
		}
	}()
	w.requests.Close()
	defer func() { <-asked }()
	select {
	case <-w.process.Done():
	case <-time.After(10 * time.Second):
		t.Error("the process was not ended")
	}
}

func TestInternalExtensionRegisters(t *testing.T) {
	w := newWorld(t, Config{AccountID: "1"}, nil)
	const ext = "/2020-01-01/extension"
	if status, body, _ := w.call("POST", ext+"/register", strings.NewReader(`{"events":["SHUTDOWN"]}`), "Lambda-Extension-Name", "in"); status != 403 || !strings.Contains(body, "Extension.InvalidEventType") {
		t.Errorf("got %d %s", status, body)
	}
	if status, _, _ := w.call("POST", ext+"/register", strings.NewReader(`{"events":["NONE"]}`), "Lambda-Extension-Name", "in"); status != 403 {
		t.Errorf("got %d", status)
	}
	if status, _, _ := w.call("POST", ext+"/register", strings.NewReader(`{}`)); status != 403 {
		t.Errorf("without a name: %d", status)
	}
	status, body, header := w.call("POST", ext+"/register", strings.NewReader(`{"events":["INVOKE"]}`), "Lambda-Extension-Name", "in")
	if status != 200 || !strings.Contains(body, `"functionName":"f"`) {
		t.Fatalf("got %d %s", status, body)
	}
	if status, _, _ := w.call("GET", ext+"/event/next", nil, "Lambda-Extension-Identifier", "nobody"); status != 403 {
		t.Errorf("got %d", status)
	}
	w.invoke(1, "r1", "1")
	events := make(chan string, 1)
	go func() {
		_, body, _ := w.call("GET", ext+"/event/next", nil, "Lambda-Extension-Identifier", header.Get("Lambda-Extension-Identifier"))
		events <- body
	}()
	w.call("GET", api+"/invocation/next", nil)
	if event := <-events; !strings.Contains(event, `"eventType":"INVOKE"`) || !strings.Contains(event, `"requestId":"r1"`) {
		t.Errorf("got %s", event)
	}
}

func FuzzRequests(f *testing.F) {
	for _, seed := range [][3]string{
		{"GET", api + "/invocation/next", ""}, {"POST", api + "/invocation/r1/response", "x"}, {"POST", api + "/invocation/%2e%2e/error", "{}"},
		{"POST", api + "/init/error", `{"errorType":1}`}, {"POST", "/2020-01-01/extension/register", `{"events":[1]}`}, {"PUT", "/2022-07-01/telemetry", ""},
	} {
		f.Add(seed[0], seed[1], []byte(seed[2]), "Function.X")
	}
	f.Fuzz(func(t *testing.T, method, path string, body []byte, kind string) {
		r, err := http.NewRequest(method, "http://h"+path, bytes.NewReader(body))
		if err != nil || !strings.HasPrefix(path, "/") {
			return
		}
		null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer null.Close()
		process := newFakeProcess(nil)
		process.Kill() // so that nothing waits
		b := &Bridge{process: process, out: frameWriter{file: null}, wanted: make(chan *invocation), init: &runtimes.InitPayload{},
			extensions: map[string]*extension{"e": {name: "e"}}, expected: map[string]bool{}, changed: make(chan struct{})}
		b.current, b.phase = &invocation{seq: 1, requestID: "r1"}, phaseRunning
		r.Header.Set(headerExtensionName, kind)
		r.Header.Set(headerExtensionID, "e")
		r.Header.Set("Lambda-Runtime-Function-Error-Type", kind)
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // so that nothing waits
		recorder := httptest.NewRecorder()
		b.routes().ServeHTTP(recorder, r.WithContext(ctx))
		if recorder.Code >= 500 {
			t.Errorf("%s %s: %d", method, path, recorder.Code)
		}
	})
}
