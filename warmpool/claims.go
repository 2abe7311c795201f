package warmpool

import (
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// A claim belongs to a function for which there was no room: it gets the next room that
// becomes free. Of several functions, the one that has the least comes first.
//
// Environments of a function with a steady stream of callers are never idle. Without
// claims, nothing would become free beside such a flood. While there are claims, a function
// that has much more gives up an environment as soon as its call is over, even if other
// callers wait for it (wanted).
type claim struct {
	group  *Group
	need   need
	since  time.Time
	trying bool // the pool searches for idle environments to give up for it
}

// claims are in no order.
type claims []*claim

const (
	// headTime is how long room is gathered for a claim that needs more than is free.
	// After that smaller claims are served before it.
	headTime = 2 * time.Second
	// complainInterval is how often the pool logs that there is no room.
	complainInterval = time.Minute
)

// before reports whether a claim comes before a start of g. It needs the pool's mu.
func (c claims) before(g *Group) bool {
	now := time.Now()
	part, since := g.part.Load(), now
	if i := c.index(g); i >= 0 {
		since = c[i].since
	}
	for _, other := range c {
		if other.group == g || now.Sub(other.since) >= headTime {
			continue
		}
		if p := other.group.part.Load(); p < part || p == part && other.since.Before(since) {
			return true
		}
	}
	return false
}

func (c claims) index(g *Group) int {
	return slices.IndexFunc(c, func(c *claim) bool { return c.group == g })
}

// claim gives g room as soon as there is some.
func (p *Pool) claim(g *Group, n need) {
	p.mu.Lock()
	now := time.Now()
	i := p.claims.index(g)
	if i < 0 {
		p.claims = append(p.claims, &claim{group: g, need: n, since: now})
	} else {
		p.claims[i].trying = false
	}
	g.mu.Lock()
	g.claimed = true
	g.mu.Unlock()
	complain := now.Sub(p.complained) > complainInterval
	if complain {
		p.complained = now
	}
	p.mu.Unlock()
	if complain {
		p.log.Warn("no room for an environment: all of the memory budget, the concurrency or the descriptors is in use",
			zap.String("function", g.name), zap.Int("memory_mb", n.memoryMB))
	}
	p.arrange()
}

// withdraw ends the claim of g, if it has one.
func (p *Pool) withdraw(g *Group) {
	p.mu.Lock()
	p.withdrawLocked(g)
	p.mu.Unlock()
	p.arrange()
}

// withdrawLocked needs mu.
func (p *Pool) withdrawLocked(g *Group) {
	if i := p.claims.index(g); i >= 0 {
		p.claims = slices.Delete(p.claims, i, i+1)
	}
}

// arrange gives free room to the claims, and makes more room for the others.
func (p *Pool) arrange() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.claims) == 0 {
		return
	}
	slices.SortStableFunc(p.claims, func(a, b *claim) int {
		switch x, y := a.group.part.Load(), b.group.part.Load(); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	left := p.claims[:0]
	gathers := false
	for _, c := range p.claims {
		switch {
		case p.ctx.Err() != nil || !c.trying && !c.group.unclaim(false):
			// The group does not need room any more.
		case !c.trying && !gathers && p.budget.fits(c.need) && c.group.unclaim(true):
			p.take(c.group, c.need)
		default:
			left = append(left, c)
			gathers = gathers || len(left) == 1 && time.Since(c.since) < headTime
		}
	}
	clear(p.claims[len(left):])
	p.claims = left
	p.want()
	if len(left) > 0 && left[0] != p.head {
		// Idle environments may be given up for this claim that may not for the one before.
		p.head = left[0]
		p.head.retry()
	}
}

// want sets which environments are to be given up for the claims. It needs mu.
func (p *Pool) want() {
	if len(p.claims) == 0 {
		p.wanted.Store(nil)
		return
	}
	groups := p.snapshot()
	var w *wanted
	for _, c := range p.claims {
		rule := p.givers(c.group, c.need, groups, p.budget.total)
		i := slices.IndexFunc(groups, func(g *Group) bool { return rule.allows(g.part.Load()) })
		if i < 0 {
			continue
		}
		if w == nil {
			w = &wanted{rule: rule}
			w.left.Store(-p.yielding.Load())
		}
		// So many environments make room if all are as large as those of the first giver.
		one := max(1, groups[i].takes.memoryMB/max(1, groups[i].takes.environments))
		w.left.Add(int32(max(1, (c.need.memoryMB+one-1)/one)))
	}
	p.wanted.Store(w)
}

// wanted says how many environments are to be given up, and by which functions.
type wanted struct {
	rule giverRule
	left atomic.Int32
}

// one reports whether a group must give up one environment, and counts it if so.
func (w *wanted) one(g *Group) bool {
	if !w.rule.allows(g.part.Load()) {
		return false
	}
	for {
		n := w.left.Load()
		if n <= 0 {
			return false
		}
		if w.left.CompareAndSwap(n, n-1) {
			return true
		}
	}
}

// A giverRule is the smallest part of the budget at which a function must give up
// environments for another function.
type giverRule struct{ least int64 }

func (r giverRule) allows(part int64) bool { return part >= r.least && part > 0 }

// givers is the rule when g needs n. The functions give that have at least half of what the
// largest function has. If g has environments itself, a function gives only if it has more
// than g afterwards, so that environments do not move back and forth.
func (p *Pool) givers(g *Group, n need, groups []*Group, total need) giverRule {
	var largest int64
	for _, other := range groups {
		if other != g {
			largest = max(largest, other.part.Load())
		}
	}
	least := largest / 2
	if own := g.part.Load(); own > 0 {
		least = max(least, own+2*n.partOf(total))
	}
	return giverRule{least}
}

// unclaim reports whether g still wants a start. If there is room, it begins one.
func (g *Group) unclaim(room bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	initialization, wants := g.wants()
	if !wants {
		g.claimed = false
	} else if room {
		g.claimed = false
		g.starting++
		g.pool.tasks.Go(func() { g.start(initialization, true) })
	}
	return wants
}

// retryClaims makes the groups with claims search again for idle environments.
func (p *Pool) retryClaims() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.claims {
		c.retry()
	}
}

// retry makes the group search again for idle environments. It needs the pool's mu.
func (c *claim) retry() {
	g := c.group
	g.mu.Lock()
	defer g.mu.Unlock()
	initialization, wants := g.wants()
	if c.trying || !wants {
		return
	}
	c.trying, g.claimed = true, false
	g.starting++
	g.pool.tasks.Go(func() { g.start(initialization, false) })
}
