package environment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/logs"
	"github.com/hearthfn/hearth/warmpool/runtimes"
)

// A world is one environment and what a test needs to look at it.
type world struct {
	*Environment
	t     testing.TB
	store *logs.Store
	ended chan struct{}
}

func specFor(t testing.TB, handler string, concurrency int) (Spec, *world) {
	t.Helper()
	store, err := logs.Open(logs.Config{Dir: t.TempDir()}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	group, err := store.Group("test")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: store, ended: make(chan struct{})}
	t.Cleanup(func() { store.Close() })
	return Spec{
		ID:          "e1",
		Init:        runtimes.InitPayload{Handler: handler, MemoryMB: 128, Concurrency: concurrency},
		InitTimeout: 10 * time.Second,
		Log:         group.Stream("$LATEST", "e1", time.Now()),
		Start:       startTestProcess,
		Ended:       func(*Environment) { close(w.ended) },
	}, w
}

func start(t testing.TB, concurrency int) *world { return startBusy(t, concurrency, 0) }

// startBusy starts an environment of a node with so many other calls in flight.
func startBusy(t testing.TB, concurrency, busy int) *world {
	t.Helper()
	spec, w := specFor(t, "ok", concurrency)
	spec.Busy = new(atomic.Int32)
	spec.Busy.Store(int32(busy))
	e, err := Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	w.Environment = e
	t.Cleanup(func() {
		e.Shutdown(time.Second)
		<-w.ended
		checkClosed(t, e)
	})
	return w
}

// checkClosed fails when an environment that is Gone holds a descriptor.
func checkClosed(t testing.TB, e *Environment) {
	t.Helper()
	for name, f := range map[string]*os.File{"in": e.in, "out": e.out, "unread": e.unread} {
		if _, err := f.Stat(); err == nil {
			t.Errorf("%s is still open after the environment is gone", name)
		}
	}
	if s := e.State(); s != StateGone {
		t.Errorf("state is %s, want gone", s)
	}
}

func newCall(t testing.TB, id string, timeout time.Duration, d deed) *Call {
	t.Helper()
	event, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	c := NewCall()
	c.RequestID, c.Version, c.Timeout = id, "$LATEST", timeout
	c.Frame, err = runtimes.BeginInvoke(nil, &runtimes.Invoke{RequestID: id})
	if err != nil {
		t.Fatal(err)
	}
	c.Frame = append(c.Frame, event...)
	return c
}

// invoke runs one deed and returns the call.
func (w *world) invoke(d deed) *Call {
	w.t.Helper()
	c := newCall(w.t, "r1", 5*time.Second, d)
	if err := w.Invoke(c); err != nil {
		w.t.Fatalf("invoke %s: %v", d.Do, err)
	}
	return c
}

func (w *world) log() string {
	w.t.Helper()
	return readLog(w.t, w.store)
}

func TestInvokeReturnsTheResult(t *testing.T) {
	w := start(t, 1)
	for i := range 100 {
		want := fmt.Sprintf(`"call %d"`, i)
		if c := w.invoke(deed{Do: "echo", Text: want}); string(c.Payload) != want || c.Outcome != OutcomeResult {
			t.Fatalf("got %s %s, want %s", c.Outcome, c.Payload, want)
		}
	}
	if w.State() != StateIdle {
		t.Errorf("state is %s after the calls, want idle", w.State())
	}
}

func TestLargeFramesPassBothWays(t *testing.T) {
	w := start(t, 1)
	for _, size := range []int{0, 1, 4000, 4096, 5000, 65536, 1 << 20, runtimes.MaxResponse - 100} {
		if c := w.invoke(deed{Do: "length", Text: strings.Repeat("a", size)}); len(c.Payload) != size {
			t.Errorf("%d bytes came back as %d", size, len(c.Payload))
		}
		if c := w.invoke(deed{Do: "echo", Text: "1"}); string(c.Payload) != "1" {
			t.Errorf("after %d bytes the next call got %.40s", size, c.Payload)
		}
	}
}

