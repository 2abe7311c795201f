// Package environmenttest is a runtime that misbehaves on demand. The test binary
// itself is it: a real process over the real pipes, whose event says what to do.
package environmenttest

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

const actAs = "HEARTH_TEST_RUNTIME"

// Main serves as the runtime, and does not return, when the process was started
// by Start. TestMain calls it first.
func Main() {
	if os.Getenv(actAs) != "" {
		serve()
		os.Exit(0)
	}
}

// A Deed is the event that the runtime understands.
type Deed struct {
	Do     string `json:"do"`
	Text   string `json:"text,omitempty"`
	Millis int    `json:"millis,omitempty"`
	File   string `json:"file,omitempty"`
	Size   int    `json:"size,omitempty"`
}

// hang is not select {}, which Go's runtime would take for a deadlock and end.
func hang() { time.Sleep(time.Hour) }

// spin uses a core for a while.
func spin(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
	}
}

func serve() {
	in, out := os.NewFile(3, "in"), os.NewFile(4, "out")
	reply := func(kind runtimes.Kind, seq, value uint32, payload string) {
		frame := runtimes.AppendHead(nil, runtimes.Head{Kind: kind, Length: uint32(len(payload)), Seq: seq, Value: value})
		if _, err := out.Write(append(frame, payload...)); err != nil {
			os.Exit(3)
		}
	}
	buf := make([]byte, 8<<20)
	frame := func() (head []byte, meta int, payload []byte) {
		n, err := in.Read(buf[:runtimes.PacketSize])
		if err == io.EOF {
			os.Exit(0)
		}
		size := runtimes.HeadSize + int(binary.LittleEndian.Uint32(buf[4:]))
		if n < size { // more is what the packet was filled up by
			if _, err := io.ReadFull(in, buf[n:size]); err != nil {
				os.Exit(3)
			}
		}
		return buf[:16], int(binary.LittleEndian.Uint16(buf[2:])), buf[16:size]
	}
	switch os.Getenv(actAs) {
	case NeverBoots:
		hang()
	case EndsBooting:
		os.Exit(7)
	}
	reply(runtimes.KindBooted, 0, 0, "")
	_, _, payload := frame()
	var init runtimes.InitPayload
	if json.Unmarshal(payload, &init) != nil {
		os.Exit(3)
	}
	switch init.Handler {
	case "fail":
		reply(runtimes.KindInitError, 0, 0, `{"errorType":"Runtime.ImportModuleError","errorMessage":"no module"}`)
		os.Exit(1)
	case "exit":
		os.Exit(7)
	case "hang":
		hang()
	case "spin":
		spin(time.Hour)
	case "garbage":
		out.WriteString("this is not a frame, it is just text")
		hang()
	}
	reply(runtimes.KindLog, 0, 1, "loading")
	reply(runtimes.KindReady, 0, 0, "")
	if init.Handler == "ready-then-exit" {
		os.Exit(0)
	}
	for {
		head, meta, payload := frame()
		seq := binary.LittleEndian.Uint32(head[8:])
		deadline := math.Float64frombits(binary.LittleEndian.Uint64(payload))
		var d Deed
		if json.Unmarshal(payload[meta:], &d) != nil {
			os.Exit(3)
		}
		if d.File != "" { // a trace that it ran, which outlives the process
			f, err := os.OpenFile(d.File, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
			if err != nil {
				os.Exit(3)
			}
			f.WriteString(d.Text + "\n")
			f.Close()
		}
		switch d.Do {
		case "echo":
			reply(runtimes.KindResult, seq, 10, d.Text)
		case "size":
			reply(runtimes.KindResult, seq, 10, strings.Repeat("x", d.Size))
		case "length":
			reply(runtimes.KindResult, seq, 10, string(strings.Repeat("y", len(d.Text))))
		case "fail":
			reply(runtimes.KindError, seq, 10, `{"errorType":"Error","errorMessage":"asked to"}`)
		case "log":
			reply(runtimes.KindLog, seq, 1, d.Text)
			reply(runtimes.KindResult, seq, 10, "null")
		case "print":
			os.Stdout.WriteString(d.Text)
			reply(runtimes.KindResult, seq, 10, "null")
		case "last-words":
			reply(runtimes.KindLog, seq, 1, "before the answer")
			reply(runtimes.KindResult, seq, 10, "null")
			reply(runtimes.KindLog, 0, 2, "after the answer "+d.Text)
			os.Stderr.WriteString("written " + d.Text)
			os.Exit(d.Size)
		case "sleep":
			time.Sleep(time.Duration(d.Millis) * time.Millisecond)
			reply(runtimes.KindResult, seq, uint32(d.Millis)*1000, d.Text)
		case "spin":
			spin(time.Duration(d.Millis) * time.Millisecond)
			reply(runtimes.KindResult, seq, uint32(d.Millis)*1000, d.Text)
		case "remaining":
			left, _ := json.Marshal(deadline - float64(time.Now().UnixMilli()))
			reply(runtimes.KindResult, seq, 10, string(left))
		case "heir":
			// A child says what the file says, once that is there, when this process is gone.
			heir := exec.Command("sh", "-c", `until [ -s "$0" ]; do sleep 0.01; done; cat "$0" >&3`, d.Text)
			heir.ExtraFiles = []*os.File{out}
			if heir.Start() != nil {
				os.Exit(3)
			}
			os.Exit(0)
		case "exit":
			os.Exit(9)
		case "crash":
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			hang()
		case "hang":
			hang()
		case "garbage":
			out.WriteString(d.Text)
			hang()
		case "wrong-seq":
			reply(runtimes.KindResult, seq+1000, 10, "null")
			hang()
		case "close":
			out.Close()
			hang()
		case "stream":
			reply(runtimes.KindStreamStart, seq, 0, "text/plain")
			for i := range d.Size {
				reply(runtimes.KindStreamChunk, seq, 0, string(rune('a'+i%26)))
			}
			if d.Text == "fail" {
				reply(runtimes.KindError, seq, 10, `{"errorType":"Error","errorMessage":"midway"}`)
				continue
			}
			reply(runtimes.KindStreamEnd, seq, 10, "")
		default:
			os.Exit(3)
		}
	}
}

// A Process is that process, without a sandbox. It implements
// environment.Process.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// The things that a process may do in place of booting.
const (
	NeverBoots  = "never-boots"
	EndsBooting = "ends-booting"
)

// Start starts it with output as its stdout and stderr, and pipes as descriptors 3
// and 4.
func Start(output *os.File, pipes []*os.File) (*Process, error) {
	return StartAs("1", output, pipes)
}

// StartAs is Start for a process that does not boot.
func StartAs(boot string, output *os.File, pipes []*os.File) (*Process, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &Process{cmd: exec.Command(executable), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), actAs+"="+boot, "GOMAXPROCS=1", "GORACE=atexit_sleep_ms=0")
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.ExtraFiles = output, output, pipes
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// Done is closed when the process is gone.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit is how it ended.
func (p *Process) Exit() (string, bool) { return p.cmd.ProcessState.String(), false }

// Kill kills it.
func (p *Process) Kill() { _ = p.cmd.Process.Kill() }

// Working is false, as of a runtime that waits.
func (p *Process) Working() bool { return false }

// Freeze stops it by a signal.
func (p *Process) Freeze() bool { return p.cmd.Process.Signal(syscall.SIGSTOP) == nil }

// Thaw has it go on.
func (p *Process) Thaw() error {
	if err := p.cmd.Process.Signal(syscall.SIGCONT); !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// Stopped reports whether it stands still.
func (p *Process) Stopped() bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	return err == nil && strings.Contains(string(b), ") T ")
}

// Runnable reports whether it uses a core, or would if it got one.
func (p *Process) Runnable() bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid))
	for _, thread := range threads {
		if b, err := os.ReadFile(thread); err == nil && strings.Contains(string(b), ") R ") {
			return true
		}
	}
	return false
}

// CurrentMemory is a constant.
func (p *Process) CurrentMemory() int64 { return 42 << 20 }

// Resident is a constant.
func (p *Process) Resident() int64 { return 42 << 20 }

// Memory is a constant.
func (p *Process) Memory() int64 { return 42 << 20 }
