package quota

import (
	"context"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/state"
	"github.com/hearthfn/hearth/warmpool/state/boltstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A countingSlots counts the calls of a store.
type countingSlots struct {
	state.Slots
	calls atomic.Int64
	less  chan struct{} // has a value after slots have been given back
}

func (s *countingSlots) Take(ctx context.Context, c state.Claim) (state.Grant, error) {
	s.calls.Add(1)
	return s.Slots.Take(ctx, c)
}

func (s *countingSlots) Renew(ctx context.Context, g state.Grant, n int, d time.Duration) (state.Grant, error) {
	defer s.tell()
	s.calls.Add(1)
	return s.Slots.Renew(ctx, g, n, d)
}

func (s *countingSlots) Return(ctx context.Context, g state.Grant) error {
	defer s.tell()
	s.calls.Add(1)
	return s.Slots.Return(ctx, g)
}

func (s *countingSlots) tell() {
	select {
	case s.less <- struct{}{}:
	default:
	}
}

func openSlots(t *testing.T) *countingSlots {
	t.Helper()
	store, err := boltstore.Open(boltstore.Config{Path: filepath.Join(t.TempDir(), "state.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return &countingSlots{Slots: store, less: make(chan struct{}, 1)}
}

// A version runs calls, each when it has entered the quota.
type version struct {
	quota *Quota
	limit int

	mu      sync.Mutex
	waiting []chan bool // of callers, who are told whether they have a slot
}

// newVersion is one of a function that only one node has.
func newVersion(t *testing.T, slots state.Slots, alone func() bool, limit int) *version {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	quotas := New(ctx, slots, alone, zap.NewNop())
	t.Cleanup(func() {
		cancel()
		quotas.Close()
	})
	v := &version{limit: limit}
	v.quota = quotas.Join("f", v)
	return v
}

func (v *version) Waiting() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.waiting)
}

func (v *version) Serve() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for len(v.waiting) > 0 {
		entered, slotted := v.quota.Enter(&v.limit)
		if !entered {
			return
		}
		v.waiting[0] <- slotted
		v.waiting = v.waiting[1:]
	}
}

func (v *version) run(call func()) {
	served := make(chan bool, 1)
	v.mu.Lock()
	v.waiting = append(v.waiting, served)
	v.mu.Unlock()
	v.Serve()
	slotted := <-served
	call()
	v.quota.Leave(slotted)
	v.Serve()
	v.quota.WakeOthers(v)
}

func TestReservedConcurrencyBoundsAllNodesTogether(t *testing.T) {
	slots := openSlots(t)
	const limit = 4
	var nodes []*version
	for range 3 {
		nodes = append(nodes, newVersion(t, slots, nil, limit))
	}
	var running atomic.Int64
	full := make(chan struct{}) // closed when as many have run at once as may
	var once sync.Once
	call := func() {
		switch n := running.Add(1); {
		case n > limit:
			t.Errorf("%d calls ran at once, want %d at most", n, limit)
		case n == limit:
			once.Do(func() { close(full) })
		}
		<-full
		runtime.Gosched()
		running.Add(-1)
	}
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			for range 6 {
				nodes[i%3].run(call)
			}
		})
	}
	wg.Wait()
	for i, v := range nodes {
		if n := v.quota.InFlight(); n != 0 {
			t.Errorf("node %d still counts %d calls", i, n)
		}
	}
}

func TestACallThatHasASlotHereAsksNobody(t *testing.T) {
	slots := openSlots(t)
	v := newVersion(t, slots, nil, 2)
	v.run(func() {})
	before := slots.calls.Load()
	for range 100 {
		v.run(func() {})
	}
	if n := slots.calls.Load() - before; n > 1 { // a second may have passed
		t.Errorf("100 warm calls made %d calls of the store", n)
	}
}

func TestSlotsThatAreNotUsedGoBack(t *testing.T) {
	slots := openSlots(t)
	newVersion(t, slots, nil, 2).run(func() {})
	deadline := time.After(time.Minute)
	for {
		n, err := slots.Taken(t.Context(), "concurrency/f")
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
		select {
		case <-slots.less:
		case <-deadline:
			t.Fatalf("%d slots are still taken", n)
		}
	}
}

func TestSlotsStayWhileNobodyElseLives(t *testing.T) {
	for _, alone := range []bool{true, false} {
		v := newVersion(t, openSlots(t), func() bool { return alone }, 1)
		waited := 0
		for end := time.Now().Add(3 * time.Second); time.Now().Before(end); {
			began := time.Now()
			v.run(func() {})
			if time.Since(began) >= askAfterOff {
				waited++
			}
		}
		if hasYielded := waited > 1; hasYielded == alone { // one may be the machine's
			t.Errorf("alone: %v, and %d calls waited", alone, waited)
		}
	}
}
