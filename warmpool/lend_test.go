package warmpool

import (
	"fmt"
	"testing"
	"time"

	"github.com/hearthfn/hearth/warmpool/environment/environmenttest"
)

// counted is the budget, as its invariants have it.
func (w *world) counted() (usedMB, lentMB int) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.budget.used.memoryMB > w.budget.total.memoryMB {
		w.t.Errorf("%d of %d MB are taken", w.budget.used.memoryMB, w.budget.total.memoryMB)
	}
	return w.budget.used.memoryMB, w.budget.lentMB
}

// lendAll has the idle environments of all groups lend, once they are frozen.
func (w *world) lendAll(want int, groups ...*Group) {
	w.t.Helper()
	waitFor(w.t, func() bool {
		for _, g := range groups {
			w.lend(g, time.Now().Add(lendAfter))
		}
		_, lent := w.counted()
		return lent == want
	})
}

func TestIdleEnvironmentsLendTheMemoryThatTheyDoNotUse(t *testing.T) {
	w := newWorld(t, Config{MemoryMB: 300, Stems: -1})
	a, b, c := w.group("a", patient), w.group("b", patient), w.group("c", patient)
	for _, g := range []*Group{a, b} {
		if err := echo(t, g, "1"); err != nil {
			t.Fatal(err)
		}
	}
	const each = 128 - 42 - lendMarginMB
	w.lendAll(2*each, a, b)
	if err := echo(t, c, "1"); err != nil {
		t.Fatal(err)
	}
	if n := w.starter.live.Load(); n != 3 {
		t.Errorf("%d environments live, want the two of 128 MB that use 42 beside a third", n)
	}

	// One takes back what it has lent. There is no room for it beside the others.
	stop, calls := flood(t, c, 1, environmenttest.Deed{Do: "sleep", Millis: 20})
	if err := echo(t, a, "2"); err != nil {
		t.Fatal(err)
	}
	if used, lent := w.counted(); used < 128 || lent > each {
		t.Errorf("%d MB are used and %d lent, want all of a that has run", used, lent)
	}
	waitFor(t, func() bool { return calls.Load() > 3 })
	stop()
	if err := echo(t, b, "2"); err != nil {
		t.Fatal(err)
	}
	w.counted()
}

func TestAnEnvironmentThatCannotTakeItsMemoryBackLeavesItsCallerToAnother(t *testing.T) {
	w := newWorld(t, Config{MemoryMB: 256 + 60, Stems: -1})
	a, busy := w.group("a", patient), w.group("busy", patient)
	if err := echo(t, a, "1"); err != nil {
		t.Fatal(err)
	}
	if err := echo(t, busy, "1"); err != nil {
		t.Fatal(err)
	}
	w.lendAll(128-42-lendMarginMB, a)
	// Two environments run, so that a cannot have its memory while they do.
	stop, calls := flood(t, busy, 2, environmenttest.Deed{Do: "sleep", Millis: 50})
	waitFor(t, func() bool { return calls.Load() > 4 })
	done := make(chan error)
	go func() { done <- echo(t, a, "2") }()
	if err := <-done; err != nil {
		t.Error(err)
	}
	stop()
	if used, _ := w.counted(); used == 0 {
		t.Error("nothing is counted")
	}
}

func TestWhatIsLentIsBounded(t *testing.T) {
	w := newWorld(t, Config{MemoryMB: 400, Stems: -1, Overcommit: 1.25})
	var groups []*Group
	for i := range 3 {
		g := w.group(fmt.Sprint("f", i), nil)
		groups = append(groups, g)
		if err := echo(t, g, "1"); err != nil {
			t.Fatal(err)
		}
	}
	w.lendAll(128-42-lendMarginMB, groups...) // 82 of at most 100 MB
	for range 3 {
		w.lendAll(128-42-lendMarginMB, groups...)
	}
	if _, err := New(Config{Overcommit: 0.5}, w.starter, w.log); err == nil {
		t.Error("an overcommit of 0.5 was taken")
	}
}
