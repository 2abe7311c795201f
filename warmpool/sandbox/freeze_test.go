package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"
)

// withFreezers runs a test in each way to freeze that there is here.
func withFreezers(t *testing.T, test func(t *testing.T, s *Sandbox)) {
	s := shared(t)
	t.Run(s.Freezer(), func(t *testing.T) { test(t, s) })
	if s.Freezer() != FreezerSignals {
		without := open(t, Config{})
		if err := without.cgroups.Close(); err != nil {
			t.Fatal(err)
		}
		without.cgroups = nil
		t.Run(FreezerSignals, func(t *testing.T) { test(t, without) })
	}
	t.Run("off", func(t *testing.T) { test(t, open(t, Config{Mode: Off})) })
}

// ticks is what a process and its descendants have used of the CPU, in clock ticks.
func ticks(pid int) (sum int) {
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil {
		fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
		for _, field := range fields[11:13] {
			n, _ := strconv.Atoi(string(field))
			sum += n
		}
	}
	for _, child := range children(pid) {
		sum += ticks(child)
	}
	return sum
}

func (s *session) pid() int {
	if s.initPID != 0 {
		return s.initPID
	}
	return s.cmd.Process.Pid
}

// still reports whether nothing of the environment uses the CPU for a quarter of a second.
func (s *session) still() bool {
	s.t.Helper()
	before := ticks(s.pid())
	for end := time.After(250 * time.Millisecond); ; {
		select {
		case <-end:
			return true
		case <-time.After(10 * time.Millisecond):
			if ticks(s.pid()) != before {
				return false
			}
		}
	}
}

// soon waits for something that happens soon.
func soon(t *testing.T, what string, happens func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !happens(); <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it does not happen: %s", what)
		}
	}
}

func (s *session) moves() bool {
	before := ticks(s.pid())
	moved := false
	soon(s.t, "something runs", func() bool { moved = ticks(s.pid()) > before; return moved })
	return moved
}

// spins uses all CPU it gets, in a process, its child, an orphan and a second thread.
const spins = `
import os, threading
def spin():
    while True: pass
if os.fork() == 0:
    if os.fork() == 0:
        os.write(1, b"up\n")
        spin()
    os._exit(0)
if os.fork() == 0:
    spin()
threading.Thread(target=spin, daemon=True).start()
os.read(3, 1)
os.write(1, b"on\n")
os._exit(0)`

func TestFrozenEnvironmentStandsStillUntilItIsThawed(t *testing.T) {
	withFreezers(t, func(t *testing.T, s *Sandbox) {
		p := start(t, s, Spec{ID: "spins", Args: []string{"/usr/bin/python3", "-I", "-S", "-c", spins}})
		p.line()
		for range 3 {
			p.moves()
			for range 2 { // the second time it is already
				if !p.Freeze() {
					t.Fatal("it was not frozen")
				}
			}
			// Whatever had a core may still have used it when it was asked.
			soon(t, "it stands still", p.still)
			if err := errors.Join(p.Thaw(), p.Thaw()); err != nil {
				t.Fatal(err)
			}
		}
		p.moves()
		p.Freeze()
		if _, err := p.stdin.WriteString("x"); err != nil {
			t.Fatal(err)
		}
		if err := p.Thaw(); err != nil {
			t.Fatal(err)
		}
		if got := p.line(); got != "on" {
			t.Errorf("it says %q", got)
		}
		if exit := p.wait(); exit != (Exit{}) {
			t.Errorf("it ended with %v", exit)
		}
		if p.Freeze() {
			t.Error("what has ended is frozen")
		}
	})
}

func TestFrozenEnvironmentIsKilled(t *testing.T) {
	withFreezers(t, func(t *testing.T, s *Sandbox) {
		p := start(t, s, Spec{ID: "killed", Args: []string{"/usr/bin/python3", "-I", "-S", "-c", spins}})
		p.line()
		if !p.Freeze() {
			t.Fatal("it was not frozen")
		}
		p.Kill()
		if got := p.wait(); got.String() != "signal: killed" || got.OOMKilled {
			t.Errorf("ended with %+v", got)
		}
	})
}

func TestFrozenEnvironmentIsTerminated(t *testing.T) {
	withFreezers(t, func(t *testing.T, s *Sandbox) {
		p := start(t, s, Spec{ID: "terminated", Args: []string{"sh", "-c", "trap 'echo asked; exit 3' TERM; echo up; while :; do read -r line <&3 || exit 4; done"}})
		p.line()
		if !p.Freeze() {
			t.Fatal("it was not frozen")
		}
		if err := p.Terminate(); err != nil {
			t.Fatal(err)
		}
		if p.Freeze() {
			t.Error("it is frozen again though it is to end")
		}
		p.stdin.Close()
		if got := p.line(); got != "asked" {
			t.Errorf("it says %q", got)
		}
		if got := p.wait().String(); got != "exit status 3" {
			t.Errorf("ended with %s", got)
		}
	})
}

// Processes that come and go while they are looked for are found all the same.
func TestForksDoNotEscapeTheFreeze(t *testing.T) {
	withFreezers(t, func(t *testing.T, s *Sandbox) {
		p := start(t, s, Spec{ID: "forks", Args: []string{"/usr/bin/python3", "-I", "-S", "-c", `
import os, sys
os.write(1, b"up\n")
def leap():
    # Each process is the parent of the next, and ends.
    while True:
        if os.fork() > 0:
            os._exit(0)
for _ in range(3):
    if os.fork() == 0:
        leap()
while True:
    try: os.wait()
    except ChildProcessError: os.read(3, 1)`}})
		p.line()
		frozen := 0
		for range 8 {
			if !p.Freeze() {
				continue
			}
			frozen++
			soon(t, "it stands still", p.still)
			if err := p.Thaw(); err != nil {
				t.Fatal(err)
			}
		}
		if frozen < 8 && s.Freezer() == FreezerCgroup { // by signals it may be too fast
			t.Errorf("it was frozen %d times of 8", frozen)
		}
		p.Kill()
		p.wait()
	})
}

func TestNumberOfAnotherProcessIsNotStopped(t *testing.T) {
	if sent, err := stopChild(os.Getpid(), os.Getppid()); sent || err != nil {
		t.Errorf("a process that is no child: %v, %v", sent, err)
	}
	if parent := parentOf(os.Getpid()); parent != os.Getppid() {
		t.Errorf("the parent is %d, want %d", parent, os.Getppid())
	}
	if parentOf(1<<30) != 0 {
		t.Error("nobody has a parent")
	}
	if err := continueAll([]int{1 << 30}); err != nil {
		t.Error(err)
	}
}
