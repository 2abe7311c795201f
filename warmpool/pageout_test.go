package warmpool

import (
	"testing"
	"time"
)

func TestEnvironmentsThatAreIdleForLongArePagedOutOncePerIdleTime(t *testing.T) {
	w := newWorld(t, Config{MemoryMB: 300, Stems: -1})
	g := w.group("a", patient)
	if err := echo(t, g, "1"); err != nil {
		t.Fatal(err)
	}
	// pagedOut is the idle time for which it was paged out.
	pagedOut := func(after time.Duration) (at, idle time.Time) {
		t.Helper()
		w.pageOut(g, time.Now().Add(after))
		waitFor(t, func() bool { return !w.pagingOut.Load() })
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.members[0].pagedOut, g.members[0].idleSince
	}
	if at, _ := pagedOut(pageOutAfter / 2); !at.IsZero() {
		t.Error("after half of the time it was paged out")
	}
	first, idle := pagedOut(pageOutAfter)
	if !first.Equal(idle) {
		t.Errorf("it was paged out for %s, and is idle since %s", first, idle)
	}
	if err := echo(t, g, "2"); err != nil {
		t.Fatal(err)
	}
	if at, idle := pagedOut(pageOutAfter / 2); !at.Equal(first) || idle.Equal(first) {
		t.Error("soon after another call it was paged out again")
	}
	if at, idle := pagedOut(pageOutAfter); !at.Equal(idle) {
		t.Error("long after another call it was not paged out")
	}
}
