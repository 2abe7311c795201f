package warmpool

import (
	"github.com/hearthfn/hearth/warmpool/environment"
)

// ended is called when an environment is gone.
func (g *Group) ended(env *environment.Environment) {
	g.mu.Lock()
	var m *member
	for i := range g.members {
		if g.members[i].env == env {
			m = g.members[i]
			g.members = append(g.members[:i], g.members[i+1:]...)
			break
		}
	}
	if m != nil {
		m.dead = true
		g.drop(m)
		if m.yielding {
			g.pool.yielding.Add(-1)
		}
	}
	g.dismissWaiters()
	g.growLocked()
	g.mu.Unlock()
	if m != nil {
		g.pool.unreserveMember(m)
		g.pool.tasks.Done()
	}
}

// retire asks m to end. It needs mu, and m has no calls.
func (g *Group) retire(m *member) {
	if m.dead {
		return
	}
	m.dead = true
	g.drop(m)
	grace := g.pool.settings.Load().ShutdownGrace
	g.pool.tasks.Go(func() { m.env.Shutdown(grace) })
}

// Renew retires the environments of the code that there was, because it has
// changed: new calls run the new code, those in flight finish on the old.
func (g *Group) Renew() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.generation++
	g.pace = pace{}
	g.failures, g.failed = 0, nil
	g.ahead.forget()
	for _, m := range g.members {
		g.drop(m)
		if m.load == 0 {
			g.retire(m)
		}
	}
	g.growLocked()
}

// close takes no more calls and ends all environments when they are idle.
func (g *Group) close() {
	g.unfollow()
	if kind := g.endIntake(); kind != nil {
		g.pool.stems.expect(*kind, -1)
	}
}

// endIntake returns the kind of stems that are not needed for g any more.
func (g *Group) endIntake() *StemKind {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil
	}
	g.closed = true
	if g.ahead.retry != nil {
		g.ahead.retry.Stop()
	}
	g.crowd.stop()
	g.dismissWaiters()
	for _, m := range g.members {
		if m.load == 0 {
			g.retire(m)
		}
	}
	return g.stemKind
}

// dismissWaiters has callers who wait look for the group that has come in place of this one,
// which is closed. Those for whom an environment is just being made stay: else a
// function that changes more often than it starts would answer nobody. It needs mu.
func (g *Group) dismissWaiters() {
	if !g.closed {
		return
	}
	stay := g.launching * g.fn.PerEnvironmentConcurrency
	if g.pool.ctx.Err() != nil {
		stay = 0
	}
	for g.waiters.len() > stay {
		g.waiters.remove(g.waiters.back()).finish(nil, ErrClosed)
	}
}

// kill ends all environments now.
func (g *Group) kill() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range g.members {
		m.dead = true
		g.drop(m)
		g.pool.tasks.Go(func() { m.env.Shutdown(0) })
	}
}