func TestFunctionErrorIsAnOutcome(t *testing.T) {
	w := start(t, 1)
	c := w.invoke(deed{Do: "fail"})
	if c.Outcome != OutcomeError || !strings.Contains(string(c.Payload), "asked to") {
		t.Errorf("got %s %s", c.Outcome, c.Payload)
	}
	if c := w.invoke(deed{Do: "echo", Text: "2"}); string(c.Payload) != "2" {
		t.Errorf("the next call got %s", c.Payload)
	}
}

func TestDeadlineReachesTheRuntime(t *testing.T) {
	w := start(t, 1)
	var left float64
	if err := json.Unmarshal(w.invoke(deed{Do: "remaining"}).Payload, &left); err != nil {
		t.Fatal(err)
	}
	if left < 1000 || left > 5001 {
		t.Errorf("%.0f ms remain of 5 s", left)
	}
}

func TestTimeoutKillsTheProcessAndNamesItself(t *testing.T) {
	w := start(t, 1)
	c := newCall(t, "r7", 1100*time.Millisecond, deed{Do: "hang"})
	began := time.Now()
	if err := w.Invoke(c); err != nil {
		t.Fatal(err)
	}
	want := `{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: r7 Error: Task timed out after 1.10 seconds"}`
	if c.Outcome != OutcomeTimeout || string(c.Payload) != want {
		t.Errorf("got %s %s", c.Outcome, c.Payload)
	}
	if took := time.Since(began); took < time.Second || took > 4*time.Second {
		t.Errorf("took %s", took)
	}
	<-w.ended
	if err := w.Invoke(newCall(t, "r8", time.Second, deed{Do: "echo"})); !errors.Is(err, ErrNotStarted) {
		t.Errorf("an environment that timed out took another call: %v", err)
	}
	if log := w.log(); !strings.Contains(log, "Task timed out after 1.10 seconds") || !strings.Contains(log, "Status: timeout") {
		t.Errorf("log: %s", log)
	}
}

func TestProcessThatEndsFailsItsCall(t *testing.T) {
	for do, want := range map[string]string{
		"exit":  "Runtime exited with error: exit status 9",
		"crash": "Runtime exited with error: signal: killed",
	} {
		t.Run(do, func(t *testing.T) {
			w := start(t, 1)
			c := w.invoke(deed{Do: do})
			if c.Outcome != OutcomeExit || !strings.Contains(string(c.Payload), want) || !strings.Contains(string(c.Payload), "Runtime.ExitError") {
				t.Errorf("got %s %s", c.Outcome, c.Payload)
			}
			<-w.ended
		})
	}
}

