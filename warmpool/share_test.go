package warmpool

import (
	"context"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/state"
	"github.com/hearthfn/hearth/warmpool/state/boltstore"
)

// A countingSlots counts the calls of a store.
type countingSlots struct {
	state.Slots
	calls atomic.Int64
}

func (s *countingSlots) Take(ctx context.Context, c state.Claim) (state.Grant, error) {
	s.calls.Add(1)
	return s.Slots.Take(ctx, c)
}

func (s *countingSlots) Renew(ctx context.Context, g state.Grant, n int, d time.Duration) (state.Grant, error) {
	s.calls.Add(1)
	return s.Slots.Renew(ctx, g, n, d)
}

func (s *countingSlots) Return(ctx context.Context, g state.Grant) error {
	s.calls.Add(1)
	return s.Slots.Return(ctx, g)
}

func openSlots(t *testing.T) *countingSlots {
	t.Helper()
	store, err := boltstore.Open(boltstore.Config{Path: filepath.Join(t.TempDir(), "state.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return &countingSlots{Slots: store}
}

// Three pools over one store stand for three nodes.
func TestReservedConcurrencyBoundsAllNodesTogether(t *testing.T) {
	slots := openSlots(t)
	const limit = 4
	var groups []*Group
	for range 3 {
		w := newWorld(t, Config{Slots: slots})
		groups = append(groups, w.group("f", reserved(limit)))
	}
	var done, refused atomic.Int64
	var wg sync.WaitGroup
	for i := range 30 {
		g := groups[i%3]
		wg.Go(func() {
			for range 6 {
				c := sleep(t, 20)
				if err := g.Invoke(t.Context(), c); err != nil {
					refused.Add(1)
				} else if c.Outcome == environment.OutcomeResult {
					done.Add(1)
				}
			}
		})
	}
	over := make(chan struct{})
	go func() { wg.Wait(); close(over) }()
	most := int64(0)
	for ended := false; !ended; {
		select {
		case <-over:
			ended = true
		default:
			now := int64(0)
			for _, g := range groups {
				g.quota.share.mu.Lock()
			}
			for _, g := range groups {
				now += int64(g.quota.share.inFlight)
			}
			for _, g := range groups {
				g.quota.share.mu.Unlock()
			}
			most = max(most, now)
		}
	}
	if most != limit {
		t.Errorf("%d calls ran at once at most, want %d", most, limit)
	}
	if done.Load() < 100 {
		t.Errorf("%d calls were done, %d refused", done.Load(), refused.Load())
	}
	for n, g := range groups {
		if g.quota.share.inFlight != 0 {
			t.Errorf("node %d still counts %d calls", n, g.quota.share.inFlight)
		}
	}
}

func TestACallThatHasASlotHereAsksNobody(t *testing.T) {
	slots := openSlots(t)
	w := newWorld(t, Config{Slots: slots})
	g := w.group("f", reserved(2))
	call := func() {
		t.Helper()
		if err := g.Invoke(t.Context(), sleep(t, 0)); err != nil {
			t.Fatal(err)
		}
	}
	call()
	before := slots.calls.Load()
	for range 100 {
		call()
	}
	if n := slots.calls.Load() - before; n > 1 { // a second may have passed
		t.Errorf("100 warm calls made %d calls of the store", n)
	}
}

func TestSlotsThatAreNotUsedGoBack(t *testing.T) {
	slots := openSlots(t)
	w := newWorld(t, Config{Slots: slots})
	g := w.group("f", reserved(2))
	if err := g.Invoke(t.Context(), sleep(t, 0)); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		n, err := slots.Taken(t.Context(), "concurrency/f")
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d slots are still held", n)
		}
	}
}

func TestSlotsStayWhileNobodyElseLives(t *testing.T) {
	for _, alone := range []bool{true, false} {
		slots := openSlots(t)
		w := newWorld(t, Config{Slots: slots, Alone: func() bool { return alone }})
		g := w.group("f", reserved(1))
		waited := 0
		for end := time.Now().Add(3 * time.Second); time.Now().Before(end); {
			began := time.Now()
			if err := g.Invoke(t.Context(), sleep(t, 0)); err != nil {
				t.Fatal(err)
			}
			if time.Since(began) >= askAfterOff {
				waited++
			}
		}
		if hasYielded := waited > 1; hasYielded == alone { // one may be the machine's
			t.Errorf("alone: %v, and %d calls waited", alone, waited)
		}
	}
}
