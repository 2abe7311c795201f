// Package runtimetest starts a language's bootstrap with its real interpreter, and is
// its gateway: it writes frames and reads what comes back.
package runtimetest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

// Patience bounds every wait for a process.
const Patience = 20 * time.Second

// A Function says what to start. Its files and env have no more than a test needs.
type Function struct {
	Interpreter string // the language's own when empty
	Files       map[string]string
	Handler     string // the language's own when empty
	Env         map[string]string
	Early       []string // variables of the process itself
	Args        []string // of the interpreter itself
	Stem        bool     // booted before there was a function
	Large       bool     // the stem is for a function that loads much, if the language knows that
	Bootstrap   string   // its folder; written anew when empty
	Concurrency int
	Waits       func(*Process) (goes bool) // called between the init frame and the go frame; nil: there is none
}

// A Language is what differs from one runtime to the other.
type Language struct {
	Files       func() map[string][]byte // of the bootstrap
	Interpreter func(t testing.TB) string
	// Args start a function with the bootstrap in a folder.
	Args        func(bootstrap string, f Function) []string
	Handler     string // e.g. p.language.Handler
	Environment string // the value of AWS_EXECUTION_ENV
}

// A Process is a function that was started.
type Process struct {
	Cmd      *exec.Cmd
	TaskRoot string
	Requests *os.File
	Streams  bool // nothing goes as a packet
	Replies  *os.File
	Output   bytes.Buffer // its real stdout and stderr, to be read after Wait

	t        testing.TB
	language *Language
	packet   bool
	buf      []byte // read from Replies, not yet looked at
	seq      uint32
	waited   bool
}

// WriteFile writes a file, and makes its folder.
func WriteFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// WriteBootstrap returns a folder with the bootstrap.
func (l *Language) WriteBootstrap(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range l.Files() {
		WriteFile(t, filepath.Join(dir, name), string(data))
	}
	return dir
}

// Boot starts a process and does not send the init frame.
func (l *Language) Boot(t testing.TB, f Function) *Process {
	t.Helper()
	if f.Interpreter == "" {
		f.Interpreter = l.Interpreter(t)
	}
	if f.Bootstrap == "" {
		f.Bootstrap = l.WriteBootstrap(t)
	}
	p := &Process{t: t, language: l, TaskRoot: t.TempDir(), packet: true}
	for name, text := range f.Files {
		WriteFile(t, filepath.Join(p.TaskRoot, name), text)
	}

	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_DIRECT); err != nil {
		t.Fatal(err)
	}
	in := os.NewFile(uintptr(fds[0]), "requests")
	p.Requests = os.NewFile(uintptr(fds[1]), "requests")
	replies, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.Replies = replies

	p.Cmd = exec.Command(f.Interpreter, append(f.Args, l.Args(f.Bootstrap, f)...)...)
	p.Cmd.Env = append([]string{"PATH=/usr/bin:/bin"}, f.Early...)
	p.Cmd.Stdout, p.Cmd.Stderr = &p.Output, &p.Output
	p.Cmd.ExtraFiles = []*os.File{in, out}
	p.Cmd.WaitDelay = time.Second
	if err := p.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	out.Close()
	t.Cleanup(func() {
		if !p.waited {
			p.Cmd.Process.Kill()
			p.Cmd.Wait()
		}
		p.Requests.Close()
		p.Replies.Close()
		if t.Failed() && p.Output.Len() > 0 {
			t.Logf("output of the process:\n%s", p.Output.String())
		}
	})
	return p
}

// Init sends the init frame.
func (p *Process) Init(f Function) {
	p.t.Helper()
	if f.Handler == "" {
		f.Handler = p.language.Handler
	}
	p.InitAs(f.Handler, f)
}

