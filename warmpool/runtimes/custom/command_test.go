package custom

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A supervised is a Command that runs.
type supervised struct {
	cmd   *exec.Cmd
	gate  *os.File
	exits *bufio.Reader
	out   *bufio.Reader
}

func supervise(t *testing.T, c Command) *supervised {
	t.Helper()
	pipe := func() (r, w *os.File) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			r.Close()
			w.Close()
		})
		return r, w
	}
	gate, open := pipe()
	exits, report := pipe()
	out, output := pipe()
	c.Gate, c.Exits = 3, 4
	args := c.Args()
	s := &supervised{cmd: exec.Command(args[0], args[1:]...), gate: open, exits: bufio.NewReader(exits), out: bufio.NewReader(out)}
	s.cmd.ExtraFiles = []*os.File{gate, report}
	s.cmd.Stdout, s.cmd.Stderr = output, output
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, f := range []*os.File{gate, report, output} {
		f.Close()
	}
	for _, f := range []*os.File{exits, out} {
		if err := f.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) // or it has ended
		if s.cmd.ProcessState == nil {
			s.cmd.Wait()
		}
	})
	return s
}

func script(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func (s *supervised) pass(t *testing.T) {
	t.Helper()
	if _, err := s.gate.WriteString("\n"); err != nil {
		t.Fatal(err)
	}
}

func wantLine(t *testing.T, r *bufio.Reader, want string) {
	t.Helper()
	if line, err := r.ReadString('\n'); line != want+"\n" {
		t.Errorf("got %q, %v, want %q", line, err, want)
	}
}

// holds tells in a script which of our descriptors it has.
const holds = `fds=; for fd in 3 4; do [ ! -e /proc/$$/fd/$fd ] || fds="$fds $fd"; done; echo "holds$fds"`

func TestCommandWithoutExtensionsIsTheRuntimeItself(t *testing.T) {
	c := Command{Runtime: []string{"/var/task/bootstrap"}}
	if args := c.Args(); len(args) != 1 || args[0] != "/var/task/bootstrap" || c.Supervised() {
		t.Errorf("got %q", args)
	}
}

func TestCommandStartsExtensionsFirstAndSaysWhoEnds(t *testing.T) {
	extensions := []string{
		script(t, "it's $(one)", holds+`; echo "one got $(cat)"; exit 3`),
		script(t, "two", "kill -9 $$"),
	}
	s := supervise(t, Command{Runtime: []string{script(t, "bootstrap", holds+"; exit 5")}, Extensions: extensions})
	ended := map[string]bool{}
	for range extensions {
		line, err := s.exits.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		ended[line] = true
	}
	if !ended["3 it's $(one)\n"] || !ended["137 two\n"] {
		t.Errorf("got %v", ended)
	}
	s.pass(t)
	wantLine(t, s.exits, "5 ")
	if _, err := s.exits.ReadByte(); err == nil {
		t.Error("more is said")
	}
	var exit *exec.ExitError
	if err := s.cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 5 {
		t.Errorf("got %v", err)
	}
	var text strings.Builder
	if _, err := s.out.WriteTo(&text); err != nil {
		t.Fatal(err)
	}
	// The shell's own word about "two" may come anywhere.
	if got := strings.ReplaceAll(text.String(), "Killed\n", ""); got != "holds\none got \nholds\n" {
		t.Errorf("got %q", got)
	}
}

func TestCommandHandsSIGTERMOnToTheRuntimeAndStays(t *testing.T) {
	for name, c := range map[string]struct{ runtime, want string }{
		"obeys":   {"trap 'echo told; exit 2' TERM\necho up\nwhile :; do sleep 0.01; done", "2 "},
		"dies":    {"echo up\nexec sleep 60", "143 "},
		"ignores": {"trap '' TERM\necho up\nexec sleep 60", "137 "},
	} {
		t.Run(name, func(t *testing.T) {
			s := supervise(t, Command{
				Runtime:    []string{script(t, "bootstrap", c.runtime)},
				Extensions: []string{script(t, "stays", "trap 'echo no' TERM\nread -r line <"+fifo(t))},
			})
			s.pass(t)
			wantLine(t, s.out, "up")
			if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			wantLine(t, s.exits, c.want)
			if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Errorf("the supervisor has ended: %v", err)
			}
		})
	}
}

// fifo is a pipe with a name that nobody writes to.
func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A gateway that dies must not leave a supervisor that waits.
func TestCommandEndsWithItsGate(t *testing.T) {
	s := supervise(t, Command{Runtime: []string{"true"}, Extensions: []string{script(t, "ends", "exit 0")}})
	s.gate.Close()
	var exit *exec.ExitError
	if err := s.cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("got %v", err)
	}
}
