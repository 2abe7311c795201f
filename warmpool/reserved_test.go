package warmpool

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/function"
)

func TestReservedConcurrencyBoundsAllVersionsTogether(t *testing.T) {
	w := newWorld(t, Config{})
	latest := w.group("f", reserved(2))
	published := w.group("f", func(f *function.Function) {
		f.Version = "1"
		reserved(2)(f)
	})
	if latest == published {
		t.Fatal("both versions have one group")
	}
	var mu sync.Mutex
	var at []time.Time // when each call ended
	var wg sync.WaitGroup
	for i := range 12 {
		g := []*Group{latest, published}[i%2]
		wg.Go(func() {
			c := sleep(t, 100) // longer than a start takes on a busy machine
			if err := g.Invoke(t.Context(), c); err != nil || c.Outcome != environment.OutcomeResult {
				t.Errorf("%v %s", err, c.Outcome)
				return
			}
			mu.Lock()
			at = append(at, time.Now())
			mu.Unlock()
		})
	}
	most := 0
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for over := false; !over; {
		select {
		case <-done:
			over = true
		default:
			most = max(most, latest.quota.InFlight())
		}
	}
	if most != 2 || len(at) != 12 {
		t.Errorf("%d calls ran, %d of them at once at most; want 12 and 2", len(at), most)
	}
	if n := latest.quota.InFlight(); n != 0 {
		t.Errorf("%d calls are counted after all are over", n)
	}
}

func TestWhatIsProvisionedForOtherVersionsIsNotForThisOne(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("f", func(f *function.Function) {
		reserved(2)(f)
		f.ReservedElsewhere = 1
	})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			c := sleep(t, 5)
			if err := g.Invoke(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(g.members); n != 1 {
		t.Errorf("%d environments ran, want 1", n)
	}

	none := w.group("g", func(f *function.Function) {
		reserved(2)(f)
		f.ReservedElsewhere = 2
	})
	var throttled *ThrottledError
	if err := none.Invoke(t.Context(), sleep(t, 5)); !errors.As(err, &throttled) || throttled.Reason != ReasonReserved || throttled.Off {
		t.Errorf("with nothing left a call ends with %v", err)
	}
}

func TestQuotaGoesWithTheLastVersion(t *testing.T) {
	w := newWorld(t, Config{})
	var groups []*Group
	for _, v := range []string{"1", "2"} {
		f := &function.Function{Name: "f", Version: v, Runtime: "test", Handler: "ok", Code: "/"}
		if err := f.Normalize(); err != nil {
			t.Fatal(err)
		}
		groups = append(groups, w.Retain(f))
	}
	for _, g := range groups {
		w.Release(g)
		w.forget(g)
	}
	if w.quotas.Len() != 0 || len(w.groups) != 0 || len(w.ending) != 0 {
		t.Errorf("left are %d quotas, %d groups, %d that end", w.quotas.Len(), len(w.groups), len(w.ending))
	}
}

// Calls that are written ahead do not run: without them one environment idles while
// the gateway wakes up.
func TestReservedConcurrencyLetsShortCallsBeWrittenAhead(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("f", reserved(1))
	deepest := 0
	deadline := time.Now().Add(20 * time.Second)
	for deepest < 2 && time.Now().Before(deadline) {
		var wg sync.WaitGroup
		for range 32 {
			wg.Go(func() {
				if err := g.Invoke(t.Context(), sleep(t, 0)); err != nil {
					t.Error(err)
				}
			})
		}
		done := make(chan struct{})
		go func() { wg.Wait(); close(done) }()
		for over := false; !over; {
			select {
			case <-done:
				over = true
			default:
				g.mu.Lock()
				for _, m := range g.members {
					deepest = max(deepest, m.load)
				}
				if n := g.quota.InFlight(); n > 1 {
					t.Errorf("%d calls count as running", n)
				}
				g.mu.Unlock()
			}
		}
	}
	if deepest < 2 {
		t.Error("no call was written ahead")
	}
	if n := g.quota.InFlight(); n != 0 {
		t.Errorf("%d calls are counted after all are over", n)
	}
}