func TestAnswerThatIsReadWhenTheProcessIsGoneEndsTheEnvironmentToo(t *testing.T) {
	w := start(t, 1)
	file := filepath.Join(t.TempDir(), "answer")
	over := make(chan error, 1)
	go func() { over <- w.Invoke(newCall(t, "r1", 5*time.Second, deed{Do: "heir", Text: file})) }()
	waitFor(t, func() bool { return w.State() == StateShutdown }) // the reaper has been here
	frame := runtimes.AppendHead(nil, runtimes.Head{Kind: runtimes.KindResult, Length: 4, Seq: 1})
	if err := os.WriteFile(file, append(frame, "null"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := <-over; err != nil {
		t.Error(err)
	}
	select {
	case <-w.ended:
	case <-time.After(5 * time.Second):
		t.Fatal("the environment is not released")
	}
}

func TestBrokenProtocolEndsTheEnvironment(t *testing.T) {
	for _, d := range []deed{{Do: "garbage", Text: "hello, I am no frame"}, {Do: "garbage", Text: "\xfe"}, {Do: "wrong-seq"}, {Do: "close"},
		{Do: "garbage", Text: "\xfe\x12\x00\x00\xff\xff\xff\xff0000000000000000"}} {
		t.Run(d.Do+d.Text, func(t *testing.T) {
			w := start(t, 1)
			c := newCall(t, "r1", 2*time.Second, d)
			if err := w.Invoke(c); err != nil {
				t.Fatal(err)
			}
			if c.Outcome != OutcomeExit && c.Outcome != OutcomeTimeout {
				t.Errorf("got %s %s", c.Outcome, c.Payload)
			}
			<-w.ended
		})
	}
}

func TestIdleProcessThatDiesIsNoticed(t *testing.T) {
	w := start(t, 1)
	w.proc.Kill()
	<-w.ended
	if err := w.Invoke(newCall(t, "r1", time.Second, deed{Do: "echo"})); !errors.Is(err, ErrNotStarted) {
		t.Errorf("got %v, want ErrNotStarted", err)
	}
}

func TestInitFailuresLeaveNothing(t *testing.T) {
	for handler, want := range map[string]string{
		"fail":    "Runtime.ImportModuleError",
		"exit":    "Runtime.ExitError",
		"garbage": "Runtime.Unknown",
		"hang":    "Sandbox.Timedout",
	} {
		t.Run(handler, func(t *testing.T) {
			spec, _ := specFor(t, handler, 1)
			spec.InitTimeout = 2 * time.Second
			var initError *InitError
			if _, err := Start(t.Context(), spec); !errors.As(err, &initError) || initError.Type != want {
				t.Errorf("got %v, want %s", err, want)
			} else if !json.Valid(initError.Payload) {
				t.Errorf("payload %s is not JSON", initError.Payload)
			}
		})
	}
}

func TestStartCancelledKillsTheProcess(t *testing.T) {
	spec, _ := specFor(t, "hang", 1)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(300*time.Millisecond, cancel)
	if _, err := Start(ctx, spec); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestLinesAreTiedToTheirRequestInOrder(t *testing.T) {
	w := start(t, 1)
	w.invoke(deed{Do: "log", Text: "first\nof two lines"})
	log := w.log()
	last := -1
	for _, want := range []string{"loading", "START RequestId: r1", "first", "END RequestId: r1", "REPORT RequestId: r1"} {
		at := strings.Index(log, want)
		if at <= last {
			t.Fatalf("%q is missing or out of order in\n%s", want, log)
		}
		last = at
	}
}

// Many callers at once on one environment: every call is answered with its own
// result, whoever reads.
func TestTheEndOfTheLogIsKeptForWhoAsksForIt(t *testing.T) {
	w := start(t, 1)
	c := newCall(t, "r7", 5*time.Second, deed{Do: "log", Text: "hello"})
	c.Tail = true
	if err := w.Invoke(c); err != nil {
		t.Fatal(err)
	}
	if got := string(c.LogTail); !strings.HasPrefix(got, "START RequestId: r7 Version: $LATEST\nhello\nEND RequestId: r7\nREPORT RequestId: r7\t") {
		t.Errorf("the tail is %q", got)
	}
	if c := w.invoke(deed{Do: "log", Text: "hello"}); c.LogTail != nil {
		t.Errorf("a call that did not ask has the tail %q", c.LogTail)
	}
}

// onNodes runs test for a node with a few calls in flight and for one with many, where frames go
// into the pipe together.
func onNodes(t *testing.T, test func(t *testing.T, busy int)) {
	for name, busy := range map[string]int{"few calls in flight": 2, "many": 2 * crowd} {
		t.Run(name, func(t *testing.T) { test(t, busy) })
	}
}

func TestCallsWrittenAheadGetTheirOwnResults(t *testing.T) {
	onNodes(t, testCallsWrittenAheadGetTheirOwnResults)
}

func testCallsWrittenAheadGetTheirOwnResults(t *testing.T, busy int) {
	w := startBusy(t, 1, busy)
	var wg sync.WaitGroup
	for caller := range 32 {
		wg.Go(func() {
			for i := range 200 {
				want := fmt.Sprintf("%d/%d", caller, i)
				c := newCall(t, want, 5*time.Second, deed{Do: "echo", Text: want})
				for {
					err := w.Invoke(c)
					if errors.Is(err, ErrNotStarted) {
						c.Again()
						continue
					}
					if err != nil || string(c.Payload) != want {
						t.Errorf("got %s %v, want %s", c.Payload, err, want)
					}
					break
				}
			}
		})
	}
	wg.Wait()
}

// Calls behind a slow one come back unharmed and soon, and none runs twice.
func TestCallsBehindASlowOneAreTakenBack(t *testing.T) {
	onNodes(t, testCallsBehindASlowOneAreTakenBack)
}

func testCallsBehindASlowOneAreTakenBack(t *testing.T, busy int) {
	w := startBusy(t, 1, busy)
	ran := filepath.Join(t.TempDir(), "ran")
	var wg sync.WaitGroup
	slow := newCall(t, "slow", 10*time.Second, deed{Do: "sleep", Millis: 1000, Text: `"slow"`, File: ran})
	wg.Go(func() {
		if err := w.Invoke(slow); err != nil || string(slow.Payload) != `"slow"` {
			t.Errorf("slow call: %v %s", err, slow.Payload)
		}
	})
	waitFor(t, func() bool { b, _ := os.ReadFile(ran); return len(b) > 0 })
	began := time.Now()
	for i := range 8 {
		wg.Go(func() {
			c := newCall(t, fmt.Sprint(i), 10*time.Second, deed{Do: "echo", Text: fmt.Sprint(i), File: ran})
			if err := w.Invoke(c); !errors.Is(err, ErrNotStarted) {
				t.Errorf("call %d: %v, want ErrNotStarted", i, err)
			}
			if took := time.Since(began); took > 500*time.Millisecond {
				t.Errorf("call %d came back after %s", i, took)
			}
		})
	}
	wg.Wait()
	if b, _ := os.ReadFile(ran); string(b) != "\"slow\"\n" {
		t.Errorf("ran: %q, want the slow call only", b)
	}
	if c := w.invoke(deed{Do: "echo", Text: "3"}); string(c.Payload) != "3" {
		t.Errorf("the environment is out of step after: %s", c.Payload)
	}
}

// When the process dies, only the call that ran fails; those behind it come
// back as not started, and indeed have not run.
func TestOnlyTheRunningCallDiesWithTheProcess(t *testing.T) {
	onNodes(t, testOnlyTheRunningCallDiesWithTheProcess)
}

func testOnlyTheRunningCallDiesWithTheProcess(t *testing.T, busy int) {
	for round := range 20 {
		w := startBusy(t, 1, busy)
		ran := filepath.Join(t.TempDir(), "ran")
		results := make([]error, 16)
		calls := make([]*Call, 16)
		var wg sync.WaitGroup
		for i := range calls {
			do := "echo"
			if i == 5 {
				do = "crash"
			}
			calls[i] = newCall(t, fmt.Sprint(i), 5*time.Second, deed{Do: do, Text: fmt.Sprint(i), File: ran})
			wg.Go(func() { results[i] = w.Invoke(calls[i]) })
		}
		wg.Wait()
		b, _ := os.ReadFile(ran)
		started := strings.Fields(string(b))
		for i, c := range calls {
			didRun := false
			for _, s := range started {
				didRun = didRun || s == fmt.Sprint(i)
			}
			if notStarted := errors.Is(results[i], ErrNotStarted); notStarted == didRun {
				t.Errorf("round %d call %d: ran %v, but error %v outcome %s", round, i, didRun, results[i], c.Outcome)
			}
			if didRun && (c.Outcome == OutcomeExit) != (i == 5) {
				t.Errorf("round %d call %d: outcome %s", round, i, c.Outcome)
			}
		}
		w.Shutdown(0) // on a busy machine the call that crashes may have been taken back
		<-w.ended
	}
}

// smallPipe gives an environment a request pipe of two packets.
func (w *world) smallPipe() {
	w.t.Helper()
	raw, err := w.in.SyscallConn()
	if err != nil {
		w.t.Fatal(err)
	}
	size := 0
	if control := raw.Control(func(fd uintptr) { size, err = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 2*runtimes.PacketSize) }); control != nil || err != nil {
		w.t.Fatal(control, err)
	}
	w.batch.init(size)
}

// A user over his share of pipe memory gets small pipes: a writer may wait, so each frame goes alone.
func TestCallsBehindASlowOneAreTakenBackFromASmallPipe(t *testing.T) {
	w := startBusy(t, 1, 2*crowd)
	w.smallPipe()
	ran := filepath.Join(t.TempDir(), "ran")
	var wg sync.WaitGroup
	slow := newCall(t, "slow", 10*time.Second, deed{Do: "sleep", Millis: 1000, Text: `"slow"`, File: ran})
	wg.Go(func() { _ = w.Invoke(slow) })
	waitFor(t, func() bool { b, _ := os.ReadFile(ran); return len(b) > 0 })
	began := time.Now()
	for i := range 12 {
		wg.Go(func() {
			c := newCall(t, fmt.Sprint(i), 10*time.Second, deed{Do: "echo", Text: fmt.Sprint(i)})
			if err := w.Invoke(c); !errors.Is(err, ErrNotStarted) || time.Since(began) > 500*time.Millisecond {
				t.Errorf("call %d: %v after %s, want ErrNotStarted soon", i, err, time.Since(began))
			}
		})
	}
	wg.Wait()
}

// If a batch goes into the pipe in part, those in the pipe may have run.
func TestCallOfABatchThatWasReadIsNotGivenBack(t *testing.T) {
	w := startBusy(t, 1, 2*crowd)
	w.smallPipe()
	w.batch.fits = true // whatever the pipe
	ran := filepath.Join(t.TempDir(), "ran")
	calls := make([]*Call, batchMost)
	errs := make([]error, batchMost)
	var wg sync.WaitGroup
	for i := range calls {
		d := deed{Do: "echo", Text: fmt.Sprint(i), File: ran}
		if i == 1 {
			d = deed{Do: "sleep", Millis: 5000, Text: "1", File: ran}
		}
		calls[i] = newCall(t, fmt.Sprint(i), 500*time.Millisecond, d)
	}
	w.order.Lock() // so that they come in this order, and none sees to the batch
	for i, c := range calls {
		w.mu.Lock()
		w.seq++
		c.seq, c.deadline = w.seq, time.Now().Add(c.Timeout)
		if i == 0 {
			if err := transition(&w.state, StateInvoke); err != nil {
				t.Fatal(err)
			}
		}
		w.calls = append(w.calls, c)
		w.watch.arm(time.Now(), c.deadline, false)
		w.mu.Unlock()
		runtimes.FinishInvoke(c.Frame, c.seq, 2e12)
		w.batch.add(c)
		wg.Go(func() { errs[i] = w.await(c) })
	}
	w.flush()
	w.order.Unlock()
	wg.Wait()
	b, _ := os.ReadFile(ran)
	if string(b) != "0\n1\n" {
		t.Fatalf("ran: %q, want 0 and 1", b)
	}
	if errs[0] != nil || errs[1] != nil || calls[1].Outcome != OutcomeTimeout {
		t.Errorf("the first: %v; the second, which ran until its timeout: %v %s", errs[0], errs[1], calls[1].Outcome)
	}
	for i := 2; i < batchMost; i++ {
		if !errors.Is(errs[i], ErrNotStarted) {
			t.Errorf("call %d: %v %s, want ErrNotStarted", i, errs[i], calls[i].Outcome)
		}
	}
}

type recorder struct {
	contentType string
	data        []byte
	fail        error
}

func (r *recorder) Start(contentType string) error { r.contentType = contentType; return r.fail }
func (r *recorder) Write(chunk []byte) error       { r.data = append(r.data, chunk...); return r.fail }

func TestStreamedResponseReachesItsOwnCaller(t *testing.T) {
	w := start(t, 1)
	var wg sync.WaitGroup
	for caller := range 8 {
		wg.Go(func() {
			for range 20 {
				size := 5 + caller
				c := newCall(t, "s", 5*time.Second, deed{Do: "stream", Size: size})
				var got recorder
				c.Stream = &got
				for errors.Is(w.Invoke(c), ErrNotStarted) {
					c.Again()
				}
				if string(got.data) != "abcdefghijklmnopqrstuvwxyz"[:size] || got.contentType != "text/plain" || !c.Streamed {
					t.Errorf("got %q %q", got.contentType, got.data)
				}
			}
		})
	}
	wg.Wait()
}

func TestStreamThatFailsMidwayIsAnErrorOutcome(t *testing.T) {
	w := start(t, 1)
	c := newCall(t, "s", 5*time.Second, deed{Do: "stream", Size: 3, Text: "fail"})
	var got recorder
	c.Stream = &got
	if err := w.Invoke(c); err != nil || c.Outcome != OutcomeError || !c.Streamed || string(got.data) != "abc" {
		t.Errorf("%v %s %q", err, c.Outcome, got.data)
	}
}

func TestStreamGoesOnWhenItsClientIsGone(t *testing.T) {
	w := start(t, 1)
	c := newCall(t, "s", 5*time.Second, deed{Do: "stream", Size: 20})
	got := recorder{fail: errors.New("client gone")}
	c.Stream = &got
	if err := w.Invoke(c); err != nil || c.Outcome != OutcomeResult || len(got.data) != 0 {
		t.Errorf("%v %s %q", err, c.Outcome, got.data)
	}
	if c := w.invoke(deed{Do: "echo", Text: "4"}); string(c.Payload) != "4" {
		t.Errorf("the next call got %s", c.Payload)
	}
}

func TestShutdownEndsWithTheRuntimesConsent(t *testing.T) {
	w := start(t, 1)
	began := time.Now()
	w.Shutdown(5 * time.Second)
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("an idle runtime took %s to end", took)
	}
	if status, _ := w.proc.Exit(); status != "exit status 0" {
		t.Errorf("it ended with %s", status)
	}
}

func waitFor(t *testing.T, what func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !what(); {
		if time.Now().After(end) {
			t.Fatal("it did not happen within 5 s")
		}
		time.Sleep(time.Millisecond)
	}
}

// Calls in flight are taken back at any moment while others read; whoever is
// left must still be read for.
func TestNobodyIsForgottenWhenCallsAreTakenBack(t *testing.T) {
	onNodes(t, testNobodyIsForgottenWhenCallsAreTakenBack)
}

func testNobodyIsForgottenWhenCallsAreTakenBack(t *testing.T, busy int) {
	w := startBusy(t, 1, busy)
	var wg sync.WaitGroup
	for caller := range 16 {
		wg.Go(func() {
			for i := range 40 {
				d := deed{Do: "echo", Text: fmt.Sprint(caller, i)}
				if caller == 0 {
					d = deed{Do: "sleep", Millis: 6, Text: fmt.Sprint(caller, i)} // slow enough to have the rest taken back
				}
				c := newCall(t, "r", 20*time.Second, d)
				for errors.Is(w.Invoke(c), ErrNotStarted) {
					c.Again()
				}
				if string(c.Payload) != d.Text {
					t.Errorf("got %s, want %s", c.Payload, d.Text)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(60 * time.Second):
		t.Fatal("somebody waits for ever")
	}
}

// The caller who reads for all may be the one whose call is taken back: it must
// not sit there until the slow call answers.
func TestReaderThatIsTakenBackLeavesItsSeat(t *testing.T) {
	onNodes(t, testReaderThatIsTakenBackLeavesItsSeat)
}

func testReaderThatIsTakenBackLeavesItsSeat(t *testing.T, busy int) {
	w := startBusy(t, 1, busy)
	ran := filepath.Join(t.TempDir(), "ran")
	var wg sync.WaitGroup
	// A short call first, so that somebody else than the slow one may be reading.
	for round := range 5 {
		short := newCall(t, "short", 10*time.Second, deed{Do: "sleep", Millis: 1, Text: "1"})
		slow := newCall(t, "slow", 10*time.Second, deed{Do: "sleep", Millis: 700, Text: "2", File: ran})
		wg.Go(func() { _ = w.Invoke(short) })
		wg.Go(func() {
			for errors.Is(w.Invoke(slow), ErrNotStarted) {
				slow.Again()
			}
		})
		for range 6 {
			wg.Go(func() {
				began := time.Now()
				c := newCall(t, "behind", 10*time.Second, deed{Do: "echo", Text: "3"})
				if err := w.Invoke(c); errors.Is(err, ErrNotStarted) && time.Since(began) > 400*time.Millisecond {
					t.Errorf("round %d: a call came back after %s", round, time.Since(began))
				}
			})
		}
		wg.Wait()
	}
}
