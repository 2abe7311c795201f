package gateway

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/tests/harness"
)

// A mishap is code that goes wrong, what the web client must get for it, and
// what the developer must find in the log.
type mishap struct {
	runtime, handler string
	files            map[string]string
	more             string // of the function block
	status           int
	logs             []string
}

const (
	node   = "nodejs20.x"
	python = "python3.11"
)

var mishaps = map[string]mishap{
	"node-no-module":    {runtime: node, handler: "nope.handler", files: map[string]string{"index.js": ""}, status: 502, logs: []string{"Runtime.ImportModuleError", "nope"}},
	"node-no-handler":   {runtime: node, handler: "index.nope", files: map[string]string{"index.js": "exports.handler = 1"}, status: 502, logs: []string{"Runtime.HandlerNotFound", "index.nope is undefined or not exported"}},
	"node-syntax":       {runtime: node, handler: "index.handler", files: map[string]string{"index.js": "exports.handler = ("}, status: 502, logs: []string{"Runtime.UserCodeSyntaxError"}},
	"node-import":       {runtime: node, handler: "index.handler", files: map[string]string{"index.js": "require('left-pad')"}, status: 502, logs: []string{"Runtime.ImportModuleError", "left-pad"}},
	"node-throws-early": {runtime: node, handler: "index.handler", files: map[string]string{"index.js": "throw new Error('at load')"}, status: 502, logs: []string{"at load"}},
	"node-circular":     {runtime: node, handler: "index.handler", files: map[string]string{"index.js": "exports.handler = async () => { const a = {}; a.a = a; return a; }"}, status: 502, logs: []string{"circular"}},
	"node-too-large":    {runtime: node, handler: "index.handler", files: map[string]string{"index.js": "exports.handler = async () => 'x'.repeat(7 << 20)"}, status: 502, logs: []string{"Function.ResponseSizeTooLarge"}, more: "memory 512"},
	"node-throws":       {runtime: node, handler: "index.handler", files: map[string]string{"index.js": "exports.handler = async () => { throw new TypeError('secret detail') }"}, status: 502, logs: []string{"TypeError", "secret detail"}},
	"node-callback":     {runtime: node, handler: "index.handler", files: map[string]string{"index.js": "exports.handler = (e, c, callback) => callback(new Error('by callback'))"}, status: 502, logs: []string{"by callback"}},
	"node-rejection":    {runtime: node, handler: "index.handler", files: map[string]string{"index.js": "exports.handler = () => new Promise(() => { Promise.reject(new Error('nobody caught')); })"}, status: 502, logs: []string{"nobody caught"}},
	"node-uncaught":     {runtime: node, handler: "index.handler", files: map[string]string{"index.js": "exports.handler = () => new Promise(() => { setTimeout(() => { throw new Error('from a timer') }, 5) })"}, status: 502, logs: []string{"from a timer"}},
	"node-exit":         {runtime: node, handler: "index.handler", files: map[string]string{"index.js": "exports.handler = async () => process.exit(3)"}, status: 502, logs: []string{"Runtime exited with error: exit status 3"}},
	"node-killed":       {runtime: node, handler: "index.handler", files: map[string]string{"index.js": "exports.handler = async () => { process.kill(process.pid, 'SIGKILL'); await new Promise(() => {}) }"}, status: 502, logs: []string{"signal: killed"}},
	"node-garbage":      {runtime: node, handler: "index.handler", files: map[string]string{"index.js": "exports.handler = async () => { require('fs').writeSync(4, 'this is no frame, only garbage'); return 1 }"}, status: 502, logs: []string{"descriptors 3 and 4 belong to the runtime"}},
	"node-hangs":        {runtime: node, handler: "index.handler", files: map[string]string{"index.js": "exports.handler = () => new Promise(() => { setInterval(() => {}, 1000) })"}, more: "timeout 1s", status: 504, logs: []string{"Task timed out after 1.00 seconds", "Status: timeout"}},
	"node-spins":        {runtime: node, handler: "index.handler", files: map[string]string{"index.js": "process.on('SIGTERM', () => {}); exports.handler = async () => { for (;;); }"}, more: "timeout 1s", status: 504, logs: []string{"Task timed out after 1.00 seconds"}},
	"node-malformed":    {runtime: node, handler: "index.handler", files: map[string]string{"index.js": "exports.handler = async () => ({ statusCode: 'abc', body: 1 })"}, status: 502},
	"node-bad-header":   {runtime: node, handler: "index.handler", files: map[string]string{"index.js": "exports.handler = async () => ({ statusCode: 200, headers: { 'x-a': 'b\\r\\nSet-Cookie: stolen=1' } })"}, status: 502},
	"node-bad-base64":   {runtime: node, handler: "index.handler", files: map[string]string{"index.js": "exports.handler = async () => ({ statusCode: 200, isBase64Encoded: true, body: '***' })"}, status: 502},
	"node-memory":       {runtime: node, handler: "index.handler", files: map[string]string{"index.js": "exports.handler = async () => { const a = []; for (;;) a.push(Buffer.alloc(1 << 20, 1)); }"}, more: "timeout 30s", status: 502, logs: []string{"Runtime.OutOfMemory"}},
	"py-no-module":      {runtime: python, handler: "nope.handler", files: map[string]string{"app.py": ""}, status: 502, logs: []string{"Runtime.ImportModuleError", "No module named 'nope'"}},
	"py-no-handler":     {runtime: python, handler: "app.nope", files: map[string]string{"app.py": "x = 1"}, status: 502, logs: []string{"Runtime.HandlerNotFound", "Handler 'nope' missing on module 'app'"}},
	"py-syntax":         {runtime: python, handler: "app.handler", files: map[string]string{"app.py": "def handler(:"}, status: 502, logs: []string{"Runtime.UserCodeSyntaxError"}},
	"py-throws":         {runtime: python, handler: "app.handler", files: map[string]string{"app.py": "def handler(e, c):\n    raise ValueError('secret detail')"}, status: 502, logs: []string{"[ERROR] ValueError: secret detail", "Traceback"}},
	"py-unserialisable": {runtime: python, handler: "app.handler", files: map[string]string{"app.py": "def handler(e, c):\n    return object()"}, status: 502, logs: []string{"Runtime.MarshalError"}},
	"py-too-large":      {runtime: python, handler: "app.handler", files: map[string]string{"app.py": "def handler(e, c):\n    return 'x' * (7 << 20)"}, status: 502, logs: []string{"Function.ResponseSizeTooLarge"}},
	"py-exit":           {runtime: python, handler: "app.handler", files: map[string]string{"app.py": "import sys\ndef handler(e, c):\n    sys.exit(4)"}, status: 502, logs: []string{"Runtime.ExitError"}},
	"py-hangs":          {runtime: python, handler: "app.handler", files: map[string]string{"app.py": "import time\ndef handler(e, c):\n    time.sleep(60)"}, more: "timeout 1s", status: 504, logs: []string{"Task timed out after 1.00 seconds"}},
	"py-garbage":        {runtime: python, handler: "app.handler", files: map[string]string{"app.py": "import os\ndef handler(e, c):\n    os.write(4, b'no frame at all, garbage')"}, status: 502, logs: []string{"descriptors 3 and 4 belong to the runtime"}},
}

