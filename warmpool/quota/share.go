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

// A share is what this node holds of a function's reserved concurrency when several
// nodes have it together: slots, taken in blocks when callers wait and kept while they
// are used. A call that finds a slot here asks nobody.
//
// A node that uses what it holds while none are left offers some every second, if other
// nodes live, and asks for more only a little later, so that their callers have their turn.
type share struct {
	all   *Quotas
	quota *Quota
	name  string // of the slots

	mu        sync.Mutex // guards what follows
	grants    []state.Grant
	until     time.Time // when the first of them may not be used any more; zero: none is there
	held      int       // slots of the grants that may be used
	inFlight  int
	peak      int  // of inFlight, since the last tick
	lastPeak  int  // of the tick before
	limit     int  // as the last caller had it
	yield     int  // slots to be given back as calls end
	loose     int  // slots that are held no more, and not given back yet
	returning int  // those that are being given back
	short     bool // since the last tick, more were wanted than were free
	notBefore time.Time
	asking    bool
	settling  bool
}

// Times of a share.
const (
	shareFor    = 20 * time.Second      // how long a grant lasts, and so after which time others have those of a node that died
	renewBefore = 14 * time.Second      // what a grant still lasts when it is renewed: longer than a store restarts
	giveUpAt    = time.Second           // before its end a grant is not used any more
	askAgain    = 50 * time.Millisecond // while callers wait and no slot is free
	askAfterOff = 200 * time.Millisecond
	slotsWithin = 5 * time.Second
)

func newShare(all *Quotas, q *Quota, name string) *share {
	return &share{all: all, quota: q, name: "concurrency/" + name}
}

// enter counts one invocation more, if there is a slot for it.
func (s *share) enter(limit int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = limit
	// Here and by the clock: whatever holds up this process or its way to the store, others
	// may have what has ended.
	if now := time.Now(); !s.until.IsZero() && !now.Before(s.until) {
		s.bound(now)
	}
	if s.inFlight < min(s.held, limit) {
		s.inFlight++
		s.peak = max(s.peak, s.inFlight)
		return true
	}
	s.ask()
	return false
}

// bound has no more be held than what grants that last have, and returns that. It needs
// mu.
func (s *share) bound(now time.Time) (total int) {
	s.until = time.Time{}
	for _, g := range s.grants {
		if end := g.Until.Add(-giveUpAt); now.Before(end) {
			total += g.Count
			if s.until.IsZero() || end.Before(s.until) {
				s.until = end
			}
		}
	}
	s.held = min(s.held, max(total-s.loose-s.returning, 0))
	return total
}

func (s *share) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight--
	if s.yield > 0 && s.held > 0 {
		s.yield--
		s.held--
		s.loose++
		s.notBefore = time.Now().Add(askAfterOff)
		s.settleSoon()
	}
}

// ask begins to take slots. It needs mu.
func (s *share) ask() {
	if s.asking || s.held >= s.limit || s.all.ctx.Err() != nil {
		return
	}
	s.asking = true
	s.all.tasks.Go(s.take)
}

// take takes slots until no caller waits.
func (s *share) take() {
	defer func() {
		s.mu.Lock()
		s.asking = false
		s.mu.Unlock()
	}()
	for idle := 0; idle < 2; {
		waiting := s.quota.waiting()
		if waiting == 0 {
			idle++
		} else {
			idle = 0
		}
		// Who holds none asks more often than who has some.
		s.mu.Lock()
		pause := askAgain * time.Duration(min(1+s.held, 4))
		s.mu.Unlock()
		if s.takeSome(max(waiting, 1)) {
			s.quota.WakeOthers(nil)
			pause = 0
			if s.quota.waiting() == 0 {
				return
			}
		}
		select {
		case <-time.After(pause + rand.N(askAgain)/4):
		case <-s.all.ctx.Done():
			return
		}
	}
}

