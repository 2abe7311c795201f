package custom

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/warmpool/runtimes"
	"github.com/hearthfn/hearth/warmpool/runtimes/runtimetest"
)

// dial makes a connection to the endpoint that is not of an HTTP client.
func (w *world) dial() net.Conn {
	w.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		w.t.Fatal(err)
	}
	return conn
}

// outcome reads frames up to the one that ends an invocation.
func (w *world) outcome() (runtimes.Head, string) {
	w.t.Helper()
	for {
		head, payload := w.frame()
		switch head.Kind {
		case runtimes.KindResult, runtimes.KindError, runtimes.KindStreamEnd, runtimes.KindInitError:
			return head, payload
		}
	}
}

// works fails unless an ordinary invocation goes well.
func (w *world) works(seq uint32) {
	w.t.Helper()
	id := fmt.Sprint("ordinary-", seq)
	w.invoke(seq, id, "1")
	w.call("GET", api+"/invocation/next", nil)
	if status, body, _ := w.call("POST", api+"/invocation/"+id+"/response", strings.NewReader("fine")); status != 202 {
		w.t.Errorf("got %d %s", status, body)
	}
	if head, payload := w.outcome(); head.Seq != seq || payload != "fine" {
		w.t.Errorf("got %s %d %s", head.Kind, head.Seq, payload)
	}
}

func TestAnswersOutOfTurnAreRefusedAsLambdaDoes(t *testing.T) {
	w := newWorld(t, Config{}, nil)
	type step struct {
		method, path, body string
		header             [2]string
		status             int
		want               string
	}
	run := func(s step) {
		t.Helper()
		header := s.header[:]
		if s.header[0] == "" {
			header = nil
		}
		status, body, _ := w.call(s.method, s.path, strings.NewReader(s.body), header...)
		if status != s.status || !strings.Contains(body, s.want) {
			t.Errorf("%s %s: got %d %s, want %d with %q", s.method, s.path, status, body, s.status, s.want)
		}
	}
	run(step{"POST", api + "/invocation/r1/response", "early", [2]string{}, 400, `{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}`})
	run(step{"GET", api + "/restore/next", "", [2]string{}, 404, "SnapStart is not supported"})
	run(step{"PUT", "/2022-07-01/telemetry", "{}", [2]string{}, 403, "Extension.MissingExtensionIdentifier"})
	run(step{"PUT", "/2020-08-15/logs", "{}", [2]string{headerExtensionID, "x"}, 403, "Extension.UnknownExtensionIdentifier"})
	run(step{"GET", "/", "", [2]string{}, 404, ""})
	run(step{"POST", api + "/invocation/next", "", [2]string{}, 405, ""})
	w.invoke(1, "r1", "event")
	run(step{"GET", api + "/invocation/next", "", [2]string{}, 200, "event"})
	run(step{"GET", api + "/invocation/next", "", [2]string{}, 200, "event"}) // again
	run(step{"POST", api + "/init/error", "{}", [2]string{}, 403, "State transition from Running to InitError failed for runtime. Error: State transition is not allowed"})
	run(step{"POST", api + "/invocation/r2/response", "x", [2]string{}, 400, "InvalidRequestID"})
	run(step{"POST", api + "/invocation/r1/response", "x", [2]string{"Lambda-Runtime-Invocation-Id", "77"}, 410, "ErrorRuntimeInvokeTimeout"})
	run(step{"POST", api + "/invocation/r1/response", "x", [2]string{"Lambda-Runtime-Invocation-Id", "1"}, 202, `{"status":"OK"}`})
	run(step{"POST", api + "/invocation/r1/response", "twice", [2]string{}, 403, "InvalidStateTransition"})
	run(step{"POST", api + "/invocation/r1/error", "{}", [2]string{}, 403, "State transition from RuntimeResponseSentState to InvocationErrorResponse failed"})
	w.invoke(2, "r2", "event")
	run(step{"GET", api + "/invocation/next", "", [2]string{}, 200, "event"})
	run(step{"POST", api + "/invocation/r2/response", "x", [2]string{"Lambda-Runtime-Function-Response-Mode", "chunky"}, 400, "InvalidFunctionResponseMode"})
	for seq, want := range []runtimes.Kind{runtimes.KindResult, runtimes.KindError} {
		if head, payload := w.outcome(); head.Kind != want || head.Seq != uint32(seq+1) {
			t.Errorf("got %s %d %s, want %s", head.Kind, head.Seq, payload, want)
		}
	}
	w.works(3)
}

