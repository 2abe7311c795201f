package warmpool

import (
	"container/list"
	"context"
	"errors"
	"time"

	"github.com/hearthfn/hearth/warmpool/quota"
)

// A waiter is a caller for whom no environment has room.
type waiter struct {
	short bool      // its frame may be written ahead
	since time.Time // when the wait began
	place *list.Element
	ready chan struct{} // closed when member or err is set

	member *member
	err    error
}

func newWaiter(short bool, since time.Time) *waiter {
	return &waiter{short: short, since: since, ready: make(chan struct{})}
}

// finish ends the wait, with a member to which the call is counted, or with an
// error. The waiter is no longer in the queue.
func (w *waiter) finish(m *member, err error) {
	w.member, w.err = m, err
	close(w.ready)
}

// waiters is a FIFO from which any can leave.
type waiters struct{ list list.List }

func (q *waiters) len() int            { return q.list.Len() }
func (q *waiters) push(w *waiter)      { w.place = q.list.PushBack(w) }
func (q *waiters) pushFront(w *waiter) { w.place = q.list.PushFront(w) }
func (q *waiters) front() *waiter      { return q.list.Front().Value.(*waiter) }
func (q *waiters) back() *waiter       { return q.list.Back().Value.(*waiter) }
func (q *waiters) pop() *waiter        { return q.remove(q.front()) }

func (q *waiters) remove(w *waiter) *waiter {
	q.list.Remove(w.place)
	w.place = nil
	return w
}

// A quotaMember is a group as its quota sees it.
type quotaMember Group

var _ quota.Version = (*quotaMember)(nil)

// Waiting implements quota.Version.
func (m *quotaMember) Waiting() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.waiters.len()
}

// Serve implements quota.Version.
func (m *quotaMember) Serve() {
	m.mu.Lock()
	defer m.mu.Unlock()
	(*Group)(m).serve()
}

// wait blocks until w is served, ctx is done, or the queue timeout has passed
// with no cold start under way that may serve it. A caller that asks elsewhere gets
// errElsewhere when it is time to.
func (g *Group) wait(ctx context.Context, w *waiter, until time.Time, asksElsewhere bool) (*member, error) {
	left := time.Until(until)
	if asksElsewhere {
		left = min(left, elsewherePause)
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	for {
		var err error
		select {
		case <-w.ready:
			return w.member, w.err
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-timer.C:
		}
		g.mu.Lock()
		switch {
		case w.place == nil: // the waiter was served meanwhile
			g.mu.Unlock()
			<-w.ready
			if err == nil || w.err != nil {
				return w.member, w.err
			}
			// The caller has gone: the environment goes to the next one.
			g.undoTake(w.member)
			return nil, err
		case err == nil && g.starting > 0:
			timer.Reset(startPoll)
			g.mu.Unlock()
			continue
		}
		g.waiters.remove(w)
		if err == nil && asksElsewhere && time.Now().Before(until) {
			err = errElsewhere
		}
		if err == nil {
			err = g.throttled("no environment became free within the queue timeout")
		}
		g.mu.Unlock()
		return nil, err
	}
}

// errElsewhere makes a caller who waits ask another node.
var errElsewhere = errors.New("ask another node")

// elsewherePause is how long a caller waits before it asks again elsewhere.
const elsewherePause = 50 * time.Millisecond

// startPoll is how often a waiter that is out of time checks whether the cold
// start that it still hopes for is over.
const startPoll = 50 * time.Millisecond
