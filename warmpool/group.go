package warmpool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/keepalive"
	"github.com/hearthfn/hearth/warmpool/quota"
)

// A member is an environment as its group sees it. Its fields are guarded by the
// group's mu.
type member struct {
	group       *Group
	env         *environment.Environment
	generation  int  // of the code it was made from
	takes       need // as reserved
	load        int  // calls given to it and not returned
	slotted     int  // calls that run and have a slot of the allotment
	available   bool // in the available stack
	dead        bool // it takes no call any more
	leaving     bool // it takes no more calls: it is given up when the calls it has are over
	yielding    bool // it is counted in the yielding of the pool
	provisioned bool // it was initialised ahead
	begun, made time.Time
	stem        bool // it was made from a stem
	idleSince   time.Time
	spent       time.Duration // of the last call
	ran         bool          // a call since it was idle last
	fresh       bool          // it has run no call: its first is no use after idling
	priority    float64       // of the environment to stay, since it is idle
	used        bool          // since its memory was sampled last
	pagedOut    time.Time     // the idleSince for which its memory was moved to swap

	// lent is how many MB of takes it has lent while it is idle (lend.go). It is written with the
	// mu of the pool, and set with that of the group, too.
	lent atomic.Int64
}

// A Group has the environments of one version of a function, and the callers who wait for
// one.
type Group struct {
	pool     *Pool
	name     string
	version  string
	quota    *quota.Quota
	counted  lazyCounters
	tallies  tallies
	refs     int          // guarded by the pool's mu
	takes    need         // of the budget; guarded by the pool's mu
	reserved atomic.Bool  // the function has reserved concurrency
	part     atomic.Int64 // takes as a part of the budget; written under the pool's mu

	following following

	mu            sync.Mutex
	fn            *function.Function // replaced, never changed
	generation    int                // of the code; environments of an older one are retired
	members       []*member          // every environment that is not gone
	available     []*member          // stack: those with room, the warmest last
	waiters       waiters
	inFlight      int  // calls given to members
	onProvisioned int  // of inFlight, those that have a provisioned one
	starting      int  // cold starts under way
	launching     int  // of starting, those whose process is being started or loads the code
	claimed       bool // the next room in the budget is claimed for it
	crowd         crowd
	handed        int // calls passed to other nodes since this counter last led to a start
	pace          pace
	history       keepalive.History
	lastUse       time.Time // when a member became idle last
	closed        bool
	failures      int       // of starts on demand, in a row
	failed        error     // of the last one; callers get it until notBefore
	notBefore     time.Time // no start on demand until then
	ahead         ahead
	stemKind      *StemKind // the kind of stems that the group's starts take; nil: none
}

func newGroup(p *Pool, f *function.Function) *Group {
	g := &Group{pool: p, name: f.Name, version: f.Version, fn: f, refs: 1}
	g.reserved.Store(f.ReservedConcurrency != nil)
	g.quota = p.quotas.Join(g.name, (*quotaMember)(g))
	return g
}

// Function is the group's present configuration. It must not be changed.
func (g *Group) Function() *function.Function {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fn
}

// Configure replaces the group's function by f, which suits the existing environments
// (Function.SameEnvironment), and starts the environments that f has provisioned. It gives
// up those that are not provisioned any more.
func (g *Group) Configure(f *function.Function) {
	g.mu.Lock()
	g.fn = f
	g.reserved.Store(f.ReservedConcurrency != nil)
	g.ahead.excess = true
	g.displace()
	g.mu.Unlock()
	g.expectStems()
	g.grow()
}

// Invoke runs c in an environment of the function's. ctx ends only the wait for
// one: a call that has begun runs on. Nil means that c has an outcome. Otherwise
// the error is a *ThrottledError, an *environment.InitError, a *StartError,
// ErrClosed, or ctx's.
func (g *Group) Invoke(ctx context.Context, c *environment.Call) error {
	return g.invoke(ctx, c, nil)
}

