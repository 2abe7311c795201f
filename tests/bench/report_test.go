package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestPercentilesAreMeasuredValues(t *testing.T) {
	values := []int{40, 10, 30, 20}
	for _, test := range []struct {
		p    float64
		want int
	}{{0, 10}, {25, 10}, {50, 20}, {51, 30}, {99, 40}, {100, 40}} {
		if got := percentile(values, test.p); got != test.want {
			t.Errorf("percentile(%v, %v) = %d, want %d", values, test.p, got, test.want)
		}
	}
	if got := median([]float64{}); got != 0 {
		t.Errorf("median of nothing = %v", got)
	}
}

// throughput makes a row of one sample per round.
func throughput(target string, connections int, perSec ...float64) warmRow {
	row := warmRow{Target: target, Connections: connections}
	for _, p := range perSec {
		row.Rounds = append(row.Rounds, sample{PerSec: p, P50: time.Millisecond, P99: 2 * time.Millisecond, CPU: 50 * time.Microsecond})
	}
	return row
}

func TestRatioIsTakenWithinARound(t *testing.T) {
	// The machine was three times slower in the second round; the ratio is not.
	r := report{Warm: []warmRow{
		throughput(respondTarget, 64, 60000, 20000, 60000),
		throughput("hearth Node x1", 64, 30000, 10000, 45000),
	}}
	got, ok := r.ratio(&r.Warm[1], respondTarget)
	if !ok || got != 0.5 {
		t.Errorf("ratio = %v, %v, want 0.5", got, ok)
	}
}

func TestRatioToWhatWasNotMeasuredIsAbsent(t *testing.T) {
	r := report{Warm: []warmRow{throughput("hearth Node x1", 64, 1), throughput(respondTarget, 1, 1)}}
	if got, ok := r.ratio(&r.Warm[0], respondTarget); ok {
		t.Errorf("ratio = %v without a base at 64 connections", got)
	}
}

func TestGoalsAreJudgedWithOneProcessOnEachSide(t *testing.T) {
	answer := func(target string, p50 ...time.Duration) warmRow {
		row := throughput(target, 1)
		for _, d := range p50 {
			row.Rounds = append(row.Rounds, sample{P50: d})
		}
		return row
	}
	r := report{
		Warm: []warmRow{
			throughput(respondTarget, 64, 60000),
			throughput(proxyTarget, 64, 20000),
			throughput("hearth Node x1", 64, 51000),
			throughput("hearth Node x2", 64, 59000),
			throughput("hearth Python x1", 64, 30000),
			answer(respondTarget, 40*time.Microsecond, 100*time.Microsecond, 40*time.Microsecond),
			answer(proxyTarget, 140*time.Microsecond, 300*time.Microsecond, 140*time.Microsecond),
			answer("hearth Node x1", 80*time.Microsecond, 120*time.Microsecond, 100*time.Microsecond),
		},
		Figures: []figure{{"cold burst", "failures of 600 calls", 1}, {"cold Node", "first call over a warm one, median, ms", 5}},
	}
	got := map[string]bool{}
	for _, g := range judge(r) {
		got[g.Name] = g.Met
	}
	want := map[string]bool{
		"one Node process, 64 connections, times reverse_proxy":                          true,  // 2.55
		"one Node process, 64 connections, times respond":                                true,  // 0.85
		"one Python process, 64 connections, times Node":                                 false, // 0.59
		"one Node process, 1 connection, time added over respond, times reverse_proxy's": true,  // 0.4, 0.1, 0.6
		"cold burst: failures of 600 calls":                                              false, // 1
		"cold Node: first call over a warm one, median, ms":                              true,  // 5, the limit
	}
	if len(got) != len(want) {
		t.Errorf("goals = %v, want %v", got, want)
	}
	for name, met := range want {
		if is, ok := got[name]; !ok || is != met {
			t.Errorf("goal %q met: %v, %v; want %v", name, is, ok, met)
		}
	}
}

func TestGoalsOfWhatWasNotMeasuredAreLeftOut(t *testing.T) {
	if goals := judge(report{Warm: []warmRow{throughput(respondTarget, 64, 1)}}); len(goals) != 0 {
		t.Errorf("goals = %v, nothing of Hearth was measured", goals)
	}
}

func TestTableHoldsMediansRatiosAndWhyHearthIsAbsent(t *testing.T) {
	r := report{
		Rounds: 1, Seconds: 6,
		Warm:   []warmRow{throughput(respondTarget, 16, 50000), throughput(proxyTarget, 16, 20000)},
		Absent: map[stack]string{hearthStack: "not built"},
	}
	var text strings.Builder
	r.writeMarkdown(&text)
	for _, want := range []string{
		"| respond | 16 | 50000 | 1000 | 2000 | 50 | 1.00 x | 2.50 x | 0 |\n",
		"| reverse_proxy -> Node | 16 | 20000 | 1000 | 2000 | 50 | 0.40 x | 1.00 x | 0 |\n",
		"**hearth was not measured:** not built\n",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in:\n%s", want, text.String())
		}
	}
}

func TestFailuresUnderLoadFailTheRun(t *testing.T) {
	row := throughput("hearth Node x1", 64, 1, 1)
	if err := (report{Warm: []warmRow{row}}).failure(); err != nil {
		t.Fatal(err)
	}
	row.Rounds[1].Failures = 3
	if err := (report{Warm: []warmRow{row}}).failure(); err == nil {
		t.Error("failed requests pass as a measurement")
	}
}

func TestReportIsKeptInAFolderThatIsNotThereYet(t *testing.T) {
	file := filepath.Join(t.TempDir(), "results", "today.json")
	r := report{Rounds: 2, Warm: []warmRow{throughput(respondTarget, 1, 7, 9)}}
	if err := r.keep(file); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var kept report
	if err := json.Unmarshal(text, &kept); err != nil {
		t.Fatal(err)
	}
	if len(kept.Warm) != 1 || len(kept.Warm[0].Rounds) != 2 || kept.Warm[0].Rounds[1].PerSec != 9 {
		t.Errorf("kept = %s", text)
	}
}

func TestNumbersClaimNoMoreThanThreeDigits(t *testing.T) {
	for value, want := range map[float64]string{0: "0", 4: "4", 0.6: "0.60", 2.512: "2.51", 12.345: "12.3", 1234.5: "1234"} {
		if got := number(value); got != want {
			t.Errorf("number(%v) = %s, want %s", value, got, want)
		}
	}
}
