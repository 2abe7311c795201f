package registry_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hearthfn/hearth/warmpool/function/registry"
	"github.com/hearthfn/hearth/warmpool/state"
)

func weighted(t testing.TB, r *registry.Registry, weight float64) {
	t.Helper()
	mustCreate(t, r, "f")
	mustPublish(t, r, "f", "two")
	mustPublish(t, r, "f", "three")
	_, err := r.CreateAlias(ctx, "f", registry.Alias{Name: "live", FunctionVersion: "1", Weights: map[string]float64{"2": weight}})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWeightedAliasSharesItsCalls(t *testing.T) {
	source := rand.New(rand.NewPCG(1, 2))
	r := open(t, func(c *registry.Config) { c.Rand = source.Float64 })
	weighted(t, r, 0.25)
	calls := map[string]int{}
	for range 1000 {
		calls[runs(t, r, "f", "live")]++
	}
	if calls["two"]+calls["three"] != 1000 || calls["three"] < 200 || calls["three"] > 300 {
		t.Errorf("calls %v, want a quarter for three", calls)
	}
	for weight, want := range map[float64]string{0: "two", 1: "three"} {
		_, err := r.UpdateAlias(ctx, "f", "live", "", func(a *registry.Alias) error { a.Weights = map[string]float64{"2": weight}; return nil })
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			if code := runs(t, r, "f", "live"); code != want {
				t.Fatalf("weight %v runs %s", weight, code)
			}
		}
	}
}

func TestResolvingTheUnknownIsNamed(t *testing.T) {
	r := open(t)
	mustCreate(t, r, "f")
	for _, reference := range [][2]string{{"g", latest}, {"f", "1"}, {"f", "live"}, {"f", "007"}, {"f", "99999999999999999999999"}} {
		_, err := r.Resolve(ctx, reference[0], reference[1])
		wantError(t, fmt.Sprint(reference), err, registry.ErrNotFound)
	}
	_, err := r.Resolve(ctx, "no spaces", latest)
	wantError(t, "a bad name", err, registry.ErrInvalid)
}

func TestAfterAnUpdateReturnsNoCallRunsOldCode(t *testing.T) {
	r := open(t)
	mustCreate(t, r, "f")
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { // others keep the cache filled
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := r.Resolve(ctx, "f", latest); err != nil {
					t.Error(err)
					return
				}
			}
		}
	}()
	for i := range 200 {
		code := fmt.Sprint("code", i)
		setCode(t, r, "f", code)
		if got := runs(t, r, "f", latest); got != code {
			t.Errorf("runs %s after the update to %s", got, code)
			break
		}
	}
	close(stop)
	<-stopped
}

func TestOtherNodeHearsOfAChange(t *testing.T) {
	store := openStore(t)
	one, two := on(t, store), on(t, store)
	mustCreate(t, one, "f")
	if code := runs(t, two, "f", latest); code != "one" {
		t.Fatalf("runs %s", code)
	}
	setCode(t, one, "f", "two")
	until(t, "node two runs the new code", func() bool { return runs(t, two, "f", latest) == "two" })
	if err := one.Delete(ctx, "f"); err != nil {
		t.Fatal(err)
	}
	until(t, "node two has heard of the deletion", func() bool { _, err := two.Resolve(ctx, "f", latest); return err != nil })
}

