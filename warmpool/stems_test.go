package warmpool

import (
	"errors"
	"testing"
	"time"

	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/environment/environmenttest"
	"github.com/hearthfn/hearth/warmpool/function"
)

func newWorldWithStems(t *testing.T, config Config) *world {
	t.Helper()
	w := newWorld(t, config)
	w.starter.stems = true
	return w
}

func (w *world) readyStems() int { return w.stems.stat()["test"].ready }

func TestColdStartTakesAStemAndAnotherIsBooted(t *testing.T) {
	w := newWorldWithStems(t, Config{})
	g := w.group("f", nil)
	waitFor(t, func() bool { return w.readyStems() == 1 })
	if err := echo(t, g, "1"); err != nil {
		t.Fatal(err)
	}
	if n := w.starter.fromStem.Load(); n != 1 {
		t.Errorf("%d starts from a stem, want 1", n)
	}
	waitFor(t, func() bool { return w.readyStems() == 2 }) // one more than before: there is demand
	w.mu.Lock()
	defer w.mu.Unlock()
	if b := w.budget; b.stems.memoryMB == 0 || b.used.memoryMB != b.stems.memoryMB+128 {
		t.Errorf("the budget is %+v, want the stems beside 128 MB of the function", b)
	}
}

func TestStemsFollowTheColdStartsOfLate(t *testing.T) {
	w := newWorldWithStems(t, Config{Stems: 3})
	var groups []*Group
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		groups = append(groups, w.group(name, nil))
	}
	for _, g := range groups {
		if err := echo(t, g, "1"); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, func() bool { return w.readyStems() == 3 })
	w.stems.trim(time.Now().Add(burstTime / 10))
	if n := w.readyStems(); n != 3 {
		t.Errorf("%d stems a minute after a burst, want the 3 that there may be", n)
	}
	w.stems.trim(time.Now().Add(10 * burstTime))
	if n := w.readyStems(); n != 1 {
		t.Errorf("%d stems after a quiet time, want 1", n)
	}
}

// The callers of a burst need the cores.
func TestStemsThatAreThereAreUsedBeforeOthersAreBooted(t *testing.T) {
	w := newWorldWithStems(t, Config{Stems: 9})
	w.group("f", nil)
	var kind StemKind
	w.stems.mu.Lock()
	for of, k := range w.stems.stocks {
		kind = of
		k.burst, k.at = 8, time.Now()
	}
	w.stems.mu.Unlock()
	w.stems.refill()
	waitFor(t, func() bool { return w.readyStems() == 9 })
	defer w.stems.take(kind).Close()
	w.stems.mu.Lock()
	w.stems.taken = time.Now()
	w.stems.mu.Unlock()
	w.stems.refill()
	w.stems.mu.Lock()
	waits := w.stems.later != nil
	w.stems.mu.Unlock()
	if !waits {
		t.Error("a stem is booted at once though eight are left")
	}
	waitFor(t, func() bool { return w.readyStems() == 9 }) // then the pause is over
	if k := (&stock{ready: make([]*Stem, 2)}); !k.urgent(8) || k.urgent(7) {
		t.Error("two stems of eight are few, two of seven are not")
	}
}

func TestStemsAreBootedHoweverCloselyColdStartsFollow(t *testing.T) {
	w := newWorldWithStems(t, Config{})
	w.group("f", nil)
	waitFor(t, func() bool { return w.readyStems() == 1 })
	var kind StemKind
	for of := range w.stems.stocks {
		kind = of
	}
	w.stems.take(kind).Close()
	waitFor(t, func() bool {
		w.stems.mu.Lock()
		w.stems.taken = time.Now()
		w.stems.mu.Unlock()
		w.stems.refill()
		return w.readyStems() > 0
	})
}

func TestSteadyColdStartsAreNoBurst(t *testing.T) {
	k := &stock{functions: 1}
	now := time.Now()
	for range 100 { // one in 10 s
		now = now.Add(demandTime / 3)
		k.count(now)
	}
	if n := k.want(now, defaultStems); n < 3 || n > 6 {
		t.Errorf("%d stems are wanted for one cold start in %s", n, demandTime/3)
	}
}

func TestStemsGoWithTheLastFunctionOfTheirKind(t *testing.T) {
	w := newWorldWithStems(t, Config{})
	f := &function.Function{Name: "f", Runtime: "test", Handler: "ok", Code: "/"}
	if err := f.Normalize(); err != nil {
		t.Fatal(err)
	}
	g := w.Retain(f)
	g.Configure(f)
	g.Configure(f) // as a reload does
	waitFor(t, func() bool { return w.readyStems() == 1 })
	w.Release(g)
	w.stems.trim(time.Now())
	w.stems.trim(time.Now())
	if n := w.readyStems(); n != 0 || len(w.stems.stocks) != 0 {
		t.Errorf("%d stems and %d stocks are left", n, len(w.stems.stocks))
	}
}

func TestWithoutStemsNoneIsBooted(t *testing.T) {
	w := newWorldWithStems(t, Config{Stems: -1})
	if err := echo(t, w.group("f", nil), "1"); err != nil {
		t.Fatal(err)
	}
	w.stems.trim(time.Now())
	if n := w.starter.booted.Load(); n != 0 {
		t.Errorf("%d stems were booted", n)
	}
}

func TestStemsGiveWayToFunctions(t *testing.T) {
	w := newWorldWithStems(t, Config{MemoryMB: 400})
	w.group("f", nil)
	waitFor(t, func() bool { return w.readyStems() == 1 })
	large := w.group("large", func(f *function.Function) { f.MemoryMB = 400 })
	if err := echo(t, large, "1"); err != nil {
		t.Fatal(err)
	}
	if n := w.readyStems(); n != 0 {
		t.Errorf("%d stems beside a function that needs all memory", n)
	}
}

