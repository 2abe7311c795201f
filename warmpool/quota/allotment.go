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

// An allotment is what this node has of a function's reserved concurrency when several
// nodes have the function: slots, taken in blocks when callers wait and kept while they
// are used. A call that finds a slot here asks nobody.
//
// A node that uses all of its slots while none are left gives some back every second, if
// other nodes live. It asks for more only a little later, so that their callers have a turn.
type allotment struct {
	all   *Quotas
	quota *Quota
	name  string // of the slots

	mu        sync.Mutex // guards what follows
	grants    []state.Grant
	until     time.Time // when the first of them may not be used any more; zero: none is there
	usable    int       // slots of the grants, those that calls have included
	inFlight  int
	peak      int  // of inFlight, since the last tick
	lastPeak  int  // of the tick before
	limit     int  // as the last caller had it
	due       int  // slots to be given back as calls end
	spare     int  // slots that no call gets any more, and that are not given back yet
	returning int  // those that are being given back
	short     bool // since the last tick, more were wanted than were free
	notBefore time.Time
	asking    bool
	renewing  bool
}

// Times of an allotment.
const (
	grantFor    = 20 * time.Second      // how long a grant lasts, and so after which time others have those of a node that died
	renewBefore = 14 * time.Second      // what a grant still lasts when it is renewed: longer than a store restarts
	giveUpAt    = time.Second           // before its end a grant is not used any more
	askAgain    = 50 * time.Millisecond // while callers wait and no slot is free
	askAfterOff = 200 * time.Millisecond
	slotsWithin = 5 * time.Second
)

func newAllotment(all *Quotas, q *Quota, name string) *allotment {
	return &allotment{all: all, quota: q, name: "concurrency/" + name}
}

// enter counts one invocation more, if there is a slot for it.
func (a *allotment) enter(limit int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.limit = limit
	// Here and by the clock: whatever holds up this process or its way to the store, others
	// may have what has ended.
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

// bound lowers usable to what the grants have that last, and returns that. It needs mu.
func (a *allotment) bound(now time.Time) (total int) {
	a.until = time.Time{}
	for _, g := range a.grants {
		if end := g.Until.Add(-giveUpAt); now.Before(end) {
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
		// Who holds none asks more often than who has some.
		a.mu.Lock()
		pause := askAgain * time.Duration(min(1+a.usable, 4))
		a.mu.Unlock()
		if a.takeSome(max(waiting, 1)) {
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

// takeSome reports whether it took any.
func (a *allotment) takeSome(most int) bool {
	a.mu.Lock()
	claim := state.Claim{Name: a.name, Limit: a.limit, Count: min(most, a.limit-a.usable), For: grantFor}
	early := time.Now().Before(a.notBefore)
	a.mu.Unlock()
	if claim.Count <= 0 || early {
		return false
	}
	ctx, cancel := context.WithTimeout(a.all.ctx, slotsWithin)
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

// tick keeps what is used, gives back the rest, and offers some of what is fully used.
// It is called every second.
func (a *allotment) tick() {
	waits := a.quota.waiting() > 0 // takes locks under which enter is called
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

// renewSoon has the store hear of what is to be given back or renewed. It needs mu.
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
	kept := a.renew(grants, spare, time.Now())
	a.mu.Lock()
	defer a.mu.Unlock()
	a.renewing, a.returning = false, 0
	if len(a.grants) >= len(grants) { // else it has ended
		a.grants = append(kept, a.grants[len(grants):]...)
	}
	// A grant that was not used any more may have been renewed all the same.
	a.spare = max(a.bound(time.Now())-a.usable, 0)
}

// renew gives back spare slots, renews the grants that stay, and drops those that have
// ended.
func (a *allotment) renew(grants []state.Grant, spare int, now time.Time) (kept []state.Grant) {
	ctx, cancel := context.WithTimeout(context.Background(), slotsWithin)
	defer cancel()
	for _, g := range grants {
		back := min(spare, g.Count)
		var err error
		switch {
		case back == g.Count:
			spare -= back
			err = a.all.slots.Return(ctx, g)
			if err == nil || errors.Is(err, state.ErrLeaseLost) {
				continue
			}
			// It ends by its time; nobody uses it here.
			continue
		case back > 0 || g.Until.Sub(now) < renewBefore:
			spare -= back
			var renewed state.Grant
			renewed, err = a.all.slots.Renew(ctx, g, g.Count-back, grantFor)
			if err == nil {
				g = renewed
			} else {
				g.Count -= back
			}
		}
		if errors.Is(err, state.ErrLeaseLost) || time.Until(g.Until) < giveUpAt {
			a.all.log.Warn("slots of reserved concurrency are lost", zap.String("function", a.quota.name), zap.Int("slots", g.Count), zap.Error(err))
			continue
		}
		kept = append(kept, g)
	}
	return kept
}

// end gives everything back.
func (a *allotment) end() {
	a.mu.Lock()
	grants := a.grants
	a.grants, a.usable, a.spare, a.due = nil, 0, 0, 0
	a.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), slotsWithin)
	defer cancel()
	for _, g := range grants {
		if err := a.all.slots.Return(ctx, g); err != nil && !errors.Is(err, state.ErrLeaseLost) {
			return // they end by their time
		}
	}
}
