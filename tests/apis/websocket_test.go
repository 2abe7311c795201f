package apis

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/hearthfn/hearth/tests/harness"
)

// room answers what happens to a socket.
const room = `exports.handler = async (e) => {
  const { routeKey, connectionId, domainName, stage } = e.requestContext;
  if (routeKey === '$connect') return { statusCode: e.headers['X-Token'] === 'good' ? 200 : 401 };
  console.log(routeKey, connectionId, e.requestContext.disconnectStatusCode);
  if (e.body?.includes('fail')) throw new Error('as asked');
  return { statusCode: 200, body: JSON.stringify({ routeKey, connectionId, domainName, stage, version: process.env.VERSION, body: e.body }) };
}`

// A told is what room says.
type told struct{ RouteKey, ConnectionID, DomainName, Stage, Version, Body, Message string }

func socketContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func dial(t *testing.T, s *harness.Server, path, token string) (*websocket.Conn, *http.Response, error) {
	c, r, err := websocket.Dial(socketContext(t), "ws"+strings.TrimPrefix(s.URL(path), "http"), &websocket.DialOptions{
		HTTPHeader: http.Header{"X-Token": {token}},
	})
	if err == nil {
		t.Cleanup(func() { _ = c.CloseNow() })
	}
	return c, r, err
}

// ask sends a message and reads the next one.
func ask(t *testing.T, c *websocket.Conn, message string) (answer told) {
	t.Helper()
	if err := c.Write(socketContext(t), websocket.MessageText, []byte(message)); err != nil {
		t.Fatal(err)
	}
	_, text, err := c.Read(socketContext(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return answer
}

// chat is the site of a server whose WebSocket API has the function room.
const chat = `websocket chat {
	connect room
	disconnect room
	message say room {
		respond
	}
}
respond "the page"`

func TestASocketOutlivesAReloadAndFollowsIt(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	dir := s.Code("room", map[string]string{"index.js": room})
	function := func(version string) string {
		return harness.NodeFunction("room", dir, "timeout 60s\nenv VERSION "+version)
	}
	s.Configure(function("1"), chat)
	s.Start()
	s.Get("/").Want(t, 200, "the page")
	if _, r, err := dial(t, s, "/", "bad"); err == nil || r == nil || r.StatusCode != 401 {
		t.Fatalf("%v %v: want 401, what $connect answers", r, err)
	}
	c, _, err := dial(t, s, "/any", "good")
	if err != nil {
		t.Fatal(err)
	}
	first := ask(t, c, `{"action":"say","text":"a"}`)
	if first.RouteKey != "say" || "http://"+first.DomainName != s.URL("") || first.Stage != "prod" || first.Version != "1" || first.Body != `{"action":"say","text":"a"}` {
		t.Errorf("%+v", first)
	}
	if got := ask(t, c, `{"action":"say","text":"fail"}`); got.Message != "Internal server error" || got.ConnectionID != first.ConnectionID {
		t.Errorf("%+v", got)
	}
	if got := ask(t, c, `{}`); got.Message != "Forbidden" {
		t.Errorf("%+v", got)
	}

	if n := s.Metric(`hearth_websockets{api="chat",stage="prod"}`); n != 1 {
		t.Errorf("the metrics have %v sockets", n)
	}
	s.Configure(function("2"), chat)
	s.Reload()
	if got := ask(t, c, `{"action":"say"}`); got.Version != "2" || got.ConnectionID != first.ConnectionID {
		t.Errorf("after a reload: %+v", got)
	}

	// Without its API a socket ends, and so does every socket when the server stops.
	s.Configure(function("2"), strings.Replace(chat, "websocket chat", "websocket other", 1))
	s.Reload()
	if _, _, err := c.Read(socketContext(t)); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("without its API: %v", err)
	}
	s.WantLog("room", "$disconnect "+first.ConnectionID+" 1001")
	c, _, err = dial(t, s, "/", "good")
	if err != nil {
		t.Fatal(err)
	}
	second := ask(t, c, `{"action":"say"}`)
	closed := make(chan error, 1)
	go func() {
		_, _, err := c.Read(context.Background())
		closed <- err
	}()
	s.Stop()
	if err := <-closed; websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("when the server stops: %v", err)
	}
	s.Start()
	s.WantLog("room", "$disconnect "+second.ConnectionID+" 1001")
}

func TestAnAuthorizerDecidesWhoGetsASocket(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	dir := s.Code("room", map[string]string{"index.js": `exports.handler = async (e) => ({ statusCode: 200, body: JSON.stringify({ body: e.requestContext.authorizer.who }) })`})
	guard := s.Code("guard", map[string]string{"index.js": `exports.handler = async (e) => {
  if (e.headers['X-Token'] === 'broken') throw new Error('as asked');
  return { isAuthorized: e.headers['X-Token'] === 'good', context: { who: 'ada', n: 1 } };
}`})
	s.Configure(harness.NodeFunction("room", dir, "timeout 60s")+harness.NodeFunction("guard", guard, "timeout 60s")+`authorizer users lambda guard {
	identity_source $request.header.X-Token
}
`, `websocket chat {
	connect room {
		authorizer users
	}
	default room {
		respond
	}
}`)
	s.Start()
	for token, want := range map[string]int{"": 401, "bad": 403, "broken": 500} {
		if _, r, err := dial(t, s, "/", token); err == nil || r == nil || r.StatusCode != want {
			t.Errorf("token %q: %v %v, want %d", token, r, err, want)
		}
	}
	c, _, err := dial(t, s, "/", "good")
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(t, c, `{}`); got.Body != "ada" {
		t.Errorf("%+v: the function does not know who connected", got)
	}
}
