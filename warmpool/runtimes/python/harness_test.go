package python_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/runtimes"
	"github.com/hearthfn/hearth/warmpool/runtimes/python"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait for a process.
const patience = 20 * time.Second

// pythons are the interpreters of this machine that Lambda has a runtime for: one
// of each version, by its path.
var pythons = sync.OnceValue(func() []string {
	home, _ := os.UserHomeDir()
	var found []string
	seen := make(map[string]bool)
	name := regexp.MustCompile(`^python3\.(9|1[0-9])$`)
	for _, pattern := range []string{"/usr/bin/python3.*", "/usr/local/bin/python3.*", home + "/.pyenv/versions/*/bin/python3.*"} {
		paths, _ := filepath.Glob(pattern)
		for _, path := range paths {
			if base := filepath.Base(path); name.MatchString(base) && !seen[base] {
				seen[base] = true
				found = append(found, path)
			}
		}
	}
	return found
})

// onEvery runs a test with every version of Python.
func onEvery(t *testing.T, test func(t *testing.T, f function)) {
	t.Helper()
	if len(pythons()) == 0 {
		t.Fatal("no Python 3.9 or later: install python3")
	}
	for _, path := range pythons() {
		t.Run(filepath.Base(path), func(t *testing.T) { test(t, function{python: path}) })
	}
}

// A function says what to start. Its files and env have no more than a test needs.
type function struct {
	python      string // the first of pythons when empty
	files       map[string]string
	handler     string // "app.handler" when empty
	env         map[string]string
	early       []string // variables of the process itself
	concurrency int
	bootstrap   string // its folder; written anew when empty
}

// A process is a function that was started.
type process struct {
	t        testing.TB
	cmd      *exec.Cmd
	taskRoot string
	requests *os.File
	packet   bool
	replies  *os.File
	buf      []byte // read from replies, not yet looked at
	seq      uint32
	output   bytes.Buffer // its real stdout and stderr, to be read after wait
	waited   bool
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// writeBootstrap returns a folder with the bootstrap.
func writeBootstrap(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range python.Files() {
		write(t, filepath.Join(dir, name), string(data))
	}
	return dir
}

// boot starts a process and does not send the init frame.
func boot(t testing.TB, f function) *process {
	t.Helper()
	if f.python == "" {
		f.python = pythons()[0]
	}
	p := &process{t: t, taskRoot: t.TempDir(), packet: true}
	for name, text := range f.files {
		write(t, filepath.Join(p.taskRoot, name), text)
	}
	if f.bootstrap == "" {
		f.bootstrap = writeBootstrap(t)
	}

	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_DIRECT); err != nil {
		t.Fatal(err)
	}
	in := os.NewFile(uintptr(fds[0]), "requests")
	p.requests = os.NewFile(uintptr(fds[1]), "requests")
	replies, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.replies = replies

	p.cmd = exec.Command(f.python, python.Args(f.bootstrap, false)...)
	p.cmd.Env = append([]string{"PATH=/usr/bin:/bin"}, f.early...)
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	p.cmd.ExtraFiles = []*os.File{in, out}
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	out.Close()
	t.Cleanup(func() {
		if !p.waited {
			p.cmd.Process.Kill()
			p.cmd.Wait()
		}
		p.requests.Close()
		p.replies.Close()
		if t.Failed() && p.output.Len() > 0 {
			t.Logf("output of the process:\n%s", p.output.String())
		}
	})
	return p
}

// init sends the init frame.
func (p *process) init(f function) {
	p.t.Helper()
	if f.handler == "" {
		f.handler = "app.handler"
	}
	p.initAs(f.handler, f)
}

