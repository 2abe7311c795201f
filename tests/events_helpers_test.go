package tests

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A recorder is a server that functions tell what they got, and that destinations
// post to. The path of a request says who it is.
type recorder struct {
	*httptest.Server
	t *testing.T

	mu   sync.Mutex
	got  map[string][]string // bodies by path, without the slash; guarded by mu
	fail map[string]bool     // answered with 500; guarded by mu
}

func newRecorder(t *testing.T) *recorder {
	r := &recorder{t: t, got: make(map[string][]string), fail: make(map[string]bool)}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return // the sender was killed
	}
	path := strings.TrimPrefix(request.URL.Path, "/")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got[path] = append(r.got[path], string(body))
	if r.fail[path] {
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// failing has a function fail from now on, or not any more.
func (r *recorder) failing(name string, fails bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail[name] = fails
}

// of are the bodies that somebody has posted.
func (r *recorder) of(name string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.got[name]...)
}

// wait waits until somebody has posted n bodies, and returns them.
func (r *recorder) wait(name string, n int) []string {
	r.t.Helper()
	eventually(r.t, fmt.Sprintf("%s gets %d events", name, n), func() bool { return len(r.of(name)) >= n })
	got := r.of(name)
	if len(got) != n {
		r.t.Fatalf("%s got %d events, want %d: %.2000s", name, len(got), n, got)
	}
	return got
}

// reach is the option that opens the recorder to functions.
func (r *recorder) reach() string { return "\nreach " + strings.TrimPrefix(r.URL, "http://") + "\n" }

// function is the block of a function that tells the recorder its event, and fails
// when the recorder does.
func (r *recorder) function(s *server, name, more string) string {
	s.t.Helper()
	address, err := url.Parse(r.URL)
	if err != nil {
		s.t.Fatal(err)
	}
	dir := s.code("tell", map[string]string{"app.py": tellingCode})
	return pythonFunction(name, dir, fmt.Sprintf("env RECORDER %s\nreach %s\n%s", address.Port(), address.Host, more))
}

const tellingCode = `
import http.client, json, os

def handler(event, context):
    to = http.client.HTTPConnection("127.0.0.1", int(os.environ["RECORDER"]), timeout=4)
    to.request("POST", "/" + context.function_name, json.dumps(event))
    status = to.getresponse().status
    to.close()
    if status != 200:
        raise Exception("told to fail")
    return {"answer": 42}
`

// post sends a JSON body, with headers as name, value, ...
func (s *server) post(path, body string, header ...string) response {
	s.t.Helper()
	r := s.request("POST", path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for n := 0; n+1 < len(header); n += 2 {
		r.Header.Set(header[n], header[n+1])
	}
	return s.do(r)
}

// admin asks the admin endpoint.
func (s *server) admin(method, path string) response {
	s.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, "http://localhost"+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(s.dir, "admin.sock"))
		},
	}
	answer, err := (&http.Client{Transport: transport, Timeout: 30 * time.Second}).Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response{answer.StatusCode, answer.Header, string(body)}
}

// A keptEvent is what the admin endpoint says of an event.
type keptEvent struct {
	ID        string
	Function  string
	Source    string
	Subject   string
	Attempts  int
	Dead      bool
	Condition string
	Error     string
	Payload   json.RawMessage
}

// events are those that are kept: ?dead=true, for example.
func (s *server) events(query string) []keptEvent {
	s.t.Helper()
	var page struct{ Events []keptEvent }
	got := s.admin("GET", "/hearth/events/list"+query)
	if err := json.Unmarshal([]byte(got.body), &page); got.status != http.StatusOK || err != nil {
		s.t.Fatalf("list of events: %d %s: %v", got.status, got.body, err)
	}
	return page.Events
}

// nothingWaits waits until every event is done with or dead.
func (s *server) nothingWaits() {
	s.t.Helper()
	eventually(s.t, "no event waits", func() bool { return len(s.events("")) == 0 })
}

// tellsNone fails if the server has printed a secret, or kept one in a log.
func (s *server) tellsNone(secrets ...string) {
	s.t.Helper()
	for _, secret := range secrets {
		for _, line := range strings.Split(s.output(), "\n") {
			if strings.Contains(line, secret) {
				s.t.Errorf("the server printed the secret %q: %s", secret, line)
			}
		}
	}
}
