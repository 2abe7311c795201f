package warmpool

import (
	"slices"
	"sync"
	"sync/atomic"
)

// A quota counts the invocations of one function over all of its versions, for
// its reserved concurrency bounds them together.
type quota struct {
	name     string
	share    *share // of several nodes; nil: this one is alone
	inFlight atomic.Int64
	shared   atomic.Bool // there are several groups

	mu     sync.Mutex // guards groups
	groups []*Group
}

// enter counts one invocation more, unless there are limit. slotted says that it has
// one of the slots that several nodes share.
func (q *quota) enter(limit *int) (entered, slotted bool) {
	if limit == nil {
		q.inFlight.Add(1)
		return true, false
	}
	if q.share != nil {
		if !q.share.enter(*limit) {
			return false, false
		}
		q.inFlight.Add(1)
		return true, true
	}
	for {
		n := q.inFlight.Load()
		if n >= int64(*limit) {
			return false, false
		}
		if q.inFlight.CompareAndSwap(n, n+1) {
			return true, false
		}
	}
}

// room reports whether enter would succeed.
func (q *quota) room(limit int) bool {
	if q.share != nil {
		q.share.mu.Lock()
		defer q.share.mu.Unlock()
		return q.share.inFlight < min(q.share.held, limit)
	}
	return q.inFlight.Load() < int64(limit)
}

// leave undoes enter.
func (q *quota) leave(slotted bool) {
	q.inFlight.Add(-1)
	if slotted {
		q.share.leave()
	}
}

// waiting is how many callers wait, of all versions.
func (q *quota) waiting() (n int) {
	q.mu.Lock()
	groups := slices.Clone(q.groups)
	q.mu.Unlock()
	for _, g := range groups {
		g.mu.Lock()
		n += g.waiters.len()
		g.mu.Unlock()
	}
	return n
}

// wakeOthers lets the callers of other versions have what g has left. It is
// called without any group's mu.
func (q *quota) wakeOthers(g *Group) {
	if g != nil && !q.shared.Load() {
		return
	}
	q.mu.Lock()
	others := slices.Clone(q.groups)
	q.mu.Unlock()
	for _, other := range others {
		if other == g {
			continue
		}
		other.mu.Lock()
		other.serve()
		other.mu.Unlock()
	}
}

// join counts g among the versions of its function. It needs the pool's mu.
func (p *Pool) join(g *Group) *quota {
	q := p.quotas[g.name]
	if q == nil {
		q = &quota{name: g.name}
		if p.slots != nil {
			q.share = newShare(p, q, g.name)
		}
		p.quotas[g.name] = q
	}
	q.mu.Lock()
	q.groups = append(q.groups, g)
	q.shared.Store(len(q.groups) > 1)
	q.mu.Unlock()
	return q
}

// part undoes join. It needs the pool's mu.
func (p *Pool) part(g *Group) {
	q := g.quota
	q.mu.Lock()
	q.groups = slices.DeleteFunc(q.groups, func(other *Group) bool { return other == g })
	q.shared.Store(len(q.groups) > 1)
	empty := len(q.groups) == 0
	q.mu.Unlock()
	if empty && p.quotas[g.name] == q {
		delete(p.quotas, g.name)
		if q.share != nil {
			p.tasks.Go(q.share.end)
		}
	}
}