func TestErrorsOfTheRuntimeReachTheCallerAsJSON(t *testing.T) {
	w := newWorld(t, Config{}, nil)
	for i, c := range []struct{ kind, body, want string }{
		{"Function.Broken", `{"errorMessage":"m","errorType":"T","stackTrace":["a"]}`, `{"errorMessage":"m","errorType":"T","stackTrace":["a"]}`},
		{"Function.Broken", `{"errorMessage":"m"}`, `{"errorMessage":"m","errorType":"Function.Broken"}`},
		{"Function.", `{}`, `{"errorType":"Function.Unknown"}`},
		{"", `{}`, `{"errorType":"Runtime.Unknown"}`},
		{`Runtime.A","x":"y`, `{}`, `{"errorType":"Runtime.Unknown"}`},
		{"Runtime.Own", `no JSON`, `{"errorType":"Runtime.Own","errorMessage":""}`},
		{"Runtime.Own", `null`, `{"errorType":"Runtime.Own","errorMessage":""}`},
		{"Runtime.Own", `["an","array"]`, `{"errorType":"Runtime.Own","errorMessage":""}`},
		{"Runtime.Own", `"` + strings.Repeat("x", maxError) + `"`, `{"errorType":"Runtime.Own","errorMessage":"the runtime reported an error of more than 256 KB, or broke off"}`},
	} {
		seq, id := uint32(i+1), fmt.Sprint("r", i+1)
		w.invoke(seq, id, "1")
		w.call("GET", api+"/invocation/next", nil)
		if status, body, _ := w.call("POST", api+"/invocation/"+id+"/error", strings.NewReader(c.body), "Lambda-Runtime-Function-Error-Type", c.kind); status != 202 {
			t.Errorf("%.50s: got %d %s", c.body, status, body)
		}
		if head, payload := w.outcome(); head.Kind != runtimes.KindError || payload != c.want {
			t.Errorf("%.50s: got %s %s, want %s", c.body, head.Kind, payload, c.want)
		}
	}
}

func TestResponseOfMoreThanSixMegabytesIsAnErrorAndTheRuntimeGoesOn(t *testing.T) {
	w := newWorld(t, Config{}, nil)
	large := bytes.Repeat([]byte("x"), runtimes.MaxResponse+1)
	for i, body := range []io.Reader{
		bytes.NewReader(large),                        // with its length
		io.MultiReader(bytes.NewReader(large)),        // in chunks
		bytes.NewReader(large[:runtimes.MaxResponse]), // just small enough
	} {
		seq, id := uint32(i+1), fmt.Sprint("r", i+1)
		w.invoke(seq, id, "1")
		w.call("GET", api+"/invocation/next", nil)
		type answer struct {
			status int
			body   string
		}
		answered := make(chan answer, 1)
		go func() { // the last one does not fit into the pipe
			status, text, _ := w.call("POST", api+"/invocation/"+id+"/response", body)
			answered <- answer{status, text}
		}()
		head, payload := w.outcome()
		got := <-answered
		if i == 2 {
			if head.Kind != runtimes.KindResult || len(payload) != runtimes.MaxResponse || got.status != 202 {
				t.Errorf("got %s of %d bytes, %d", head.Kind, len(payload), got.status)
			}
			continue
		}
		if want := `{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes)."}`; payload != want {
			t.Errorf("got %s %s", head.Kind, payload)
		}
		if got.status != 413 || !strings.Contains(got.body, "Exceeded maximum allowed payload size (6291556 bytes).") {
			t.Errorf("got %d %s", got.status, got.body)
		}
	}
	w.works(4)
}

