package scaling

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/state/boltstore"
)

// A world has a function web:live with provisioned concurrency, and a clock that starts at
// 2000-01-01 00:00:00 UTC.
type world struct {
	t     *testing.T
	store Store
	fails error // of changes

	mu      sync.Mutex
	have    int
	changes []string
	calls   func(have int) int // of one node
}

var web = Resource{"web", "live"}

func (w *world) Provisioned(context.Context, Resource) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.have, nil
}

func (w *world) Provision(_ context.Context, r Resource, n int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fails != nil {
		return w.fails
	}
	w.have = n
	w.changes = append(w.changes, fmt.Sprintf("%s %d", time.Now().UTC().Format("15:04"), n))
	return nil
}

func (w *world) Calls(context.Context, Resource) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calls == nil {
		return 0
	}
	return w.calls(w.have)
}

func inWorld(t *testing.T, test func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		store, err := boltstore.Open(boltstore.Config{Path: filepath.Join(t.TempDir(), "state.db")})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		test(t, &world{t: t, store: Store{store}})
	})
}

// scaler starts one; its end is that of the test.
func (w *world) scaler(node string) *Scaler {
	w.t.Helper()
	s, err := New(Config{Store: w.store, Node: node, Functions: func() Functions { return w }, Log: zap.NewNop()})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) put(d Document) {
	w.t.Helper()
	if err := w.store.Change(w.t.Context(), web, func(*Document) (*Document, error) { return &d, nil }); err != nil {
		w.t.Fatal(err)
	}
}

// load says how many calls a node has from now on.
func (w *world) load(calls func(have int) int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = calls
}

// pass lets time pass.
func pass(d time.Duration) { <-time.After(d) }

func (w *world) want(changes string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := strings.Join(w.changes, ", "); got != changes {
		w.t.Errorf("the capacity was changed: %s; want %s", got, changes)
	}
	w.changes = nil
}

func number(n int) *int { return &n }

func TestActionsChangeTheBoundsByTheClock(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.have = 3
		w.put(Document{Max: 10, Actions: []Action{
			{Name: "evening", Schedule: "cron(0 18 * * ? *)", Min: number(0), Max: number(0), Covered: time.Now()},
			{Name: "morning", Schedule: "cron(0 9 * * ? *)", Timezone: "Europe/Berlin", Min: number(5), Max: number(8), Covered: time.Now()},
			{Name: "once", Schedule: "at(2000-01-01T12:00:00)", Min: number(6), Covered: time.Now()},
			{Name: "over", Schedule: "rate(1 minute)", Min: number(7), Covered: time.Now(), End: new(time.Time)},
		}})
		a, b := w.scaler("a"), w.scaler("b") // two nodes do it once
		pass(24 * time.Hour)
		a.Close()
		b.Close()
		if w.have != 0 {
			t.Errorf("%d environments are left", w.have)
		}
		d, err := w.store.Read(t.Context(), web)
		if err != nil {
			t.Fatal(err)
		}
		triggered := 0
		for _, a := range d.Activities {
			if strings.HasPrefix(a.Cause, "scheduled action name ") {
				triggered++
			}
		}
		if triggered != 3 {
			t.Errorf("actions were triggered %d times, want 3: %+v", triggered, d.Activities)
		}
		w.mu.Lock()
		w.changes = slices.Compact(w.changes) // nodes that compare at the same instant both set it
		w.mu.Unlock()
		w.want("08:00 5, 12:00 6, 18:00 0")
	})
}

func TestMissedActionsAreMadeUpForOnceInTheirOrder(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.put(Document{Max: 10, Actions: []Action{
			{Name: "even", Schedule: "cron(0 0/2 * * ? *)", Min: number(4), Covered: time.Now()},
			{Name: "odd", Schedule: "cron(0 1/2 * * ? *)", Min: number(5), Covered: time.Now()},
		}})
		pass(9*time.Hour + 30*time.Minute) // no node runs
		s := w.scaler("a")
		pass(10 * time.Second)
		w.want("09:30 5")
		pass(time.Hour)
		s.Close()
		d, err := w.store.Read(t.Context(), web)
		if err != nil {
			t.Fatal(err)
		}
		if len(d.Activities) != 4 || d.Min != 4 { // 08:00, 09:00, the capacity, 10:00
			t.Errorf("after the actions: %+v", d)
		}
	})
}

