package socket

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/warmpool/environment"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// An event is the part of events that the tests look at.
type event struct {
	Headers        map[string]string
	StageVariables map[string]string
	Body           string
	IsBase64       bool `json:"isBase64Encoded"`
	RequestContext struct {
		RouteKey, MessageID, EventType, ExtendedRequestID, RequestTime, MessageDirection, Stage, RequestID, DomainName string
		ConnectionID, APIID, DisconnectReason                                                                          string
		ConnectedAt, RequestTimeEpoch                                                                                  int64
		DisconnectStatusCode                                                                                           int
		Identity                                                                                                       struct{ SourceIP, UserAgent string }
	}
	function string
}

// functions are a warmpool.Runner whose functions are Go.
type functions struct {
	t      *testing.T
	mu     sync.Mutex // guards answer
	answer func(ctx context.Context, e *event) (string, error)
	kinds  map[string]chan *event
}

// Invoke implements warmpool.Runner.
func (f *functions) Invoke(ctx context.Context, call *environment.Call) error {
	e := &event{function: call.Function}
	if err := json.Unmarshal(call.Event(), e); err != nil {
		f.t.Errorf("event %s: %v", call.Event(), err)
	}
	f.kinds[e.RequestContext.EventType] <- e
	f.mu.Lock()
	answer := f.answer
	f.mu.Unlock()
	payload, err := answer(ctx, e)
	var failed *failure
	if errors.As(err, &failed) {
		call.Outcome, call.Payload = failed.outcome, failed.payload
		return nil
	}
	call.Payload = append(call.Payload[:0], payload...)
	return err
}

// next is the next event of a kind that a function got.
func (f *functions) next(kind string) *event {
	f.t.Helper()
	select {
	case e := <-f.kinds[kind]:
		return e
	case <-time.After(time.Minute):
		f.t.Fatalf("no function got an event %s", kind)
		return nil
	}
}

const ok = `{"statusCode":200}`

// A house is a hub with a server in front and functions behind.
type house struct {
	*Hub
	*functions
	t        *testing.T
	server   *httptest.Server
	stage    *Stage
	follower *Follower
	mu       sync.Mutex // guards served
	served   *Stage
}

func newHouse(t *testing.T, config Config, change ...func(*gateway.API)) *house {
	t.Helper()
	config.Tag, config.Log = TagOf("here"), zap.NewNop()
	h := &house{Hub: New(config), t: t}
	h.functions = &functions{t: t, kinds: make(map[string]chan *event), answer: func(context.Context, *event) (string, error) { return ok, nil }}
	for _, kind := range []string{"CONNECT", "MESSAGE", "DISCONNECT"} {
		h.kinds[kind] = make(chan *event, 10_000)
	}
	h.serve(h.newStage(change...))
	h.follower = h.Follow(func(_ context.Context, api, stage string) (*Stage, error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.served == nil {
			return nil, ErrNoStage
		}
		return h.served, nil
	})
	h.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var refusal *Refusal
		if err := h.Accept(w, r, h.stage, Client{SourceIP: "192.0.2.1"}); errors.As(err, &refusal) {
			w.WriteHeader(refusal.Status)
			_, _ = w.Write(refusal.Body)
		}
	}))
	t.Cleanup(func() {
		h.server.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		h.Close(ctx)
	})
	return h
}

func (h *house) newStage(change ...func(*gateway.API)) *Stage {
	h.t.Helper()
	to := func(name string) gateway.Integration {
		return gateway.Integration{Type: gateway.Lambda, Function: name}
	}
	api := &gateway.API{ID: "chat", Protocol: gateway.WebSocket, Routes: []gateway.Route{
		{Key: "$connect", Integration: to("join")},
		{Key: "$disconnect", Integration: to("leave")},
		{Key: "say", Integration: to("say"), Responds: true},
		{Key: "tell", Integration: to("tell")},
	}}
	for _, c := range change {
		c(api)
	}
	if err := api.Check(); err != nil {
		h.t.Fatal(err)
	}
	s, err := NewStage(StageConfig{API: api, Runs: h.functions, Log: zap.NewNop()})
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

func (h *house) serve(s *Stage) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.served = s; s != nil {
		h.stage = s
	}
}

func (h *house) answers(answer func(ctx context.Context, e *event) (string, error)) {
	h.functions.mu.Lock()
	defer h.functions.mu.Unlock()
	h.answer = answer
}

// minute bounds what a test waits for.
func minute(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// dial connects a client, whose $connect has run then.
func (h *house) dial(options ...*websocket.DialOptions) *websocket.Conn {
	h.t.Helper()
	options = append(options, nil)
	c, r, err := websocket.Dial(minute(h.t), h.server.URL+"/path?a=1&a=2", options[0])
	if err != nil {
		h.t.Fatalf("%v %+v", err, r)
	}
	h.t.Cleanup(func() { _ = c.CloseNow() })
	return c
}

func (h *house) write(c *websocket.Conn, message string) {
	h.t.Helper()
	if err := c.Write(minute(h.t), websocket.MessageText, []byte(message)); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) read(c *websocket.Conn) string {
	h.t.Helper()
	_, message, err := c.Read(minute(h.t))
	if err != nil {
		h.t.Fatal(err)
	}
	return string(message)
}

// wantClose reads until the server closes, with that code.
func (h *house) wantClose(c *websocket.Conn, code websocket.StatusCode) {
	h.t.Helper()
	for {
		if _, _, err := c.Read(minute(h.t)); err != nil {
			if websocket.CloseStatus(err) != code {
				h.t.Fatalf("closed by %v, want %d", err, code)
			}
			return
		}
	}
}

// wantError checks an error that a client got.
func wantError(t *testing.T, body, message, connectionID string) {
	t.Helper()
	var got struct{ Message, ConnectionID, RequestID string }
	if err := json.Unmarshal([]byte(body), &got); err != nil || got.Message != message || got.RequestID == "" || connectionID != "" && got.ConnectionID != connectionID {
		t.Errorf("%s: %v, want %s", body, err, message)
	}
}