// Every mishap gets its status, tells the developer and not the client, leaves
// no process and no descriptor, and harms no other function.
func TestMishapsAreContained(t *testing.T) {
	harness.Slow(t, "timeouts are waited for")
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	good := s.Code("good", map[string]string{"index.js": "exports.handler = async () => ({ statusCode: 200, body: 'fine' })"})
	functions, site := harness.NodeFunction("good", good, ""), ""
	for name, m := range mishaps {
		dir := s.Code(name, m.files)
		timeout := "timeout 10s"
		if strings.Contains(m.more, "timeout") {
			timeout = ""
		}
		functions += fmt.Sprintf("function %s {\n runtime %s\n handler %s\n code %s\n %s\n %s\n}\n", name, m.runtime, m.handler, dir, timeout, m.more)
		site += fmt.Sprintf("function /%s %s\n", name, name)
	}
	// Stems and zygotes come and go: there are none while what is left is counted.
	s.Configure("stems 0\nzygotes off\n"+harness.NodeFunction("good", good, ""), "function good")
	s.Start()
	s.Get("/").Want(t, 200, "fine")
	before := openFiles(t, s.Cmd.Process.Pid)
	s.Configure(functions, site+"function good")
	s.Reload()

	for name, m := range mishaps {
		t.Run(name, func(t *testing.T) {
			for range 2 { // the second on a new environment
				got := s.Get("/" + name)
				want := `{"message":"Internal Server Error"}`
				if m.status == 504 {
					want = `{"message":"Endpoint request timed out"}`
				}
				if got.Status != m.status || got.Body != want {
					t.Errorf("got %d %.300s, want %d %s", got.Status, got.Body, m.status, want)
				}
				if strings.Contains(fmt.Sprint(got.Header), "stolen") {
					t.Errorf("a header was smuggled: %v", got.Header)
				}
				s.Get("/").Want(t, 200, "fine")
			}
			wantLogOrOutput(s, t, name, m.logs)
		})
	}

	// The environments of handlers that only fail stay warm; give them up.
	s.Configure("stems 0\nzygotes off\n"+harness.NodeFunction("good", good, ""), "function good")
	s.Reload()
	s.Get("/").Want(t, 200, "fine")
	harness.Eventually(t, "only one environment is left", func() bool {
		nodes := 0
		for _, pid := range harness.Descendants(s.Cmd.Process.Pid) {
			comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
			if name := strings.TrimSpace(string(comm)); name == "node" || name == "MainThread" || strings.HasPrefix(name, "python") {
				nodes++
			}
		}
		return nodes == 1
	})
	// Idle client connections and the log's files come and go; dozens would be a leak.
	if after := openFiles(t, s.Cmd.Process.Pid); after > before+10 {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// wantLogOrOutput finds each text in the function's log group or, for what only
// the gateway knows, in the server's own log.
func wantLogOrOutput(s *harness.Server, t *testing.T, function string, texts []string) {
	t.Helper()
	for _, text := range texts {
		harness.Eventually(t, fmt.Sprintf("%q is logged for %s", text, function), func() bool {
			return strings.Contains(s.Logs(function)+s.Output(), text)
		})
	}
	harness.Eventually(t, "the failure is in the server's log", func() bool {
		return strings.Contains(s.Output(), `"function":"`+function+`"`) || strings.Contains(s.Output(), function)
	})
}

// openFiles counts the descriptors of a gateway but for the user namespaces, which
// it keeps for environments to come: as many as there were at once.
func openFiles(t *testing.T, pid int) int {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if link, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil && !strings.HasPrefix(link, "user:") {
			n++
		}
	}
	return n
}

func TestBodyOver6MBIsRefusedAndOneBelowIsNot(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	dir := s.Code("f", map[string]string{"index.js": "exports.handler = async (e) => ({ statusCode: 200, body: String(e.body.length) })"})
	s.Configure(harness.NodeFunction("f", dir, "memory 512"), "function f")
	s.Start()
	post := func(size int) *http.Request {
		r := s.Request("POST", "/", strings.NewReader(strings.Repeat("a", size)))
		r.Header.Set("Content-Type", "text/plain")
		return r
	}
	s.Do(post(6_200_000)).Want(t, 200, "6200000")
	s.Do(post(7_000_000)).Want(t, 413, `{"message":"Request Too Long"}`)
	// Below the limit itself, but not once the event is made of it.
	s.Do(post(6_291_500)).Want(t, 413, `{"message":"Request Too Long"}`)
	chunked := post(7_000_000)
	chunked.ContentLength = -1
	s.Do(chunked).Want(t, 413, `{"message":"Request Too Long"}`)
	s.Do(post(10)).Want(t, 200, "10")
}

func TestClientThatLeavesHarmsNobody(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	dir := s.Code("f", map[string]string{"index.js": `let finished = 0;
		exports.handler = async (e) => {
			if (e.rawPath === '/slow') { await new Promise((r) => setTimeout(r, 500)); finished++; }
			return { statusCode: 200, body: 'finished ' + finished }; };`})
	s.Configure(harness.NodeFunction("f", dir, "reserved_concurrency 1"), "function f")
	s.Start()
	s.Get("/").Want(t, 200, "finished 0")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := harness.Try(s.Request("GET", "/slow", nil).WithContext(ctx)); err == nil {
		t.Fatal("the slow call was answered at once")
	}
	// As on Lambda the invocation runs to its end, and its environment lives on.
	harness.Eventually(t, "the call finishes without its client", func() bool { return s.Get("/").Body == "finished 1" })
	if n := s.Metric(`hearth_init_duration_seconds_count{function="f"}`); n != 1 {
		t.Errorf("%v environments, want the first to live on", n)
	}
}