func TestSuspendedActionsDoNothingAndAreNotMadeUpFor(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		d := Document{Max: 10, ScheduledSuspended: true, Actions: []Action{{Name: "hourly", Schedule: "rate(1 hour)", Min: number(2), Covered: time.Now()}}}
		w.put(d)
		s := w.scaler("a")
		defer s.Close()
		pass(90 * time.Minute)
		err := w.store.Change(t.Context(), web, func(d *Document) (*Document, error) {
			d.ScheduledSuspended = false
			return d, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		pass(10 * time.Minute)
		w.want("")
		pass(30 * time.Minute)
		w.want("02:00 2")
	})
}

func TestCapacityFollowsItsUse(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.have = 10
		w.put(Document{Min: 2, Max: 40, Policies: []Policy{{Name: "use", Value: 0.7}}})
		a, b := w.scaler("a"), w.scaler("b")
		defer a.Close()
		defer b.Close()
		w.load(func(int) int { return 4 }) // 8 of both nodes: 0.8 of 10
		pass(10*time.Minute + 30*time.Second)
		w.want("00:03 12")                   // 8 / 0.7, and 8 of 12 is below the target
		w.load(func(int) int { return 100 }) // more than there are
		pass(3 * time.Minute)
		w.want("00:13 18") // all of it is used
		pass(3 * time.Minute)
		w.want("00:14 26, 00:15 38, 00:16 40") // once a minute, up to the maximum
		w.load(func(int) int { return 7 })
		pass(17 * time.Minute)
		w.want("00:32 20") // after a quarter of an hour
		w.load(nil)
		pass(time.Hour)
		w.want("00:48 2")
	})
}

func TestCapacityIsLeftAloneNearItsTarget(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.have = 10
		policy := Policy{Name: "use", Value: 0.7, DisableScaleIn: true}
		w.put(Document{Min: 2, Max: 40, Policies: []Policy{policy}})
		s := w.scaler("a")
		defer s.Close()
		w.load(func(int) int { return 7 })
		pass(30 * time.Minute)
		w.want("")
		w.load(nil) // scale-in is off
		pass(30 * time.Minute)
		w.want("")
		policy.OutCooldown = 600
		w.put(Document{Min: 2, Max: 40, Policies: []Policy{policy}})
		w.load(func(have int) int { return have })
		pass(15 * time.Minute)
		w.want("01:03 15, 01:13 22")
		w.put(Document{Min: 2, Max: 40, Policies: []Policy{policy}, OutSuspended: true})
		pass(30 * time.Minute)
		w.want("")
	})
}

func TestAFailureIsNotedOnceAndTriedAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.fails = errors.New("there is no room")
		w.put(Document{Min: 2, Max: 4})
		s := w.scaler("a")
		defer s.Close()
		pass(10*time.Minute + time.Second) // beside the ticks, which come with the minutes
		d, err := w.store.Read(t.Context(), web)
		if err != nil || len(d.Activities) != 1 || d.Activities[0].Status != "Failed" || !strings.Contains(d.Activities[0].StatusMessage, "there is no room") {
			t.Errorf("got %+v, %v", d, err)
		}
		w.mu.Lock()
		w.fails = nil
		w.mu.Unlock()
		pass(2 * time.Minute)
		w.want("00:11 2")
	})
}

func TestResourcesAreNamedAsAWSDoes(t *testing.T) {
	for id, ok := range map[string]bool{
		"function:web:live": true, "function:web:7": true, "function:web": false, "function:web:$LATEST": false,
		"web:live": false, "function::live": false, "function:web:": false, "function:web:live:more": false, "": false,
	} {
		r, got := ParseResource(id)
		if got != ok || ok && r.String() != id {
			t.Errorf("%q: %v %v", id, r, got)
		}
	}
}
