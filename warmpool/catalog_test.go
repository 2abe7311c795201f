package warmpool

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/environment/environmenttest"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
	"github.com/hearthfn/hearth/warmpool/state/boltstore"
)

func newCatalog(t *testing.T) (*Catalog, *registry.Registry, *world) {
	t.Helper()
	w := newWorld(t, Config{})
	store, err := boltstore.Open(boltstore.Config{Path: filepath.Join(t.TempDir(), "state.db")})
	if err != nil {
		t.Fatal(err)
	}
	r, err := registry.New(registry.Config{Records: store, CodePath: func(c registry.Code) string { return "/" + c.SHA256 }})
	if err != nil {
		t.Fatal(err)
	}
	c := NewCatalog(w.Pool, r)
	t.Cleanup(func() {
		c.Close()
		r.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return c, r, w
}

func create(t *testing.T, r *registry.Registry, name, code string) {
	t.Helper()
	_, err := r.Create(t.Context(), name, registry.Configuration{Runtime: "test", Handler: "ok", Timeout: 10},
		registry.Code{SHA256: code}, registry.State{State: "Active"}, nil)
	if err != nil {
		t.Fatal(err)
	}
}

func update(t *testing.T, r *registry.Registry, name, code string) {
	t.Helper()
	_, err := r.Update(t.Context(), name, "", func(v *registry.Version) error {
		v.Code.SHA256 = code
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (c *Catalog) echo(t *testing.T, name, qualifier string) (version string, err error) {
	t.Helper()
	call := call(t, environmenttest.Deed{Do: "echo", Text: "1"})
	err = c.Invoke(t.Context(), named(call, name, qualifier))
	return call.Version, err
}

func TestFunctionsOfTheRegistryAreInvokedByQualifier(t *testing.T) {
	c, r, _ := newCatalog(t)
	if _, err := c.echo(t, "f", function.Latest); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("before it is made: %v, want ErrNotFound", err)
	}
	create(t, r, "f", "one")
	if _, err := r.Publish(t.Context(), "f", registry.PublishRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.CreateAlias(t.Context(), "f", registry.Alias{Name: "live", FunctionVersion: "1"}); err != nil {
		t.Fatal(err)
	}
	for qualifier, want := range map[string]string{function.Latest: function.Latest, "1": "1", "live": "1"} {
		if version, err := c.echo(t, "f", qualifier); err != nil || version != want {
			t.Errorf("%s ran %q, %v, want %s", qualifier, version, err, want)
		}
	}
	byAlias, err := c.Group(t.Context(), "f", "live")
	if err != nil {
		t.Fatal(err)
	}
	if byVersion, err := c.Group(t.Context(), "f", "1"); err != nil || byVersion != byAlias {
		t.Errorf("the alias and its version do not share environments: %v", err)
	}
	if err := r.Delete(t.Context(), "f"); err != nil {
		t.Fatal(err)
	}
	if err := c.Sweep(t.Context()); err != nil || len(c.entries) != 0 {
		t.Errorf("%d groups are left of a deleted function, %v", len(c.entries), err)
	}
	if _, err := c.echo(t, "f", "live"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("after it is deleted: %v, want ErrNotFound", err)
	}
}

// A counter counts what it is asked, and answers the same until it forgets.
type counter struct {
	Resolver
	known map[string]*registry.Resolved // by qualifier
	asked int
}

func (c *counter) Resolve(ctx context.Context, name, qualifier string) (*registry.Resolved, error) {
	c.asked++
	if r := c.known[qualifier]; r != nil {
		return r, nil
	}
	r, err := c.Resolver.Resolve(ctx, name, qualifier)
	if err == nil {
		c.known[qualifier] = r
		c.known[r.Version.Version] = r
	}
	return r, err
}

func TestWhatItsCallerHasResolvedIsNotResolvedAgain(t *testing.T) {
	c, r, _ := newCatalog(t)
	resolver := &counter{Resolver: r, known: make(map[string]*registry.Resolved)}
	c.resolver = resolver
	create(t, r, "f", "one")
	if _, err := r.Publish(t.Context(), "f", registry.PublishRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.CreateAlias(t.Context(), "f", registry.Alias{Name: "live", FunctionVersion: "1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.echo(t, "f", "live"); err != nil { // which makes the group
		t.Fatal(err)
	}
	was, err := resolver.Resolve(t.Context(), "f", "live")
	if err != nil {
		t.Fatal(err)
	}
	run := func() (version string, asked int) {
		t.Helper()
		resolver.asked = 0
		call := named(call(t, environmenttest.Deed{Do: "echo", Text: "1"}), "f", "live")
		if err := c.Of(was).Invoke(t.Context(), call); err != nil {
			t.Fatal(err)
		}
		return call.Version, resolver.asked
	}
	if version, asked := run(); version != "1" || asked != 0 {
		t.Errorf("version %s ran after the resolver was asked %d times, want 1 and 0", version, asked)
	}
	// What was resolved before a change runs as it is now.
	if _, err := r.Concurrency.Put(t.Context(), "f", function.Latest, func(v *registry.Concurrency, _ bool) error {
		v.Reserved = 5
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	clear(resolver.known)
	if err := c.RefreshRetained(t.Context(), "f"); err != nil {
		t.Fatal(err)
	}
	if version, asked := run(); version != "1" || asked != 1 {
		t.Errorf("after a change: version %s ran after the resolver was asked %d times, want 1 and 1", version, asked)
	}
	if err := r.Delete(t.Context(), "f"); err != nil {
		t.Fatal(err)
	}
	clear(resolver.known)
	if err := c.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	late := named(call(t, environmenttest.Deed{Do: "echo", Text: "1"}), "f", "live")
	if err := c.Of(was).Invoke(t.Context(), late); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("after it is deleted: %v, want ErrNotFound", err)
	}
}

// No call fails while the code changes under load, and when an update has
// returned, no call that begins then runs older code.
func TestUpdateUnderLoadFailsNoCall(t *testing.T) {
	c, r, w := newCatalog(t)
	create(t, r, "f", "0")
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var calls atomic.Int32
	for range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				call := call(t, environmenttest.Deed{Do: "sleep", Millis: 2, Text: "1"})
				if err := c.Invoke(t.Context(), named(call, "f", function.Latest)); err != nil || call.Outcome != environment.OutcomeResult {
					t.Errorf("%v %s", err, call.Outcome)
					return
				}
				calls.Add(1)
			}
		})
	}
	for _, code := range []string{"1", "2", "3", "4", "5"} {
		before := calls.Load()
		waitFor(t, func() bool { return calls.Load() > before+20 })
		update(t, r, "f", code)
		g, err := c.Group(t.Context(), "f", function.Latest)
		if err != nil || g.Function().Code != "/"+code {
			t.Errorf("after the update to %s calls run %s, %v", code, g.Function().Code, err)
		}
	}
	stop()
	wg.Wait()
	waitFor(t, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		for g := range w.ending {
			if s := g.Stat(); s != (Stat{}) {
				return false
			}
		}
		return true
	})
}

func TestChangedLimitsKeepTheEnvironments(t *testing.T) {
	c, r, w := newCatalog(t)
	create(t, r, "f", "one")
	if _, err := c.echo(t, "f", function.Latest); err != nil {
		t.Fatal(err)
	}
	_, err := r.Concurrency.Put(t.Context(), "f", function.Latest, func(limit *registry.Concurrency, _ bool) error {
		limit.Reserved = 0
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var throttled *ThrottledError
	if _, err := c.echo(t, "f", function.Latest); !errors.As(err, &throttled) {
		t.Errorf("with a reserved concurrency of 0: %v", err)
	}
	if err := r.Concurrency.Delete(t.Context(), "f", function.Latest, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.echo(t, "f", function.Latest); err != nil {
		t.Fatal(err)
	}
	if n := w.starter.started.Load(); n != 1 {
		t.Errorf("%d environments were started, want 1", n)
	}
}

func TestProvisionedEnvironmentsOfAVersionStartWhenRefreshed(t *testing.T) {
	c, r, _ := newCatalog(t)
	create(t, r, "f", "one")
	if _, err := r.Publish(t.Context(), "f", registry.PublishRequest{}); err != nil {
		t.Fatal(err)
	}
	_, err := r.Provisioned.Put(t.Context(), "f", "1", func(p *registry.Provisioned, _ bool) error {
		p.Requested = 2
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Refresh(t.Context(), "f", "1"); err != nil {
		t.Fatal(err)
	}
	g, err := c.Group(t.Context(), "f", "1")
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return g.Stat().Idle == 2 })
}

// An alias with provisioned concurrency that moves on takes it along: the version
// that it has left keeps no environments for it.
func TestVersionThatAnAliasHasLeftIsNoLongerProvisioned(t *testing.T) {
	c, r, _ := newCatalog(t)
	create(t, r, "f", "one")
	for _, code := range []string{"one", "two"} {
		update(t, r, "f", code)
		if _, err := r.Publish(t.Context(), "f", registry.PublishRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.CreateAlias(t.Context(), "f", registry.Alias{Name: "live", FunctionVersion: "1"}); err != nil {
		t.Fatal(err)
	}
	_, err := r.Provisioned.Put(t.Context(), "f", "live", func(p *registry.Provisioned, _ bool) error {
		p.Requested = 1
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	key := func(of string) version { return version{"f", of} }
	provisioned := func(version string) int {
		t.Helper()
		if err := c.Refresh(t.Context(), "f", "live"); err != nil {
			t.Fatal(err)
		}
		c.mu.RLock()
		defer c.mu.RUnlock()
		h := c.entries[key(version)]
		if h.group == nil {
			return 0
		}
		return h.group.Function().ProvisionedConcurrency
	}
	if n := provisioned("1"); n != 1 {
		t.Fatalf("version 1 has %d, want 1", n)
	}
	_, err = r.UpdateAlias(t.Context(), "f", "live", "", func(a *registry.Alias) error {
		a.FunctionVersion = "2"
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if one, two := provisioned("1"), provisioned("2"); one != 0 || two != 1 {
		t.Errorf("after the alias has moved: version 1 has %d, 2 has %d; want 0 and 1", one, two)
	}
	if err := r.DeleteAlias(t.Context(), "f", "live"); err != nil {
		t.Fatal(err)
	}
	if two := provisioned("2"); two != 0 {
		t.Errorf("after the alias has gone: version 2 has %d, want 0", two)
	}
}

// busyPeers run the third call that they are asked for.
type busyPeers struct{ asked atomic.Int32 }

func (o *busyPeers) Invoke(_ context.Context, _ *Group, _ string, call *environment.Call) (bool, error) {
	call.Version = "elsewhere"
	return o.asked.Add(1) == 3, nil
}

func (o *busyPeers) ProvisionedPart(_, _ string, total int) int { return total }

func TestACallThatWaitsOnAFullNodeLooksElsewhereAgain(t *testing.T) {
	c, r, w := newCatalog(t)
	others := new(busyPeers)
	c.HandTo(others)
	if err := w.Reconfigure(Config{MemoryMB: 64}); err != nil {
		t.Fatal(err)
	}
	create(t, r, "f", "one") // needs 128 MB
	version, err := c.echo(t, "f", function.Latest)
	if err != nil || version != "elsewhere" || others.asked.Load() != 3 {
		t.Errorf("run %s after %d looks, %v", version, others.asked.Load(), err)
	}
}

// A countingPeers counts the calls that are offered to other nodes, who take none.
type countingPeers struct{ asked map[string]int }

func (o countingPeers) Invoke(_ context.Context, g *Group, _ string, _ *environment.Call) (bool, error) {
	o.asked[g.name]++
	return false, nil
}

func (countingPeers) ProvisionedPart(_, _ string, total int) int { return total }

func TestOtherNodesAreNotAskedForFunctionsOfTheCaddyfile(t *testing.T) {
	c, r, w := newCatalog(t)
	declared := &function.Function{Name: "declared", Runtime: "test", Handler: "ok", Code: "/"}
	if err := declared.Normalize(); err != nil {
		t.Fatal(err)
	}
	create(t, r, "made", "one")
	over := NewCatalog(w.Pool, r.With([]*function.Function{declared}))
	defer over.Close()
	others := countingPeers{make(map[string]int)}
	over.HandTo(others)
	for _, name := range []string{"declared", "made"} {
		if _, err := over.echo(t, name, function.Latest); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	if others.asked["declared"] != 0 || others.asked["made"] == 0 {
		t.Errorf("asked for %v, want for the one that the API made alone", others.asked)
	}
}

// named is a call of a function.
func named(c *environment.Call, name, qualifier string) *environment.Call {
	c.Function, c.Qualifier = name, qualifier
	return c
}
