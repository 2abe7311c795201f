package invoker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/invoker"
	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
	"github.com/hearthfn/hearth/warmpool/state/boltstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A world is an invoker over a real store and functions that the test plays.
type world struct {
	*invoker.Invoker
	t     *testing.T
	store *boltstore.Store

	mu       sync.Mutex
	settings map[string]invoker.Settings
	play     func(c *call) error
	calls    []call
	sent     []delivery
	refuse   error // of the sender
	asked    int   // for settings
}

type call struct {
	function, qualifier, id string
	payload                 string
	at                      time.Time
	*environment.Call
}

type delivery struct {
	to, body string
	letter   *invoker.Letter
}

func newWorld(t *testing.T, change ...func(*invoker.Config)) *world {
	return openWorld(t, filepath.Join(t.TempDir(), "state.db"), change...)
}

func openWorld(t *testing.T, path string, change ...func(*invoker.Config)) *world {
	t.Helper()
	w := &world{t: t, settings: map[string]invoker.Settings{}}
	var err error
	if w.store, err = boltstore.Open(boltstore.Config{Path: path}); err != nil {
		t.Fatal(err)
	}
	config := invoker.Config{Store: w.store, Runner: w, Lookup: w, Sender: w, Account: function.DefaultAccount, Log: zap.NewNop(), Limits: invoker.Limits{PerFunction: 4, Concurrency: 8}}
	for _, f := range change {
		f(&config)
	}
	if w.Invoker, err = invoker.New(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) start() {
	w.t.Helper()
	if err := w.Start(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) close() {
	w.Close(context.Background())
	if err := w.store.Close(); err != nil {
		w.t.Error(err)
	}
}

func (w *world) Settings(_ context.Context, name, _ string) (invoker.Settings, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	s, ok := w.settings[name]
	if !ok {
		s = invoker.Settings{MaxRetries: invoker.DefaultMaxRetries, MaxAge: invoker.DefaultMaxAge}
	}
	if name == "gone" {
		return s, fmt.Errorf("function %q: %w", name, registry.ErrNotFound)
	}
	return s, nil
}

func (w *world) Invoke(_ context.Context, c *environment.Call) error {
	one := call{function: c.Function, qualifier: c.Qualifier, id: c.RequestID, payload: string(c.Event()), at: time.Now(), Call: c}
	c.Version, c.Outcome, c.Payload = "$LATEST", environment.OutcomeResult, []byte(`{"ok":true}`)
	w.mu.Lock()
	w.calls = append(w.calls, one)
	play := w.play
	w.mu.Unlock()
	if play == nil {
		return nil
	}
	return play(&one)
}

func (w *world) Send(_ context.Context, to string, d *invoker.Delivery) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = append(w.sent, delivery{to, string(d.Body), d.Letter})
	return w.refuse
}

func (w *world) push(name, payload string, change ...func(*invoker.Message)) {
	w.t.Helper()
	m := &invoker.Message{RequestID: "id-" + strings.Trim(payload, "{}"), Function: name, Qualifier: "$LATEST", Payload: []byte(payload)}
	for _, f := range change {
		f(m)
	}
	if err := w.Push(w.t.Context(), m); err != nil {
		w.t.Fatal(err)
	}
}

// made are the calls so far.
func (w *world) made() []call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.calls)
}

// ran are the payloads in the order that they were run.
func (w *world) ran() (all []string) {
	for _, c := range w.made() {
		all = append(all, c.payload)
	}
	return all
}

func (w *world) stat(name string) invoker.Stat {
	w.t.Helper()
	stats, err := w.Stats(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range stats {
		if s.Function == name {
			return s
		}
	}
	return invoker.Stat{}
}

func fails(c *call) error {
	c.Outcome, c.Payload = environment.OutcomeError, []byte(`{"errorType":"Error","errorMessage":"no"}`)
	return nil
}

func TestEventsAreDeliveredAndForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		w.push("f", `{"before":1}`)
		w.start()
		w.push("f", `{"after":1}`)
		time.Sleep(time.Second)
		if got := slices.Sorted(slices.Values(w.ran())); !slices.Equal(got, []string{`{"after":1}`, `{"before":1}`}) {
			t.Errorf("ran %q", got) // in any order: they may run at once
		}
		if s := w.stat("f"); s.Waiting+s.Dead != 0 {
			t.Errorf("%+v is kept", s)
		}
	})
}

