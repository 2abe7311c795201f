package custom

import (
	"bufio"
	"context"
	"net"
	"strings"
	"testing"
	"time"
)

// freezes waits until the bridge lets its environment be frozen, as an idle environment
// asks again and again.
func (w *world) freezes(what string) {
	w.t.Helper()
	for end := time.Now().Add(patience); !w.bridge.Freeze(); <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("it is not frozen: %s", what)
		}
	}
}

func TestEnvironmentIsFrozenWhenRuntimeAndExtensionsHaveAskedForMore(t *testing.T) {
	w := newWorld(t, witness(patience), nil)
	id := w.register("witness", "INVOKE", "SHUTDOWN")
	w.opened()
	first := w.ask(id)
	w.invoke(1, "r1", "1")
	w.call("GET", api+"/invocation/next", nil)
	<-first
	w.call("POST", api+"/invocation/r1/response", strings.NewReader("1"))
	w.outcome()
	if w.bridge.Freeze() {
		t.Error("it is frozen though the runtime has not asked for more")
	}
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		if resp, err := w.client.Get(w.url + api + "/invocation/next"); err == nil {
			resp.Body.Close()
		}
	}()
	defer func() { <-asked }()
	w.bridge.await(func() bool { return w.bridge.phase == phaseReady })
	if w.bridge.Freeze() {
		t.Error("it is frozen though the extension has not asked for more")
	}
	last := w.ask(id)
	w.freezes("all have asked for more")
	if err := w.bridge.Thaw(); err != nil {
		t.Fatal(err)
	}
	w.freezes("once more")

	// The shutdown phase finds it frozen, and thaws it.
	w.requests.Close()
	<-w.process.terminated
	if w.bridge.Freeze() {
		t.Error("it is frozen in its shutdown phase")
	}
	w.exited(0, "")
	if event := <-last; !strings.Contains(event, "SHUTDOWN") {
		t.Errorf("got %s", event)
	}
	w.exited(0, "witness")
	w.ended()
	if frozen := w.process.frozen.Load(); frozen {
		t.Error("it was left frozen")
	}
}

func TestTelemetryIsHandedOverBeforeTheFreezeAndNotDuringIt(t *testing.T) {
	ours, theirs := net.Pipe()
	telemetry := NewTelemetry()
	s := subscribed(t, telemetry, func(context.Context, uint16) (net.Conn, error) { return ours, nil }, true)
	lines := bufio.NewScanner(theirs)
	next := func(want string) {
		t.Helper()
		if !lines.Scan() || !strings.Contains(lines.Text(), want) {
			t.Fatalf("got %q, %v, want %s", lines.Text(), lines.Err(), want)
		}
	}
	paused := func() {
		t.Helper()
		for end := time.Now().Add(patience); !telemetry.pause(); <-time.After(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("it is not handed over")
			}
		}
	}
	if telemetry.pause() {
		t.Error("it pauses with something left") // and so has it handed over, an hour early
	}
	next("platform.telemetrySubscription")
	paused()
	telemetry.Output(time.Now(), []byte("late"), false, false)
	s.hasten()
	if err := theirs.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := theirs.Read(make([]byte, 1)); n > 0 {
		t.Errorf("something was handed over in the pause: %v", err)
	}
	if err := theirs.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	telemetry.resume()
	next("late")
	paused()
	theirs.Close()
}

// An extension that takes nothing does not keep its environment from being frozen.
func TestDeafExtensionIsNotWaitedFor(t *testing.T) {
	telemetry := NewTelemetry()
	s := subscribed(t, telemetry, func(context.Context, uint16) (net.Conn, error) { return nil, net.ErrClosed }, true)
	for end := time.Now().Add(patience); !telemetry.pause(); <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it is waited for")
		}
	}
	telemetry.Output(time.Now(), []byte("late"), false, false)
	if !telemetry.pause() {
		t.Error("it is waited for again")
	}
	telemetry.resume()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.paused {
		t.Error("it stays paused")
	}
}