// invoke is Invoke. If elsewhere is not nil, invoke calls it again and again while c waits
// and no environment is being started for c. elsewhere reports whether it ran c, and its error.
func (g *Group) invoke(ctx context.Context, c *environment.Call, elsewhere func() (bool, error)) error {
	var s *spans // nil: nobody traces the call
	if parent := trace.SpanFromContext(ctx); parent.IsRecording() {
		s = g.spans(ctx, parent)
	}
	var began time.Time // when the wait began; zero: c has not waited
	for deaths := 0; ; {
		m, err := g.acquire(ctx, c, &began, elsewhere != nil)
		if errors.Is(err, errElsewhere) {
			if ran, err := elsewhere(); ran {
				return err
			}
			continue // at the head of the queue, about where it was
		}
		if err != nil && s != nil {
			s.failed(err)
		}
		var failed *environment.InitError
		if errors.As(err, &failed) {
			return failed.Of(c)
		}
		if err != nil {
			return err
		}
		if m.lent.Load() > 0 && !g.pool.regain(g, m) {
			g.cede(m)
			if began.IsZero() {
				began = time.Now() // it was accepted
			}
			continue
		}
		if s != nil {
			s.acquired(m, c)
		}
		reserved := g.reserved.Load()
		g.pool.enter(reserved)
		err = m.env.Invoke(c)
		g.pool.leave(reserved)
		if s != nil {
			s.returned(c, err)
		}
		g.release(m, c, err, s.sampled())
		if !errors.Is(err, environment.ErrNotStarted) {
			return err
		}
		if m.env.State() >= environment.StateShutdown {
			if deaths++; deaths == maxDeaths {
				return &StartError{Function: g.name, Err: fmt.Errorf("%d environments in a row ended before they took the call: "+
					"does the code end the process after it has loaded?", deaths)}
			}
		}
		// The call was taken back. It was accepted before, so it goes to the head of the queue.
		c.Again()
		if began.IsZero() {
			began = time.Now()
		}
	}
}

// Initialize has an environment ready for calls: an idle one, or a new one that has had its init
// phase. c takes part in nothing but the wait. The errors are those of Invoke.
func (g *Group) Initialize(ctx context.Context, c *environment.Call) error {
	var began time.Time
	m, err := g.acquire(ctx, c, &began, false)
	if err != nil {
		return err
	}
	g.undoTake(m)
	return nil
}

// maxDeaths is how many environments may end under a call that they have not
// begun, before the call is given up.
const maxDeaths = 5

// acquire returns a member to which c is now counted.
func (g *Group) acquire(ctx context.Context, c *environment.Call, began *time.Time, asksElsewhere bool) (*member, error) {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return nil, ErrClosed
	}
	c.Timeout, c.Version = g.fn.Timeout, g.version
	again := !began.IsZero()
	if again || g.waiters.len() == 0 {
		if m := g.take(c.Short()); m != nil {
			g.mu.Unlock()
			return m, nil
		}
	}
	if err := g.backingOff(); err != nil {
		g.mu.Unlock()
		return nil, err
	}
	if !again { // a call that comes back was accepted before
		if err := g.refuse(); err != nil {
			g.mu.Unlock()
			return nil, err
		}
	}
	if !again {
		*began = time.Now()
	}
	w := newWaiter(c.Short(), *began)
	if again {
		g.waiters.pushFront(w)
	} else {
		g.waiters.push(w)
	}
	timeout := g.queueTimeout()
	g.growLocked()
	g.mu.Unlock()
	return g.wait(ctx, w, began.Add(timeout), asksElsewhere)
}

// Ready reports whether a call would run at once: an environment is idle, and the
// reserved concurrency leaves room.
func (g *Group) Ready() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || len(g.available) == 0 || g.waiters.len() > 0 {
		return false
	}
	return g.fn.ReservedConcurrency == nil || !g.fills() && g.quota.Room(*g.fn.ReservedConcurrency)
}

// Prefers reports whether this node serves a call better than a node that has an idle
// environment: the call would run at once here, or be written ahead.
func (g *Group) Prefers(c *environment.Call) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed || g.waiters.len() == 0 && (len(g.available) > 0 || g.roomiest(c.Short()) != nil)
}

// ColdCost is how long a cold start is expected to take.
func (g *Group) ColdCost() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if cost := g.history.Cost(); cost > 0 {
		return cost
	}
	return unknownCost
}

// unknownCost is the cost of a function that has not been started here yet.
const unknownCost = 100 * time.Millisecond

// handedBeforeWarm is how many calls this node passes to other nodes before it starts an
// environment of its own. Each passed call takes longer. A cold start in the background delays
// no caller.
const handedBeforeWarm = 3

// Handed counts a call that was passed to another node.
func (g *Group) Handed() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.handed++; g.handed < handedBeforeWarm {
		return
	}
	g.handed = 0
	if !g.closed && !g.claimed && len(g.members)+g.starting == 0 && g.failed == nil && g.pool.ctx.Err() == nil && g.most() > 0 {
		g.starting++
		g.pool.tasks.Go(func() { g.start(OnDemand, false) })
	}
}

// take finds a member with room and counts a call to it. It needs mu.
func (g *Group) take(short bool) *member {
	m := g.roomiest(short)
	if m == nil {
		return nil
	}
	if g.runs(m) {
		if g.fills() {
			return nil
		}
		entered, slotted := g.quota.Enter(g.fn.ReservedConcurrency)
		if !entered {
			return nil // the environments have room for more calls than the function may run
		}
		if slotted {
			m.slotted++
		}
	}
	g.add(m)
	return m
}

