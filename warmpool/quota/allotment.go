package quota

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/state"
)

// An allotment is this node's part of a function's reserved concurrency when several nodes
// have the function. It takes slots from the store in blocks when callers wait, and renews
// them while calls use them. A call that finds a slot here does not ask the store.
//
// If a node uses all of its slots and none are left for other live nodes, it returns some
// every second. It asks for more only a little later, so that callers of the others have a turn.
type allotment struct {
	all   *Quotas
	quota *Quota
	name  string // of the slots

	mu        sync.Mutex // guards what follows
	grants    []state.Grant
	until     time.Time // when the first grant may not be used any more; zero: there is none
	usable    int       // slots of the grants, including those that calls have
	inFlight  int
	peak      int  // of inFlight, since the last tick
	lastPeak  int  // the peak at the tick before
	limit     int  // the limit that the last caller gave
	due       int  // slots to return as calls end
	spare     int  // slots that no call gets any more, and that are not returned yet
	returning int  // slots that are being returned
	short     bool // since the last tick, more slots were needed than were free
	notBefore time.Time
	asking    bool
	renewing  bool
}

// Times of an allotment.
const (
	grantFor     = 20 * time.Second      // how long a grant lasts; after this time others get the slots of a node that died
	renewBefore  = 14 * time.Second      // a grant is renewed when it lasts this long: longer than a store restarts
	expiryMargin = time.Second           // a grant is not used this long before its end
	askAgain     = 50 * time.Millisecond // the pause between requests while callers wait and no slot is free
	askAfterOff  = 200 * time.Millisecond
	slotsTimeout = 5 * time.Second
)

func newAllotment(all *Quotas, q *Quota, name string) *allotment {
	return &allotment{all: all, quota: q, name: "concurrency/" + name}
}

// enter counts one more invocation, if there is a slot for it.
func (a *allotment) enter(limit int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.limit = limit
	// The clock decides, here in each call. If this process or its connection to the store
	// hangs, other nodes may have the slots of grants that have ended.
	if now := time.Now(); !a.until.IsZero() && !now.Before(a.until) {
		a.bound(now)
	}
	if a.inFlight < min(a.usable, limit) {
		a.inFlight++
		a.peak = max(a.peak, a.inFlight)
		return true
	}
	a.ask()
	return false
}

// bound lowers usable to the slots of the grants that still last, and returns it. It needs mu.
func (a *allotment) bound(now time.Time) (total int) {
	a.until = time.Time{}
	for _, g := range a.grants {
		if end := g.Until.Add(-expiryMargin); now.Before(end) {
			total += g.Count
			if a.until.IsZero() || end.Before(a.until) {
				a.until = end
			}
		}
	}
	a.usable = min(a.usable, max(total-a.spare-a.returning, 0))
	return total
}

func (a *allotment) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.inFlight--
	if a.due > 0 && a.usable > 0 {
		a.due--
		a.usable--
		a.spare++
		a.notBefore = time.Now().Add(askAfterOff)
		a.renewSoon()
	}
}

// ask begins to take slots. It needs mu.
func (a *allotment) ask() {
	if a.asking || a.usable >= a.limit || a.all.ctx.Err() != nil {
		return
	}
	a.asking = true
	a.all.tasks.Go(a.take)
}

// take takes slots until no caller waits.
func (a *allotment) take() {
	defer func() {
		a.mu.Lock()
		a.asking = false
		a.mu.Unlock()
	}()
	for idle := 0; idle < 2; {
		waiting := a.quota.waiting()
		if waiting == 0 {
			idle++
		} else {
			idle = 0
		}
		// A node without slots asks more often than one that has some.
		a.mu.Lock()
		pause := askAgain * time.Duration(min(1+a.usable, 4))
		a.mu.Unlock()
		if a.takeUpTo(max(waiting, 1)) {
			a.quota.WakeOthers(nil)
			pause = 0
			if a.quota.waiting() == 0 {
				return
			}
		}
		select {
		case <-time.After(pause + rand.N(askAgain)/4):
		case <-a.all.ctx.Done():
			return
		}
	}
}