func TestResolvedFunctionHasItsLimits(t *testing.T) {
	r := open(t)
	weighted(t, r, 0.5)
	provision := func(qualifier string, n int) {
		t.Helper()
		_, err := r.Provisioned.Put(ctx, "f", qualifier, func(p *registry.Provisioned, _ bool) error { p.Requested = n; return nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	provision("1", 2)
	provision("live", 3)
	got, err := r.Resolve(ctx, "f", "1")
	if err != nil || got.Function.ProvisionedConcurrency != 5 || got.Function.ReservedConcurrency != nil {
		t.Fatalf("%+v, %v", got.Function, err)
	}
	if _, err := r.Concurrency.Put(ctx, "f", latest, func(c *registry.Concurrency, _ bool) error { c.Reserved = 4; return nil }); err != nil {
		t.Fatal(err)
	}
	got, err = r.Resolve(ctx, "f", "1")
	if err != nil || got.Function.ProvisionedConcurrency != 4 || *got.Function.ReservedConcurrency != 4 {
		t.Errorf("%+v, %v", got.Function, err)
	}
	if f := got.Function; f.MemoryMB != 256 || f.Timeout.Seconds() != 5 || f.Handler != "index.handler" || f.Environment["STAGE"] != "test" {
		t.Errorf("%+v", f)
	}
}

func TestResolvingTheCachedDoesNotAllocate(t *testing.T) {
	r := open(t)
	weighted(t, r, 0.5)
	for _, qualifier := range []string{latest, "1", "live"} {
		runs(t, r, "f", qualifier)
		allocations := testing.AllocsPerRun(100, func() {
			if _, err := r.Resolve(ctx, "f", qualifier); err != nil {
				t.Fatal(err)
			}
		})
		if allocations != 0 {
			t.Errorf("%s: %v allocations", qualifier, allocations)
		}
	}
}

func BenchmarkResolveCached(b *testing.B) {
	r := open(b)
	weighted(b, r, 0.5)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := r.Resolve(ctx, "f", "live"); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkFunctionsPage is a page of 50 of 10,000 functions.
func BenchmarkFunctionsPage(b *testing.B) {
	r := open(b)
	const functions, writers = 10_000, 64
	done := make(chan error, writers)
	for w := range writers {
		go func() {
			for i := w; i < functions; i += writers {
				if _, err := r.Create(ctx, fmt.Sprintf("f%05d", i), configuration(), registry.Code{SHA256: "one"}, registry.State{}, nil); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range writers {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	b.Run("cached", func(b *testing.B) {
		for b.Loop() {
			if page, _, err := r.Functions(ctx, "f05000", 50); err != nil || len(page) != 50 {
				b.Fatal(len(page), err)
			}
		}
	})
	b.Run("next", func(b *testing.B) {
		after := ""
		for b.Loop() {
			_, next, err := r.Functions(ctx, after, 50)
			if err != nil {
				b.Fatal(err)
			}
			after = next
		}
	})
}

// Records that cannot be read now and then.
type fickle struct {
	state.Records
	away  atomic.Bool
	reads atomic.Int32
}

func (f *fickle) Read(ctx context.Context, key state.Key) (state.Record, error) {
	f.reads.Add(1)
	if f.away.Load() {
		return state.Record{}, state.ErrUnavailable
	}
	return f.Records.Read(ctx, key)
}

func TestSettingsOfEventsAreReadOnceUntilTheyChange(t *testing.T) {
	store := &fickle{Records: openStore(t)}
	r := on(t, store)
	mustCreate(t, r, "f")
	retries := func(qualifier string) int {
		t.Helper()
		c, err := r.EventConfig(ctx, "f", qualifier)
		if err != nil {
			t.Fatal(err)
		}
		if c.MaximumRetryAttempts == nil {
			return -1
		}
		return *c.MaximumRetryAttempts
	}
	put := func(n int) {
		t.Helper()
		_, err := r.InvokeConfig.Put(ctx, "f", latest, func(c *registry.InvokeConfig, _ bool) error {
			c.MaximumRetryAttempts = &n
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	// attempts has attempts of events find want, without the store once the hints of the last
	// change have come.
	attempts := func(want int) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); ; {
			store.reads.Store(0)
			for range 10 {
				runs(t, r, "f", latest)
				if got := retries(latest); got != want {
					t.Fatalf("%d retries, want %d", got, want)
				}
			}
			n := store.reads.Load()
			if n == 0 {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("the store is read %d times by ten attempts, though nothing changes", n)
			}
		}
	}
	runs(t, r, "f", latest)
	attempts(-1)
	put(1)
	attempts(1)
	put(0)
	attempts(0)
	if err := r.InvokeConfig.Delete(ctx, "f", latest, nil); err != nil {
		t.Fatal(err)
	}
	attempts(-1)
	if _, err := r.EventConfig(ctx, "nobody", latest); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("of no function: %v", err)
	}
	// A hint of the last change may come as late as now, and then the settings are read again.
	for end := time.Now().Add(10 * time.Second); ; {
		attempts(-1)
		store.away.Store(true)
		c, err := r.EventConfig(ctx, "f", latest)
		store.away.Store(false)
		if err == nil && c.MaximumRetryAttempts == nil {
			return
		}
		if !errors.Is(err, state.ErrUnavailable) || time.Now().After(end) {
			t.Fatalf("while the store is away: %v, %v", c.MaximumRetryAttempts, err)
		}
	}
}

func TestWhatWasKnownRunsWhileTheStoreIsAway(t *testing.T) {
	records := openStore(t)
	store := &fickle{Records: records}
	here := on(t, records, func(c *registry.Config) { c.Records = store })
	there := on(t, records) // another node
	mustCreate(t, here, "f")
	mustCreate(t, here, "g")
	runs(t, here, "f", latest)
	runs(t, here, "g", latest)
	store.away.Store(true)
	for _, name := range []string{"f", "g"} {
		_, err := there.Update(ctx, name, "", func(v *registry.Version) error { v.Description = "changed"; return nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := there.Delete(ctx, "g"); err != nil {
		t.Fatal(err)
	}
	description := func(name string) string {
		r, err := here.Resolve(ctx, name, latest)
		if errors.Is(err, registry.ErrNotFound) {
			return "gone"
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return r.Description
	}
	for range 100 { // the hint comes some time
		if got := description("f"); got != "d" {
			t.Fatalf("%q runs while the store is away", got)
		}
	}
	store.away.Store(false)
	for end := time.Now().Add(10 * time.Second); description("f") != "changed" || description("g") != "gone"; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("what has changed is not read")
		}
	}
	store.away.Store(true)
	if _, err := here.Resolve(ctx, "g", latest); err == nil {
		t.Error("what was deleted runs again while the store is away")
	}
}
