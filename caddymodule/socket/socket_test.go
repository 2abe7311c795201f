package socket

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/warmpool/environment"
)

func TestFunctionsGetTheEventsOfASocketAsOnAWS(t *testing.T) {
	h := newHouse(t, Config{}, func(a *gateway.API) {
		a.Stages = []gateway.Stage{{Name: "live", Variables: map[string]string{"table": "rooms"}}}
	})
	h.answers(func(_ context.Context, e *event) (string, error) {
		if e.RequestContext.RouteKey == "say" {
			body, _ := json.Marshal(e.Body)
			return `{"statusCode":200,"body":` + string(body) + `}`, nil
		}
		return ok, nil
	})
	began := time.Now()
	c := h.dial(&websocket.DialOptions{HTTPHeader: http.Header{"User-Agent": {"test"}, "X-Room": {"a"}}})
	joined := h.next("CONNECT")
	context := joined.RequestContext
	if joined.function != "join" || joined.Headers["X-Room"] != "a" || joined.Headers["Sec-Websocket-Version"] != "13" || joined.Body != "" {
		t.Errorf("%+v", joined)
	}
	if context.RouteKey != "$connect" || context.Stage != "live" || context.APIID != "chat" || "http://"+context.DomainName != h.server.URL ||
		context.MessageDirection != "IN" || context.Identity.SourceIP != "192.0.2.1" || context.Identity.UserAgent != "test" ||
		context.RequestID == "" || context.ExtendedRequestID != context.RequestID || len(context.ConnectionID) != 16 ||
		context.ConnectedAt < began.UnixMilli() || context.RequestTimeEpoch < context.ConnectedAt || context.RequestTime == "" ||
		joined.StageVariables["table"] != "rooms" {
		t.Errorf("%+v", context)
	}
	h.write(c, `{"action":"say","text":"ä"}`)
	if got := h.read(c); got != `{"action":"say","text":"ä"}` {
		t.Errorf("the client got %q", got)
	}
	said := h.next("MESSAGE")
	if said.function != "say" || said.RequestContext.MessageID == "" || said.RequestContext.ConnectionID != context.ConnectionID ||
		said.RequestContext.ConnectedAt != context.ConnectedAt || said.IsBase64 || said.Headers != nil {
		t.Errorf("%+v", said)
	}
	if err := c.Write(minute(t), websocket.MessageBinary, []byte{0xff, 0}); err != nil {
		t.Fatal(err)
	}
	wantError(t, h.read(c), "Forbidden", context.ConnectionID)
	if err := c.Close(4001, "bye"); err != nil {
		t.Fatal(err)
	}
	left := h.next("DISCONNECT")
	if left.function != "leave" || left.RequestContext.DisconnectStatusCode != 4001 || left.RequestContext.DisconnectReason != "bye" ||
		left.Headers["Host"] != context.DomainName || left.RequestContext.ConnectionID != context.ConnectionID {
		t.Errorf("%+v", left)
	}
}

func TestMessagesGoToTheRouteThatTheExpressionNames(t *testing.T) {
	to := func(name string) gateway.Integration {
		return gateway.Integration{Type: gateway.Lambda, Function: name}
	}
	h := newHouse(t, Config{}, func(a *gateway.API) {
		a.Routes = append(a.Routes, gateway.Route{Key: "$default", Integration: to("other")})
	})
	c := h.dial()
	h.next("CONNECT")
	for _, test := range []struct{ message, function string }{
		{`{"action":"say"}`, "say"},
		{`{"action":"tell","x":[1]}`, "tell"},
		{`{"action":"unknown"}`, "other"},
		{`{"action":"$connect"}`, "other"},
		{`{"action":"$disconnect"}`, "other"},
		{`{"action":{"say":1}}`, "other"},
		{`{}`, "other"},
		{``, "other"},
		{`not json`, "other"},
		{`{"action":"say"`, "other"},
	} {
		h.write(c, test.message)
		if got := h.next("MESSAGE"); got.function != test.function || got.Body != test.message {
			t.Errorf("%s went to %s with %q, want %s", test.message, got.function, got.Body, test.function)
		}
	}
	if err := c.Write(minute(t), websocket.MessageBinary, []byte(`{"action":"say"}`)); err != nil {
		t.Fatal(err)
	}
	if got := h.next("MESSAGE"); got.function != "say" || !got.IsBase64 || got.Body != "eyJhY3Rpb24iOiJzYXkifQ==" {
		t.Errorf("a binary message: %+v", got)
	}
}

