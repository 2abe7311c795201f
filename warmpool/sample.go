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
	// Concurrent is how many calls ran at once at most. Only the sample without a qualifier has it.
	Concurrent int
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
	peak  int      // of the calls at once; guarded by the group's mu
	// listed is set while the group is in the samples' list. It is set under the group's mu too.
	listed atomic.Bool
}

// samples list the groups that something has happened in.
type samples struct {
	mu     sync.Mutex
	groups []*Group // guarded by mu
	spare  []*Group
	peak   atomic.Int32 // of all calls at once
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

// observe counts a call that has an outcome.
func (g *Group) observe(c *environment.Call, memoryMB int) {
	g.counters().observe(c)
	t := g.tally(c.Qualifier)
	t.mu.Lock()
	s := &t.sample
	s.Duration.Observe(milliseconds(c.Duration))
	if c.Outcome != environment.OutcomeResult {
		s.Errors++
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
func (g *Group) began() {
	g.tallies.peak = max(g.tallies.peak, g.inFlight)
	g.touch()
}

// enter counts a call of the pool that is with an environment from now on.
func (p *Pool) enter() {
	if n := p.busy.Add(1); n > p.samples.peak.Load() {
		p.samples.peak.Store(n) // a race loses one call of many
	}
}

// Sample gives visit what has happened in each group since the last Sample, and returns how many
// calls ran at once at most. Groups in which nothing happened are not visited. Only one goroutine
// calls it at a time; a sample is good during the call of visit.
func (p *Pool) Sample(visit func(*Sample)) (concurrent int) {
	l := &p.samples
	l.mu.Lock()
	groups := l.groups
	l.groups, l.spare = l.spare[:0], nil
	l.mu.Unlock()
	for _, g := range groups {
		g.tallies.listed.Store(false) // what happens from here on lists it again
		g.mu.Lock()
		running := g.inFlight
		peak := max(g.tallies.peak, running)
		g.tallies.peak = running
		g.mu.Unlock()
		if running > 0 {
			g.touch()
		}
		p.takeTally(g, &g.tallies.own, "", peak, visit)
		g.tallies.named.Range(func(name, t any) bool {
			p.takeTally(g, t.(*tally), name.(string), 0, visit)
			return true
		})
	}
	clear(groups)
	l.spare = groups[:0]
	return int(max(l.peak.Swap(p.busy.Load()), 0))
}

// takeTally gives visit a tally, and empties it.
func (p *Pool) takeTally(g *Group, t *tally, qualifier string, concurrent int, visit func(*Sample)) {
	s := &p.samples.one
	s.reset()
	t.mu.Lock()
	*s, t.sample = t.sample, *s // each has the buckets of one of them
	t.mu.Unlock()
	s.Function, s.Version, s.Qualifier, s.Concurrent = g.name, g.version, qualifier, concurrent
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
