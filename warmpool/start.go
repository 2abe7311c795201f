package warmpool

import (
	"errors"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/backoff"
	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/function"
)

// Initialization types, as AWS_LAMBDA_INITIALIZATION_TYPE has them.
const (
	OnDemand    = "on-demand"
	Provisioned = "provisioned-concurrency"
)

// grow begins the cold starts that are needed now.
func (g *Group) grow() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.growLocked()
}

// growLocked needs mu.
func (g *Group) growLocked() {
	for !g.claimed {
		initialization, wants := g.wants()
		if !wants {
			return
		}
		g.starting++
		g.pool.tasks.Go(func() { g.start(initialization, false) })
	}
}

// wants reports whether one more cold start is needed now. It needs mu.
func (g *Group) wants() (initialization string, wants bool) {
	switch {
	case g.closed, g.pool.ctx.Err() != nil, g.starting >= g.pool.settings.Load().Starts:
		return "", false
	case g.full():
		g.displace()
		return "", false
	case g.missingProvisioned() > 0:
		return Provisioned, true
	case g.waiters.len() <= g.starting*g.fn.PerEnvironmentConcurrency, g.crowd.pauses():
		return "", false
	case g.failed != nil && time.Now().Before(g.notBefore):
		for err := g.backingOff(); err != nil && g.waiters.len() > 0; {
			g.waiters.pop().finish(nil, err)
		}
		return "", false
	}
	return OnDemand, true
}

// start makes one environment, on a goroutine of its own. room says that a claim has got room
// for it already.
func (g *Group) start(initialization string, room bool) {
	p := g.pool
	f, _, wanted := g.plan(initialization)
	n := needOf(f)
	switch {
	case room:
	case wanted && initialization == OnDemand && g.crowded():
		g.abandonStart()
		p.withdraw(g)
		return // the timer of the crowd tries again
	case wanted && !p.reserve(g, n):
		g.abandonStart()
		p.claim(g, n)
		return
	case !wanted:
		g.abandonStart()
		p.withdraw(g)
		g.grow() // a caller may have come meanwhile and relied on this start
		return
	}
	turn := p.turns.enter(g)
	f, generation, wanted := g.plan(initialization) // reserve may have taken time
	if turn == nil || !wanted {
		if turn != nil {
			p.turns.leave(turn)
		}
		p.unreserve(g, n)
		g.abandonStart()
		g.grow()
		return
	}
	g.launch(1)
	g.follow(f) // before the code is read, so that no change is missed
	s := Start{Function: f, Initialization: initialization, Begun: turn.began, Busy: &p.busy, Ended: g.ended,
		Loading: func() { g.counters() }} // the first makes fifty series
	if kind, ok := p.starter.StemKind(f); ok {
		g.expectOtherStems(kind)
		s.Stem = p.stems.take(kind)
		if s.Stem == nil && kind.Preloaded {
			kind.Preloaded = false
			s.Stem = p.stems.take(kind)
		}
	}
	p.metrics.countColdStart(f.Runtime, s.Stem != nil)
	g.count(func(s *Sample) { s.ColdStarts++ })
	begun := time.Now()
	env, err := p.starter.Start(p.ctx, s)
	p.turns.leave(turn)
	defer p.stems.refill() // no caller waits for that
	if err != nil {
		p.unreserve(g, n)
		g.startFailed(generation, initialization, err)
		return
	}
	g.counters().initDuration.Observe(env.InitDuration.Seconds())
	g.count(func(s *Sample) { s.InitDuration.Observe(milliseconds(env.InitDuration)) })
	g.started(n, generation, s, begun, env)
}

// needOf is how much of the budget an environment of f takes.
func needOf(f *function.Function) need {
	n := need{memoryMB: f.MemoryMB, environments: 1, descriptors: environmentDescriptors}
	if strings.HasPrefix(f.Runtime, "provided") {
		n.descriptors += bridgeDescriptors
	}
	return n
}

func (g *Group) launch(n int) {
	g.mu.Lock()
	g.launching += n
	g.mu.Unlock()
}

