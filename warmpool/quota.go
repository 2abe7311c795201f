package warmpool

import (
	"slices"
	"sync"
	"sync/atomic"
)

// A quota counts the invocations of one function over all of its versions, for
// its reserved concurrency bounds them together.
type quota struct {
	inFlight atomic.Int64
	shared   atomic.Bool // there are several groups

	mu     sync.Mutex // guards groups
	groups []*Group
}

// enter counts one invocation more, unless there are limit.
func (q *quota) enter(limit *int) bool {
	if limit == nil {
		q.inFlight.Add(1)
		return true
	}
	for {
		n := q.inFlight.Load()
		if n >= int64(*limit) {
			return false
		}
		if q.inFlight.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (q *quota) leave() { q.inFlight.Add(-1) }

// wakeOthers lets the callers of other versions have what g has left. It is
// called without any group's mu.
func (q *quota) wakeOthers(g *Group) {
	if !q.shared.Load() {
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
		q = &quota{}
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
	}
}
