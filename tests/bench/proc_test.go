package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestStatOfProcessWithAwkwardNameIsRead(t *testing.T) {
	// Fields 14 to 17 are 250 + 30 ticks of its own and 15 + 5 of its children.
	line := "4242 (a) b (c) S 17 4242 4242 0 -1 4194304 100 0 0 0 250 30 15 5 20 0 7 0 987654 1 2\n"
	got, err := parseStat([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	want := process{pid: 4242, parent: 17, started: 987654, cpu: 3 * time.Second}
	if got != want {
		t.Errorf("parseStat = %+v, want %+v", got, want)
	}
}

func TestBrokenStatIsAnError(t *testing.T) {
	for _, line := range []string{"", "1", "1 (a", "x (a) S 1", "1 (a) S 1 1", ") (1"} {
		if p, err := parseStat([]byte(line)); err == nil {
			t.Errorf("parseStat(%q) = %+v, want an error", line, p)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("4242 (a) b (c) S 17 4242 4242 0 -1 4194304 100 0 0 0 250 30 15 5 20 0 7 0 987654 1 2\n"))
	f.Add([]byte(") ("))
	f.Fuzz(func(_ *testing.T, line []byte) { _, _ = parseStat(line) })
}

// shell runs script until its standard input ends, and returns once it has printed a line.
func shell(t *testing.T, script string) (pid int, stop func()) {
	t.Helper()
	command := exec.Command("sh", "-c", script)
	input, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			input.Close()
			_, _ = io.Copy(io.Discard, output)
			_ = command.Wait()
		}
	}
	t.Cleanup(stop)
	if _, err := bufio.NewReader(output).ReadString('\n'); err != nil {
		t.Fatalf("the shell printed nothing: %v", err)
	}
	return command.Process.Pid, stop
}

const burnCPU = `i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; `

func TestCPUOfGrandchildrenCounts(t *testing.T) {
	pid, _ := shell(t, `sh -c 'sh -c "`+strings.ReplaceAll(burnCPU, "$", `\$`)+`echo done; read wait"; true'; true`)
	got, err := cpuOf([]int{pid})
	if err != nil {
		t.Fatal(err)
	}
	if got < 2*tick {
		t.Errorf("cpuOf = %v, the busy grandchild is not in it", got)
	}
}

func TestCPUOfEndedChildrenIsKept(t *testing.T) {
	pid, _ := shell(t, `sh -c '`+burnCPU+`'; echo done; read wait`)
	got, err := cpuOf([]int{pid})
	if err != nil {
		t.Fatal(err)
	}
	if got < 2*tick {
		t.Errorf("cpuOf = %v, the child that ended is not in it", got)
	}
}

func TestFamilyDoesNotHoldStrangers(t *testing.T) {
	pid, _ := shell(t, `echo ready; read wait`)
	members, err := family(pid)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range members {
		if p.pid == os.Getpid() {
			t.Error("the parent is in its child's family")
		}
	}
	if len(members) != 1 {
		t.Errorf("family = %+v, want the shell alone", members)
	}
}

func TestEndedProcessIsNotAlive(t *testing.T) {
	pid, stop := shell(t, `echo ready; read wait`)
	members, err := family(pid)
	if err != nil || len(members) != 1 {
		t.Fatalf("family = %+v, %v", members, err)
	}
	if !members[0].alive() {
		t.Error("a running process is not alive")
	}
	other := members[0]
	other.started++
	if other.alive() {
		t.Error("an earlier process with the same id is alive")
	}
	stop()
	if members[0].alive() {
		t.Error("an ended process is alive")
	}
}