func (p *Process) InitAs(handler string, f Function) {
	p.t.Helper()
	env := map[string]string{
		"AWS_EXECUTION_ENV": p.language.Environment, "AWS_REGION": "eu-central-1", "TZ": ":UTC",
		"LAMBDA_TASK_ROOT": p.TaskRoot,
	}
	for name, value := range f.Env {
		env[name] = value
	}
	payload, err := json.Marshal(runtimes.InitPayload{
		Handler: handler, TaskRoot: p.TaskRoot, Env: env,
		FunctionName: "thumb", FunctionVersion: "$LATEST",
		InvokedFunctionARN: "arn:aws:lambda:eu-central-1:000000000000:function:thumb",
		MemoryMB:           256, LogGroup: "/aws/lambda/thumb", LogStream: "2026/11/23/[$LATEST]0123",
		Concurrency: f.Concurrency, Waits: f.Waits != nil,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	frame := runtimes.AppendHead(nil, runtimes.Head{Kind: runtimes.KindInit, Length: uint32(len(payload))})
	p.Write(append(frame, payload...))
	if f.Waits != nil && f.Waits(p) {
		p.Write(runtimes.AppendHead(nil, runtimes.Head{Kind: runtimes.KindGo}))
	}
}

// Add writes a file of the function, some time later than the process could have looked for it.
func (p *Process) Add(name, content string) {
	p.t.Helper()
	time.Sleep(20 * time.Millisecond)
	if err := os.WriteFile(filepath.Join(p.TaskRoot, name), []byte(content), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// Launch starts a function and returns when its handler is loaded.
func (l *Language) Launch(t testing.TB, f Function) *Process {
	t.Helper()
	p := l.Boot(t, f)
	p.Init(f)
	if r := p.Reply(); r.Kind != runtimes.KindReady {
		t.Fatalf("got %s %s, want ready", r.Kind, r.Payload)
	}
	return p
}

// Write sends a frame as the gateway does: one of a page or less as a packet.
func (p *Process) Write(frame []byte) {
	p.t.Helper()
	if packet := len(frame) <= runtimes.PacketSize && !p.Streams; packet != p.packet {
		flags := unix.O_NONBLOCK
		if packet {
			flags |= unix.O_DIRECT
		}
		// Fd makes the file blocking, and so it stays: a test waits for its write.
		if _, err := unix.FcntlInt(p.Requests.Fd(), unix.F_SETFL, flags&^unix.O_NONBLOCK); err != nil {
			p.t.Fatal(err)
		}
		p.packet = packet
	}
	if _, err := p.Requests.Write(frame); err != nil {
		p.t.Fatalf("write a request: %v", err)
	}
}

// A Reply is the end of an init or an invocation, with what was logged until then.
type Reply struct {
	runtimes.Head
	Payload string
	Logs    []string
}

func (r Reply) Log() string { return strings.Join(r.Logs, "|") }

// A Failure is a function error.
type Failure struct {
	ErrorType    string   `json:"errorType"`
	ErrorMessage string   `json:"errorMessage"`
	Trace        []string `json:"trace"`      // of Node
	StackTrace   []string `json:"stackTrace"` // of Python
	RequestID    string   `json:"requestId"`
}

// Failure decodes the error that r must be.
func (r Reply) Failure(t testing.TB) Failure {
	t.Helper()
	if r.Kind != runtimes.KindError && r.Kind != runtimes.KindInitError {
		t.Fatalf("got %s %s, want an error", r.Kind, r.Payload)
	}
	var f Failure
	if err := json.Unmarshal([]byte(r.Payload), &f); err != nil {
		t.Fatalf("error %s: %v", r.Payload, err)
	}
	return f
}

// Frame reads one frame, of those that say something about the function.
func (p *Process) Frame() (runtimes.Head, string, error) {
	if err := p.Replies.SetReadDeadline(time.Now().Add(Patience)); err != nil {
		return runtimes.Head{}, "", err
	}
	need := func(n int) error {
		for len(p.buf) < n {
			chunk := make([]byte, 64<<10)
			k, err := p.Replies.Read(chunk)
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
		if payload != "" {
			p.t.Errorf("the rehearsal failed: %s", payload)
		}
		return p.Frame()
	}
	return head, payload, nil
}

// Reply reads frames until one that is no log.
func (p *Process) Reply() Reply {
	p.t.Helper()
	var logs []string
	for {
		head, payload, err := p.Frame()
		if err != nil {
			p.t.Fatalf("after %q: %v", logs, err)
		}
		if head.Kind != runtimes.KindLog {
			return Reply{head, payload, logs}
		}
		logs = append(logs, payload)
	}
}

// Send begins an invocation and returns its sequence number.
func (p *Process) Send(in runtimes.Invoke, event string) uint32 {
	p.t.Helper()
	p.seq++
	if in.RequestID == "" {
		in.RequestID = "8f507cfc-xmpl-4697-b07a-ac58fc914c95"
	}
	if in.DeadlineMillis == 0 {
		in.DeadlineMillis = float64(time.Now().Add(time.Minute).UnixMilli())
	}
	frame, err := InvokeFrame(p.seq, &in, []byte(event))
	if err != nil {
		p.t.Fatal(err)
	}
	p.Write(frame)
	return p.seq
}

// EchoTogether begins an invocation for each of events by one write, as the gateway does with
// many calls in flight. The handler must return its event.
func (p *Process) EchoTogether(events ...string) {
	p.t.Helper()
	first := p.seq + 1
	var packets []byte
	for _, event := range events {
		p.seq++
		frame, err := InvokeFrame(p.seq, &runtimes.Invoke{RequestID: "8f507cfc-xmpl-4697-b07a-ac58fc914c95", DeadlineMillis: 2e12}, []byte(event))
		if err != nil {
			p.t.Fatal(err)
		}
		packets = runtimes.AppendPacket(packets, frame)
	}
	if _, err := p.Requests.Write(packets); err != nil {
		p.t.Fatalf("write requests: %v", err)
	}
	for i, event := range events {
		if r := p.Reply(); r.Seq != first+uint32(i) || r.Payload != event {
			p.t.Errorf("got %s %.80s for invocation %d, want %.80s for %d", r.Kind, r.Payload, r.Seq, event, first+uint32(i))
		}
	}
}

// Invoke runs one invocation.
func (p *Process) Invoke(event string) Reply {
	p.t.Helper()
	return p.InvokeAs(runtimes.Invoke{}, event)
}

func (p *Process) InvokeAs(in runtimes.Invoke, event string) Reply {
	p.t.Helper()
	seq := p.Send(in, event)
	r := p.Reply()
	if r.Seq != seq {
		p.t.Fatalf("reply is for invocation %d, want %d: %s", r.Seq, seq, r.Payload)
	}
	return r
}

// Result runs one invocation that must succeed.
func (p *Process) Result(event string) string {
	p.t.Helper()
	r := p.Invoke(event)
	if r.Kind != runtimes.KindResult {
		p.t.Fatalf("%s: got %s %s, want a result", event, r.Kind, r.Payload)
	}
	return r.Payload
}

// Wait reads what is left and returns it with the status that the process ended
// with.
func (p *Process) Wait() (logs []string, status int) {
	p.t.Helper()
	for {
		head, payload, err := p.Frame()
		if err == io.EOF {
			break
		}
		if err != nil {
			p.t.Fatal(err)
		}
		logs = append(logs, head.Kind.String()+" "+payload)
	}
	p.Cmd.Wait() // its error is the status
	p.waited = true
	return logs, p.Cmd.ProcessState.ExitCode()
}

// Number is the little-endian number that frames have at offset.
func Number(frame []byte, offset int) uint32 { return binary.LittleEndian.Uint32(frame[offset:]) }