// A found function is run by whoever found it, and looked for once in each attempt.
func TestAnAttemptRunsWhatItsSettingsWereFoundFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		found := &finder{}
		w.settings["f"] = invoker.Settings{MaxRetries: 2, MaxAge: time.Hour, Runner: found}
		w.start()
		w.push("f", `{}`)
		time.Sleep(10 * time.Minute)
		w.mu.Lock()
		asked := w.asked
		w.mu.Unlock()
		if runs := found.runs.Load(); runs != 3 || asked != 3 || len(w.made()) != 0 {
			t.Errorf("3 attempts asked for settings %d times, ran what was found %d times and looked for it %d times more", asked, runs, len(w.made()))
		}
	})
}

// A finder runs what it has found, which fails.
type finder struct{ runs atomic.Int32 }

func (f *finder) Invoke(_ context.Context, c *environment.Call) error {
	f.runs.Add(1)
	return fails(&call{Call: c})
}

func TestFailedEventsAreTriedAgainAfterOneAndTwoMinutesAndThenKeptAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		w.play = fails
		w.start()
		began := time.Now()
		w.push("f", `{}`)
		time.Sleep(10 * time.Minute)
		var at []int
		for _, c := range w.made() {
			at = append(at, int(c.at.Sub(began).Seconds()))
			if c.id != "id-" {
				t.Errorf("request ID %q", c.id)
			}
		}
		if !slices.Equal(at, []int{0, 60, 180}) {
			t.Errorf("tried after %d s, want 0, 60 and 180", at)
		}
		page, _, err := w.Events(t.Context(), "", true, "", 10)
		if err != nil || len(page) != 1 || page[0].Condition != "RetriesExhausted" || page[0].Error != "no" || page[0].Attempts != 3 {
			t.Fatalf("dead: %+v %v", page, err)
		}
		w.mu.Lock()
		w.play = nil
		w.mu.Unlock()
		if err := w.Replay(t.Context(), page[0].ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if s := w.stat("f"); len(w.ran()) != 4 || s.Waiting+s.Dead != 0 {
			t.Errorf("after the replay: %d runs, %+v", len(w.ran()), s)
		}
	})
}

func TestAReplayedEventHasAllAttemptsHoweverOldItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		w.play = fails
		w.start()
		w.push("f", `{}`)
		w.push("f", `{"in":"order"}`, func(m *invoker.Message) { m.Order = "o" })
		time.Sleep(48 * time.Hour)
		for range 2 {
			page, _, err := w.Events(t.Context(), "", true, "", 10)
			if err != nil || len(page) != 2 {
				t.Fatalf("dead: %+v %v", page, err)
			}
			before := len(w.made())
			for _, e := range page {
				if e.Condition != "RetriesExhausted" || e.Attempts != 3 {
					t.Errorf("dead: %+v", e)
				}
				if err := w.Replay(t.Context(), e.ID); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(7 * time.Hour)
			if n := len(w.made()) - before; n != 6 {
				t.Errorf("two replayed events were tried %d times, want 6", n)
			}
		}
	})
}

func TestDestinationsGetARecordAndDeadLetterQueuesTheEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		w.settings["ok"] = invoker.Settings{MaxAge: time.Hour, OnSuccess: "arn:success"}
		w.settings["bad"] = invoker.Settings{MaxAge: time.Hour, OnFailure: "arn:failure", DeadLetter: "arn:dlq"}
		w.play = func(c *call) error {
			if c.function == "bad" {
				return fails(c)
			}
			return nil
		}
		w.start()
		w.push("ok", `{"a":1}`)
		w.push("bad", `{"b":1}`)
		time.Sleep(time.Second)
		w.mu.Lock()
		defer w.mu.Unlock()
		slices.SortFunc(w.sent, func(a, b delivery) int { return slices.Compare([]byte(a.to), []byte(b.to)) })
		if len(w.sent) != 3 {
			t.Fatalf("sent %+v", w.sent)
		}
		if d := w.sent[0]; d.to != "arn:dlq" || d.body != `{"b":1}` || d.letter == nil || d.letter.ErrorMessage != "no" || d.letter.RequestID != `id-"b":1` {
			t.Errorf("dead letter %+v", d)
		}
		for n, want := range map[int]invoker.RequestContext{
			1: {RequestID: `id-"b":1`, FunctionARN: "arn:aws:lambda:us-east-1:000000000000:function:bad:$LATEST", Condition: "RetriesExhausted", ApproximateInvokeCount: 1},
			2: {RequestID: `id-"a":1`, FunctionARN: "arn:aws:lambda:us-east-1:000000000000:function:ok:$LATEST", Condition: "Success", ApproximateInvokeCount: 1},
		} {
			var r invoker.Record
			if err := json.Unmarshal([]byte(w.sent[n].body), &r); err != nil || r.RequestContext != want || r.Version != "1.0" || r.ResponseContext.StatusCode != 200 || len(r.ResponsePayload) == 0 {
				t.Errorf("record %s %v", w.sent[n].body, err)
			}
		}
	})
}

