package warmpool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/prometheus/client_golang/prometheus"

	"os"

	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/environment/environmenttest"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/logs"
	"github.com/hearthfn/hearth/warmpool/runtimes"
)

func TestMain(m *testing.M) {
	environmenttest.Main()
	goleak.VerifyTestMain(m)
}

// A testStarter starts the test runtime, counts, and can be held up.
type testStarter struct {
	store   *logs.Store
	started atomic.Int32 // starts begun
	live    atomic.Int32 // environments that are not gone
	most    atomic.Int32 // most of them at once
	atOnce  atomic.Int32 // starts under way
	mostAt  atomic.Int32
	gate    chan struct{} // if set, each start takes one token first

	stems     bool         // whether there are stems
	booted    atomic.Int32 // stems
	fromStem  atomic.Int32 // starts from one
	bootError error        // of every boot, if set
}

func (s *testStarter) StemKind(*function.Function) (StemKind, bool) {
	return StemKind{Family: "test"}, s.stems
}

func (s *testStarter) Boot(ctx context.Context, kind StemKind, ended func()) (*Stem, error) {
	if s.bootError != nil {
		s.booted.Add(1)
		return nil, s.bootError
	}
	stem, err := environment.Boot(ctx, environment.Spec{
		ID:          fmt.Sprintf("s%d", s.booted.Add(1)),
		InitTimeout: BootTimeout,
		Start: func(output *os.File, pipes []*os.File) (environment.Process, error) {
			return environmenttest.Start(output, pipes)
		},
		Ended: func(*environment.Environment) { ended() },
	})
	if err != nil {
		return nil, err
	}
	return &Stem{Kind: kind, Stem: stem}, nil
}

