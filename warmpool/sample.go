package warmpool

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/timeseries"
)

// A Sample is what happened in a version of a function since the sample before.
type Sample struct {
	Function, Version string
	// Qualifier is what the calls named; "" for none, which also has what is no call's.
	Qualifier string

	Errors, Throttles, Loops, ColdStarts int
	// Duration has a value for each invocation. Times are in milliseconds, memory in MB.
	Duration, InitDuration, Memory timeseries.Stat
	// Provisioned and Spilled are the calls that ran in provisioned environments, and those that
	// did not though the version has provisioned some.
	Provisioned, Spilled int

	// What follows is only in the samples without a qualifier.

	// Concurrent is how many calls of all versions ran at once at most. Where several versions are
	// sampled, the greatest counts: the first one takes it.
	Concurrent int
	// AtOnce is how many calls ran in provisioned environments at once at most, and Kept how many
	// environments the version has provisioned.
	AtOnce, Kept int
}

// A tally counts until the next sample.
type tally struct {
	mu     sync.Mutex
	sample Sample // guarded by mu
}

// tallies are those of a group.
type tallies struct {
	own   tally    // of calls without a qualifier
	named sync.Map // *tally by qualifier
	ahead int      // calls in provisioned environments at once, the most; guarded by the group's mu
	// listed is set while the group is in the samples' list. It is set under the group's mu too.
	listed atomic.Bool
}

// samples list the groups that something has happened in.
type samples struct {
	mu     sync.Mutex
	groups []*Group // guarded by mu
	spare  []*Group
	peak   atomic.Int32 // of all calls at once
	free   atomic.Int32 // of those of functions without reserved concurrency
	one    Sample
}

// touch has the group sampled. It comes after what is to be sampled: a sample that is under way may
// have been there before.
func (g *Group) touch() {
	if g.tallies.listed.Load() || !g.tallies.listed.CompareAndSwap(false, true) {
		return
	}
	s := &g.pool.samples
	s.mu.Lock()
	s.groups = append(s.groups, g)
	s.mu.Unlock()
}

// tally is that of calls by a qualifier.
func (g *Group) tally(qualifier string) *tally {
	if qualifier == "" || qualifier == function.Latest && g.version == function.Latest {
		return &g.tallies.own
	}
	t, found := g.tallies.named.Load(qualifier)
	if !found {
		t, _ = g.tallies.named.LoadOrStore(qualifier, new(tally))
	}
	return t.(*tally)
}

// count changes the counts that are no call's.
func (g *Group) count(change func(s *Sample)) {
	t := g.tally("")
	t.mu.Lock()
	change(&t.sample)
	t.mu.Unlock()
	g.touch()
}

// observe counts a call of m that has an outcome. spilled says that it was one for a provisioned
// environment, and found none.
func (g *Group) observe(c *environment.Call, m *member, spilled bool, traceID string) {
	memoryMB := m.env.PeakMB()
	g.counters().observe(c, traceID)
	t := g.tally(c.Qualifier)
	t.mu.Lock()
	s := &t.sample
	s.Duration.Observe(milliseconds(c.Duration))
	if c.Outcome != environment.OutcomeResult {
		s.Errors++
	}
	switch {
	case m.provisioned:
		s.Provisioned++
	case spilled:
		s.Spilled++
	}
	if memoryMB > 0 {
		s.Memory.Observe(float64(memoryMB))
	}
	t.mu.Unlock()
	g.touch()
}

// milliseconds are whole microseconds: that is more than a clock is good for, and short to write.
func milliseconds(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond)/time.Microsecond) / 1000
}

func (g *Group) observeThrottle() {
	g.counters().throttles.Inc()
	g.count(func(s *Sample) { s.Throttles++ })
}

// began notes how many calls run at once. It needs mu.
func (g *Group) began(m *member) {
	if m.provisioned {
		g.onProvisioned++
		g.tallies.ahead = max(g.tallies.ahead, g.onProvisioned)
	}
	g.touch()
}

// enter counts a call of the pool that is with an environment from now on. reserved says that its
// function has reserved concurrency, of which leave has to be told too.
func (p *Pool) enter(reserved bool) {
	n := p.busy.Add(1)
	if n > p.samples.peak.Load() {
		p.samples.peak.Store(n) // a race loses one call of many
	}
	if reserved {
		p.busyReserved.Add(1)
	} else if n -= p.busyReserved.Load(); n > p.samples.free.Load() {
		p.samples.free.Store(n)
	}
}

// leave undoes enter.
func (p *Pool) leave(reserved bool) {
	p.busy.Add(-1)
	if reserved {
		p.busyReserved.Add(-1)
	}
}

// Sample gives visit what has happened in each group since the last Sample, and returns how many
// calls ran at once at most, and of functions without reserved concurrency. Groups in which nothing happened are not visited. Only one goroutine
// calls it at a time; a sample is good during the call of visit.
func (p *Pool) Sample(visit func(*Sample)) (concurrent, unreserved int) {
	l := &p.samples
	l.mu.Lock()
	groups := l.groups
	l.groups, l.spare = l.spare[:0], nil
	l.mu.Unlock()
	for _, g := range groups {
		g.tallies.listed.Store(false) // what happens from here on lists it again
		g.mu.Lock()
		running := g.inFlight
		ahead, kept := max(g.tallies.ahead, g.onProvisioned), g.fn.ProvisionedConcurrency
		g.tallies.ahead = g.onProvisioned
		g.mu.Unlock()
		if running > 0 {
			g.touch()
		}
		p.takeTally(g, &g.tallies.own, "", &Sample{Concurrent: g.quota.TakePeak(), AtOnce: ahead, Kept: kept}, visit)
		g.tallies.named.Range(func(name, t any) bool {
			p.takeTally(g, t.(*tally), name.(string), nil, visit)
			return true
		})
	}
	clear(groups)
	l.spare = groups[:0]
	busy := p.busy.Load()
	return int(max(l.peak.Swap(busy), 0)), int(max(l.free.Swap(busy-p.busyReserved.Load()), 0))
}

// takeTally gives visit a tally, and empties it. With it goes what is of the version; nil: nothing.
func (p *Pool) takeTally(g *Group, t *tally, qualifier string, of *Sample, visit func(*Sample)) {
	s := &p.samples.one
	s.reset()
	t.mu.Lock()
	*s, t.sample = t.sample, *s // each has the buckets of one of them
	t.mu.Unlock()
	s.Function, s.Version, s.Qualifier = g.name, g.version, qualifier
	if of != nil {
		s.Concurrent, s.AtOnce, s.Kept = of.Concurrent, of.AtOnce, of.Kept
	}
	if s.Concurrent > 0 || !s.isEmpty() {
		visit(s)
	}
}

func (s *Sample) isEmpty() bool {
	return s.Duration.Count == 0 && s.InitDuration.Count == 0 && s.Throttles == 0 && s.Loops == 0 && s.ColdStarts == 0
}

func (s *Sample) reset() {
	s.Duration.Reset()
	s.InitDuration.Reset()
	s.Memory.Reset()
	*s = Sample{Duration: s.Duration, InitDuration: s.InitDuration, Memory: s.Memory}
}
