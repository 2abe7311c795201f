package invoker

import (
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/backoff"
	"github.com/hearthfn/hearth/warmpool/state"
)

// A line is the leased events of one group.
type line struct {
	group    string
	function string
	most     int // that run at once

	// Guarded by the invoker's mu.
	queued  []*leasedEvent            // not yet run, in order
	running int                       // workers
	busy    int                       // workers that run an event; the others are about to take one up
	until   time.Time                 // no event runs before
	pauses  int                       // in a row, because the function could not be had
	leases  map[*leasedEvent]struct{} // of all events that wait here or run
}

// A leasedEvent is an event that this process has leased, and whose lease it extends.
type leasedEvent struct {
	state.Lease // guarded by the invoker's mu
}

// leaseFor is how long an event is leased. If a node dies, other nodes run its events
// after this time. The invoker extends the leases of events that run. The rest of a lease
// is longer than a store is away when it fails over, or a node drains.
const (
	leaseFor    = 20 * time.Second
	extendEvery = 4 * time.Second
)

// leaseRetry is how soon the store is asked again when it fails.
const leaseRetry = time.Second

// countEvery is how often the events that wait are counted again: what Once ruled out
// was counted as stored.
const countEvery = time.Minute

// dispatch leases events for lines that have room, until the intake ends.
func (i *Invoker) dispatch() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	counted := time.Now()
	for {
		if time.Since(counted) > countEvery {
			if err := i.count(i.intake); err != nil && i.intake.Err() == nil {
				i.Log.Warn("events that wait cannot be counted", zap.Error(err))
			}
			counted = time.Now()
		}
		select {
		case <-i.intake.Done():
			i.returnLeases()
			return
		case <-i.wake:
		case <-timer.C:
		}
		if i.paused.Load() {
			i.returnLeases()
			timer.Reset(time.Minute)
			continue
		}
		next := i.fill()
		wait := time.Minute
		if !next.IsZero() {
			wait = max(time.Until(next), 0)
		}
		timer.Reset(min(wait, time.Minute))
	}
}

// fill leases what there is room for, and returns when there may be more.
func (i *Invoker) fill() (next time.Time) {
	for {
		want, due := i.want()
		if want.Max == 0 {
			return due
		}
		leases, more, err := i.Store.Lease(i.intake, want)
		if err != nil {
			if i.intake.Err() == nil {
				i.Log.Error("events cannot be leased", zap.Error(err))
			}
			return time.Now().Add(leaseRetry)
		}
		i.enqueue(leases)
		if len(leases) == 0 {
			return earlier(due, more)
		}
	}
}

// earlier is the first of two times, of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// want says what may be leased now. due is when a paused line continues.
func (i *Invoker) want() (want state.Want, due time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := time.Now()
	leased := 0
	for _, l := range i.lines {
		leased += len(l.leases)
		if len(l.queued) > 0 || l.running >= l.most || now.Before(l.until) {
			want.Except = append(want.Except, l.group)
		}
		if now.Before(l.until) {
			due = earlier(due, l.until)
		} else if l.running < l.most && len(l.queued) > 0 {
			i.runLocked(l)
		}
	}
	limits := i.limits.Load()
	want.Max = min(max(2*limits.Concurrency-leased, 0), state.MaxItems)
	want.PerGroup, want.For = limits.PerFunction, leaseFor
	return want, due
}

// enqueue puts leases into their lines and has them run.
func (i *Invoker) enqueue(leases []state.Lease) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, lease := range leases {
		l := i.lines[lease.Group]
		if l == nil {
			name, ordered := functionOf(lease.Group)
			l = &line{group: lease.Group, function: name, most: i.limits.Load().PerFunction, leases: make(map[*leasedEvent]struct{})}
			if ordered {
				l.most = 1
			}
			i.lines[lease.Group] = l
		}
		e := &leasedEvent{lease}
		l.leases[e] = struct{}{}
		l.queued = append(l.queued, e)
	}
	for _, lease := range leases {
		i.runLocked(i.lines[lease.Group])
	}
}

// runLocked starts workers for what waits in a line. It needs mu.
func (i *Invoker) runLocked(l *line) {
	for len(l.queued) > l.running-l.busy && l.running < l.most && i.running < i.limits.Load().Concurrency && !time.Now().Before(l.until) && i.intake.Err() == nil {
		l.running++
		i.running++
		i.all.Go(func() { i.serve(l) })
	}
}