func (s *testStarter) Start(ctx context.Context, start Start) (*environment.Environment, error) {
	f, busy, ended := start.Function, start.Busy, start.Ended
	raise(&s.mostAt, s.atOnce.Add(1))
	defer s.atOnce.Add(-1)
	n := s.started.Add(1)
	if s.gate != nil {
		select {
		case <-s.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if f.Handler == "broken" || f.Handler == "broken-ahead" && start.Initialization == Provisioned {
		return nil, errors.New("no such interpreter")
	}
	group, err := s.store.Group(f.Name)
	if err != nil {
		return nil, err
	}
	id := fmt.Sprintf("e%d", n)
	raise(&s.most, s.live.Add(1))
	spec := environment.Spec{
		ID:          id,
		Init:        runtimes.InitPayload{Handler: f.Handler, MemoryMB: f.MemoryMB, Concurrency: f.PerEnvironmentConcurrency},
		InitTimeout: 10 * time.Second,
		Log:         group.Stream("$LATEST", id, time.Now()),
		Start: func(output *os.File, pipes []*os.File) (environment.Process, error) {
			return environmenttest.Start(output, pipes)
		},
		Begun: start.Begun,
		Busy:  busy,
		Ended: func(e *environment.Environment) {
			s.live.Add(-1)
			ended(e)
		},
	}
	var env *environment.Environment
	if start.Stem != nil {
		s.fromStem.Add(1)
		env, err = start.Stem.Start(ctx, spec, func() error { return nil })
	} else {
		env, err = environment.Start(ctx, spec)
	}
	if err != nil {
		s.live.Add(-1)
	}
	return env, err
}

func raise(most *atomic.Int32, to int32) {
	for {
		now := most.Load()
		if to <= now || most.CompareAndSwap(now, to) {
			return
		}
	}
}

type world struct {
	*Pool
	t       *testing.T
	starter *testStarter
}

func newWorld(t *testing.T, config Config) *world {
	t.Helper()
	store, err := logs.Open(logs.Config{Dir: t.TempDir()}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, starter: &testStarter{store: store}}
	if w.Pool, err = New(config, w.starter, zap.NewNop()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.Close(t.Context())
		if n := w.starter.live.Load(); n != 0 {
			t.Errorf("%d environments are left after Close", n)
		}
		if w.budget.used != (need{}) || w.yielding.Load() != 0 {
			t.Errorf("the budget counts %+v after Close", w.budget)
		}
		store.Close()
	})
	return w
}

// group adds a function; change edits it first.
func (w *world) group(name string, change func(*function.Function)) *Group {
	w.t.Helper()
	f := &function.Function{Name: name, Runtime: "test", Handler: "ok", Code: "/"}
	if change != nil {
		change(f)
	}
	if err := f.Normalize(); err != nil {
		w.t.Fatal(err)
	}
	g := w.Retain(f)
	w.t.Cleanup(func() { w.Release(g) })
	g.Configure(f)
	return g
}

func reserved(n int) func(*function.Function) {
	return func(f *function.Function) { f.ReservedConcurrency = &n }
}

func call(t *testing.T, d environmenttest.Deed) *environment.Call {
	t.Helper()
	event, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	c := environment.NewCall()
	c.RequestID = "r"
	if c.Frame, err = runtimes.BeginInvoke(nil, &runtimes.Invoke{RequestID: "r"}); err != nil {
		t.Fatal(err)
	}
	c.Frame = append(c.Frame, event...)
	return c
}

func echo(t *testing.T, g *Group, text string) error {
	t.Helper()
	c := call(t, environmenttest.Deed{Do: "echo", Text: text})
	if err := g.Invoke(t.Context(), c); err != nil {
		return err
	}
	if string(c.Payload) != text {
		return fmt.Errorf("got %s, want %s", c.Payload, text)
	}
	return nil
}

func sleep(t *testing.T, millis int) *environment.Call {
	return call(t, environmenttest.Deed{Do: "sleep", Millis: millis, Text: "1"})
}

func waitFor(t *testing.T, what func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !what(); {
		if time.Now().After(end) {
			t.Fatal("it did not happen within a minute")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestWarmEnvironmentServesTheNextCall(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("f", nil)
	for i := range 20 {
		if err := echo(t, g, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.starter.started.Load(); n != 1 {
		t.Errorf("%d environments for 20 calls in a row, want 1", n)
	}
}

func TestBurstStaysWithinTheLimitAndFailsNobody(t *testing.T) {
	w := newWorld(t, Config{Starts: 2})
	g := w.group("f", func(f *function.Function) { reserved(5)(f); f.QueueTimeout = 20 * time.Second })
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			if err := g.Invoke(t.Context(), sleep(t, 10)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most := w.starter.most.Load(); most > 5 {
		t.Errorf("%d environments at once, 5 are reserved", most)
	}
	if most := w.starter.mostAt.Load(); most > 2 {
		t.Errorf("%d cold starts at once, 2 are allowed", most)
	}
}

func TestThrottledWithTheReasonThatAWSGives(t *testing.T) {
	w := newWorld(t, Config{})
	off := w.group("off", reserved(0))
	var throttled *ThrottledError
	if err := echo(t, off, "1"); !errors.As(err, &throttled) || throttled.Reason != ReasonReserved {
		t.Errorf("reserved 0: %v", err)
	}
	strict := w.group("strict", func(f *function.Function) { reserved(1)(f); f.QueueTimeout = -1 })
	if err := echo(t, strict, "1"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	slow := sleep(t, 1000)
	go func() { done <- strict.Invoke(t.Context(), slow) }()
	waitFor(t, func() bool { return strict.Stat().Busy == 1 })
	if err := strict.Invoke(t.Context(), sleep(t, 1)); !errors.As(err, &throttled) || throttled.Reason != ReasonReserved {
		t.Errorf("busy and no queue: %v", err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	short := w.group("short", func(f *function.Function) { reserved(1)(f); f.QueueTimeout = 50 * time.Millisecond })
	if err := echo(t, short, "1"); err != nil {
		t.Fatal(err)
	}
	slow2 := sleep(t, 1000)
	go func() { done <- short.Invoke(t.Context(), slow2) }()
	waitFor(t, func() bool { return short.Stat().Busy == 1 })
	if err := short.Invoke(t.Context(), sleep(t, 1)); !errors.As(err, &throttled) {
		t.Errorf("queue timeout: %v", err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestCallsDoNotQueueBehindAColdStartWhereTheQueueIsOff(t *testing.T) {
	w := newWorld(t, Config{QueueTimeout: -1})
	w.starter.gate = make(chan struct{})
	g := w.group("f", reserved(2))
	waits := w.group("waits", func(f *function.Function) { reserved(1)(f); f.QueueTimeout = time.Minute })
	done := make(chan error)
	for range 2 {
		slow := sleep(t, 1)
		go func() { done <- g.Invoke(t.Context(), slow) }()
		queued := sleep(t, 1)
		go func() { done <- waits.Invoke(t.Context(), queued) }()
	}
	waitFor(t, func() bool { return g.Stat().Waiting == 2 && waits.Stat().Waiting == 2 })
	var throttled *ThrottledError
	if err := g.Invoke(t.Context(), sleep(t, 1)); !errors.As(err, &throttled) || throttled.Reason != ReasonReserved {
		t.Errorf("a third call: %v", err)
	}
	close(w.starter.gate)
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestQueueIsBounded(t *testing.T) {
	w := newWorld(t, Config{Queue: 3})
	w.starter.gate = make(chan struct{})
	g := w.group("f", reserved(1))
	errs := make(chan error, 3)
	for range 3 {
		go func() { errs <- echo(t, g, "1") }()
	}
	waitFor(t, func() bool { return g.Stat().Waiting == 3 })
	var throttled *ThrottledError
	if err := echo(t, g, "2"); !errors.As(err, &throttled) {
		t.Errorf("the fourth: %v", err)
	}
	close(w.starter.gate)
	for range 3 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestAcquireCancelledKeepsEnvironmentForNextCaller(t *testing.T) {
	w := newWorld(t, Config{})
	w.starter.gate = make(chan struct{})
	g := w.group("f", nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	c := sleep(t, 1)
	go func() { done <- g.Invoke(ctx, c) }()
	waitFor(t, func() bool { return w.starter.started.Load() == 1 })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(w.starter.gate)
	waitFor(t, func() bool { return g.Stat().Idle == 1 })
	if err := echo(t, g, "5"); err != nil {
		t.Error(err)
	}
	if n := w.starter.started.Load(); n != 1 {
		t.Errorf("%d starts, want the one that was under way", n)
	}
}

func TestInitErrorReachesEveryCallerThatWaits(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("f", func(f *function.Function) { f.Handler = "fail" })
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			var initError *environment.InitError
			if err := echo(t, g, "1"); !errors.As(err, &initError) || initError.Type != "Runtime.ImportModuleError" {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	waitFor(t, func() bool { return g.Stat() == Stat{} })
	broken := w.group("g", func(f *function.Function) { f.Handler = "broken" })
	var startError *StartError
	if err := echo(t, broken, "1"); !errors.As(err, &startError) {
		t.Errorf("got %v", err)
	}
}

func TestProvisionedEnvironmentsAreKept(t *testing.T) {
	w := newWorld(t, Config{IdleTimeout: time.Millisecond})
	g := w.group("f", func(f *function.Function) { f.ProvisionedConcurrency = 2 })
	waitFor(t, func() bool { return g.Stat().Idle == 2 })
	g.expire(time.Now().Add(time.Hour), time.Minute)
	if s := g.Stat(); s.Idle != 2 {
		t.Errorf("after expiry there are %+v", s)
	}
	c := call(t, environmenttest.Deed{Do: "exit"})
	if err := g.Invoke(t.Context(), c); err != nil || c.Outcome != environment.OutcomeExit {
		t.Errorf("%v %s", err, c.Outcome)
	}
	waitFor(t, func() bool { return g.Stat().Idle == 2 })
}

// As recorded from AWS: environments that calls have started are none of those that are
// provisioned, which calls go to first, and which end when they are not wanted any more.
func TestProvisionedEnvironmentsAreThereBesideThoseOnDemand(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("f", nil)
	provision := func(n int, change func(*function.Function)) {
		f := *g.Function()
		f.ProvisionedConcurrency = n
		if change != nil {
			change(&f)
		}
		g.Configure(&f)
	}
	ran := func() string {
		c := call(t, environmenttest.Deed{Do: "echo", Text: "1"})
		if err := g.Invoke(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		for _, m := range g.members {
			if m.ran || m.idleSince.Equal(g.lastUse) {
				return map[bool]string{true: Provisioned, false: OnDemand}[m.provisioned]
			}
		}
		return "an environment that has ended"
	}
	initialized := func(want int) {
		t.Helper()
		waitFor(t, func() bool { n, failed := g.Initialized(); return n == want && failed == nil })
	}
	if got := ran(); got != OnDemand {
		t.Errorf("the first call runs in one of type %s", got)
	}
	provision(1, nil)
	initialized(1)
	if s := g.Stat(); s.Idle != 2 {
		t.Errorf("there are %+v, want one more than before", s)
	}
	for range 2 {
		if got := ran(); got != Provisioned {
			t.Errorf("a call runs in one of type %s", got)
		}
	}
	provision(0, nil)
	waitFor(t, func() bool { return g.Stat().Idle == 1 })
	if got := ran(); got != OnDemand {
		t.Errorf("with nothing provisioned any more, a call runs in one of type %s", got)
	}
	one := 1
	provision(1, func(f *function.Function) { f.ReservedConcurrency = &one }) // no room beside it
	initialized(1)
	if got := ran(); got != Provisioned {
		t.Errorf("with all that is reserved provisioned, a call runs in one of type %s", got)
	}
}

// As recorded from AWS: code that fails only where it is initialised ahead serves calls.
func TestCallsHearNothingOfInitPhasesAhead(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("f", func(f *function.Function) { f.Handler, f.ProvisionedConcurrency = "broken-ahead", 1 })
	waitFor(t, func() bool { n, failed := g.Initialized(); return n == 0 && failed != nil })
	for n := range 3 {
		if err := echo(t, g, fmt.Sprint(n)); err != nil {
			t.Fatal(err)
		}
	}
	if n, failed := g.Initialized(); n != 0 || failed == nil {
		t.Errorf("%d are provisioned, %v", n, failed)
	}
}

func TestIdleEnvironmentsExpire(t *testing.T) {
	w := newWorld(t, Config{IdleTimeout: 10 * time.Millisecond})
	g := w.group("f", nil)
	if err := echo(t, g, "1"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return g.Stat() == Stat{} })
	if err := echo(t, g, "2"); err != nil {
		t.Fatal(err)
	}
}

func TestBudgetEvictsIdleEnvironmentsOfOthers(t *testing.T) {
	w := newWorld(t, Config{MemoryMB: 256})
	a, b, c := w.group("a", nil), w.group("b", nil), w.group("c", nil)
	for i, g := range []*Group{a, b, c, a} {
		if err := echo(t, g, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if most := w.starter.most.Load(); most > 2 {
		t.Errorf("%d environments of 128 MB at once in a budget of 256 MB", most)
	}
}

func TestStarvedFunctionStartsWhenAnotherGetsIdle(t *testing.T) {
	w := newWorld(t, Config{MemoryMB: 128})
	a, b := w.group("a", nil), w.group("b", func(f *function.Function) { f.QueueTimeout = 20 * time.Second })
	done := make(chan error)
	slow := sleep(t, 500)
	go func() { done <- a.Invoke(t.Context(), slow) }()
	waitFor(t, func() bool { return a.Stat().Busy == 1 })
	if err := echo(t, b, "1"); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestRenewServesNewCallsAnewAndLetsOldOnesFinish(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("f", nil)
	done := make(chan error)
	slow := sleep(t, 500)
	go func() { done <- g.Invoke(t.Context(), slow) }()
	waitFor(t, func() bool { return g.Stat().Busy == 1 })
	g.Renew()
	if err := echo(t, g, "1"); err != nil {
		t.Fatal(err)
	}
	if n := w.starter.started.Load(); n != 2 {
		t.Errorf("%d starts, want a new one after Renew", n)
	}
	if err := <-done; err != nil || slow.Outcome != environment.OutcomeResult {
		t.Errorf("the call on the old code: %v %s", err, slow.Outcome)
	}
	waitFor(t, func() bool { s := g.Stat(); return s.Idle == 1 && s.Busy+s.Ending == 0 })
}

func TestRetainKeepsWarmEnvironmentsOfAnUnchangedFunction(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("f", nil)
	if err := echo(t, g, "1"); err != nil {
		t.Fatal(err)
	}
	next := *g.Function()
	next.Timeout = 7 * time.Second
	if h := w.Retain(&next); h != g {
		t.Error("another timeout made another group")
	} else {
		h.Configure(&next)
		w.Release(h)
	}
	if err := echo(t, g, "2"); err != nil {
		t.Fatal(err)
	}
	if n := w.starter.started.Load(); n != 1 {
		t.Errorf("%d starts, want 1", n)
	}
	other := next
	other.MemoryMB = 256
	h := w.Retain(&other)
	defer w.Release(h)
	if h == g {
		t.Error("another memory size did not make another group")
	}
	if err := echo(t, g, "3"); err != nil {
		t.Errorf("the old configuration's group: %v", err)
	}
}

func TestReleasedGroupTakesNoCalls(t *testing.T) {
	w := newWorld(t, Config{})
	f := &function.Function{Name: "f", Runtime: "test", Handler: "ok", Code: "/"}
	if err := f.Normalize(); err != nil {
		t.Fatal(err)
	}
	g := w.Retain(f)
	done := make(chan error)
	slow := sleep(t, 300)
	go func() { done <- g.Invoke(t.Context(), slow) }()
	waitFor(t, func() bool { return g.Stat().Busy == 1 })
	w.Release(g)
	if err := echo(t, g, "1"); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
	if err := <-done; err != nil || slow.Outcome != environment.OutcomeResult {
		t.Errorf("the call in flight: %v %s", err, slow.Outcome)
	}
	waitFor(t, func() bool { return w.starter.live.Load() == 0 })
}

// One environment, short calls from many callers, among them slow ones and ones
// that kill the process: nobody else is harmed.
func TestShortCallsSurviveTheirNeighbours(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("f", func(f *function.Function) { reserved(2)(f); f.QueueTimeout = time.Minute })
	var wg sync.WaitGroup
	for caller := range 32 {
		wg.Go(func() {
			for i := range 100 {
				switch {
				case caller == 0 && i%25 == 10:
					c := call(t, environmenttest.Deed{Do: "crash"})
					if err := g.Invoke(t.Context(), c); err != nil || c.Outcome != environment.OutcomeExit {
						t.Errorf("crash: %v %s", err, c.Outcome)
					}
				case caller == 1 && i%25 == 20:
					if err := g.Invoke(t.Context(), sleep(t, 50)); err != nil {
						t.Errorf("sleep: %v", err)
					}
				default:
					if err := echo(t, g, fmt.Sprintf("%d%03d", caller+1, i)); err != nil {
						t.Errorf("caller %d call %d: %v", caller, i, err)
					}
				}
			}
		})
	}
	wg.Wait()
	if most := w.starter.most.Load(); most > 2 {
		t.Errorf("%d environments at once, 2 are reserved", most)
	}
}

func TestMetricsCountWhatHappened(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("f", nil)
	for i := range 3 {
		if err := echo(t, g, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.Invoke(t.Context(), call(t, environmenttest.Deed{Do: "fail"})); err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(w.Metrics()); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, family := range families {
		for _, m := range family.Metric {
			key := family.GetName()
			for _, l := range m.Label {
				key += "/" + l.GetValue()
			}
			got[key] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	for key, want := range map[string]float64{
		"hearth_invocations_total/f":     4,
		"hearth_errors_total/f/error":    1,
		"hearth_errors_total/f/timeout":  0,
		"hearth_throttles_total/f":       0,
		"hearth_duration_seconds/f":      4,
		"hearth_init_duration_seconds/f": 1,
		"hearth_environments/f/idle":     1,
		"hearth_environments/f/invoke":   0,
		"hearth_concurrent_executions/f": 0,
		"hearth_waiting_invocations/f":   0,
	} {
		if value, found := got[key]; !found || value != want {
			t.Errorf("%s is %v (%v), want %v", key, value, found, want)
		}
	}
}

func TestLargeCallsAmongShortOnes(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("f", func(f *function.Function) { reserved(1)(f); f.QueueTimeout = time.Minute })
	large := strings.Repeat("a", 200_000)
	var wg sync.WaitGroup
	for caller := range 16 {
		wg.Go(func() {
			for i := range 50 {
				if caller < 2 {
					c := call(t, environmenttest.Deed{Do: "length", Text: large})
					if err := g.Invoke(t.Context(), c); err != nil || len(c.Payload) != len(large) {
						t.Errorf("large call: %v, %d bytes", err, len(c.Payload))
					}
				} else if err := echo(t, g, fmt.Sprint(caller, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestCallIsGivenUpWhenEnvironmentsEndBeforeTheyTakeIt(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("f", func(f *function.Function) { f.Handler = "ready-then-exit" })
	var startError *StartError
	if err := echo(t, g, "1"); err == nil {
		t.Error("it was answered")
	} else if !errors.As(err, &startError) && !errors.As(err, new(*environment.InitError)) {
		t.Errorf("got %v", err)
	}
	if n := w.starter.started.Load(); n > maxDeaths+2 {
		t.Errorf("%d environments were started for one call", n)
	}
}

func TestLoweredLimitIsReached(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("f", reserved(4))
	calls := make(chan error)
	for range 4 {
		c := sleep(t, 2000) // all four start before the first is done
		go func() { calls <- g.Invoke(t.Context(), c) }()
	}
	waitFor(t, func() bool { return g.Stat().Busy == 4 })
	lowered := *g.Function()
	one := 1
	lowered.ReservedConcurrency = &one
	g.Configure(&lowered)
	for range 4 {
		if err := <-calls; err != nil {
			t.Error(err)
		}
	}
	waitFor(t, func() bool { s := g.Stat(); return s.Idle == 1 && s.Busy+s.Ending == 0 })
	if err := echo(t, g, "7"); err != nil {
		t.Error(err)
	}
}
