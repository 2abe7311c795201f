package warmpool

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/environment/environmenttest"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

func patient(f *function.Function) { f.QueueTimeout = time.Minute }

func handler(name string) func(*function.Function) {
	return func(f *function.Function) { f.Handler = name; patient(f) }
}

// callers call g, each one call after another, until the test ends it.
func callers(t *testing.T, n int, invoke func(context.Context) error) (stop func(), calls *atomic.Int32) {
	t.Helper()
	calls = new(atomic.Int32)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := invoke(ctx); err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
				calls.Add(1)
			}
		})
	}
	stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
	})
	t.Cleanup(stop)
	return stop, calls
}

func flood(t *testing.T, g *Group, n int, deed environmenttest.Deed) (stop func(), calls *atomic.Int32) {
	t.Helper()
	return callers(t, n, func(ctx context.Context) error { return g.Invoke(ctx, call(t, deed)) })
}

func TestInitThatDoesNotEndHoldsUpNobodyElse(t *testing.T) {
	for _, does := range []string{"hang", "spin"} {
		t.Run(does, func(t *testing.T) {
			w := newWorld(t, Config{Starts: 2})
			bad := w.group("bad", handler(does))
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			defer wg.Wait()
			defer cancel()
			for range 4 {
				wg.Go(func() { bad.Invoke(ctx, sleep(t, 1)) })
			}
			waitFor(t, func() bool { return w.starter.started.Load() == 2 })
			for i := range 5 {
				if err := echo(t, w.group(fmt.Sprint("good", i), patient), "1"); err != nil {
					t.Error(err)
				}
			}
			if n := bad.Stat().Starting; n != 2 {
				t.Errorf("%d starts of the bad one are under way after the others', want 2: they waited for its end", n)
			}
		})
	}
}

func TestFloodLeavesOthersWhatTheyUse(t *testing.T) {
	for name, config := range map[string]Config{
		"memory":      {MemoryMB: 4 * 128},
		"concurrency": {Concurrency: 4},
		"descriptors": {Descriptors: 2 * 4 * environmentDescriptors},
	} {
		t.Run(name, func(t *testing.T) {
			config.Stems = -1
			w := newWorld(t, config)
			greedy, modest := w.group("greedy", patient), w.group("modest", patient)
			if err := echo(t, modest, "1"); err != nil {
				t.Fatal(err)
			}
			stop, calls := flood(t, greedy, 20, environmenttest.Deed{Do: "sleep", Millis: 20, Text: "1"})
			waitFor(t, func() bool { return len(w.claimants()) > 0 && calls.Load() > 20 })
			for i := range 20 {
				if err := echo(t, modest, "1"); err != nil {
					t.Error(err)
				}
				// One that comes new, each time another.
				if i%10 == 0 {
					if err := echo(t, w.group(fmt.Sprint("new", i), patient), "2"); err != nil {
						t.Error(err)
					}
				}
			}
			if n := modest.Stat(); n.Idle != 1 {
				t.Errorf("the modest one has %+v: its environment was given up for the flood", n)
			}
			stop()
			if most := w.starter.most.Load(); most > 4 {
				t.Errorf("%d environments at once, there is room for 4", most)
			}
		})
	}
}

func (p *Pool) claimants() (names []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.claims {
		names = append(names, c.group.name)
	}
	return names
}

func TestFloodsShareTheBudget(t *testing.T) {
	w := newWorld(t, Config{MemoryMB: 6 * 128, Stems: -1})
	a, b := w.group("a", patient), w.group("b", patient)
	deed := environmenttest.Deed{Do: "sleep", Millis: 5, Text: "1"}
	flood(t, a, 12, deed)
	waitFor(t, func() bool { return a.Stat().Busy == 6 })
	flood(t, b, 12, deed)
	waitFor(t, func() bool { return b.Stat().Busy == 3 })
	if n := w.starter.started.Load(); n > 20 {
		t.Errorf("%d starts until each had its half", n)
	}
}

func TestRoomIsGatheredForALargeFunction(t *testing.T) {
	w := newWorld(t, Config{MemoryMB: 6 * 128, Stems: -1})
	small := w.group("small", patient)
	large := w.group("large", func(f *function.Function) { f.MemoryMB = 4 * 128; patient(f) })
	flood(t, small, 12, environmenttest.Deed{Do: "sleep", Millis: 5, Text: "1"})
	waitFor(t, func() bool { return small.Stat().Busy == 6 })
	if err := echo(t, large, "1"); err != nil {
		t.Error(err)
	}
}

func TestFunctionThatCalculatesGrowsToTheCoresAndNoFurther(t *testing.T) {
	w := newWorld(t, Config{Stems: -1})
	cores := runtime.GOMAXPROCS(0)
	busy, waiting := w.group("busy", patient), w.group("waiting", patient)
	stop, calls := flood(t, busy, 12*cores, environmenttest.Deed{Do: "spin", Millis: 10, Text: "1"})
	waitFor(t, func() bool { return calls.Load() > int32(100*cores) })
	if n := busy.Stat().Busy; n < cores || n > 3*cores {
		t.Errorf("%d environments calculate on %d cores", n, cores)
	}
	stop()
	stop, _ = flood(t, waiting, 12*cores, environmenttest.Deed{Do: "sleep", Millis: 50, Text: "1"})
	waitFor(t, func() bool { return waiting.Stat().Busy == 12*cores })
	stop()
}

func TestCallsAreAnsweredThoughTheFunctionChangesFasterThanItStarts(t *testing.T) {
	c, r, w := newCatalog(t)
	create(t, r, "f", "0")
	w.starter.gate = make(chan struct{}, 10_000)
	_, calls := callers(t, 4, func(context.Context) error {
		call := call(t, environmenttest.Deed{Do: "echo", Text: "1"})
		err := c.Invoke(t.Context(), named(call, "f", function.Latest))
		if err == nil && call.Outcome != environment.OutcomeResult {
			err = fmt.Errorf("outcome %s", call.Outcome)
		}
		return err
	})
	// Each start ends only when the function has changed since.
	for i := int32(0); calls.Load() < 20; {
		waitFor(t, func() bool { return w.starter.started.Load() > i || calls.Load() >= 20 })
		begun := w.starter.started.Load()
		_, err := r.Update(t.Context(), "f", "", func(v *registry.Version) error {
			v.Code.SHA256 = fmt.Sprint(i)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Refresh(t.Context(), "f", function.Latest); err != nil {
			t.Fatal(err)
		}
		for ; i < begun; i++ {
			w.starter.gate <- struct{}{}
		}
	}
	close(w.starter.gate)
}

func TestManyFunctionsTakeTurnsInASmallBudget(t *testing.T) {
	w := newWorld(t, Config{Concurrency: 3})
	var all sync.WaitGroup
	for i := range 20 {
		g := w.group(fmt.Sprint("f", i), func(f *function.Function) { f.QueueTimeout = 20 * time.Second })
		all.Go(func() {
			if err := echo(t, g, "1"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
