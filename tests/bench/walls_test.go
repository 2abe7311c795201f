package main

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

func TestWallsGroupIsTheNetworksAlone(t *testing.T) {
	s, err := parseFlags([]string{"walls"})
	if err != nil {
		t.Fatal(err)
	}
	m := machine{Node: "20.1.0", Python: "3.11.2"}
	warm, scenarios := selected(s.only, s.group, warmTargets(m), allScenarios(m, s))
	if len(warm) > 0 || len(scenarios) != 3 {
		t.Errorf("%d targets and %d scenarios, want none and 3", len(warm), len(scenarios))
	}
}

func TestNetworksAreComparedWithinARound(t *testing.T) {
	// The second round is of a slow minute, for both.
	host := []sample{{PerSec: 1000, P50: 100 * time.Microsecond}, {PerSec: 100, P50: time.Millisecond}, {PerSec: 1000, P50: 100 * time.Microsecond}}
	private := []sample{{PerSec: 980, P50: 102 * time.Microsecond}, {PerSec: 99, P50: 1010 * time.Microsecond}, {PerSec: 900, P50: 110 * time.Microsecond}}
	r := report{Figures: compared("connections 1", [][]sample{host, private})}
	met := map[string]bool{}
	for _, g := range judge(r) {
		met[g.Name] = g.Met
	}
	const throughput, latency = wallsWarm + ": connections 1" + wallsThroughput, wallsWarm + ": connections 1" + wallsLatency
	if len(met) != 2 || !met[throughput] || !met[latency] {
		t.Errorf("judged are %v, want both met: the medians are 0.98 and 1.02", met)
	}
}

func TestNetworksTakeTurnsAtBeingTheFirst(t *testing.T) {
	if turn(0)[0] != 0 || turn(1)[0] != 1 || turn(2)[0] != 0 {
		t.Errorf("the first are %v, %v, %v", turn(0), turn(1), turn(2))
	}
}

// A program that has used less than a tick of the CPU has not used none.
func TestCPUOfShortProcessesIsCounted(t *testing.T) {
	cmd := exec.Command("sh", "-c", "echo started; read -r line")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 8)); err != nil {
		t.Error(err)
	}
	got, err := exactCPUOf(cmd.Process.Pid)
	if err != nil || got <= 0 || got%tick == 0 || got > 10*time.Second {
		t.Errorf("got %v, %v", got, err)
	}
	in.Close()
	_ = cmd.Wait() // read found no line
	if own, err := exactCPUOf(os.Getpid()); err != nil || own < 0 {
		t.Errorf("of a program with threads: %v, %v", own, err)
	}
}
