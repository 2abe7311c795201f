package logs

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/google/uuid"

	"github.com/hearthfn/hearth/caddymodule/awsapi/logs/filterpattern"
	"github.com/hearthfn/hearth/warmpool/logs"
)

const (
	// sessionTime is how long a Live Tail session lasts, as at AWS.
	// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartLiveTail.html
	sessionTime = 3 * time.Hour
	// updateInterval is how often a session hears at least, of no events too.
	updateInterval = time.Second
	// promptly is how long an event waits for others. AWS sends all of a second at once; who
	// watches a function work sees it sooner here.
	promptly = 50 * time.Millisecond
	// maxUpdate is how many events a session gets in updateInterval at most; of more, it gets a
	// sample.
	maxUpdate = 500
	// writeTimeout bounds the wait for a client that does not read.
	writeTimeout = 30 * time.Second
)

type startLiveTailInput struct {
	LogGroupIdentifiers   []string `json:"logGroupIdentifiers"`
	LogStreamNames        []string `json:"logStreamNames,omitempty"`
	LogStreamNamePrefixes []string `json:"logStreamNamePrefixes,omitempty"`
	LogEventFilterPattern string   `json:"logEventFilterPattern"`
}

type sessionStart struct {
	RequestID string `json:"requestId"`
	SessionID string `json:"sessionId"`
	startLiveTailInput
}

type sessionUpdate struct {
	SessionMetadata struct {
		Sampled bool `json:"sampled"`
	} `json:"sessionMetadata"`
	SessionResults []liveEvent `json:"sessionResults"`
}

type liveEvent struct {
	LogGroupIdentifier string `json:"logGroupIdentifier"`
	LogStreamName      string `json:"logStreamName"`
	Message            string `json:"message"`
	Timestamp          int64  `json:"timestamp"`
	IngestionTime      int64  `json:"ingestionTime"`
}

// startLiveTail answers with a stream of the events that are logged from now on. It
// returns an error only when it has not answered.
func (a *API) startLiveTail(w http.ResponseWriter, r *http.Request, body []byte) error {
	var in startLiveTailInput
	if err := decode(body, &in); err != nil {
		return err
	}
	if n := len(in.LogGroupIdentifiers); n < 1 || n > 10 {
		return invalid("1 validation error detected: Value at 'logGroupIdentifiers' failed to satisfy constraint: Member must have length between 1 and 10")
	}
	if len(in.LogGroupIdentifiers) > 1 && len(in.LogStreamNames)+len(in.LogStreamNamePrefixes) > 0 {
		return invalid("logStreamNames and logStreamNamePrefixes need exactly one log group.")
	}
	pattern, err := parsePattern(in.LogEventFilterPattern)
	if err != nil {
		return err
	}
	groups := make([]*logs.Group, len(in.LogGroupIdentifiers))
	for i, identifier := range in.LogGroupIdentifiers {
		if groups[i], err = a.find(r.Context(), groupName{LogGroupIdentifier: identifier}); err != nil {
			return err
		}
	}
	stream, err := liveStreams(&in)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), sessionTime)
	defer cancel()
	t := &liveTail{api: a, news: make(chan struct{}, 1), w: w, control: http.NewResponseController(w), encoder: eventstream.NewEncoder()}
	w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
	from := time.Now() // what is logged once the client knows of the session belongs to it
	t.send("initial-response", struct{}{})
	t.send("sessionStart", sessionStart{uuid.NewString(), uuid.NewString(), in})
	// The reader of each group ends before this function does.
	var readers sync.WaitGroup
	defer readers.Wait()
	defer cancel()
	for _, g := range groups {
		readers.Go(func() { t.follow(ctx, g, logs.Query{Follow: true, From: from, Stream: stream}, pattern) })
	}
	t.run(ctx)
	return nil
}

