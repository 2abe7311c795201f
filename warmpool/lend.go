package warmpool

import (
	"slices"
	"time"
)

// An idle environment that is frozen cannot grow, so it counts in the budget with the memory that
// it uses. It lends the rest of its function's setting to other environments. Before its next call
// it takes the rest back, and environments that are idle are given up for that if necessary. If
// that is not enough, the environment itself is given up and its caller waits like one without an
// environment. So the settings of the environments that run, and the memory of the others, never
// exceed the budget together: no environment that grows takes memory that another one has.
//
// The budget bounds how much is lent at once (Config.Overcommit), because all that is lent may be
// wanted back at once.

const (
	// lendAfter is how long an environment is idle before it lends.
	lendAfter = 5 * time.Second
	// lendFrom is the part of the budget from which on environments lend. Below it there is room.
	lendFrom = 2
	// lendMarginMB is kept beside the memory that was measured.
	lendMarginMB = 4
	// DefaultOvercommit is the default of Config.Overcommit.
	DefaultOvercommit = 4
)

// holds is what m counts with in the budget.
func (m *member) holds() need {
	n := m.takes
	n.memoryMB -= int(m.lent.Load())
	return n
}

// lend has the environments of g lend what they do not use, if memory is short.
func (p *Pool) lend(g *Group, now time.Time) {
	if !p.lends() {
		return
	}
	g.mu.Lock()
	var idle []*member
	for _, m := range g.members {
		if g.mayLend(m, now) {
			idle = append(idle, m)
		}
	}
	g.mu.Unlock()
	for _, m := range idle {
		if used, ok := m.env.Frozen(); ok {
			p.lendOf(g, m, now, int(used>>20)+lendMarginMB)
		}
	}
}

// lends reports whether memory is short enough.
func (p *Pool) lends() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.budget.used.memoryMB > p.budget.total.memoryMB/lendFrom
}

// mayLend needs mu of g.
func (g *Group) mayLend(m *member, now time.Time) bool {
	return m.load == 0 && !m.dead && !m.leaving && !m.provisioned && m.lent.Load() == 0 &&
		g.fn.PerEnvironmentConcurrency == 1 && now.Sub(m.idleSince) >= lendAfter
}

// lendOf has m lend all but some memory. m was frozen a moment ago; if it had a call since, it lends
// nothing.
func (p *Pool) lendOf(g *Group, m *member, now time.Time, keepsMB int) {
	p.mu.Lock()
	g.mu.Lock()
	lent := m.takes.memoryMB - keepsMB
	most := int(float64(p.budget.total.memoryMB)*(p.settings.Load().Overcommit-1)) - p.budget.lentMB
	lends := lent > 0 && lent <= most && g.mayLend(m, now)
	if lends {
		m.lent.Store(int64(lent))
		m.priority = p.clock.Priority(g.history.Uses(), g.history.Cost(), keepsMB)
	}
	g.mu.Unlock()
	if lends {
		p.budget.lentMB += lent
		p.give(g, need{memoryMB: lent})
	}
	p.mu.Unlock()
	if lends {
		p.arrange()
	}
}

// regain takes back what m has lent, before it has a call. It reports whether there was room.
func (p *Pool) regain(g *Group, m *member) bool {
	for {
		p.mu.Lock()
		n := need{memoryMB: int(m.lent.Load())}
		if p.budget.fits(n) {
			m.lent.Store(0)
			p.budget.lentMB -= n.memoryMB
			p.take(g, n)
			p.mu.Unlock()
			return true
		}
		idle, enough := p.spare(g, n, true)
		if !enough {
			return false
		}
		if len(idle) == 0 {
			if p.stems.giveUp() {
				continue
			}
			return false
		}
		p.giveUpOne(idle)
	}
}

// spare returns the idle environments that may be given up for n more of g, those of g itself if
// own, and whether they and the stems are enough. It needs mu, and unlocks it.
func (p *Pool) spare(g *Group, n need, own bool) (idle []idleMember, enough bool) {
	groups := p.snapshot()
	missing := p.budget.used.minus(p.budget.stems).plus(n)
	total := p.budget.total
	p.mu.Unlock()
	rule := p.givers(g, n, groups, total)
	before := time.Now().Add(-keepIdle)
	for _, other := range groups {
		if other != g || own {
			idle = other.idle(idle, other == g || rule.allows(other.part.Load()), before)
		}
	}
	for _, i := range idle {
		missing = missing.minus(i.takes)
	}
	return idle, missing.within(total)
}

// giveUpOne ends the environment that is the cheapest to lose. It returns when it has ended.
func (p *Pool) giveUpOne(idle []idleMember) {
	cheapest := slices.MinFunc(idle, func(a, b idleMember) int {
		if a.priority < b.priority {
			return -1
		}
		return 1
	})
	// The environment counts until its process has ended, so that the budget is never exceeded.
	if gone := cheapest.group.retireIdle(cheapest.member); gone != nil {
		p.clock.Evicted(cheapest.priority)
		<-gone
	}
}

// cede ends m, which could not take back what it has lent, and undoes the take of a call.
func (g *Group) cede(m *member) {
	g.mu.Lock()
	g.subtract(m)
	m.leaving = true
	g.leave(m)
}
