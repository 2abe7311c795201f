package custom

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Types of telemetry, as extensions subscribe to them.
const (
	typePlatform  = "platform"
	typeFunction  = "function"
	typeExtension = "extension"
)

// An occurrence is one event on its way to the subscribers.
type occurrence struct {
	kind string // of the types above
	name string // e.g. platform.start; kind for what is written
	// text is the event as JSON. plain is the same with a record that is a string, for
	// schemas that know no other; nil where it is one.
	text, plain []byte
}

// Telemetry hands on what an environment logs, and what happens to it, to extensions
// that have subscribed. It never waits for them: what they do not take in time is
// dropped, and they are told so.
//
//	logs.Stream ---> Telemetry ---> subscriber's queue ---> its goroutine ---> extension
//	                     \---> backlog, for those who subscribe later in the init phase
//
// https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api.html
type Telemetry struct {
	wanted atomic.Bool // the backlog is kept, or somebody has subscribed

	mu          sync.Mutex // guards what follows
	backlog     []occurrence
	size        int // of the backlog, bytes
	dropped     loss
	over        bool                   // the init phase is, and so the time to subscribe
	hurry       bool                   // the environment ends: nothing waits for more
	subscribers map[string]*subscriber // by the extension's name
}

// Bounds of the backlog.
const (
	maxBacklog      = 1000
	maxBacklogBytes = 256 << 10
)

// NewTelemetry makes the telemetry of an environment that starts.
func NewTelemetry() *Telemetry {
	t := &Telemetry{subscribers: make(map[string]*subscriber)}
	t.wanted.Store(true)
	return t
}

// Wants implements logs.Tap.
func (t *Telemetry) Wants() bool { return t.wanted.Load() }

// Platform implements logs.Tap.
func (t *Telemetry) Platform(event []byte) {
	name := ""
	if _, rest, ok := bytes.Cut(event, []byte(`"type":"`)); ok {
		quoted, _, _ := bytes.Cut(rest, []byte{'"'})
		name = string(quoted)
	}
	t.push(occurrence{kind: typePlatform, name: name, text: event})
}

// Output implements logs.Tap.
func (t *Telemetry) Output(at time.Time, text []byte, extension, object bool) {
	kind := typeFunction
	if extension {
		kind = typeExtension
	}
	o := occurrence{kind: kind, name: kind, text: eventText(at, kind, string(text))}
	if object {
		o.plain, o.text = o.text, eventText(at, kind, json.RawMessage(bytes.Clone(text)))
	}
	t.push(o)
}

// happens records an event of the bridge's own.
func (t *Telemetry) happens(name string, record any) {
	t.push(occurrence{kind: typePlatform, name: name, text: eventText(time.Now(), name, record)})
}

// eventTime is how events tell the time.
const eventTime = "2006-01-02T15:04:05.000Z"

func eventText(at time.Time, name string, record any) []byte {
	text, err := json.Marshal(struct {
		Time   string `json:"time"`
		Type   string `json:"type"`
		Record any    `json:"record"`
	}{at.UTC().Format(eventTime), name, record})
	if err != nil {
		panic(err) // strings, and JSON that has been checked
	}
	return text
}

func (t *Telemetry) push(o occurrence) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.over {
		if len(t.backlog) < maxBacklog && t.size+len(o.text) <= maxBacklogBytes {
			t.backlog = append(t.backlog, o)
			t.size += len(o.text)
		} else {
			t.dropped.add(o.text)
		}
	}
	for _, s := range t.subscribers {
		s.add(o)
	}
}

// subscribe begins a subscription, in place of one that the extension has, and calls
// start. It is false when the time for it is over; what it has started, end ends.
func (t *Telemetry) subscribe(s *subscriber, start func()) bool {
	t.mu.Lock()
	if t.over {
		t.mu.Unlock()
		return false
	}
	if before := t.subscribers[s.extension]; before != nil {
		before.end()
	}
	s.lost = t.dropped
	for _, o := range t.backlog {
		s.add(o)
	}
	t.subscribers[s.extension] = s
	start()
	t.mu.Unlock()
	t.happens("platform.telemetrySubscription", map[string]any{"name": s.extension, "state": "Subscribed", "types": s.types})
	return true
}

// close ends the time to subscribe.
func (t *Telemetry) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over, t.backlog = true, nil
	t.wanted.Store(len(t.subscribers) > 0)
}

// flush has everything handed over at once from now on, and waits until what there is
// has been, or ctx ends.
func (t *Telemetry) flush(ctx context.Context) {
	t.mu.Lock()
	t.hurry = true
	var all []*subscriber
	for _, s := range t.subscribers {
		all = append(all, s)
	}
	t.mu.Unlock()
	for _, s := range all {
		s.hasten()
	}
	for _, s := range all {
		s.drained(ctx)
	}
}

// pause has nothing handed over until resume, because the environment is about to be
// frozen. It is false while something is left to hand over; that goes at once.
func (t *Telemetry) pause() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	left := false
	for _, s := range t.subscribers {
		left = s.hurry() || left
	}
	if left {
		return false
	}
	for _, s := range t.subscribers {
		s.setPaused(true)
	}
	return true
}

func (t *Telemetry) resume() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.subscribers {
		s.setPaused(false)
	}
}

// end ends all subscriptions.
func (t *Telemetry) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	t.wanted.Store(false)
	for _, s := range t.subscribers {
		s.end()
	}
	clear(t.subscribers)
}

// A loss is what has been dropped.
type loss struct{ records, bytes int }

func (l *loss) add(text []byte) {
	l.records++
	l.bytes += len(text)
}

// A dialer connects to a port of the environment's.
type dialer func(ctx context.Context, port uint16) (net.Conn, error)

func has(types []string, kind string) bool { return slices.Contains(types, kind) }
