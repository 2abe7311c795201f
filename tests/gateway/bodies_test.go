package gateway

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// Bodies that wait for a function have a memory of their own. Those that do not fit are
// refused, and the server is as it was before.
func TestLargeBodiesHaveABoundedMemory(t *testing.T) {
	harness.Quiet(t)
	s := harness.NewServer(t, "", "")
	code := s.Code("length", map[string]string{"app.py": `
import base64, time
def handler(event, context):
    time.sleep(0.3)
    body = event.get("body") or ""
    return {"statusCode": 200, "body": str(len(base64.b64decode(body) if event["isBase64Encoded"] else body))}
`})
	s.Configure(harness.PythonFunction("length", code, "memory 256\ntimeout 60s\nqueue_timeout 60s"), "function /length length")
	s.Start()
	s.Get("/length").Want(t, 200, "0")

	const connections, size = 200, 6 << 20
	body := []byte(strings.Repeat("a", size-64<<10)) // with the rest of the event 6 MB
	var all sync.WaitGroup
	var mu sync.Mutex
	answers := map[int]int{}
	// All are half sent, or answered, before one is sent to its end, so that there are
	// more of them at once than fit.
	var arrived atomic.Int32
	halfway, gate := make(chan struct{}), make(chan struct{})
	for n := range connections {
		all.Go(func() {
			arrive := sync.OnceFunc(func() {
				if arrived.Add(1) == connections {
					close(halfway)
				}
			})
			defer arrive()
			half := len(body) / 2
			r := s.Request("POST", "/length", io.MultiReader(bytes.NewReader(body[:half]), &gatedReader{arrive, gate, bytes.NewReader(body[half:])}))
			if n%2 == 0 {
				r.ContentLength = int64(len(body))
			}
			r.Header.Set("Content-Type", "text/plain")
			got, err := harness.Try(r)
			if err != nil {
				t.Errorf("a post: %v", err)
				return
			}
			if got.Status == http.StatusServiceUnavailable {
				if got.Header.Get("Retry-After") == "" || got.Body != `{"message":"Service Unavailable"}` {
					t.Errorf("refused by %q, Retry-After %q", got.Body, got.Header.Get("Retry-After"))
				}
			} else if got.Status == http.StatusOK && got.Body != strconv.Itoa(len(body)) {
				t.Errorf("the function has got %s bytes, want %d", got.Body, len(body))
			}
			mu.Lock()
			answers[got.Status]++
			mu.Unlock()
		})
	}
	<-halfway
	harness.Eventually(t, "the server has read so much that it refuses some", func() bool { return s.Metric("hearth_bodies_refused_total") > 0 })
	close(gate)
	all.Wait()
	t.Logf("answers: %v, peak: %d MB", answers, peakMB(s))
	if answers[200] == 0 || answers[503] == 0 || answers[200]+answers[503] != connections {
		t.Errorf("answers by status: %v, want 200 and 503", answers)
	}
	if mb := peakMB(s); mb > 600 {
		t.Errorf("the server took %d MB, want 600 at most", mb)
	}
	if n := s.Metric("hearth_bodies_refused_total"); int(n) != answers[503] {
		t.Errorf("%v bodies are counted as refused, want %d", n, answers[503])
	}
	harness.Eventually(t, "the memory is given back", func() bool { return s.Metric("hearth_body_memory_bytes") == 0 })
	s.Get("/length").Want(t, 200, "0")
	s.Do(s.Request("POST", "/length", bytes.NewReader(body))).Want(t, 413, "Request Too Long") // no type: base64
	r := s.Request("POST", "/length", bytes.NewReader(body))
	r.Header.Set("Content-Type", "text/plain")
	s.Do(r).Want(t, 200, strconv.Itoa(len(body)))
}

// A gatedReader says that it is asked, and then waits for the gate.
type gatedReader struct {
	arrive func()
	gate   <-chan struct{}
	io.Reader
}

func (g *gatedReader) Read(p []byte) (int, error) {
	g.arrive()
	<-g.gate
	return g.Reader.Read(p)
}

// peakMB is the most memory that the server's process has had.
func peakMB(s *harness.Server) int {
	s.T.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(s.Cmd.Process.Pid) + "/status")
	if err != nil {
		s.T.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, "VmHWM:"); found {
			kB, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			if err != nil {
				s.T.Fatal(err)
			}
			return kB >> 10
		}
	}
	s.T.Fatal("no VmHWM")
	return 0
}