// plan returns the function to start, or that the start is no longer needed.
func (g *Group) plan(initialization string) (f *function.Function, generation int, wanted bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	wanted = !g.closed && (g.waiters.len() > 0 || initialization == Provisioned)
	return g.fn, g.generation, wanted
}

// expectStems makes the pool boot stems for future starts of g.
func (g *Group) expectStems() {
	f := g.Function()
	kind, ok := g.pool.starter.StemKind(f)
	g.mu.Lock()
	first := ok && g.stemKind == nil && !g.closed
	if first {
		g.stemKind = &kind
	}
	g.mu.Unlock()
	if first {
		g.pool.stems.expect(kind, 1)
	}
}

// expectOtherStems makes the pool boot stems of another kind from now on, because the kind of
// the function has changed: an interpreter or an SDK has been installed.
func (g *Group) expectOtherStems(kind StemKind) {
	g.mu.Lock()
	before := g.stemKind
	changed := before != nil && *before != kind && !g.closed
	if changed {
		g.stemKind = &kind
	}
	g.mu.Unlock()
	if changed {
		g.pool.stems.expect(*before, -1)
		g.pool.stems.expect(kind, 1)
	}
}

func (g *Group) abandonStart() {
	g.mu.Lock()
	g.starting--
	g.mu.Unlock()
}

// started adds a new environment and serves the waiters.
func (g *Group) started(n need, generation int, s Start, begun time.Time, env *environment.Environment) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.starting--
	g.launching--
	if env.State() >= environment.StateShutdown {
		// The environment has ended already, and ended did not find it.
		g.pool.tasks.Go(func() { g.pool.unreserve(g, n) })
		g.dismissWaiters()
		return
	}
	now := time.Now()
	m := &member{group: g, env: env, takes: n, begun: begun, made: now, stem: s.Stem != nil, generation: generation,
		provisioned: s.Initialization == Provisioned, idleSince: now, fresh: true}
	g.failures, g.failed = 0, nil
	if m.provisioned {
		g.ahead.forget()
		g.ahead.excess = true
	}
	g.history.Started(env.InitDuration)
	if len(g.members) == 0 && !g.lastUse.IsZero() {
		g.history.Missed(time.Since(g.lastUse))
	}
	g.pool.tasks.Add(1) // until ended
	g.members = append(g.members, m)
	g.place(m)
	g.growLocked()
}

// startFailed fails the callers that only this start could have helped.
func (g *Group) startFailed(generation int, initialization string, err error) {
	var initError *environment.InitError
	if !errors.As(err, &initError) {
		err = &StartError{Function: g.name, Err: err}
	}
	if g.pool.ctx.Err() == nil {
		g.pool.log.Error("environment failed to start", zap.String("function", g.name), zap.Error(err))
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.starting--
	g.launching--
	if g.closed {
		g.dismissWaiters()
		return
	}
	if generation != g.generation {
		g.growLocked() // the code has been replaced meanwhile
		return
	}
	if initialization == Provisioned {
		g.initFailed(err)
		return
	}
	g.backOff(err)
	// Without any other environment, each waiting caller would start the same code and fail
	// the same way. Otherwise one caller gets the error, as on Lambda.
	for g.waiters.len() > 0 {
		g.waiters.pop().finish(nil, err)
		if g.starting > 0 || len(g.members) > 0 {
			break
		}
	}
}

// backOff counts a failed start. The next caller may try at once, as on Lambda. If that start
// fails too, nobody starts the same code for a while: a quarter of a second, doubled up to
// half a minute. Callers get the error meanwhile. It needs mu.
func (g *Group) backOff(err error) {
	g.failures++
	g.failed, g.notBefore = err, time.Time{}
	if g.failures > 1 {
		g.notBefore = time.Now().Add(backoff.Backoff{First: 250 * time.Millisecond, Most: 30 * time.Second}.After(g.failures - 1))
	}
}

// backingOff is the error for a caller that needs a start while none may be tried yet and no
// other environment can serve it. It needs mu.
func (g *Group) backingOff() error {
	if g.failed == nil || g.starting > 0 || len(g.members) > 0 || !time.Now().Before(g.notBefore) {
		return nil
	}
	return g.failed
}