// takeSome reports whether it took any.
func (s *share) takeSome(most int) bool {
	s.mu.Lock()
	claim := state.Claim{Name: s.name, Limit: s.limit, Count: min(most, s.limit-s.held), For: shareFor}
	early := time.Now().Before(s.notBefore)
	s.mu.Unlock()
	if claim.Count <= 0 || early {
		return false
	}
	ctx, cancel := context.WithTimeout(s.all.ctx, slotsWithin)
	defer cancel()
	grant, err := s.all.slots.Take(ctx, claim)
	if err != nil {
		if s.all.ctx.Err() == nil {
			s.all.log.Warn("slots of reserved concurrency cannot be taken", zap.String("function", s.quota.name), zap.Error(err))
		}
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.short = s.short || grant.Count < claim.Count
	if grant.Count == 0 {
		return false
	}
	s.grants = append(s.grants, grant)
	s.held += grant.Count
	s.bound(time.Now())
	return true
}

// tick keeps what is used, gives back the rest, and offers some of what is fully used.
// It is called every second.
func (s *share) tick() {
	waits := s.quota.waiting() > 0 // takes locks under which enter is called
	s.mu.Lock()
	defer s.mu.Unlock()
	used := max(s.peak, s.lastPeak, s.inFlight)
	s.lastPeak, s.peak = s.peak, s.inFlight
	if surplus := s.held - used; surplus > 0 {
		s.held -= surplus
		s.loose += surplus
	} else if s.held > 0 && s.yield == 0 && (s.held >= s.limit || s.short) && !(s.all.alone != nil && s.all.alone()) {
		s.yield = s.held / 4
		if s.yield == 0 && (s.held >= s.limit || rand.N(2) == 0) {
			s.yield = 1
		}
	}
	s.short = false
	s.settleSoon()
	if waits && s.held < s.limit {
		s.ask()
	}
}

// settleSoon has the store hear of what is to be given back or renewed. It needs mu.
func (s *share) settleSoon() {
	due := s.loose > 0
	for _, g := range s.grants {
		due = due || time.Until(g.Until) < renewBefore
	}
	if due && !s.settling && s.all.ctx.Err() == nil {
		s.settling = true
		s.all.tasks.Go(s.settleOnce)
	}
}

func (s *share) settleOnce() {
	s.mu.Lock()
	grants, loose := s.grants, s.loose
	s.returning, s.loose = loose, 0
	s.mu.Unlock()
	kept := s.settle(grants, loose, time.Now())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settling, s.returning = false, 0
	if len(s.grants) >= len(grants) { // else it has ended
		s.grants = append(kept, s.grants[len(grants):]...)
	}
	// A grant that was not used any more may have been renewed all the same.
	s.loose = max(s.bound(time.Now())-s.held, 0)
}

// settle gives back loose slots, renews what is to be kept, and drops what has ended.
func (s *share) settle(grants []state.Grant, loose int, now time.Time) (kept []state.Grant) {
	ctx, cancel := context.WithTimeout(context.Background(), slotsWithin)
	defer cancel()
	for _, g := range grants {
		back := min(loose, g.Count)
		var err error
		switch {
		case back == g.Count:
			loose -= back
			err = s.all.slots.Return(ctx, g)
			if err == nil || errors.Is(err, state.ErrLeaseLost) {
				continue
			}
			// It ends by its time; nobody uses it here.
			continue
		case back > 0 || g.Until.Sub(now) < renewBefore:
			loose -= back
			var renewed state.Grant
			renewed, err = s.all.slots.Renew(ctx, g, g.Count-back, shareFor)
			if err == nil {
				g = renewed
			} else {
				g.Count -= back
			}
		}
		if errors.Is(err, state.ErrLeaseLost) || time.Until(g.Until) < giveUpAt {
			s.all.log.Warn("slots of reserved concurrency are lost", zap.String("function", s.quota.name), zap.Int("slots", g.Count), zap.Error(err))
			continue
		}
		kept = append(kept, g)
	}
	return kept
}

// end gives everything back.
func (s *share) end() {
	s.mu.Lock()
	grants := s.grants
	s.grants, s.held, s.loose, s.yield = nil, 0, 0, 0
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), slotsWithin)
	defer cancel()
	for _, g := range grants {
		if err := s.all.slots.Return(ctx, g); err != nil && !errors.Is(err, state.ErrLeaseLost) {
			return // they end by their time
		}
	}
}
