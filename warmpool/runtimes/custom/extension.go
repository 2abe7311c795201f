package custom

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

// maxExtensions is Lambda's limit for a function.
const maxExtensions = 10

// An extension is a process, or a part of the runtime's, that has registered. Its
// fields are guarded by the Bridge's mu.
type extension struct {
	name     string
	external bool
	events   []string
	queue    [][]byte // events that it has not asked for yet
	ready    bool     // it has asked for its next event, and there was none
	told     bool     // of the shutdown
	gone     bool     // it has ended
}

func (e *extension) wants(event string) bool { return slices.Contains(e.events, event) }

// invoke tells e of an invocation.
func (e *extension) invoke(event []byte) {
	if e.wants("INVOKE") {
		e.queue, e.ready = append(e.queue, event), false
	}
}

// shutdown tells e that the environment ends.
func (e *extension) shutdown(deadline time.Time) {
	if !e.wants("SHUTDOWN") || e.gone {
		return
	}
	event, err := json.Marshal(map[string]any{"eventType": "SHUTDOWN", "shutdownReason": "SPINDOWN", "deadlineMs": deadline.UnixMilli()})
	if err != nil {
		panic(err) // a string and a number always encode
	}
	e.queue, e.told, e.ready = append(e.queue, event), true, false
}

func (b *Bridge) invokeEvent(in *invocation) []byte {
	arn := in.arn
	if arn == "" {
		arn = b.init.InvokedFunctionARN
	}
	event, err := json.Marshal(map[string]any{
		"eventType": "INVOKE", "deadlineMs": in.deadline, "requestId": in.requestID, "invokedFunctionArn": arn,
		"tracing": map[string]string{"type": "X-Amzn-Trace-Id", "value": in.trace},
	})
	if err != nil {
		panic(err) // strings and a number always encode
	}
	return event
}

