package warmpool

import "time"

// pageOutAfter is how long an environment is idle before its memory goes to swap: a call that
// comes then waits for the disk.
const pageOutAfter = time.Minute

// pageOut has the memory of environments of g that have been idle for long moved to swap, one
// after the other, and not while others of the pool are.
func (p *Pool) pageOut(g *Group, now time.Time) {
	if !p.pagingOut.CompareAndSwap(false, true) {
		return
	}
	g.mu.Lock()
	var idle []*member
	for _, m := range g.members {
		if m.load == 0 && !m.dead && !m.leaving && !m.provisioned && now.Sub(m.idleSince) >= pageOutAfter && !m.pagedOut.Equal(m.idleSince) {
			m.pagedOut = m.idleSince
			idle = append(idle, m)
		}
	}
	g.mu.Unlock()
	if len(idle) == 0 {
		p.pagingOut.Store(false)
		return
	}
	p.tasks.Go(func() {
		defer p.pagingOut.Store(false)
		for _, m := range idle {
			if p.ctx.Err() == nil {
				m.env.PageOut()
			}
		}
	})
}