// serve runs events of a line until none waits.
func (i *Invoker) serve(l *line) {
	for {
		i.mu.Lock()
		if len(l.queued) == 0 || i.intake.Err() != nil || time.Now().Before(l.until) || l.running > l.most {
			l.running--
			i.running--
			i.tidyLocked(l)
			i.mu.Unlock()
			i.nudge()
			return
		}
		e := l.queued[0]
		l.queued = l.queued[1:]
		l.busy++
		last := len(l.queued) == 0
		i.mu.Unlock()
		if last {
			i.nudge() // more may be leased while this one runs
		}
		i.run(l, e)
		i.mu.Lock()
		l.busy--
		i.mu.Unlock()
	}
}

// leaseOf is a lease as it is now; extend changes it.
func (i *Invoker) leaseOf(e *leasedEvent) state.Lease {
	i.mu.Lock()
	defer i.mu.Unlock()
	return e.Lease
}

// forgetLease forgets a lease that is done with.
func (i *Invoker) forgetLease(l *line, e *leasedEvent) {
	i.mu.Lock()
	delete(l.leases, e)
	i.tidyLocked(l)
	i.mu.Unlock()
}

// tidyLocked forgets a line that has nothing to do. It needs mu.
func (i *Invoker) tidyLocked(l *line) {
	if l.running == 0 && len(l.leases) == 0 && time.Now().After(l.until) && i.lines[l.group] == l {
		delete(i.lines, l.group)
	}
}

// requeue puts an event back to the front of its line and has the line wait, because
// its function cannot be had now.
func (i *Invoker) requeue(l *line, e *leasedEvent) {
	i.mu.Lock()
	l.pauses++
	l.until = time.Now().Add(backoff.Backoff{First: minPause, Most: maxPause}.After(l.pauses))
	l.queued = append([]*leasedEvent{e}, l.queued...)
	i.mu.Unlock()
}

// retryInOrder has an ordered line wait for its first event, which goes back to the
// store at its place; so do those behind it.
func (i *Invoker) retryInOrder(l *line, e *leasedEvent, d time.Duration) error {
	i.mu.Lock()
	l.until = time.Now().Add(d)
	behind := l.queued
	l.queued = nil
	for _, b := range behind {
		delete(l.leases, b)
	}
	lease := e.Lease
	i.mu.Unlock()
	err := i.Store.Retry(i.work, lease)
	for _, b := range behind {
		err = errors.Join(err, i.Store.Retry(i.work, i.leaseOf(b)))
	}
	return err
}

// resetPauses ends the growth of a line's pauses: its function can be had.
func (i *Invoker) resetPauses(l *line) {
	i.mu.Lock()
	l.pauses = 0
	i.mu.Unlock()
}

// extend renews the leases of all events of this process, until the intake ends.
func (i *Invoker) extend() {
	ticker := time.NewTicker(extendEvery)
	defer ticker.Stop()
	for {
		select {
		case <-i.intake.Done():
			// Calls that still run end before their leases do, or are abandoned.
			return
		case <-ticker.C:
		}
		i.mu.Lock()
		var all []*leasedEvent
		for _, l := range i.lines {
			for e := range l.leases {
				all = append(all, e)
			}
		}
		i.mu.Unlock()
		for _, e := range all {
			extended, err := i.Store.Extend(i.work, i.leaseOf(e), leaseFor)
			if err != nil {
				continue // it is done, or will be found lost when it is
			}
			i.mu.Lock()
			e.Until, e.Token = extended.Until, extended.Token
			i.mu.Unlock()
		}
	}
}

// returnLeases gives back the leases of events that did not run, so that any node can lease them.
func (i *Invoker) returnLeases() {
	i.mu.Lock()
	var all []*leasedEvent
	for _, l := range i.lines {
		all = append(all, l.queued...)
		for _, e := range l.queued {
			delete(l.leases, e)
		}
		l.queued = nil
	}
	i.mu.Unlock()
	for _, e := range all {
		if err := i.Store.Retry(i.work, i.leaseOf(e)); err != nil {
			i.Log.Warn("an event could not be given back: it is delivered when its lease ends", zap.Error(err))
		}
	}
}