// register takes an extension in. External ones register under the name of their
// file, during the init phase; so do internal ones, under any other name.
func (b *Bridge) register(w http.ResponseWriter, r *http.Request) {
	name := r.Header.Get("Lambda-Extension-Name")
	body, err := readUpTo(r.Body, maxError)
	var in struct {
		Events []string `json:"events"`
	}
	if err == nil {
		err = json.Unmarshal(body, &in)
	}
	switch {
	case name == "" || len(name) > 128:
		refuse(w, http.StatusForbidden, "Extension.InvalidExtensionName", "the header Lambda-Extension-Name has to name the extension")
		return
	case err != nil:
		refuse(w, http.StatusBadRequest, "InvalidRequestFormat", "InvalidRequestFormat: the body has to be {\"events\": [...]}")
		return
	}
	for _, event := range in.Events {
		if event != "INVOKE" && event != "SHUTDOWN" {
			refuse(w, http.StatusBadRequest, "InvalidEventType", fmt.Sprintf("InvalidEventType: %.64s", event))
			return
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	external := b.expected[name]
	switch {
	case slices.ContainsFunc(values(b.extensions), func(e *extension) bool { return e.name == name }):
		refuse(w, http.StatusForbidden, "Extension.AlreadyRegistered", "Extension already registered: "+name)
		return
	case b.phase != phaseInit && !external:
		refuse(w, http.StatusForbidden, "Extension.RegistrationClosed", "Extension registration closed already")
		return
	case len(b.extensions) == maxExtensions:
		refuse(w, http.StatusForbidden, "Extension.TooManyExtensions", fmt.Sprintf("there are %d extensions already", maxExtensions))
		return
	case !external && slices.Contains(in.Events, "SHUTDOWN"):
		refuse(w, http.StatusForbidden, "ShutdownEventNotSupportedForInternalExtension", "SHUTDOWN is for external extensions")
		return
	}
	id := newID()
	b.extensions[id] = &extension{name: name, external: external, events: in.Events}
	delete(b.expected, name)
	answer := map[string]string{
		"functionName": b.init.FunctionName, "functionVersion": b.init.FunctionVersion, "handler": b.init.Handler,
	}
	if strings.Contains(r.Header.Get("Lambda-Extension-Accept-Feature"), "accountId") {
		answer["accountId"] = b.config.AccountID
	}
	text, err := json.Marshal(answer)
	if err != nil {
		panic(err) // strings always encode
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Lambda-Extension-Identifier", id)
	_, _ = w.Write(text)
}

func values(m map[string]*extension) []*extension {
	all := make([]*extension, 0, len(m))
	for _, e := range m {
		all = append(all, e)
	}
	return all
}

// caller finds the extension that a request is from; nil when it has refused. It
// needs mu.
func (b *Bridge) caller(w http.ResponseWriter, r *http.Request) *extension {
	id := r.Header.Get("Lambda-Extension-Identifier")
	e := b.extensions[id]
	switch {
	case id == "":
		refuse(w, http.StatusForbidden, "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header")
	case e == nil:
		refuse(w, http.StatusForbidden, "Extension.UnknownExtensionIdentifier", "Unknown extension "+id)
	}
	return e
}

// nextEvent answers with the extension's next event, however long that takes.
func (b *Bridge) nextEvent(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	e := b.caller(w, r)
	if e == nil {
		b.mu.Unlock()
		return
	}
	for len(e.queue) == 0 {
		if !e.ready {
			e.ready = true
			b.notify()
		}
		changed := b.changed
		b.mu.Unlock()
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		case <-b.process.Done():
			return
		case <-time.After(eventPoll):
		}
		b.mu.Lock()
	}
	event := e.queue[0]
	e.queue = e.queue[1:]
	b.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Lambda-Extension-Event-Identifier", newID())
	_, _ = w.Write(event)
}

// eventPoll is only a safety net: every event is told by notify.
const eventPoll = time.Minute

// extensionError takes an extension's word that it cannot go on.
func (b *Bridge) extensionError(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	e := b.caller(w, r)
	inInit := b.phase == phaseInit || !b.ready()
	b.mu.Unlock()
	if e == nil {
		return
	}
	kind, failure := "Extension.ExitError", "exit"
	if strings.HasSuffix(r.URL.Path, "/init/error") {
		kind, failure = "Extension.InitError", "init"
	}
	reported := errorOf(r, kind)
	if inInit {
		b.failInitWith(reported)
	} else {
		b.failEnvironment(kind, "Error: extension "+e.name+" reported an "+failure+" error")
	}
	accept(w)
}

// ready reports whether the init phase is over. It needs mu.
func (b *Bridge) ready() bool { return b.current != nil || len(b.expected) == 0 && b.settled() }

// failEnvironment ends an environment that has lost an extension: the invocation
// that runs fails with the error.
func (b *Bridge) failEnvironment(kind, message string) {
	b.mu.Lock()
	in := b.current
	running := b.phase == phaseInvoke
	b.failed = true
	b.notify()
	b.mu.Unlock()
	if running {
		_ = b.answer(in, runtimes.KindError, errorBody(kind, message))
	}
	b.process.Kill()
}

// watchExtensions reads "STATUS NAME" lines of external extensions that ended.
func (b *Bridge) watchExtensions() {
	lines := bufio.NewScanner(b.exits)
	for lines.Scan() {
		status, name, _ := strings.Cut(lines.Text(), " ")
		b.mu.Lock()
		told := false
		for _, e := range b.extensions {
			if e.name == name && e.external {
				e.gone = true
				told = e.told
			}
		}
		registered := !b.expected[name]
		inInit := b.current == nil && !b.ready()
		b.notify()
		b.mu.Unlock()
		message := "Error: exit status " + status + " of extension " + name
		switch {
		case told: // as it should
		case inInit && !registered:
			b.failInit("Extension.LaunchError", message+" before it registered")
		case inInit:
			b.failInit("Extension.Crash", message)
		default:
			b.failEnvironment("Extension.Crash", message)
		}
	}
}

// newID is a random UUID.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
