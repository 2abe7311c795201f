package custom

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

const ext = "/2020-01-01/extension"

// register registers an extension and returns its identifier.
func (w *world) register(name string, events ...string) string {
	w.t.Helper()
	body, err := json.Marshal(map[string][]string{"events": events})
	if err != nil {
		w.t.Fatal(err)
	}
	status, text, header := w.call("POST", ext+"/register", strings.NewReader(string(body)), headerExtensionName, name, "Lambda-Extension-Accept-Feature", "other, accountId")
	if want := `{"accountId":"1234","functionName":"f","functionVersion":"7","handler":"a b"}`; status != 200 || text != want {
		w.t.Fatalf("%s: got %d %s, want %s", name, status, text, want)
	}
	return header.Get(headerExtensionID)
}

// ask asks for an extension's next event, which comes over the channel.
func (w *world) ask(id string) <-chan string {
	events := make(chan string, 1)
	r, err := http.NewRequest("GET", w.url+ext+"/event/next", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set(headerExtensionID, id)
	go func() {
		defer close(events)
		resp, err := w.client.Do(r)
		if err != nil {
			return // the end of the bridge
		}
		defer resp.Body.Close()
		var event map[string]any
		if json.NewDecoder(resp.Body).Decode(&event) == nil && resp.Header.Get("Lambda-Extension-Event-Identifier") != "" {
			delete(event, "deadlineMs")
			text, _ := json.Marshal(event) // it has just been decoded
			events <- string(text)
		}
	}()
	return events
}

func (w *world) event(events <-chan string, want string) {
	w.t.Helper()
	select {
	case got := <-events:
		if got != want {
			w.t.Errorf("got %s, want %s", got, want)
		}
	case <-time.After(patience):
		w.t.Errorf("no event, want %s", want)
	}
}

// exited says that a process has ended, as the supervisor does.
func (w *world) exited(status int, name string) {
	w.t.Helper()
	if _, err := fmt.Fprintf(w.exits, "%d %s\n", status, name); err != nil {
		w.t.Fatal(err)
	}
}

// opened waits for the gate to open.
func (w *world) opened() {
	w.t.Helper()
	if err := w.gate.SetReadDeadline(time.Now().Add(patience)); err != nil {
		w.t.Fatal(err)
	}
	if n, err := w.gate.Read(make([]byte, 2)); n != 1 {
		w.t.Fatalf("the gate stays closed: %v", err)
	}
}

func (w *world) ended() {
	w.t.Helper()
	select {
	case <-w.bridge.Ended():
	case <-time.After(patience):
		w.t.Fatal("the bridge does not end")
	}
}

func witness(patience time.Duration) Config {
	return Config{Extensions: []string{"witness"}, Patience: patience, AccountID: "1234"}
}

func TestRuntimeStartsWhenTheExtensionsHaveRegistered(t *testing.T) {
	w := newWorld(t, Config{Extensions: []string{"one", "two"}, Patience: patience, AccountID: "1234"}, nil)
	one := w.register("one", "INVOKE")
	select {
	case <-w.bridge.Ended():
	default:
		if w.bridge.launched {
			t.Error("the runtime starts while an extension is missing")
		}
	}
	two := w.register("two")
	w.opened()
	first := w.ask(one)
	w.ask(two)
	w.invoke(1, "r1", "1")
	w.call("GET", api+"/invocation/next", nil)
	w.event(first, `{"eventType":"INVOKE","invokedFunctionArn":"arn:f","requestId":"r1","tracing":{"type":"X-Amzn-Trace-Id","value":"trace"}}`)
	if status, body, _ := w.call("POST", ext+"/register", strings.NewReader(`{"events":[]}`), headerExtensionName, "late"); status != 403 || !strings.Contains(body, "Extension.RegistrationClosed") {
		t.Errorf("got %d %s", status, body)
	}
	w.call("POST", api+"/invocation/r1/response", strings.NewReader("1"))
	if head, payload := w.outcome(); head.Kind != runtimes.KindResult {
		t.Errorf("got %s %s: the answer waits for no extension", head.Kind, payload)
	}
	// The next invocation waits for the extension that has not asked again.
	w.invoke(2, "r2", "2")
	next := make(chan string, 1)
	go func() {
		_, body, _ := w.call("GET", api+"/invocation/next", nil)
		next <- body
	}()
	w.bridge.await(func() bool { return w.bridge.phase == phaseReady })
	select {
	case body := <-next:
		t.Errorf("got %s before the extension is ready", body)
	default:
	}
	second := w.ask(one)
	w.event(second, `{"eventType":"INVOKE","invokedFunctionArn":"arn:f","requestId":"r2","tracing":{"type":"X-Amzn-Trace-Id","value":"trace"}}`)
	if body := <-next; body != "2" {
		t.Errorf("got %s", body)
	}
}

func TestRequestsOfExtensionsAreRefusedAsLambdaDoes(t *testing.T) {
	w := newWorld(t, witness(patience), nil)
	id := w.register("witness", "SHUTDOWN")
	for _, c := range []struct {
		method, path, body, header, want string
	}{
		{"POST", "/register", `{"events":[]}`, "", "Extension.InvalidExtensionName"},
		{"POST", "/register", `{"events":[]}`, headerExtensionName + "=" + strings.Repeat("x", 129), "Extension.InvalidExtensionName"},
		{"POST", "/register", `{"events":`, headerExtensionName + "=x", "InvalidRequestFormat"},
		{"POST", "/register", `{"configurationKeys":["a"]}`, headerExtensionName + "=x", "configurationKeys are deprecated"},
		{"POST", "/register", `"` + strings.Repeat("x", maxError) + `"`, headerExtensionName + "=x", "InvalidRequestFormat"},
		{"POST", "/register", `{"events":["OTHER"]}`, headerExtensionName + "=x", "OTHER: InvalidEventType"},
		{"POST", "/register", `{"events":["SHUTDOWN"]}`, headerExtensionName + "=internal", "SHUTDOWN: InvalidEventType"},
		{"POST", "/register", `{"events":[]}`, headerExtensionName + "=witness", "Extension with this name already registered"},
		{"GET", "/event/next", "", "", "Extension.MissingExtensionIdentifier"},
		{"GET", "/event/next", "", headerExtensionID + "=x", "Extension.UnknownExtensionIdentifier"},
		{"POST", "/init/error", "", headerExtensionID + "=x", "Extension.UnknownExtensionIdentifier"},
		{"POST", "/init/error", "", headerExtensionID + "=" + id, "Lambda-Extension-Function-Error-Type not found"},
	} {
		var header []string
		if name, value, ok := strings.Cut(c.header, "="); ok {
			header = []string{name, value}
		}
		if status, body, _ := w.call(c.method, ext+c.path, strings.NewReader(c.body), header...); status != 403 || !strings.Contains(body, c.want) {
			t.Errorf("%s %s: got %d %s, want 403 with %s", c.method, c.path, status, body, c.want)
		}
	}
	for i := range maxExtensions - 1 {
		w.register(fmt.Sprint("internal-", i), "INVOKE")
	}
	if _, body, _ := w.call("POST", ext+"/register", strings.NewReader(`{}`), headerExtensionName, "eleventh"); !strings.Contains(body, "Extension limit (10) reached") {
		t.Errorf("got %s", body)
	}
}

func TestInitPhaseThatAnExtensionSpoilsNamesIt(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(w *world)
		want  string
	}{
		"never registers": {func(*world) {}, `{"errorType":"Extension.InitError","errorMessage":"Error: extension witness has not registered within the init phase"}`},
		"never asks": {func(w *world) {
			w.register("witness")
			w.ready()
		}, `{"errorType":"Extension.InitError","errorMessage":"Error: extension witness has not asked for its next event within the init phase"}`},
		"ends first": {func(w *world) { w.exited(4, "witness") }, `{"errorType":"Extension.LaunchError","errorMessage":"Error: exit status 4 of extension witness before it registered"}`},
		"ends": {func(w *world) {
			w.register("witness")
			w.exited(7, "witness")
		}, `{"errorType":"Extension.Crash","errorMessage":"Error: exit status 7 of extension witness"}`},
		"says so": {func(w *world) {
			id := w.register("witness")
			if status, body, _ := w.call("POST", ext+"/init/error", nil, headerExtensionID, id, headerExtensionError, "Extension.NoToken"); status != 202 {
				w.t.Errorf("got %d %s", status, body)
			}
		}, `{"errorType":"Extension.InitError","errorMessage":"Error: extension witness reported an init error: Extension.NoToken"}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, witness(300*time.Millisecond), nil)
			c.spoil(w)
			if head, payload := w.outcome(); head.Kind != runtimes.KindInitError || payload != c.want {
				t.Errorf("got %s %s, want %s", head.Kind, payload, c.want)
			}
			w.ended()
		})
	}
}

// ready has the runtime ask for its next invocation.
func (w *world) ready() {
	w.t.Helper()
	conn := w.dial()
	fmt.Fprintf(conn, "GET %s/invocation/next HTTP/1.1\r\nHost: h\r\n\r\n", api)
	w.bridge.await(func() bool { return w.bridge.phase == phaseReady })
}

func TestExtensionThatCrashesFailsTheInvocationThatRuns(t *testing.T) {
	w := newWorld(t, witness(patience), nil)
	w.ask(w.register("witness"))
	w.invoke(1, "r1", "1")
	w.call("GET", api+"/invocation/next", nil)
	w.exited(139, "witness")
	if head, payload := w.outcome(); head.Kind != runtimes.KindError || payload != `{"errorType":"Extension.Crash","errorMessage":"RequestId: r1 Error: exit status 139 of extension witness"}` {
		t.Errorf("got %s %s", head.Kind, payload)
	}
	w.ended()
}

func TestShutdownGivesTheRuntimeSIGTERMAndThenTheExtensionsAnEvent(t *testing.T) {
	for name, c := range map[string]struct {
		begin  func(w *world)
		reason string
	}{
		"end of requests": {func(w *world) { w.requests.Close() }, reasonSpindown},
		"kill":            {func(w *world) { w.bridge.Kill() }, reasonFailure},
		"runtime exits":   {func(w *world) { w.exited(3, "") }, reasonFailure},
		"deadline": {func(w *world) {
			w.invoke(1, "r1", "1") // its deadline has passed long ago
			w.bridge.await(func() bool { return w.bridge.phase == phaseRunning })
			w.bridge.Kill()
		}, reasonTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, witness(patience), nil)
			id := w.register("witness", "SHUTDOWN")
			events := w.ask(id)
			w.ready()
			w.frame() // ready
			c.begin(w)
			if name != "runtime exits" {
				<-w.process.terminated
				w.exited(143, "")
			}
			w.event(events, `{"eventType":"SHUTDOWN","shutdownReason":"`+c.reason+`"}`)
			select {
			case <-w.process.Done():
				t.Error("ended while the extension has time")
			default:
			}
			w.bridge.Kill() // changes nothing
			w.exited(0, "witness")
			w.ended()
			if status, known := w.bridge.RuntimeExit(); !known || name == "runtime exits" && status != 3 {
				t.Errorf("the runtime's status is %d, %t", status, known)
			}
		})
	}
}

func TestExtensionHasTwoSecondsToEnd(t *testing.T) {
	w := newWorld(t, witness(patience), nil)
	w.ask(w.register("witness", "SHUTDOWN"))
	w.ready()
	w.frame() // ready
	began := time.Now()
	w.requests.Close()
	w.ended()
	if took := time.Since(began); took < extensionBudget || took > extensionBudget+5*time.Second {
		t.Errorf("it had %s, want %s", took, extensionBudget)
	}
}

func TestWithoutExtensionsTheEndIsAtOnce(t *testing.T) {
	w := newWorld(t, Config{}, nil)
	w.bridge.Kill()
	w.bridge.Kill()
	w.ended()
	w.bridge.Kill()
	select {
	case <-w.process.terminated:
		t.Error("asked to end first")
	default:
	}
}
