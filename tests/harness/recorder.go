package harness

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

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// A Recorder is a server that functions tell what they got, and that destinations
// post to. The path of a request says who it is.
type Recorder struct {
	*httptest.Server
	t *testing.T

	mu   sync.Mutex
	got  map[string][]string // bodies by path, without the slash; guarded by mu
	fail map[string]bool     // answered with 500; guarded by mu
}

func NewRecorder(t *testing.T) *Recorder {
	r := &Recorder{t: t, got: make(map[string][]string), fail: make(map[string]bool)}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *Recorder) ServeHTTP(w http.ResponseWriter, request *http.Request) {
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

// Failing has a function fail from now on, or not any more.
func (r *Recorder) Failing(name string, fails bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail[name] = fails
}

// Of are the bodies that somebody has posted.
func (r *Recorder) Of(name string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.got[name]...)
}

// Wait waits until somebody has posted n bodies, and returns them.
func (r *Recorder) Wait(name string, n int) []string {
	r.t.Helper()
	Eventually(r.t, fmt.Sprintf("%s gets %d events", name, n), func() bool { return len(r.Of(name)) >= n })
	got := r.Of(name)
	if len(got) != n {
		r.t.Fatalf("%s got %d events, want %d: %.2000s", name, len(got), n, got)
	}
	return got
}

// Reach is the option that opens the recorder to functions.
func (r *Recorder) Reach() string { return "\nreach " + strings.TrimPrefix(r.URL, "http://") + "\n" }

// Function is the block of a function that tells the recorder its event, and fails
// when the recorder does.
func (r *Recorder) Function(s *Server, name, more string) string {
	s.T.Helper()
	address, err := url.Parse(r.URL)
	if err != nil {
		s.T.Fatal(err)
	}
	dir := s.Code("tell", map[string]string{"app.py": tellingCode})
	return PythonFunction(name, dir, fmt.Sprintf("env RECORDER %s\nreach %s\n%s", address.Port(), address.Host, more))
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

// Post sends a JSON body, with headers as name, value, ...
func (s *Server) Post(path, body string, header ...string) Response {
	s.T.Helper()
	r := s.Request("POST", path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for n := 0; n+1 < len(header); n += 2 {
		r.Header.Set(header[n], header[n+1])
	}
	return s.Do(r)
}

// Admin asks the admin endpoint.
func (s *Server) Admin(method, path string) Response {
	s.T.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, "http://localhost"+path, nil)
	if err != nil {
		s.T.Fatal(err)
	}
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(s.Dir, "admin.sock"))
		},
	}
	answer, err := (&http.Client{Transport: transport, Timeout: 30 * time.Second}).Do(r)
	if err != nil {
		s.T.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		s.T.Fatal(err)
	}
	return Response{answer.StatusCode, answer.Header, string(body)}
}

// A KeptEvent is what the admin endpoint says of an event.
type KeptEvent struct {
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

// Events are those that are kept: ?dead=true, for example.
func (s *Server) Events(query string) []KeptEvent {
	s.T.Helper()
	var page struct{ Events []KeptEvent }
	got := s.Admin("GET", "/hearth/events/list"+query)
	if err := json.Unmarshal([]byte(got.Body), &page); got.Status != http.StatusOK || err != nil {
		s.T.Fatalf("list of events: %d %s: %v", got.Status, got.Body, err)
	}
	return page.Events
}

// NothingWaits waits until every event is done with or dead.
func (s *Server) NothingWaits() {
	s.T.Helper()
	Eventually(s.T, "no event waits", func() bool { return len(s.Events("")) == 0 })
}

// TellsNone fails if the server has printed a secret, or kept one in a log.
func (s *Server) TellsNone(secrets ...string) {
	s.T.Helper()
	for _, secret := range secrets {
		for _, line := range strings.Split(s.Output(), "\n") {
			if strings.Contains(line, secret) {
				s.T.Errorf("the server printed the secret %q: %s", secret, line)
			}
		}
	}
}

// Tell makes a function by the API that tells the recorder its event, and fails when
// the recorder does.
func (r *Recorder) Tell(a *API, name string, change ...func(*lambda.CreateFunctionInput)) {
	a.T.Helper()
	code := ZipOf(a.T, map[string]string{"app.py": tellingCode})
	a.Create(name, code, append(change, func(in *lambda.CreateFunctionInput) {
		in.Runtime, in.Handler = types.RuntimePython311, aws.String("app.handler")
		in.Environment = &types.Environment{Variables: map[string]string{"RECORDER": r.URL[strings.LastIndexByte(r.URL, ':')+1:]}}
	})...)
}

const HookToken = "t0k-of-the-hook"

// records are those of all events that f has told a recorder, each alone in an event.
func (r *Recorder) records(name string) (all []string) {
	for _, body := range r.Of(name) {
		var e struct{ Records []json.RawMessage }
		if err := json.Unmarshal([]byte(body), &e); err != nil {
			r.t.Fatal(err)
		}
		for _, one := range e.Records {
			all = append(all, fmt.Sprintf(`{"Records":[%s]}`, one))
		}
	}
	return all
}

// Happens waits until f was told exactly what is wanted, by event name and encoded key,
// and checks that it was as S3 says it; n is how many it was told before. What is in again
// may come once more: a server that was killed had told it, and not noted that it had.
func (r *Recorder) Happens(region string, n int, want map[string]bool, again map[string]bool) int {
	r.t.Helper()
	var all []string
	Eventually(r.t, fmt.Sprintf("%d changes are told", len(want)), func() bool {
		all = r.records("f")
		told := make(map[string]bool)
		for _, event := range all[n:] {
			told[CheckRecord(r.t, event, region)] = true
		}
		for one := range want {
			if !told[one] {
				return false
			}
		}
		return true
	})
	for _, event := range all[n:] {
		if got := CheckRecord(r.t, event, region); want[got] {
			delete(want, got)
		} else if !again[got] {
			r.t.Errorf("got %s, which did not happen, or twice", got)
		}
	}
	for missing := range want {
		r.t.Errorf("no event of %s", missing)
	}
	return len(all)
}