func TestThrottlesAreNoAttemptsAndWaitLongerEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		w.play = func(*call) error { return &warmpool.ThrottledError{Function: "f", Reason: warmpool.ReasonReserved} }
		w.start()
		w.push("f", `{}`)
		time.Sleep(time.Hour)
		w.mu.Lock()
		tries := len(w.calls)
		w.play = nil
		w.mu.Unlock()
		if tries < 10 || tries > 30 {
			t.Errorf("%d tries in an hour, want some 8 at first and one in five minutes then", tries)
		}
		time.Sleep(6 * time.Minute)
		if s := w.stat("f"); s.Waiting+s.Dead != 0 {
			t.Errorf("after the throttle: %+v", s)
		}
	})
}

func TestEventsThatGrowTooOldOrHaveNoFunctionAreKeptAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		w.settings["f"] = invoker.Settings{MaxAge: 10 * time.Minute}
		w.play = func(c *call) error {
			if c.function == "off" {
				return &warmpool.ThrottledError{Function: "off", Off: true}
			}
			return errors.New("no bubblewrap")
		}
		w.start()
		w.push("f", `{}`)
		w.push("gone", `{}`)
		w.push("off", `{}`)
		time.Sleep(20 * time.Minute)
		page, _, err := w.Events(t.Context(), "", true, "", 10)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, e := range page {
			got[e.Function] = e.Condition
		}
		if len(got) != 3 || got["f"] != "EventAgeExceeded" || got["gone"] != "FunctionNotFound" || got["off"] != "ZeroReservedConcurrency" {
			t.Errorf("dead: %v", got)
		}
	})
}

func TestOneFunctionCannotStarveTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		for n := range 500 {
			w.push("noisy", fmt.Sprintf(`{"n":%d}`, n))
		}
		w.play = func(c *call) error {
			if c.function == "noisy" {
				time.Sleep(10 * time.Second)
			}
			return nil
		}
		w.start()
		time.Sleep(time.Second)
		began := time.Now()
		w.push("quiet", `{}`)
		time.Sleep(5 * time.Second)
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, c := range w.calls {
			if c.function == "quiet" && c.at.Sub(began) < time.Second {
				return
			}
		}
		t.Error("the quiet function's event waits for the noisy one's")
	})
}

func TestAnEventDoesNotWaitForTheOneBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		w.play = func(*call) error { time.Sleep(time.Minute); return nil }
		w.start()
		begun := time.Now()
		for n := range 6 { // each comes when those before it run
			w.push("slow", fmt.Sprintf(`{"n":%d}`, n))
			time.Sleep(time.Second)
		}
		if n := len(w.made()); n != 4 {
			t.Errorf("%d events run at once, want 4, as many as may", n)
		}
		time.Sleep(2 * time.Minute)
		for n, c := range w.made() {
			if took := c.at.Sub(begun); n < 4 && took > 10*time.Second || n >= 4 && took < time.Minute {
				t.Errorf("event %d ran after %s", n, took)
			}
		}
	})
}

func TestOrderedEventsRunOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		failed := false
		w.play = func(c *call) error {
			time.Sleep(time.Second)
			w.mu.Lock()
			defer w.mu.Unlock()
			if c.payload == `{"n":2}` && !failed {
				failed = true
				return fails(c)
			}
			return nil
		}
		for n := range 3 {
			w.push("f", fmt.Sprintf(`{"n":%d}`, n), func(m *invoker.Message) { m.Order = "key" })
		}
		w.start()
		for n := 3; n < 6; n++ {
			w.push("f", fmt.Sprintf(`{"n":%d}`, n), func(m *invoker.Message) { m.Order = "key" })
		}
		time.Sleep(5 * time.Minute)
		want := []string{`{"n":0}`, `{"n":1}`, `{"n":2}`, `{"n":2}`, `{"n":3}`, `{"n":4}`, `{"n":5}`}
		if got := w.ran(); !slices.Equal(got, want) {
			t.Errorf("ran %q, want %q", got, want)
		}
	})
}