func TestResponsesThatBreakOffAreErrors(t *testing.T) {
	w := newWorld(t, Config{}, nil)
	for i, request := range []string{
		"Content-Length: 100\r\n\r\nnot a hundred",
		"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"Transfer-Encoding: chunked\r\n\r\nnot a number\r\n",
		"Transfer-Encoding: chunked\r\nLambda-Runtime-Function-Response-Mode: streaming\r\n\r\n5\r\nhello\r\n",
	} {
		seq, id := uint32(i+1), fmt.Sprint("r", i+1)
		w.invoke(seq, id, "1")
		w.call("GET", api+"/invocation/next", nil)
		conn := w.dial()
		fmt.Fprintf(conn, "POST %s/invocation/%s/response HTTP/1.1\r\nHost: h\r\n%s", api, id, request)
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if head, payload := w.outcome(); head.Kind != runtimes.KindError || !strings.Contains(payload, "Runtime.TruncatedResponse") {
			t.Errorf("%q: got %s %s", request, head.Kind, payload)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%q: %v", request, err)
			continue
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 400 || !strings.Contains(string(body), "TruncatedHTTPRequest") {
			t.Errorf("%q: got %d %s, %v", request, resp.StatusCode, body, err)
		}
	}
	w.works(10)
}

func TestGarbageOnAConnectionEndsThatConnectionOnly(t *testing.T) {
	w := newWorld(t, Config{}, nil)
	for _, garbage := range []string{
		"\x00\x01\x02\x03\r\n\r\n",
		"GET\r\n\r\n",
		"GET / HTTP/9.9\r\n\r\n",
		"GET " + api + "/invocation/next HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 2*maxHeader) + "\r\n\r\n",
		"POST " + api + "/init/error HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	} {
		conn := w.dial()
		if _, err := conn.Write([]byte(garbage)); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			continue // closed without a word
		}
		resp.Body.Close()
		if resp.StatusCode < 400 {
			t.Errorf("%.40q: got %d", garbage, resp.StatusCode)
		}
	}
	w.works(1)
}

// What the runtime holds open must neither stop it nor outlive it.
func TestConnectionsWithoutEndAreBounded(t *testing.T) {
	w := newWorld(t, Config{}, nil)
	w.works(1) // and keeps its connection
	conns := make([]net.Conn, 0, 2*maxConnections)
	for range cap(conns) {
		conn := w.dial()
		fmt.Fprintf(conn, "POST %s/invocation/r1/response HTTP/1.1\r\nHost:", api) // and no more
		conns = append(conns, conn)
	}
	w.works(2)
	w.process.Kill()
	<-w.bridge.Ended()
	for _, conn := range conns {
		if n, err := conn.Read(make([]byte, 1)); err == nil {
			t.Errorf("read %d bytes of a connection to a bridge that has ended", n)
		}
	}
}

func TestRuntimeThatLeavesWhileItWaitsGetsTheInvocationLater(t *testing.T) {
	w := newWorld(t, Config{}, nil)
	conn := w.dial()
	fmt.Fprintf(conn, "GET %s/invocation/next HTTP/1.1\r\nHost: h\r\n\r\n", api)
	if head, _ := w.frame(); head.Kind != runtimes.KindReady {
		t.Fatalf("got %s", head.Kind)
	}
	conn.Close()
	w.works(1)
}

func FuzzParseInvoke(f *testing.F) {
	frame, err := runtimetest.InvokeFrame(1, &runtimes.Invoke{RequestID: "r", DeadlineMillis: 1, TraceID: "t", InvokedFunctionARN: "a", ClientContext: "{}", Identity: "{}"}, []byte("event"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(frame)
	f.Add(frame[:runtimes.HeadSize+8])
	f.Fuzz(func(t *testing.T, frame []byte) {
		if len(frame) < runtimes.HeadSize {
			return // frameReader gives no shorter ones
		}
		in, err := parseInvoke(frame)
		if err == nil && len(in.event)+len(in.requestID)+len(in.trace)+len(in.arn)+len(in.client)+len(in.identity) > len(frame) {
			t.Errorf("more than there is in %d bytes: %+v", len(frame), in)
		}
	})
}
