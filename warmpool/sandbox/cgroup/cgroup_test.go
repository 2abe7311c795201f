package cgroup

import (
	"strconv"
	"strings"
	"testing"
)

func TestLimitsBecomeSettings(t *testing.T) {
	text := func(l Limits, v2 bool) string {
		memory, pids, cpu := l.settingsV1()
		if v2 {
			memory, pids, cpu = l.settingsV2()
		}
		var b strings.Builder
		for _, s := range append(append(memory, pids...), cpu...) {
			b.WriteString(s.file + "=" + s.value + " ")
		}
		return strings.TrimSpace(b.String())
	}
	l := Limits{Memory: 1769 << 20, Tmp: 512 << 20, Processes: 1026}
	max := strconv.Itoa((1769 + 512) << 20)
	if got, want := text(l, true), "memory.max="+max+" memory.swap.max=0 memory.oom.group=1 pids.max=1026 cpu.weight=1000"; got != want {
		t.Errorf("v2: got %s, want %s", got, want)
	}
	if got, want := text(l, false), "memory.limit_in_bytes="+max+" memory.memsw.limit_in_bytes="+max+" memory.swappiness=0 pids.max=1026 cpu.shares=1024"; got != want {
		t.Errorf("v1: got %s, want %s", got, want)
	}
	for memory, want := range map[int64]string{1: "cpu.weight=1", 128: "cpu.weight=72", 10240: "cpu.weight=5788", 1 << 20: "cpu.weight=10000"} {
		if got := text(Limits{Memory: memory << 20}, true); !strings.HasSuffix(got, want) {
			t.Errorf("%d MB: got %s, want %s", memory, got, want)
		}
	}
	if got := text(Limits{Memory: 1 << 20}, false); !strings.HasSuffix(got, "cpu.shares=2") {
		t.Errorf("1 MB: got %s", got)
	}
}

func TestWhatRunsInTheBackgroundGivesWayToTheSmallestFunction(t *testing.T) {
	_, _, cpu := Limits{Memory: 512 << 20, Background: true}.settingsV2()
	_, _, shares := Limits{Memory: 512 << 20, Background: true}.settingsV1()
	if cpu[0].value != "9" || shares[0].value != "9" {
		t.Errorf("cpu.weight=%s and cpu.shares=%s, want 9 and 9, an eighth of what 128 MB have", cpu[0].value, shares[0].value)
	}
}