func TestStemThatEndsIsReplacedAfterAWhile(t *testing.T) {
	w := newWorldWithStems(t, Config{})
	w.group("f", nil)
	waitFor(t, func() bool { return w.readyStems() == 1 })
	w.stems.mu.Lock()
	stem := w.stems.stocks[StemKind{Family: "test"}].ready[0]
	w.stems.mu.Unlock()
	stem.Close()
	if n := w.readyStems(); n != 0 {
		t.Fatalf("%d stems after the only one ended", n)
	}
	waitFor(t, func() bool { return w.readyStems() == 1 })
}

func TestStemsThatDoNotBootAreNotTriedAgainAtOnce(t *testing.T) {
	w := newWorldWithStems(t, Config{})
	w.starter.bootError = errors.New("no such program")
	g := w.group("f", nil)
	for range 3 {
		if err := echo(t, g, "1"); err != nil {
			t.Fatal(err)
		}
		w.stems.trim(time.Now())
	}
	if n := w.starter.booted.Load(); n > 1 {
		t.Errorf("%d boots, want 1", n)
	}
}

func TestInitThatAlwaysFailsIsNotTriedForEveryCall(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("f", func(f *function.Function) { f.Handler = "fail" })
	for range 10 {
		var initError *environment.InitError
		if err := echo(t, g, "1"); !errors.As(err, &initError) || initError.Type != "Runtime.ImportModuleError" {
			t.Fatalf("got %v", err)
		}
	}
	// The second call tries at once, as on Lambda; then there is a pause.
	if n := w.starter.started.Load(); n < 2 || n > 3 {
		t.Errorf("%d starts for 10 calls, want 2", n)
	}
	started := w.starter.started.Load()
	g.Renew() // the code has changed
	_ = echo(t, g, "1")
	if n := w.starter.started.Load(); n != started+1 {
		t.Errorf("%d starts after new code, want 1", n-started)
	}
}

func TestStartThatSucceedsEndsTheBackOff(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("f", nil)
	g.mu.Lock()
	g.backOff(errors.New("once"))
	g.mu.Unlock()
	if err := echo(t, g, "1"); err != nil {
		t.Fatal(err)
	}
	if err := g.Invoke(t.Context(), call(t, environmenttest.Deed{Do: "exit"})); err != nil {
		t.Fatal(err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failed != nil || g.failures != 0 {
		t.Errorf("%d failures are remembered, the last %v", g.failures, g.failed)
	}
}

func TestFunctionThatCannotFitLeavesTheOthersWarm(t *testing.T) {
	w := newWorld(t, Config{MemoryMB: 1024})
	var groups []*Group
	for _, name := range []string{"a", "b", "c"} {
		g := w.group(name, nil)
		if err := echo(t, g, "1"); err != nil {
			t.Fatal(err)
		}
		groups = append(groups, g)
	}
	huge := w.group("huge", func(f *function.Function) {
		f.MemoryMB = 2048
		f.QueueTimeout = 50 * time.Millisecond
	})
	var throttled *ThrottledError
	if err := echo(t, huge, "1"); !errors.As(err, &throttled) {
		t.Errorf("got %v", err)
	}
	for _, g := range groups {
		if s := g.Stat(); s.Idle != 1 {
			t.Errorf("%s has %+v left", g.name, s)
		}
	}
}

func TestBusyTimeIsNotTakenForIdleTime(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("f", reserved(1))
	done := make(chan struct{})
	for range 15 {
		go func() {
			defer func() { done <- struct{}{} }()
			_ = g.Invoke(t.Context(), sleep(t, 100))
		}()
	}
	for range 15 {
		<-done
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if uses := g.history.Uses(); uses < 14 || uses > 16 {
		t.Errorf("%v uses of 15 calls", uses)
	}
	if window := g.history.Window(time.Hour); window != time.Minute {
		t.Errorf("calls without a pause have a window of %s", window)
	}
}

func TestMemoryThatIsPlentyHoldsSpareStems(t *testing.T) {
	w := newWorldWithStems(t, Config{MemoryMB: 64 * spareShare})
	w.group("f", nil)
	waitFor(t, func() bool { return w.readyStems() == 1 })
	w.stems.mu.Lock()
	var k *stock
	for _, k = range w.stems.stocks {
		k.memoryMB = 16
	}
	w.stems.mu.Unlock()
	now := time.Now().Add(spareQuiet)
	for n := 2; n <= 4; n++ {
		w.stems.trim(now)
		waitFor(t, func() bool { w.stems.mu.Lock(); defer w.stems.mu.Unlock(); k.memoryMB = 16; return len(k.ready) >= n })
	}
	w.stems.trim(now)
	if n := w.readyStems(); n != 4 {
		t.Errorf("%d stems of 16 MB, want the 4 that 64 MB hold", n)
	}
	w.stems.giveUp()
	w.stems.trim(now)
	if n := w.readyStems(); n != 1 {
		t.Errorf("%d stems after a function needed the memory, want 1", n)
	}
}

func TestNoSpareStemIsBootedBesideCalls(t *testing.T) {
	w := newWorldWithStems(t, Config{})
	w.group("f", nil)
	waitFor(t, func() bool { return w.readyStems() == 1 })
	now := time.Now()
	w.busy.Add(1)
	w.stems.trim(now)
	w.busy.Add(-1)
	w.stems.trim(now.Add(spareQuiet / 2))
	if n := w.stems.stat()["test"]; n.ready != 1 || n.booting != 0 {
		t.Errorf("%+v half a second after a call, want 1 stem", n)
	}
}
