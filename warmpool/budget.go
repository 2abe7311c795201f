package warmpool

import "time"

// A need is how much of a node environments or stems take.
type need struct{ memoryMB, environments, descriptors int }

func (n need) plus(o need) need {
	return need{n.memoryMB + o.memoryMB, n.environments + o.environments, n.descriptors + o.descriptors}
}

func (n need) minus(o need) need {
	return need{n.memoryMB - o.memoryMB, n.environments - o.environments, n.descriptors - o.descriptors}
}

func (n need) within(o need) bool {
	return n.memoryMB <= o.memoryMB && n.environments <= o.environments && n.descriptors <= o.descriptors
}

// whole is the part that stands for a whole budget.
const whole = 1_000_000

// partOf is n as a part of total, in millionths, by the scarcest resource of n.
func (n need) partOf(total need) int64 {
	return max(
		int64(n.memoryMB)*whole/int64(max(1, total.memoryMB)),
		int64(n.environments)*whole/int64(max(1, total.environments)),
		int64(n.descriptors)*whole/int64(max(1, total.descriptors)),
	)
}

// A budget counts what all environments of a node take.
type budget struct {
	total need
	used  need
	stems need // of used
	// lentMB is what idle environments have lent: their functions' settings are as much more than used.
	lentMB int
}

func (b *budget) fits(n need) bool { return b.used.plus(n).within(b.total) }

// keepIdle is the time after its last call in which an idle environment is not given up
// for a function that has more than its own. It is shorter than the default wait of callers.
// So on a small node that is not busy callers get the idle environments in time, and are
// not throttled.
const keepIdle = time.Second

// reserve counts one more environment of g. When there is no room it gives up idle
// environments of other functions. It reports whether there is room.
func (p *Pool) reserve(g *Group, n need) bool {
	for {
		p.mu.Lock()
		if p.claims.before(g) {
			p.mu.Unlock()
			break
		}
		if p.budget.fits(n) {
			p.take(g, n)
			p.withdrawLocked(g)
			p.mu.Unlock()
			return true
		}
		idle, enough := p.spare(g, n, false)
		if !enough {
			break // giving up all that is idle would not help
		}
		if len(idle) == 0 {
			if p.stems.giveUp() {
				continue
			}
			break
		}
		p.giveUpOne(idle)
	}
	return false
}

// give undoes take. It needs mu.
func (p *Pool) give(g *Group, n need) {
	p.budget.used = p.budget.used.minus(n)
	g.takes = g.takes.minus(n)
	g.part.Store(g.takes.partOf(p.budget.total))
}

// take counts n for g. It needs mu.
func (p *Pool) take(g *Group, n need) {
	p.budget.used = p.budget.used.plus(n)
	g.takes = g.takes.plus(n)
	g.part.Store(g.takes.partOf(p.budget.total))
}

// unreserve undoes reserve and lets starts that found no room try again.
func (p *Pool) unreserve(g *Group, n need) {
	p.mu.Lock()
	p.give(g, n)
	p.mu.Unlock()
	p.arrange()
}

// unreserveMember undoes reserve for an environment that has ended.
func (p *Pool) unreserveMember(m *member) {
	p.mu.Lock()
	p.give(m.group, m.holds())
	p.budget.lentMB -= int(m.lent.Load())
	p.mu.Unlock()
	p.arrange()
}

// reserveStem counts a stem, if stems may take that much and there is room.
func (p *Pool) reserveStem(n need) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := &p.budget
	share := need{b.total.memoryMB / stemShare, 0, b.total.descriptors / stemShare}
	if len(p.claims) > 0 || !b.stems.plus(n).within(share) || !b.fits(n) {
		return false
	}
	b.stems, b.used = b.stems.plus(n), b.used.plus(n)
	return true
}

// totalMB is the memory budget.
func (p *Pool) totalMB() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.budget.total.memoryMB
}

// unreserveStem undoes reserveStem.
func (p *Pool) unreserveStem(n need) {
	p.mu.Lock()
	p.budget.stems = p.budget.stems.minus(n)
	p.budget.used = p.budget.used.minus(n)
	p.mu.Unlock()
	p.arrange()
}

// An idleMember is an environment that may be given up.
type idleMember struct {
	*member
	takes need
	// priority of the environment to stay, comparable between groups.
	priority float64
}

// idle appends the idle environments that may be given up: all of them, or those that
// have not been used since.
func (g *Group) idle(to []idleMember, all bool, since time.Time) []idleMember {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.members) == 0 {
		return to
	}
	for _, m := range g.members {
		if !m.provisioned && !m.dead && m.load == 0 && (all || m.idleSince.Before(since)) {
			to = append(to, idleMember{m, m.holds(), m.priority})
		}
	}
	return to
}

// retireIdle retires m if it is still idle, and returns a channel that is closed when its
// process has ended.
func (g *Group) retireIdle(m *member) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if m.dead || m.load > 0 || m.provisioned {
		return nil
	}
	g.retire(m)
	return m.env.Gone()
}