// takeUpTo takes up to most slots, and reports whether it got any.
func (a *allotment) takeUpTo(most int) bool {
	a.mu.Lock()
	claim := state.Claim{Name: a.name, Limit: a.limit, Count: min(most, a.limit-a.usable), For: grantFor}
	early := time.Now().Before(a.notBefore)
	a.mu.Unlock()
	if claim.Count <= 0 || early {
		return false
	}
	ctx, cancel := context.WithTimeout(a.all.ctx, slotsTimeout)
	defer cancel()
	grant, err := a.all.slots.Take(ctx, claim)
	if err != nil {
		if a.all.ctx.Err() == nil {
			a.all.log.Warn("slots of reserved concurrency cannot be taken", zap.String("function", a.quota.name), zap.Error(err))
		}
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.short = a.short || grant.Count < claim.Count
	if grant.Count == 0 {
		return false
	}
	a.grants = append(a.grants, grant)
	a.usable += grant.Count
	a.bound(time.Now())
	return true
}

// tick renews the slots that are used, and returns the rest. If all are used, it offers some
// to other nodes. It is called every second.
func (a *allotment) tick() {
	waits := a.quota.waiting() > 0 // not under mu: it takes locks under which enter is called
	a.mu.Lock()
	defer a.mu.Unlock()
	used := max(a.peak, a.lastPeak, a.inFlight)
	a.lastPeak, a.peak = a.peak, a.inFlight
	if surplus := a.usable - used; surplus > 0 {
		a.usable -= surplus
		a.spare += surplus
	} else if a.usable > 0 && a.due == 0 && (a.usable >= a.limit || a.short) && !(a.all.alone != nil && a.all.alone()) {
		a.due = a.usable / 4
		if a.due == 0 && (a.usable >= a.limit || rand.N(2) == 0) {
			a.due = 1
		}
	}
	a.short = false
	a.renewSoon()
	if waits && a.usable < a.limit {
		a.ask()
	}
}

// renewSoon begins to return or renew slots in the store. It needs mu.
func (a *allotment) renewSoon() {
	due := a.spare > 0
	for _, g := range a.grants {
		due = due || time.Until(g.Until) < renewBefore
	}
	if due && !a.renewing && a.all.ctx.Err() == nil {
		a.renewing = true
		a.all.tasks.Go(a.renewOnce)
	}
}

func (a *allotment) renewOnce() {
	a.mu.Lock()
	grants, spare := a.grants, a.spare
	a.returning, a.spare = spare, 0
	a.mu.Unlock()
	remaining := a.renew(grants, spare, time.Now())
	a.mu.Lock()
	defer a.mu.Unlock()
	a.renewing, a.returning = false, 0
	if len(a.grants) >= len(grants) { // else the allotment has ended
		a.grants = append(remaining, a.grants[len(grants):]...)
	}
	// A grant that was no longer used may have been renewed anyway.
	a.spare = max(a.bound(time.Now())-a.usable, 0)
}

// renew returns spare slots, renews the grants that stay, and drops those that have ended.
func (a *allotment) renew(grants []state.Grant, spare int, now time.Time) (remaining []state.Grant) {
	ctx, cancel := context.WithTimeout(context.Background(), slotsTimeout)
	defer cancel()
	for _, g := range grants {
		count := min(spare, g.Count)
		var err error
		switch {
		case count == g.Count:
			spare -= count
			err = a.all.slots.Return(ctx, g)
			if err == nil || errors.Is(err, state.ErrLeaseLost) {
				continue
			}
			// The grant ends by its time. Nobody uses it here.
			continue
		case count > 0 || g.Until.Sub(now) < renewBefore:
			spare -= count
			var renewed state.Grant
			renewed, err = a.all.slots.Renew(ctx, g, g.Count-count, grantFor)
			if err == nil {
				g = renewed
			} else {
				g.Count -= count
			}
		}
		if errors.Is(err, state.ErrLeaseLost) || time.Until(g.Until) < expiryMargin {
			a.all.log.Warn("slots of reserved concurrency are lost", zap.String("function", a.quota.name), zap.Int("slots", g.Count), zap.Error(err))
			continue
		}
		remaining = append(remaining, g)
	}
	return remaining
}

// end returns all slots.
func (a *allotment) end() {
	a.mu.Lock()
	grants := a.grants
	a.grants, a.usable, a.spare, a.due = nil, 0, 0, 0
	a.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), slotsTimeout)
	defer cancel()
	for _, g := range grants {
		if err := a.all.slots.Return(ctx, g); err != nil && !errors.Is(err, state.ErrLeaseLost) {
			return // the grants end by their time
		}
	}
}