func TestConnectDecidesWhoGetsASocket(t *testing.T) {
	h := newHouse(t, Config{})
	for _, test := range []struct {
		answer  string
		err     error
		status  int
		message string
	}{
		{`{"statusCode":401}`, nil, 401, "Unauthorized"},
		{`{"statusCode":403,"body":"secret"}`, nil, 403, "Forbidden"},
		{`{"statusCode":500}`, nil, 500, "Internal server error"},
		{`{"statusCode":302}`, nil, 302, "Found"},
		{`"yes"`, nil, 502, "Internal server error"},
		{``, &failure{environment.OutcomeError, []byte(`{}`)}, 502, "Internal server error"},
		{``, &failure{environment.OutcomeTimeout, []byte(`{}`)}, 504, "Endpoint request timed out"},
		{``, errors.New("no such function"), 502, "Internal server error"},
	} {
		h.answers(func(context.Context, *event) (string, error) { return test.answer, test.err })
		c, r, err := websocket.Dial(minute(t), h.server.URL, nil)
		if err == nil {
			_ = c.CloseNow()
			t.Fatalf("%s %v: connected", test.answer, test.err)
		}
		body := make([]byte, 1000)
		n, _ := r.Body.Read(body)
		if r.StatusCode != test.status {
			t.Errorf("%s %v: %d, want %d", test.answer, test.err, r.StatusCode, test.status)
		}
		wantError(t, string(body[:n]), test.message, "")
		h.next("CONNECT")
	}
	if n := h.Sockets(); n != 0 {
		t.Errorf("%d sockets are open", n)
	}
	h.answers(func(context.Context, *event) (string, error) {
		return `{"statusCode":204,"headers":{"sec-websocket-protocol":"b"}}`, nil
	})
	c := h.dial(&websocket.DialOptions{Subprotocols: []string{"a", "b"}})
	if c.Subprotocol() != "b" {
		t.Errorf("the protocol is %q, want that of $connect", c.Subprotocol())
	}
}

func TestClientsHearOfMessagesThatFail(t *testing.T) {
	h := newHouse(t, Config{}, func(a *gateway.API) {
		a.Routes = a.Routes[2:]
		a.Routes[0].Throttle = &gateway.Throttle{Rate: 0, Burst: 3}
	})
	c := h.dial()
	for _, test := range []struct {
		answer  string
		err     error
		message string
	}{
		{`null`, nil, "Internal server error"},
		{``, &failure{environment.OutcomeError, []byte(`{}`)}, "Internal server error"},
		{``, &failure{environment.OutcomeTimeout, []byte(`{}`)}, "Endpoint request timed out"},
		{ok, nil, "Too Many Requests"}, // the bucket is empty
	} {
		h.answers(func(context.Context, *event) (string, error) { return test.answer, test.err })
		h.write(c, `{"action":"say"}`)
		wantError(t, h.read(c), test.message, "")
	}
	// A route without a response says nothing of success.
	h.answers(func(context.Context, *event) (string, error) { return `{"statusCode":200,"body":"x"}`, nil })
	h.write(c, `{"action":"tell"}`)
	h.write(c, `{"action":"other"}`)
	wantError(t, h.read(c), "Forbidden", "")
}

func TestFramesAndMessagesAboveTheLimitsEndASocket(t *testing.T) {
	for name, test := range map[string]struct {
		frames []int
		code   websocket.StatusCode
	}{
		"a message of 128 KB in frames of 32 KB": {[]int{32 << 10, 32 << 10, 32 << 10, 32<<10 - 100}, 0},
		"a frame of 32 KB and a byte":            {[]int{32<<10 + 1}, 1009},
		"a frame of 1 MB":                        {[]int{1 << 20}, 1009},
		"a message of 128 KB and more":           {[]int{32 << 10, 32 << 10, 32 << 10, 32 << 10, 8 << 10}, 1009},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, Config{})
			c := h.dial()
			h.next("CONNECT")
			w, err := c.Writer(minute(t), websocket.MessageText)
			if err != nil {
				t.Fatal(err)
			}
			head := `{"action":"tell","text":"`
			total := 0
			for n, size := range test.frames {
				text := strings.Repeat("x", size)
				if n == 0 {
					text = head + text[:size-len(head)]
				}
				if test.code == 0 && n == len(test.frames)-1 {
					text += `"}`
				}
				total += len(text)
				if _, err := w.Write([]byte(text)); err != nil && test.code == 0 {
					t.Fatal(err)
				}
			}
			if test.code == 0 {
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				if e := h.next("MESSAGE"); e.function != "tell" || len(e.Body) != total {
					t.Errorf("%s got %d bytes, want %d", e.function, len(e.Body), total)
				}
				return
			}
			h.wantClose(c, test.code)
			if e := h.next("DISCONNECT"); e.RequestContext.DisconnectStatusCode != int(test.code) {
				t.Errorf("%+v", e.RequestContext)
			}
		})
	}
}

func TestTextThatIsNotUTF8EndsASocket(t *testing.T) {
	h := newHouse(t, Config{})
	c := h.dial()
	h.next("CONNECT")
	if err := c.Write(minute(t), websocket.MessageText, []byte("a\xff")); err != nil {
		t.Fatal(err)
	}
	h.wantClose(c, 1007)
	if e := h.next("DISCONNECT"); e.RequestContext.DisconnectStatusCode != 1007 {
		t.Errorf("%+v", e.RequestContext)
	}
}