func TestASecondEventOfAnIDIsRecognised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		w.start()
		for range 3 {
			w.push("f", `{}`, func(m *invoker.Message) { m.Once, m.OnceFor = "delivery-1", time.Minute })
			time.Sleep(time.Second)
		}
		if n := len(w.ran()); n != 1 {
			t.Errorf("it ran %d times", n)
		}
	})
}

func TestAFullQueueRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *invoker.Config) { c.MaxWaiting = 2 })
		defer w.close()
		w.push("f", `{"n":1}`)
		w.push("f", `{"n":2}`)
		err := w.Push(t.Context(), &invoker.Message{Function: "f", Payload: []byte(`{}`)})
		if !errors.Is(err, invoker.ErrFull) {
			t.Errorf("the third: %v", err)
		}
		w.start()
		time.Sleep(time.Second)
		w.push("f", `{"n":4}`)
	})
}

func TestWhatWaitsSurvivesTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	synctest.Test(t, func(t *testing.T) {
		w := openWorld(t, path)
		for n := range 20 {
			w.push("f", fmt.Sprintf(`{"n":%d}`, n))
		}
		w.play = func(*call) error { time.Sleep(time.Second); return nil }
		w.start()
		time.Sleep(1500 * time.Millisecond)
		w.close() // what runs is done, what is leased is given back
		before := len(w.ran())
		w = openWorld(t, path)
		defer w.close()
		w.start()
		time.Sleep(time.Minute)
		if after := len(w.ran()); before+after != 20 {
			t.Errorf("%d and %d ran, want 20 in all", before, after)
		}
	})
}

func TestAFailedDestinationKeepsTheEventAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		w.settings["f"] = invoker.Settings{MaxAge: time.Hour, OnSuccess: "arn:success"}
		w.refuse = errors.New("503")
		w.start()
		w.push("f", `{}`)
		time.Sleep(20 * time.Minute)
		w.mu.Lock()
		sent := len(w.sent)
		w.mu.Unlock()
		page, _, err := w.Events(t.Context(), "f", true, "", 10)
		if err != nil || len(page) != 1 || page[0].Condition != "DestinationFailed" || sent != 6 || len(w.ran()) != 1 {
			t.Errorf("dead %+v %v, %d sent, %d ran", page, err, sent, len(w.ran()))
		}
	})
}

func TestADestinationThatIsAwayHoldsUpNothingAndGetsTheRecordLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		w.settings["f"] = invoker.Settings{MaxAge: time.Hour, OnSuccess: "arn:success"}
		w.refuse = errors.New("503")
		w.start()
		began := time.Now()
		for n := range 20 { // more than workers
			w.push("f", fmt.Sprintf(`{"n":%d}`, n))
		}
		time.Sleep(500 * time.Millisecond)
		if n := len(w.ran()); n != 20 {
			t.Errorf("%d of 20 ran after %s", n, time.Since(began))
		}
		w.mu.Lock()
		w.refuse, w.sent = nil, nil
		w.mu.Unlock()
		time.Sleep(time.Minute)
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.sent) != 20 || len(w.calls) != 20 {
			t.Errorf("%d records were delivered, %d calls ran, want 20 each", len(w.sent), len(w.calls))
		}
		for _, d := range w.sent {
			var r invoker.Record
			if err := json.Unmarshal([]byte(d.body), &r); err != nil || r.RequestContext.ApproximateInvokeCount != 1 || string(r.ResponsePayload) != `{"ok":true}` || r.ResponseContext.ExecutedVersion != "$LATEST" {
				t.Errorf("record %s %v", d.body, err)
			}
		}
	})
}

func TestADestinationThatThereIsNoneOfIsTriedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		w.settings["f"] = invoker.Settings{MaxAge: time.Hour, OnSuccess: "arn:success"}
		w.refuse = fmt.Errorf("%w: no sqs", invoker.ErrNoDestination)
		w.start()
		w.push("f", `{}`)
		time.Sleep(time.Second)
		page, _, err := w.Events(t.Context(), "f", true, "", 10)
		if err != nil || len(page) != 1 || page[0].Error != "destination: arn:success: this server cannot deliver to it: no sqs" {
			t.Errorf("dead %+v, %v", page, err)
		}
	})
}
