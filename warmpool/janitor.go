package warmpool

import "time"

// janitor gives up environments that have been idle for too long. It also samples memory, so
// that calls need not.
func (p *Pool) janitor() {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-p.ctx.Done():
			return
		case now := <-ticker.C:
			p.mu.Lock()
			groups := p.snapshot()
			p.mu.Unlock()
			p.stems.trim(now)
			p.retryClaims()
			timeout := p.settings.Load().IdleTimeout
			for _, g := range groups {
				g.sampleMemory()
				p.lend(g, now)
				p.pageOut(g, now)
				g.expire(now, timeout)
				p.forget(g)
			}
		}
	}
}

// forget drops a group that has ended and has nothing left.
func (p *Pool) forget(g *Group) {
	g.mu.Lock()
	over := g.closed && g.starting == 0 && len(g.members) == 0
	g.mu.Unlock()
	if over {
		p.mu.Lock()
		delete(p.ending, g)
		p.quotas.Part(g.quota, (*quotaMember)(g))
		if !p.hasFunction(g.name) {
			p.metrics.drop(g.name) // under mu: else it could drop the counters of a new group
		}
		p.mu.Unlock()
	}
}

// hasFunction reports whether any version of a function is retained or has environments left. It
// needs mu.
func (p *Pool) hasFunction(function string) bool {
	for key := range p.groups {
		if key.function == function {
			return true
		}
	}
	for g := range p.ending {
		if g.name == function {
			return true
		}
	}
	return false
}

// expire retires environments that are not worth keeping any longer, after most at the
// latest. The provisioned ones stay.
func (g *Group) expire(now time.Time, most time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.members) == 0 {
		return
	}
	before := now.Add(-g.history.Window(most))
	for _, m := range g.members {
		if !m.provisioned && !m.dead && m.load == 0 && m.idleSince.Before(before) {
			g.retire(m)
		}
	}
}

func (g *Group) sampleMemory() {
	g.mu.Lock()
	var used []*member
	for _, m := range g.members {
		if m.used && !m.dead {
			m.used = m.load > 0
			used = append(used, m)
		}
	}
	g.mu.Unlock()
	for _, m := range used {
		m.env.SampleMemory()
	}
}
