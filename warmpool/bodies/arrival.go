package bodies

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// patience is how long a body may be slow while the budget is full.
	patience = 5 * time.Second
	// parting is how long a body waits for another that gives way.
	parting = time.Second
	// lookAgain is how often a body that waits looks for room.
	lookAgain = 100 * time.Millisecond
)

// An arrival is a large body that is being read.
type arrival struct {
	w     http.ResponseWriter
	since time.Time // without the time in which it waits
	waits time.Time // since when it waits for more memory; zero: it does not
	holds bool      // it has some while it waits
	rate  int64     // in bytes per second, at which it keeps its memory; 0: it always does
	came  atomic.Int64
	gone  chan struct{} // closed when it is read, or has given its memory back

	mu   sync.Mutex // guards what follows, and the deadline of the connection
	over bool       // it is read: the connection is for other things
	cut  bool       // it gives way
}

// join has other bodies see that one is being read.
func (s *Share) join(b *Budget, w http.ResponseWriter, rate int64) {
	if s.arrival != nil {
		return
	}
	a := &arrival{w: w, since: time.Now(), rate: rate, gone: make(chan struct{})}
	s.arrival = a
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.arrivals == nil {
		b.arrivals = make(map[*arrival]struct{})
	}
	b.arrivals[a] = struct{}{}
}

// leave ends what join began, and reports whether the body had to give way.
func (s *Share) leave(b *Budget) (cut bool) {
	a := s.arrival
	if a == nil {
		return false
	}
	s.arrival = nil
	b.mu.Lock()
	delete(b.arrivals, a)
	b.mu.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	close(a.gone)
	return a.cut
}

// pause says that nobody reads a body while it waits for more memory. The returned
// function says that somebody does again.
func (b *Budget) pause(a *arrival, holds bool) (resume func() time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	began := time.Now()
	a.waits, a.holds = began, holds
	return func() time.Duration {
		b.mu.Lock()
		defer b.mu.Unlock()
		took := time.Since(began)
		a.waits, a.since = time.Time{}, a.since.Add(took)
		return took
	}
}

// wait waits for room for n bytes, and reports whether the share has them. A body becomes
// slow by time alone, so wait looks again and again.
func (s *Share) wait(ctx context.Context, b *Budget, n int, most time.Duration) bool {
	if s.hold(b, n) {
		return true
	}
	if most <= 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for {
		select {
		case <-again.C:
			if s.arrival.givesWay() {
				return false
			}
			if s.hold(b, n) {
				return true
			}
		case <-ctx.Done():
			return false
		}
	}
}

func (a *arrival) givesWay() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.cut
}

// came says how much of the body has come.
func (s *Share) came(n int) {
	if s.arrival != nil {
		s.arrival.came.Store(int64(n))
	}
}

// setDeadline sets by when more of the body must come, unless it gives way.
func (s *Share) setDeadline(w http.ResponseWriter, at time.Time) {
	if a := s.arrival; a != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.cut {
			return
		}
	}
	_ = http.NewResponseController(w).SetReadDeadline(at) // it worked before
}

// cutSlowest has the slowest body of those that are too slow give its memory to another
// one, of, and reports whether there was one.
func (b *Budget) cutSlowest(of *arrival) bool {
	a := b.slowest(of)
	if a == nil {
		return false
	}
	a.mu.Lock()
	a.cut = true
	if !a.over {
		_ = http.NewResponseController(a.w).SetReadDeadline(time.Unix(1, 0)) // without deadlines it ends by itself
	}
	a.mu.Unlock()
	timer := time.NewTimer(parting)
	defer timer.Stop()
	select {
	case <-a.gone:
	case <-timer.C:
	}
	return true
}

// slowest takes the slowest body from those that are too slow. If there is none, and of
// waits with a part of its memory, slowest takes the one that has waited longest so: many
// of these would wait for each other. A body that gives way itself takes nothing, so that
// of two that look at the same time one stays.
func (b *Budget) slowest(of *arrival) (slowest *arrival) {
	now := time.Now()
	var least float64
	var waiting *arrival
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, there := b.arrivals[of]; of != nil && !there {
		return nil
	}
	for a := range b.arrivals {
		if a == of || a.rate == 0 {
			continue
		}
		if !a.waits.IsZero() {
			if a.holds && now.Sub(a.waits) >= patience && (waiting == nil || a.waits.Before(waiting.waits)) {
				waiting = a
			}
			continue
		}
		age := now.Sub(a.since)
		if age < patience {
			continue
		}
		if rate := float64(a.came.Load()) / age.Seconds(); rate < float64(a.rate) && (slowest == nil || rate < least) {
			slowest, least = a, rate
		}
	}
	if slowest == nil && of != nil && of.holds {
		slowest = waiting
	}
	delete(b.arrivals, slowest)
	return slowest
}