// runs reports whether one more call in m would run. Otherwise it would only be written
// ahead, and the reserved concurrency does not bound those. It needs mu.
func (g *Group) runs(m *member) bool { return m.load < g.fn.PerEnvironmentConcurrency }

// roomiest needs mu.
func (g *Group) roomiest(short bool) *member {
	if n := len(g.available); n > 0 {
		for i := n - 1; i >= 0 && g.fn.ProvisionedConcurrency > 0; i-- {
			if g.available[i].provisioned {
				return g.available[i]
			}
		}
		return g.available[n-1]
	}
	if !short || !g.mayWriteAhead() || g.over() {
		return nil
	}
	ahead := g.pace.ahead()
	var least *member
	for _, m := range g.members {
		if m.load < ahead && !m.dead && !m.leaving && m.generation == g.generation && (least == nil || m.load < least.load) && !m.env.Stuck() {
			least = m
		}
	}
	return least
}

// mayWriteAhead reports whether another environment would not help: the function has as many
// as it may have, or as many as there are cores to run short calls.
func (g *Group) mayWriteAhead() bool {
	if g.fn.ReservedConcurrency != nil && g.queueTimeout() < 0 {
		return false // a call behind another one waits
	}
	return g.fn.PerEnvironmentConcurrency == 1 && g.pace.short() &&
		(len(g.members) >= g.most() || len(g.members) >= g.pool.settings.Load().Starts)
}

// over reports whether there are more environments than the function may have,
// because its limit has been lowered. It needs mu.
func (g *Group) over() bool {
	most := g.most()
	if len(g.members) <= most {
		return false
	}
	live := 0
	for _, m := range g.members {
		if !m.dead {
			live++
		}
	}
	return live > most
}

// own is how much of the reserved concurrency this version may have. It needs mu. The function
// must have reserved concurrency.
func (g *Group) own() int { return *g.fn.ReservedConcurrency - g.fn.ReservedElsewhere }

// InFlight is how many calls have an environment.
func (g *Group) InFlight() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inFlight
}

// fills reports whether the running calls use all concurrency that is not provisioned for
// other versions. It needs mu.
func (g *Group) fills() bool { return g.fn.ReservedElsewhere > 0 && g.inFlight >= g.own() }

// most is how many environments the function may have. It needs mu.
func (g *Group) most() int {
	if g.fn.ReservedConcurrency == nil {
		return int(^uint(0) >> 1)
	}
	per := g.fn.PerEnvironmentConcurrency
	return (g.own() + per - 1) / per
}

// add counts a call to m. It needs mu.
func (g *Group) add(m *member) {
	m.load++
	m.used, m.ran = true, true
	g.inFlight++
	g.began(m)
	if m.available && m.load >= g.fn.PerEnvironmentConcurrency {
		g.drop(m)
	}
}

// drop takes m from the available stack. It needs mu.
func (g *Group) drop(m *member) {
	if !m.available {
		return
	}
	m.available = false
	for i := len(g.available) - 1; i >= 0; i-- { // nearly always the last
		if g.available[i] == m {
			g.available = append(g.available[:i], g.available[i+1:]...)
			return
		}
	}
}

// refuse returns an error if a call may not even wait. It needs mu.
func (g *Group) refuse() error {
	switch r := g.fn.ReservedConcurrency; {
	case r != nil && *r == 0:
		g.observeThrottle()
		return &ThrottledError{Function: g.name, Reason: ReasonReserved, Detail: "reserved concurrency is 0", Off: true}
	case r != nil && g.own() == 0:
		return g.throttled("all of it is provisioned for other versions")
	case g.waiters.len() >= g.pool.settings.Load().Queue:
		return g.throttled(fmt.Sprintf("%d callers wait already", g.waiters.len()))
	case r != nil && g.queueTimeout() < 0 && g.waiters.len() >= (g.most()-len(g.members))*g.fn.PerEnvironmentConcurrency:
		// Environments that have yet to start are for the callers who wait already.
		return g.throttled("all environments are busy and calls do not queue")
	}
	return nil
}

// queueTimeout is how long a call waits; negative: not at all. It needs mu.
func (g *Group) queueTimeout() time.Duration {
	return cmp.Or(g.fn.QueueTimeout, g.pool.settings.Load().QueueTimeout)
}

// throttled needs mu.
func (g *Group) throttled(detail string) error {
	g.observeThrottle()
	reason := ReasonConcurrent
	if g.fn.ReservedConcurrency != nil {
		reason = ReasonReserved
		detail = fmt.Sprintf("%s; reserved concurrency is %d", detail, *g.fn.ReservedConcurrency)
	}
	return &ThrottledError{Function: g.name, Reason: reason, Detail: detail}
}
