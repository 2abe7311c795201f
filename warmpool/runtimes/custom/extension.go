package custom

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// maxExtensions is Lambda's limit for a function.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
const maxExtensions = 10

// Headers of the Extensions API.
const (
	headerExtensionName  = "Lambda-Extension-Name"
	headerExtensionID    = "Lambda-Extension-Identifier"
	headerExtensionError = "Lambda-Extension-Function-Error-Type"
)

// An extension is a process, or a part of the runtime's, that has registered. Its
// fields are guarded by the Bridge's mu.
type extension struct {
	name     string
	external bool
	events   []string
	queue    [][]byte // events that it has not asked for yet
	asked    bool     // for its first event
	ready    bool     // it has asked for its next event, and there was none
	notified bool     // of the shutdown
	gone     bool     // it has ended
}

func (e *extension) wants(event string) bool { return slices.Contains(e.events, event) }

func (e *extension) push(event any) {
	text, err := json.Marshal(event)
	if err != nil {
		panic(err) // strings and numbers always encode
	}
	e.queue, e.ready = append(e.queue, text), false
}

// invoke tells e of an invocation.
func (e *extension) invoke(in *invocation) {
	if !e.wants("INVOKE") {
		return
	}
	type tracing struct {
		Type  string `json:"type"`
		Value string `json:"value"`
	}
	event := struct {
		EventType          string   `json:"eventType"`
		DeadlineMs         int64    `json:"deadlineMs"`
		RequestID          string   `json:"requestId"`
		InvokedFunctionARN string   `json:"invokedFunctionArn"`
		Tracing            *tracing `json:"tracing,omitempty"`
	}{"INVOKE", in.deadline, in.requestID, in.arn, nil}
	if in.trace != "" {
		event.Tracing = &tracing{"X-Amzn-Trace-Id", in.trace}
	}
	e.push(event)
}

// shutdown tells e that the environment ends.
func (e *extension) shutdown(reason string, deadline time.Time) {
	if !e.wants("SHUTDOWN") || e.gone || e.notified {
		return
	}
	e.notified = true
	e.push(struct {
		EventType      string `json:"eventType"`
		DeadlineMs     int64  `json:"deadlineMs"`
		ShutdownReason string `json:"shutdownReason"`
	}{"SHUTDOWN", deadline.UnixMilli(), reason})
}

// register takes an extension in. External ones register under the name of their
// file, during the init phase; so do internal ones, under any other name. Statuses
// and types are those of Lambda's emulator.
// https://github.com/aws/aws-lambda-runtime-interface-emulator/blob/develop/internal/lambda/rapi/handler/agentregister.go
func (b *Bridge) register(w http.ResponseWriter, r *http.Request) {
	name := r.Header.Get(headerExtensionName)
	if name == "" || len(name) > 128 {
		refuse(w, http.StatusForbidden, "Extension.InvalidExtensionName", "Empty extension name, or one of more than 128 characters")
		return
	}
	var in struct {
		Events            []string `json:"events"`
		ConfigurationKeys []string `json:"configurationKeys"`
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxError))
	if err == nil {
		err = json.Unmarshal(body, &in)
	}
	if err == nil && len(in.ConfigurationKeys) > 0 {
		err = fmt.Errorf("configurationKeys are deprecated; use environment variables instead")
	}
	if err != nil {
		refuse(w, http.StatusForbidden, "InvalidRequestFormat", err.Error())
		return
	}
	if !b.await(func() bool { return b.init != nil }) {
		return // the process has ended
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	external := b.expected[name]
	// With several invocations at once nothing waits for extensions, and so there is no
	// event for each, as on Lambda's managed instances.
	allowed := map[string]bool{"INVOKE": b.init.Concurrency <= 1, "SHUTDOWN": external}
	for _, event := range in.Events {
		if !allowed[event] {
			refuse(w, http.StatusForbidden, "Extension.InvalidEventType", fmt.Sprintf("%.64s: InvalidEventType", event))
			return
		}
	}
	for _, e := range b.extensions {
		if e.name == name {
			refuse(w, http.StatusForbidden, "Extension.InvalidExtensionState", "Extension with this name already registered")
			return
		}
	}
	switch {
	case !external && b.phase != phaseStarted:
		refuse(w, http.StatusForbidden, "Extension.RegistrationClosed", "Extension registration closed already")
		return
	case len(b.extensions)+len(b.expected) >= maxExtensions && !external:
		refuse(w, http.StatusForbidden, "Extension.TooManyExtensions", fmt.Sprintf("Extension limit (%d) reached", maxExtensions))
		return
	}
	id := uuid.NewString()
	b.extensions[id] = &extension{name: name, external: external, events: in.Events}
	delete(b.expected, name)
	b.notify()
	answer := map[string]string{
		"functionName": b.init.FunctionName, "functionVersion": b.init.FunctionVersion, "handler": b.init.Handler,
	}
	for feature := range strings.SplitSeq(r.Header.Get("Lambda-Extension-Accept-Feature"), ",") {
		if strings.TrimSpace(feature) == "accountId" {
			answer["accountId"] = b.config.AccountID
		}
	}
	w.Header().Set(headerExtensionID, id)
	respond(w, http.StatusOK, answer)
}

// caller finds the extension that a request is from; nil when it has refused. It
// needs mu.
func (b *Bridge) caller(w http.ResponseWriter, r *http.Request) *extension {
	id := r.Header.Get(headerExtensionID)
	e := b.extensions[id]
	switch {
	case id == "":
		refuse(w, http.StatusForbidden, "Extension.MissingExtensionIdentifier", "Missing "+headerExtensionID+" header")
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
	if !e.asked {
		e.asked = true
		events := e.events
		if events == nil {
			events = []string{}
		}
		b.telemetry.happens("platform.extension", map[string]any{"name": e.name, "state": "Ready", "events": events})
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
		case <-r.Context().Done(): // it is gone, or all is
			return
		}
		b.mu.Lock()
	}
	event := e.queue[0]
	e.queue = e.queue[1:]
	b.mu.Unlock()
	w.Header().Set("Lambda-Extension-Event-Identifier", uuid.NewString())
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(event)
}

// extensionError makes the endpoint where an extension reports that it failed, in the init
// phase or later.
func (b *Bridge) extensionError(init bool) http.HandlerFunc {
	kind, phase := "Extension.ExitError", "exit"
	if init {
		kind, phase = "Extension.InitError", "init"
	}
	return func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		e := b.caller(w, r)
		tooLate := e != nil && init && e.asked
		b.mu.Unlock()
		reported := r.Header.Get(headerExtensionError)
		switch {
		case e == nil:
			return
		case reported == "":
			refuse(w, http.StatusForbidden, "Extension.MissingHeader", headerExtensionError+" not found")
			return
		case tooLate:
			refuse(w, http.StatusForbidden, "Extension.InvalidExtensionState",
				"State transition from Ready to InitError failed for extension "+r.Header.Get(headerExtensionID)+". Error: State transition is not allowed")
			return
		}
		accept(w)
		b.failEnvironment(kind, fmt.Sprintf("extension %s reported an %s error: %.256s", e.name, phase, reported))
	}
}
