package harness

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
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

// A Server is bin/caddy with a Caddyfile of the test's, on a port of its own.
type Server struct {
	T      *testing.T
	Dir    string // data, admin socket, code
	Host   string // address of the site
	Port   int
	Netns  string   // network namespace that it runs in; default the test's
	Wrap   []string // a command that runs it; default none
	As     []string // a command that runs it in the network namespace, as somebody else
	Env    []string // NAME=value beside the test's own variables
	Config string   // path of the Caddyfile
	// It runs on a terminal.
	Terminal bool
	Cmd      *exec.Cmd
	Exited   chan struct{}

	Mu  sync.Mutex
	Out bytes.Buffer // stdout and stderr; guarded by mu
}

func (s *Server) Write(p []byte) (int, error) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	return s.Out.Write(p)
}

// Output is what the server has printed so far.
func (s *Server) Output() string {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	return s.Out.String()
}

func CaddyBinary(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../bin/caddy")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: build it with ./xcaddy.sh build", err)
	}
	return path
}

// FreePort is a port that nobody listens on. It is none of those that the kernel gives to
// clients, of whom there are many while tests run beside each other.
func FreePort(t *testing.T) int {
	t.Helper()
	for range 1000 {
		port := 10_000 + rand.N(20_000)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no port from 10000 to 29999 is free")
	return 0
}

// TempDir is a short one: the path of a unix socket has 107 characters at most.
func TempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ht")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// NewServer writes the Caddyfile that caddyfile makes: functions for the hearth
// option, site for the site's block.
func NewServer(t *testing.T, functions, site string) *Server {
	t.Helper()
	s := &Server{T: t, Dir: TempDir(t), Host: "127.0.0.1", Port: FreePort(t)}
	s.Config = filepath.Join(s.Dir, "Caddyfile")
	s.Configure(functions, site)
	return s
}

func (s *Server) Configure(functions, site string) {
	s.T.Helper()
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
`, s.Dir, functions, s.Port, site, s.Host)
	if err := os.WriteFile(s.Config, []byte(text), 0o600); err != nil {
		s.T.Fatal(err)
	}
}

// Code writes a folder of code and returns its path.
func (s *Server) Code(name string, files map[string]string) string {
	s.T.Helper()
	dir := filepath.Join(s.Dir, "code", name)
	for file, text := range files {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			s.T.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			s.T.Fatal(err)
		}
	}
	return dir
}

// Spawn starts the server without waiting for it.
func (s *Server) Spawn() {
	s.T.Helper()
	command := []string{CaddyBinary(s.T), "run", "--config", s.Config, "--adapter", "caddyfile"}
	if s.Netns != "" {
		command = append(append([]string{"nsenter", "--net=/run/netns/" + s.Netns}, s.As...), command...)
	}
	command = append(s.Wrap[:len(s.Wrap):len(s.Wrap)], command...)
	s.Cmd = exec.Command(command[0], command[1:]...)
	s.Cmd.Dir = "../.."
	s.Cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+s.Dir+"/xdg", "XDG_CONFIG_HOME="+s.Dir+"/xdg", "XDG_RUNTIME_DIR="+s.Dir)
	s.Cmd.Env = append(s.Cmd.Env, s.Env...)
	if s.Terminal {
		RunOnTerminal(s.T, s.Cmd, s)
	} else {
		s.Cmd.Stdout, s.Cmd.Stderr = s, s
		if err := s.Cmd.Start(); err != nil {
			s.T.Fatal(err)
		}
	}
	s.Exited = make(chan struct{})
	go func() {
		_ = s.Cmd.Wait()
		close(s.Exited)
	}()
	s.T.Cleanup(s.Stop)
}

// Start starts the server and returns when it serves.
func (s *Server) Start() *Server {
	s.T.Helper()
	s.Spawn()
	s.AwaitServing()
	return s
}

// AwaitServing waits until a server that was spawned serves.
func (s *Server) AwaitServing() {
	s.T.Helper()
	deadline := time.Now().Add(time.Minute)
	for !strings.Contains(s.Output(), "serving initial configuration") {
		select {
		case <-s.Exited:
			s.T.Fatalf("the server ended:\n%s", s.Output())
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.T.Fatalf("the server does not serve after a minute:\n%s", s.Output())
		}
	}
}

// Stop ends the server as a service manager does, and checks that it leaves no
// process behind.
func (s *Server) Stop() {
	if s.Cmd == nil || s.Cmd.Process == nil {
		return
	}
	tree := Descendants(s.Cmd.Process.Pid)
	_ = s.Cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.Exited:
	case <-time.After(time.Minute):
		s.T.Errorf("the server does not stop:\n%s", s.Output())
		_ = s.Cmd.Process.Kill()
		<-s.Exited
	}
	s.Cmd = nil
	Eventually(s.T, "all processes of the server are gone", func() bool {
		for _, pid := range tree {
			if Alive(pid) {
				return false
			}
		}
		return true
	})
	if s.T.Failed() {
		s.T.Logf("the server printed:\n%s", Tail(s.Output(), 60))
	}
}

func Tail(text string, lines int) string {
	all := strings.Split(text, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func (s *Server) URL(path string) string {
	return fmt.Sprintf("http://%s:%d%s", cmp.Or(s.Host, "127.0.0.1"), s.Port, path)
}

// A Response is read whole.
type Response struct {
	Status int
	Header http.Header
	Body   string
}

func (s *Server) Get(path string) Response { return s.Do(s.Request("GET", path, nil)) }

func (s *Server) Request(method, path string, body io.Reader) *http.Request {
	s.T.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, s.URL(path), body)
	if err != nil {
		s.T.Fatal(err)
	}
	return r
}

var Client = &http.Client{
	Timeout:       60 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func (s *Server) Do(r *http.Request) Response {
	s.T.Helper()
	got, err := Try(r)
	if err != nil {
		s.T.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	return got
}

func Try(r *http.Request) (Response, error) { return tryWith(Client, r) }

func tryWith(c *http.Client, r *http.Request) (Response, error) {
	res, err := c.Do(r)
	if err != nil {
		return Response{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return Response{res.StatusCode, res.Header, string(body)}, err
}

// Want fails unless the response has the status and its body contains text.
func (r Response) Want(t *testing.T, status int, text string) {
	t.Helper()
	if r.Status != status || !strings.Contains(r.Body, text) {
		t.Errorf("got %d %.300s, want %d with %q", r.Status, r.Body, status, text)
	}
}

// Logs is everything in a function's log group.
func (s *Server) Logs(function string) string {
	s.T.Helper()
	var all strings.Builder
	err := filepath.WalkDir(filepath.Join(s.Dir, "data", "logs"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, "/"+function+"/") && !strings.Contains(filepath.Base(path), function) {
			return err
		}
		b, err := os.ReadFile(path)
		all.Write(b)
		return err
	})
	if err != nil {
		s.T.Fatal(err)
	}
	return all.String()
}

// WantLog waits for text in a function's log group, which is written a moment
// after the event.
func (s *Server) WantLog(function string, texts ...string) {
	s.T.Helper()
	for _, text := range texts {
		found := false
		for end := time.Now().Add(time.Minute); !found && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			found = strings.Contains(s.Logs(function), text)
		}
		if !found {
			s.T.Errorf("the log of %s has no %q:\n%s", function, text, Tail(s.Logs(function), 40))
		}
	}
}

// Metric reads one sample of /metrics, 0 when it is not there.
func (s *Server) Metric(name string) float64 {
	s.T.Helper()
	lines := bufio.NewScanner(strings.NewReader(s.Get("/metrics").Body))
	for lines.Scan() {
		if value, found := strings.CutPrefix(lines.Text(), name+" "); found {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				s.T.Fatal(err)
			}
			return n
		}
	}
	return 0
}

// Reload loads the Caddyfile as it is now, through the admin endpoint.
func (s *Server) Reload() {
	s.T.Helper()
	cmd := exec.Command(CaddyBinary(s.T), "reload", "--config", s.Config, "--adapter", "caddyfile", "--force")
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		s.T.Fatalf("reload: %v\n%s", err, out)
	}
}

// Eventually waits up to a minute for something that happens soon. So much is for a machine
// that is loaded: what must be quick is measured, and says so.
func Eventually(t *testing.T, what string, happens func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !happens(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("not within a minute: %s", what)
			return
		}
	}
}

func LinesWith(text, part string) (n int) {
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}

// AwaitStem waits until a process of a runtime's family has booted for whom
// comes next.
func (s *Server) AwaitStem(family string) {
	s.T.Helper()
	Eventually(s.T, "a stem of "+family, func() bool {
		return s.Metric(fmt.Sprintf("hearth_stems{runtime=%q,state=\"ready\"}", family)) > 0
	})
}

func (s *Server) FromStems(runtime string) float64 {
	s.T.Helper()
	return s.Metric(fmt.Sprintf("hearth_cold_starts_total{runtime=%q,stem=\"yes\"}", runtime))
}

// StartFails starts the server, which ends with an error that has the texts in it.
func (s *Server) StartFails(texts ...string) {
	s.T.Helper()
	s.Mu.Lock()
	s.Out.Reset()
	s.Mu.Unlock()
	s.Spawn()
	select {
	case <-s.Exited:
	case <-time.After(time.Minute):
		s.T.Fatalf("the server does not end:\n%s", s.Output())
	}
	if code := s.Cmd.ProcessState.ExitCode(); code <= 0 {
		s.T.Errorf("the server ends with code %d", code)
	}
	s.Cmd = nil
	for _, text := range texts {
		if !strings.Contains(s.Output(), text) {
			s.T.Errorf("the server does not say %q:\n%s", text, s.Output())
		}
	}
}

// Restarted starts a server again that has ended.
func (s *Server) Restarted() {
	s.T.Helper()
	s.Mu.Lock()
	s.Out.Reset()
	s.Mu.Unlock()
	s.Start()
}

// Kills is how often each test kills the gateway.
const Kills = 50

// Kill ends the server as a power failure does, but for the disk's cache.
func (s *Server) Kill() {
	s.T.Helper()
	if err := s.Cmd.Process.Kill(); err != nil {
		s.T.Fatal(err)
	}
	<-s.Exited
	if out := s.Output(); strings.Contains(out, `"level":"error"`) && !strings.Contains(out, "serving initial configuration") {
		s.T.Errorf("the server did not start after a kill:\n%s", out)
	}
	s.Mu.Lock()
	s.Out.Reset()
	s.Mu.Unlock()
}

// KillOften kills the server, every third time at a random instant after its start,
// which may be before it serves, else when it has served for a random time. It is
// started a last time then.
func (s *Server) KillOften() {
	s.T.Helper()
	random := NewRandom(s.T)
	serves := func() {
		s.T.Helper()
		Eventually(s.T, "the server serves after a kill", func() bool { return strings.Contains(s.Output(), "serving initial configuration") })
	}
	for n := range Kills {
		if n%3 != 0 {
			serves()
		}
		random.Wait(600 * time.Millisecond)
		s.Kill()
		s.Spawn()
	}
	serves()
}
