package tests

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A server is bin/caddy with a Caddyfile of the test's, on a port of its own.
type server struct {
	t      *testing.T
	dir    string // data, admin socket, code
	host   string // address of the site
	port   int
	netns  string   // network namespace that it runs in; default the test's
	wrap   []string // a command that runs it; default none
	as     []string // a command that runs it in the network namespace, as somebody else
	config string   // path of the Caddyfile
	// It runs on a terminal.
	terminal bool
	cmd      *exec.Cmd
	exited   chan struct{}

	mu  sync.Mutex
	out bytes.Buffer // stdout and stderr; guarded by mu
}

func (s *server) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(p)
}

// output is what the server has printed so far.
func (s *server) output() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.String()
}

func caddyBinary(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../bin/caddy")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: build it with ./xcaddy.sh build", err)
	}
	return path
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// tempDir is a short one: the path of a unix socket has 107 characters at most.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ht")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// newServer writes the Caddyfile that caddyfile makes: functions for the hearth
// option, site for the site's block.
func newServer(t *testing.T, functions, site string) *server {
	t.Helper()
	s := &server{t: t, dir: tempDir(t), host: "127.0.0.1", port: freePort(t)}
	s.config = filepath.Join(s.dir, "Caddyfile")
	s.configure(functions, site)
	return s
}

func (s *server) configure(functions, site string) {
	s.t.Helper()
	text := fmt.Sprintf(`{
	admin unix/%[1]s/admin.sock
	auto_https off
	hearth {
		data_dir %[1]s/data
		%[2]s
	}
}
http://%[5]s:%[3]d {
	@metrics path /metrics
	route {
		metrics @metrics
		%[4]s
	}
}
`, s.dir, functions, s.port, site, s.host)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// code writes a folder of code and returns its path.
func (s *server) code(name string, files map[string]string) string {
	s.t.Helper()
	dir := filepath.Join(s.dir, "code", name)
	for file, text := range files {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			s.t.Fatal(err)
		}
	}
	return dir
}

// spawn starts the server without waiting for it.
func (s *server) spawn() {
	s.t.Helper()
	command := []string{caddyBinary(s.t), "run", "--config", s.config, "--adapter", "caddyfile"}
	if s.netns != "" {
		command = append(append([]string{"nsenter", "--net=/run/netns/" + s.netns}, s.as...), command...)
	}
	command = append(s.wrap[:len(s.wrap):len(s.wrap)], command...)
	s.cmd = exec.Command(command[0], command[1:]...)
	s.cmd.Dir = ".."
	s.cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+s.dir+"/xdg", "XDG_CONFIG_HOME="+s.dir+"/xdg", "XDG_RUNTIME_DIR="+s.dir)
	s.cmd.Stdout, s.cmd.Stderr = s, s
	if s.terminal {
		runOnTerminal(s.t, s.cmd, s)
	} else if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.exited = make(chan struct{})
	go func() {
		_ = s.cmd.Wait()
		close(s.exited)
	}()
	s.t.Cleanup(s.stop)
}

// start starts the server and returns when it serves.
func (s *server) start() *server {
	s.t.Helper()
	s.spawn()
	deadline := time.Now().Add(30 * time.Second)
	for !strings.Contains(s.output(), "serving initial configuration") {
		select {
		case <-s.exited:
			s.t.Fatalf("the server ended:\n%s", s.output())
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the server does not serve after 30 s:\n%s", s.output())
		}
	}
	return s
}

// stop ends the server as a service manager does, and checks that it leaves no
// process behind.
func (s *server) stop() {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	tree := descendants(s.cmd.Process.Pid)
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(30 * time.Second):
		s.t.Errorf("the server does not stop:\n%s", s.output())
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
	s.cmd = nil
	eventually(s.t, "all processes of the server are gone", func() bool {
		for _, pid := range tree {
			if alive(pid) {
				return false
			}
		}
		return true
	})
	if s.t.Failed() {
		s.t.Logf("the server printed:\n%s", tail(s.output(), 60))
	}
}

func tail(text string, lines int) string {
	all := strings.Split(text, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func (s *server) url(path string) string {
	return fmt.Sprintf("http://%s:%d%s", cmp.Or(s.host, "127.0.0.1"), s.port, path)
}

// A response is read whole.
type response struct {
	status int
	header http.Header
	body   string
}

func (s *server) get(path string) response { return s.do(s.request("GET", path, nil)) }

func (s *server) request(method, path string, body io.Reader) *http.Request {
	s.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, s.url(path), body)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

var client = &http.Client{
	Timeout:       60 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func (s *server) do(r *http.Request) response {
	s.t.Helper()
	got, err := try(r)
	if err != nil {
		s.t.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	return got
}

func try(r *http.Request) (response, error) { return tryWith(client, r) }

func tryWith(c *http.Client, r *http.Request) (response, error) {
	res, err := c.Do(r)
	if err != nil {
		return response{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return response{res.StatusCode, res.Header, string(body)}, err
}

// want fails unless the response has the status and its body contains text.
func (r response) want(t *testing.T, status int, text string) {
	t.Helper()
	if r.status != status || !strings.Contains(r.body, text) {
		t.Errorf("got %d %.300s, want %d with %q", r.status, r.body, status, text)
	}
}

// logs is everything in a function's log group.
func (s *server) logs(function string) string {
	s.t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(filepath.Join(s.dir, "data", "logs"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, "/"+function+"/") && !strings.Contains(filepath.Base(path), function) {
			return err
		}
		b, err := os.ReadFile(path)
		all.Write(b)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return all.String()
}

// wantLog waits for text in a function's log group, which is written a moment
// after the event.
func (s *server) wantLog(function string, texts ...string) {
	s.t.Helper()
	for _, text := range texts {
		found := false
		for end := time.Now().Add(5 * time.Second); !found && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			found = strings.Contains(s.logs(function), text)
		}
		if !found {
			s.t.Errorf("the log of %s has no %q:\n%s", function, text, tail(s.logs(function), 40))
		}
	}
}

// metric reads one sample of /metrics, 0 when it is not there.
func (s *server) metric(name string) float64 {
	s.t.Helper()
	lines := bufio.NewScanner(strings.NewReader(s.get("/metrics").body))
	for lines.Scan() {
		if value, found := strings.CutPrefix(lines.Text(), name+" "); found {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return n
		}
	}
	return 0
}

// reload loads the Caddyfile as it is now, through the admin endpoint.
func (s *server) reload() {
	s.t.Helper()
	cmd := exec.Command(caddyBinary(s.t), "reload", "--config", s.config, "--adapter", "caddyfile", "--force")
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("reload: %v\n%s", err, out)
	}
}

// eventually waits up to 15 s for something that happens soon.
func eventually(t *testing.T, what string, happens func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !happens(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("not within 15 s: %s", what)
			return
		}
	}
}

// descendants are all processes below pid.
func descendants(pid int) []int {
	parents := make(map[int][]int)
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if parent := parentOf(child); parent > 0 {
			parents[parent] = append(parents[parent], child)
		}
	}
	var all []int
	for queue := []int{pid}; len(queue) > 0; queue = queue[1:] {
		all = append(all, parents[queue[0]]...)
		queue = append(queue, parents[queue[0]]...)
	}
	return all
}

// parentOf reads the fourth field of /proc/PID/stat, after the name in brackets.
func parentOf(pid int) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 2 || fields[0] == "Z" {
		return 0
	}
	parent, _ := strconv.Atoi(fields[1])
	return parent
}

func alive(pid int) bool { return parentOf(pid) > 0 }
