package environment

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hearthfn/hearth/warmpool/environment/environmenttest"
)

func (w *world) stopped() bool { return w.proc.(*environmenttest.Process).Stopped() }

func TestIdleEnvironmentStandsStillUntilTheNextCall(t *testing.T) {
	w := start(t, 1)
	waitFor(t, w.stopped) // after the init phase
	for i := range 3 {
		want := fmt.Sprint(i)
		if c := w.invoke(deed{Do: "echo", Text: want}); string(c.Payload) != want {
			t.Fatalf("got %s %s, want %s", c.Outcome, c.Payload, want)
		}
		waitFor(t, w.stopped)
	}
	w.Shutdown(10 * time.Second)
	if status, _ := w.proc.Exit(); status != "exit status 0" {
		t.Errorf("asked to end while it stood still, it ended with %s", status)
	}
}

func TestEnvironmentIsNotFrozenDuringACall(t *testing.T) {
	w := start(t, 1)
	for range 3 {
		waitFor(t, w.stopped)
		if c := w.invoke(deed{Do: "spin", Millis: 3 * int(freezeAfter.Milliseconds()), Text: "1"}); string(c.Payload) != "1" {
			t.Fatalf("got %s %s", c.Outcome, c.Payload)
		}
	}
}

func TestFrozenEnvironmentCanBeKilled(t *testing.T) {
	w := start(t, 1)
	waitFor(t, w.stopped)
	w.Shutdown(0)
	<-w.ended
}

// On Lambda's managed instances environments are never frozen.
func TestEnvironmentOfSeveralInvocationsAtOnceGoesOn(t *testing.T) {
	w := start(t, 2)
	w.invoke(deed{Do: "echo", Text: "1"})
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.freezer.armed {
		t.Error("it is going to be frozen")
	}
}

// The call wins, whenever it comes.
func TestCallsAboutTheTimeOfTheFreezeAllRun(t *testing.T) {
	var callers sync.WaitGroup
	for caller := range 16 {
		w := start(t, 1)
		callers.Go(func() {
			for i := range 30 {
				<-time.After(freezeAfter*9/10 + rand.N(freezeAfter*12/10))
				want := fmt.Sprintf("%d/%d", caller, i)
				c := newCall(t, want, 20*time.Second, deed{Do: "echo", Text: want})
				if err := w.Invoke(c); err != nil || string(c.Payload) != want {
					t.Errorf("got %s %s %v, want %s", c.Outcome, c.Payload, err, want)
					return
				}
			}
		})
	}
	callers.Wait()
}

// A gate is a process that a test lets be frozen.
type gate struct {
	*environmenttest.Process
	asked atomic.Int32
	open  func(asked int) bool
}

func (g *gate) Freeze() bool { return g.open(int(g.asked.Add(1))) && g.Process.Freeze() }

func startGate(t *testing.T, open func(asked int) bool) *world {
	t.Helper()
	spec, w := specFor(t, "ok", 1)
	spec.Start = func(output *os.File, pipes []*os.File) (Process, error) {
		p, err := environmenttest.Start(output, pipes)
		return &gate{Process: p, open: open}, err
	}
	e, err := Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	w.Environment = e
	t.Cleanup(func() {
		e.Shutdown(time.Second)
		<-w.ended
	})
	return w
}

func TestEnvironmentWithWorkLeftIsFrozenLater(t *testing.T) {
	w := startGate(t, func(asked int) bool { return asked > 3 })
	p := w.proc.(*gate)
	waitFor(t, p.Stopped)
	if n := p.asked.Load(); n != 4 {
		t.Errorf("it was tried %d times, want 4", n)
	}
	if c := w.invoke(deed{Do: "echo", Text: "1"}); string(c.Payload) != "1" {
		t.Errorf("got %s %s", c.Outcome, c.Payload)
	}
}

func TestShutdownWinsOverAFreezeThatHasBegun(t *testing.T) {
	freezing, asked := make(chan struct{}), make(chan struct{})
	w := startGate(t, func(int) bool {
		close(freezing)
		<-asked
		return true
	})
	<-freezing
	var shutdown sync.WaitGroup
	shutdown.Go(func() { w.Shutdown(10 * time.Second) })
	waitFor(t, func() bool { return w.State() == StateShutdown })
	close(asked)
	shutdown.Wait()
	if status, _ := w.proc.Exit(); status != "exit status 0" {
		t.Errorf("it ended with %s", status)
	}
	if err := w.Invoke(newCall(t, "late", time.Second, deed{Do: "echo"})); !errors.Is(err, ErrNotStarted) {
		t.Errorf("a call after the end: %v", err)
	}
}

// BenchmarkWarmInvoke is what one call after the other takes that an environment has,
// with and without something that freezes it when it is idle.
func BenchmarkWarmInvoke(b *testing.B) {
	for _, freezes := range []bool{true, false} {
		b.Run(fmt.Sprintf("freezes=%v", freezes), func(b *testing.B) {
			e := start(b, 1)
			if !freezes {
				e.mu.Lock()
				e.freezer.timer.Stop()
				e.freezer.armed = true // by a timer that does not fire
				e.mu.Unlock()
			}
			c := newCall(b, "r1", time.Minute, deed{Do: "echo", Text: "1"})
			for b.Loop() {
				c.Again()
				if err := e.Invoke(c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	// A call that finds the environment frozen.
	b.Run("frozen", func(b *testing.B) {
		e := start(b, 1)
		c := newCall(b, "r1", time.Minute, deed{Do: "echo", Text: "1"})
		for b.Loop() {
			b.StopTimer()
			e.order.Lock()
			e.frozen = e.proc.Freeze()
			e.order.Unlock()
			for !e.proc.(*environmenttest.Process).Stopped() {
			}
			c.Again()
			b.StartTimer()
			if err := e.Invoke(c); err != nil {
				b.Fatal(err)
			}
		}
	})
}
