package warmpool

import (
	"time"

	"github.com/hearthfn/hearth/warmpool/environment"
)

// release ends the use of m by c, and gives m to the next caller. traceID is that of the trace that
// the call is sampled in, or "".
func (g *Group) release(m *member, c *environment.Call, err error, traceID string) {
	g.mu.Lock()
	g.subtract(m)
	spilled := g.fn.ProvisionedConcurrency > 0
	if err == nil {
		g.pace.observe(c.Duration)
		m.spent = c.Duration
		if c.Outcome == environment.OutcomeTimeout || c.Outcome == environment.OutcomeExit {
			m.dead = true
		}
	} else if m.env.State() >= environment.StateShutdown {
		m.dead = true
	}
	g.leave(m)
	if err == nil {
		g.observe(c, m, spilled, traceID)
	}
}

// leave gives the room of a call that m had to the waiters, and unlocks mu.
func (g *Group) leave(m *member) {
	left := g.runs(m)
	if left {
		slotted := m.slotted > 0
		if slotted {
			m.slotted--
		}
		g.quota.Leave(slotted)
	}
	g.place(m)
	g.mu.Unlock()
	if left {
		g.quota.WakeOthers((*quotaMember)(g))
	}
}

// undoTake undoes take for a call that was not made.
func (g *Group) undoTake(m *member) {
	g.mu.Lock()
	g.subtract(m)
	g.leave(m)
}

// subtract undoes add, but for the place of m. It needs mu.
func (g *Group) subtract(m *member) {
	m.load--
	g.inFlight--
	if m.provisioned {
		g.onProvisioned--
	}
}

// place decides what happens to a member that has one call less, and serves the waiters. It
// needs mu.
func (g *Group) place(m *member) {
	g.yield(m)
	switch {
	case m.dead:
		g.drop(m)
	case m.leaving || m.generation != g.generation || g.closed && g.waiters.len() == 0 || g.over() || m.load == 0 && g.displaced(m):
		g.drop(m)
		if m.load == 0 {
			g.retire(m)
		}
	case m.load < g.fn.PerEnvironmentConcurrency && !m.available:
		m.available = true
		g.available = append(g.available, m)
	}
	// This comes before m goes to a waiter: then it has not been idle at all.
	if m.load == 0 {
		now := time.Now()
		if m.ran && !m.fresh {
			g.history.Used(now.Sub(m.idleSince) - m.spent)
		}
		m.ran, m.fresh = false, m.fresh && !m.ran
		m.idleSince, g.lastUse = now, now
	}
	if g.waiters.len() > 0 {
		g.serve()
	}
	if m.load == 0 {
		m.priority = g.pool.clock.Priority(g.history.Uses(), g.history.Cost(), m.takes.memoryMB)
		if g.closed {
			g.retire(m) // it stayed only for the callers who waited
		}
	}
}

// yield gives up m if another function claims room and this one must make it. m must have run
// a call. If m is the only environment of its function, it must have been useful for some
// time, so that functions that take turns do more than start. It needs mu.
func (g *Group) yield(m *member) {
	w := g.pool.wanted.Load()
	if w == nil || m.dead || m.leaving || !m.ran || m.provisioned ||
		len(g.members) == 1 && g.waiters.len() > 0 && time.Since(m.made) < tenure*m.env.InitDuration || !w.one(g) {
		return
	}
	m.leaving, m.yielding = true, true
	g.pool.yielding.Add(1)
}

// tenure is how long such an environment stays at least, as a multiple of its start.
const tenure = 4

// serve gives members with room to the first waiters. It needs mu.
func (g *Group) serve() {
	for g.waiters.len() > 0 {
		m := g.take(g.waiters.front().short)
		if m == nil {
			return
		}
		g.waiters.pop().finish(m, nil)
	}
}
