package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
)

// patience is how long a test waits for what should come soon.
const patience = 20 * time.Second

// gatewayEnv makes the test binary a gateway that is there to be killed.
const gatewayEnv = "SANDBOX_TEST_GATEWAY"

// mainThreadEnv makes the test binary one that looks at its main thread.
const mainThreadEnv = "SANDBOX_TEST_MAIN_THREAD"

// A goroutine that is bound to its thread in an init has the main thread, and is the
// one that runs main.
func init() {
	if os.Getenv(mainThreadEnv) != "" {
		runtime.LockOSThread()
	}
}

func TestMain(m *testing.M) {
	if os.Getenv(gatewayEnv) != "" {
		beGateway()
		return
	}
	if os.Getenv(mainThreadEnv) != "" {
		leaveMainThread()
		return
	}
	code := m.Run()
	// The same as goleak.VerifyTestMain, once the shared Sandbox is closed.
	err := errors.Join(closeShared(), goleak.Find())
	if err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// sharedSandbox is for tests that ask nothing special of theirs: each costs a
// skeleton and a trial start.
var sharedSandbox struct {
	once sync.Once
	s    *Sandbox
	err  error
}

func shared(t *testing.T) *Sandbox {
	t.Helper()
	sharedSandbox.once.Do(func() { sharedSandbox.s, sharedSandbox.err = New(Config{}, zap.NewNop()) })
	if sharedSandbox.err != nil {
		t.Fatal(sharedSandbox.err)
	}
	return sharedSandbox.s
}

func closeShared() error {
	if sharedSandbox.s == nil {
		return nil
	}
	return sharedSandbox.s.Close()
}

func inMode(t *testing.T, mode string) *Sandbox {
	t.Helper()
	if mode == On {
		return shared(t)
	}
	return open(t, Config{Mode: mode})
}

// open makes a Sandbox that is closed at the end of the test.
func open(t testing.TB, cfg Config) *Sandbox {
	t.Helper()
	log := zap.NewNop()
	if t, ok := t.(*testing.T); ok {
		log = zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel))
	}
	s, err := New(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// A session is a started process and what it writes.
type session struct {
	*Process
	t      *testing.T
	stdin  *os.File // descriptor 3 of the process
	output chan string
	lines  chan string
}

// start starts spec with output captured and a pipe as descriptor 3.
func start(t *testing.T, s *Sandbox, spec Spec) *session {
	t.Helper()
	outR, outW := pipe(t)
	inR, inW := pipe(t)
	if spec.ID == "" {
		spec.ID = strings.ReplaceAll(strings.ToLower(t.Name()), "/", "-")[:min(len(t.Name()), 60)]
	}
	if spec.Env == nil {
		spec.Env = []string{"PATH=/usr/bin:/bin"}
	}
	spec.Stdout, spec.Stderr, spec.ExtraFiles = outW, outW, append([]*os.File{inR}, spec.ExtraFiles...)
	p, err := s.Start(spec)
	outW.Close()
	inR.Close()
	if err != nil {
		outR.Close()
		inW.Close()
		t.Fatal(err)
	}
	ses := &session{Process: p, t: t, stdin: inW, output: make(chan string, 1), lines: make(chan string, 100)}
	go func() {
		defer close(ses.lines)
		var all bytes.Buffer
		var line []byte
		buf := make([]byte, 4096)
		for {
			n, err := outR.Read(buf)
			all.Write(buf[:n])
			line = append(line, buf[:n]...)
			for {
				i := bytes.IndexByte(line, '\n')
				if i < 0 {
					break
				}
				select {
				case ses.lines <- string(line[:i]):
				default: // nobody reads that many
				}
				line = line[i+1:]
			}
			if err != nil {
				ses.output <- all.String()
				outR.Close()
				return
			}
		}
	}()
	t.Cleanup(func() {
		p.Kill()
		<-p.Done()
		inW.Close()
		for range ses.lines { // until its goroutine ends
		}
	})
	return ses
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return r, w
}

// line is the next line of output.
func (s *session) line() string {
	s.t.Helper()
	select {
	case line, ok := <-s.lines:
		if !ok {
			s.t.Fatalf("the process ended with %v", s.Exit())
		}
		return line
	case <-time.After(patience):
		s.t.Fatal("the process wrote nothing")
	}
	return ""
}

// wait waits for the end.
func (s *session) wait() Exit {
	s.t.Helper()
	select {
	case <-s.Done():
		return s.Exit()
	case <-time.After(patience):
		s.t.Fatal("the process does not end")
	}
	return Exit{}
}

// run runs a shell script inside and is what it wrote.
func run(t *testing.T, s *Sandbox, script string, spec Spec) string {
	t.Helper()
	spec.Args = []string{"sh", "-c", script}
	return finish(t, start(t, s, spec))
}

// python runs a Python program inside and is what it wrote.
func python(t *testing.T, s *Sandbox, program string, spec Spec) string {
	t.Helper()
	spec.Args = []string{"/usr/bin/python3", "-I", "-S", "-c", program}
	return finish(t, start(t, s, spec))
}

func finish(t *testing.T, ses *session) string {
	t.Helper()
	exit := ses.wait()
	output := strings.TrimSpace(<-ses.output)
	if exit != (Exit{}) {
		t.Fatalf("%v after writing:\n%s", exit, output)
	}
	return output
}

// folder is a folder with files that everyone may read.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := mkdirAll(filepath.Dir(path)); err != nil {
			t.Fatal(err)
		}
		if err := writeNew(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func read(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// needUsers is a Sandbox whose environments have users of their own.
func needUsers(t *testing.T) *Sandbox {
	t.Helper()
	s := shared(t)
	if !hasUsers(s) {
		t.Skip("this is about environments with users of their own")
	}
	return s
}

func hasUsers(s *Sandbox) bool { return s.identities != nil || s.lent != nil }

// needRoot is for tests of what only a gateway that is root does.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("this is about a gateway that is root")
	}
}