func (p *process) initAs(handler string, f function) {
	p.t.Helper()
	env := map[string]string{
		"AWS_EXECUTION_ENV": "AWS_Lambda_python3.13", "AWS_REGION": "eu-central-1", "TZ": ":UTC",
		"LAMBDA_TASK_ROOT": p.taskRoot,
	}
	for name, value := range f.env {
		env[name] = value
	}
	payload, err := json.Marshal(runtimes.InitPayload{
		Handler: handler, TaskRoot: p.taskRoot, Env: env,
		FunctionName: "thumb", FunctionVersion: "$LATEST",
		InvokedFunctionARN: "arn:aws:lambda:eu-central-1:000000000000:function:thumb",
		MemoryMB:           256, LogGroup: "/aws/lambda/thumb", LogStream: "2026/11/23/[$LATEST]0123",
		Concurrency: f.concurrency,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	frame := runtimes.AppendHead(nil, runtimes.Head{Kind: runtimes.KindInit, Length: uint32(len(payload))})
	p.write(append(frame, payload...))
}

// launch starts a function and returns when its handler is loaded.
func launch(t testing.TB, f function) *process {
	t.Helper()
	p := boot(t, f)
	p.init(f)
	if r := p.reply(); r.Kind != runtimes.KindReady {
		t.Fatalf("got %s %s, want ready", r.Kind, r.payload)
	}
	return p
}

// write sends a frame as the gateway does: one of a page or less as a packet.
func (p *process) write(frame []byte) {
	p.t.Helper()
	if packet := len(frame) <= runtimes.PacketSize; packet != p.packet {
		flags := unix.O_NONBLOCK
		if packet {
			flags |= unix.O_DIRECT
		}
		// Fd makes the file blocking, and so it stays: a test waits for its write.
		if _, err := unix.FcntlInt(p.requests.Fd(), unix.F_SETFL, flags&^unix.O_NONBLOCK); err != nil {
			p.t.Fatal(err)
		}
		p.packet = packet
	}
	if _, err := p.requests.Write(frame); err != nil {
		p.t.Fatalf("write a request: %v", err)
	}
}

// A reply is the end of an init or an invocation, with what was logged until then.
type reply struct {
	runtimes.Head
	payload string
	logs    []string
}

func (r reply) log() string { return strings.Join(r.logs, "|") }

// A failure is a function error.
type failure struct {
	ErrorMessage string   `json:"errorMessage"`
	ErrorType    string   `json:"errorType"`
	RequestID    string   `json:"requestId"`
	StackTrace   []string `json:"stackTrace"`
}

// failure decodes the error that r must be.
func (r reply) failure(t testing.TB) failure {
	t.Helper()
	if r.Kind != runtimes.KindError && r.Kind != runtimes.KindInitError {
		t.Fatalf("got %s %s, want an error", r.Kind, r.payload)
	}
	var f failure
	if err := json.Unmarshal([]byte(r.payload), &f); err != nil {
		t.Fatalf("error %s: %v", r.payload, err)
	}
	return f
}

// frame reads one frame, of those that say something about the function.
func (p *process) frame() (runtimes.Head, string, error) {
	if err := p.replies.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return runtimes.Head{}, "", err
	}
	need := func(n int) error {
		for len(p.buf) < n {
			chunk := make([]byte, 64<<10)
			k, err := p.replies.Read(chunk)
			p.buf = append(p.buf, chunk[:k]...)
			if err != nil {
				return err
			}
		}
		return nil
	}
	if err := need(runtimes.HeadSize); err != nil {
		return runtimes.Head{}, "", err
	}
	head, err := runtimes.ParseHead(p.buf)
	if err != nil {
		return head, "", err
	}
	size := runtimes.HeadSize + int(head.Length)
	if err := need(size); err != nil {
		return head, "", err
	}
	payload := string(p.buf[runtimes.HeadSize:size])
	p.buf = p.buf[size:]
	if head.Kind == runtimes.KindBooted {
		return p.frame()
	}
	return head, payload, nil
}

// reply reads frames until one that is no log.
func (p *process) reply() reply {
	p.t.Helper()
	var logs []string
	for {
		head, payload, err := p.frame()
		if err != nil {
			p.t.Fatalf("after %q: %v", logs, err)
		}
		if head.Kind != runtimes.KindLog {
			return reply{head, payload, logs}
		}
		logs = append(logs, payload)
	}
}

// send begins an invocation and returns its sequence number.
func (p *process) send(in runtimes.Invoke, event string) uint32 {
	p.t.Helper()
	p.seq++
	if in.RequestID == "" {
		in.RequestID = "8f507cfc-xmpl-4697-b07a-ac58fc914c95"
	}
	if in.DeadlineMillis == 0 {
		in.DeadlineMillis = float64(time.Now().Add(time.Minute).UnixMilli())
	}
	frame, err := runtimes.AppendInvoke(nil, p.seq, &in, []byte(event))
	if err != nil {
		p.t.Fatal(err)
	}
	p.write(frame)
	return p.seq
}

// invoke runs one invocation.
func (p *process) invoke(event string) reply {
	p.t.Helper()
	return p.invokeAs(runtimes.Invoke{}, event)
}

func (p *process) invokeAs(in runtimes.Invoke, event string) reply {
	p.t.Helper()
	seq := p.send(in, event)
	r := p.reply()
	if r.Seq != seq {
		p.t.Fatalf("reply is for invocation %d, want %d", r.Seq, seq)
	}
	return r
}

// result runs one invocation that must succeed.
func (p *process) result(event string) string {
	p.t.Helper()
	r := p.invoke(event)
	if r.Kind != runtimes.KindResult {
		p.t.Fatalf("%s: got %s %s, want a result", event, r.Kind, r.payload)
	}
	return r.payload
}

// wait reads what is left and returns it with the status that the process ended
// with.
func (p *process) wait() (logs []string, status int) {
	p.t.Helper()
	for {
		head, payload, err := p.frame()
		if err == io.EOF {
			break
		}
		if err != nil {
			p.t.Fatal(err)
		}
		logs = append(logs, head.Kind.String()+" "+payload)
	}
	p.cmd.Wait() // its error is the status
	p.waited = true
	return logs, p.cmd.ProcessState.ExitCode()
}

// number is the little-endian number that frames have at offset.
func number(frame []byte, offset int) uint32 { return binary.LittleEndian.Uint32(frame[offset:]) }