func liveStreams(in *startLiveTailInput) (func(string) bool, error) {
	if len(in.LogStreamNamePrefixes) == 0 {
		return streamsOf(in.LogStreamNames, "")
	}
	if len(in.LogStreamNames) > 0 {
		return nil, invalid("logStreamNames and logStreamNamePrefixes are mutually exclusive.")
	}
	return func(name string) bool {
		for _, prefix := range in.LogStreamNamePrefixes {
			if strings.HasPrefix(name, prefix) {
				return true
			}
		}
		return false
	}, nil
}

// A liveTail is one session.
type liveTail struct {
	api     *API
	w       http.ResponseWriter
	control *http.ResponseController
	encoder *eventstream.Encoder
	err     error // of the first message that could not be sent

	news chan struct{} // there are events

	mu      sync.Mutex // guards what follows
	events  []liveEvent
	sent    int // events, in this interval
	sampled bool
	failed  error // of reading a group
}

// follow collects the events that are logged to g.
func (t *liveTail) follow(ctx context.Context, g *logs.Group, q logs.Query, pattern *filterpattern.Pattern) {
	identifier := t.api.account.ID + ":" + g.Name()
	for e, err := range g.Events(ctx, q) {
		t.mu.Lock()
		switch {
		case err != nil && ctx.Err() == nil:
			t.failed = err
		case err != nil:
		case !pattern.Match(g.Text(&e)):
		case t.sent+len(t.events) >= maxUpdate:
			t.sampled = true
		default:
			t.events = append(t.events, liveEvent{identifier, e.Stream, g.Text(&e), e.Time.UnixMilli(), e.Time.UnixMilli()})
			select {
			case t.news <- struct{}{}:
			default:
			}
		}
		t.mu.Unlock()
	}
}

// run sends updates until the session ends: soon after events, and each second.
func (t *liveTail) run(ctx context.Context) {
	ticker := time.NewTicker(updateInterval)
	defer ticker.Stop()
	var soon <-chan time.Time
	for t.err == nil {
		tick := false
		select {
		case <-t.news:
			if soon == nil {
				soon = time.After(promptly)
			}
			continue
		case <-soon:
			soon = nil
		case <-ticker.C:
			tick = true
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				t.exception("SessionTimeoutException", "the session has lasted three hours")
			}
			return
		}
		if !t.update(tick) {
			t.exception("SessionStreamingException", "the logs could not be read any further")
			return
		}
	}
}

// update sends the events that there are; at a tick, that there are none, too. It reports whether
// the logs can be read.
func (t *liveTail) update(tick bool) bool {
	update := sessionUpdate{SessionResults: []liveEvent{}}
	t.mu.Lock()
	if t.events != nil {
		update.SessionResults = t.events
	}
	t.sent += len(t.events)
	if tick {
		t.sent = 0
	}
	update.SessionMetadata.Sampled = t.sampled
	failed := t.failed
	t.events, t.sampled = nil, false
	t.mu.Unlock()
	if tick || len(update.SessionResults) > 0 {
		t.send("sessionUpdate", update)
	}
	return failed == nil
}

func (t *liveTail) send(event string, payload any) {
	t.message(payload, eventstream.Headers{
		{Name: ":message-type", Value: eventstream.StringValue("event")},
		{Name: ":event-type", Value: eventstream.StringValue(event)},
		{Name: ":content-type", Value: eventstream.StringValue("application/json")},
	})
}

func (t *liveTail) exception(kind, text string) {
	t.message(map[string]string{"message": text}, eventstream.Headers{
		{Name: ":message-type", Value: eventstream.StringValue("exception")},
		{Name: ":exception-type", Value: eventstream.StringValue(kind)},
		{Name: ":content-type", Value: eventstream.StringValue("application/json")},
	})
}

func (t *liveTail) message(payload any, headers eventstream.Headers) {
	if t.err != nil {
		return
	}
	var body []byte
	if body, t.err = json.Marshal(payload); t.err != nil {
		return
	}
	if err := t.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		t.err = err
		return
	}
	if t.err = t.encoder.Encode(t.w, eventstream.Message{Headers: headers, Payload: body}); t.err == nil {
		t.err = t.control.Flush()
	}
}
