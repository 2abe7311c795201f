package warmpool

import (
	"math/rand/v2"
	"time"

	"github.com/hearthfn/hearth/warmpool/environment"
)

// A crowd knows whether the environments of a function keep the cores busy. If they do, one
// more does not help: calls would only take turns, and each would cost a little more. Each
// time one more is wanted, the crowd samples a few of the environments that run calls. If a
// function mostly waits for something else, hardly any of them uses a core, and the function
// grows as fast as it can start environments.
//
// A sample is the part of a core that an environment would use on an idle machine: how long it
// has run since the sample before, in the time in which it did not wait for a core. Otherwise
// other load, or a burst of starts, would make every function look as if it calculated. For an
// environment that has no sample yet it is whether it uses a core at this instant.
//
// The mu of its group guards it.
type crowd struct {
	// ran and within are sums over the samples, of which the old ones weigh less and less.
	ran, within time.Duration
	// running is the part of the environments that used a core at the instants of samples, a
	// moving average. It counts until there are better samples.
	running  float64
	samples  int           // number of instants so far
	first    int           // which members are sampled
	pause    *time.Timer   // until the next sample; nil: a sample may be taken now
	pauseFor time.Duration // how long the last pause was; 0 after a start that would help
	patient  time.Time     // when an environment was last started because a caller had waited for long
}

const (
	// crowdPause is how long starts pause after a start would not have helped. It doubles up
	// to crowdPauseMost while starts would not help: a sample reads a file for each thread,
	// and on a machine with busy cores the functions need that time.
	crowdPause     = 10 * time.Millisecond
	crowdPauseMost = 160 * time.Millisecond
	// crowdWeight is the weight of one sample in the average.
	crowdWeight = 1.0 / 3
	// crowdSpare is the part of a core that must be free for a start to pay.
	crowdSpare = 0.5
	// crowdEnough is how much time samples must cover.
	crowdEnough = 5 * time.Millisecond
	// crowdTurn is after how many samples others are sampled, on average.
	crowdTurn = 16
)

func (c *crowd) pauses() bool { return c.pause != nil }

// A crowdSample is what some environments of a function do.
type crowdSample struct {
	ran, within time.Duration
	running     int // of seen
	seen        int // those that have no other sample
}

func (c *crowd) observe(s crowdSample) {
	if s.within != 0 {
		c.ran += s.ran - time.Duration(float64(c.ran)*crowdWeight)
		c.within += s.within - time.Duration(float64(c.within)*crowdWeight)
	}
	if s.seen > 0 {
		running := float64(s.running) / float64(s.seen)
		if c.samples++; c.samples == 1 {
			c.running = running
		}
		c.running += (running - c.running) * crowdWeight
	}
}

// demand is how much of the cores an environment would use.
func (c *crowd) demand() float64 {
	if c.within < crowdEnough && c.ran < crowdEnough {
		return c.running
	}
	// The time that a thread waits for a core is counted when it gets one.
	return float64(c.ran) / float64(max(c.ran, c.within))
}

// rest begins a pause, unless there is one already. It calls over when the pause is over.
func (c *crowd) rest(over func()) {
	if c.pause == nil {
		c.pauseFor = min(max(2*c.pauseFor, crowdPause), crowdPauseMost)
		c.pause = time.AfterFunc(c.pauseFor, over)
	}
}

func (c *crowd) stop() {
	if c.pause != nil {
		c.pause.Stop()
	}
}

// crowded reports whether a start would not help; the caller counts it as under way. Then
// growth pauses for a moment. A function may always have as many environments as there are
// cores. Now and then it gets one more for a caller who has waited for half of the queue
// timeout.
func (g *Group) crowded() bool {
	envs, busy := g.crowdSample()
	if len(envs) == 0 {
		return false
	}
	var s crowdSample
	for _, env := range envs {
		if ran, within, ok := env.Demand(); ok {
			s.ran, s.within = s.ran+ran, s.within+within
		} else if s.seen++; env.Runnable() {
			s.running++
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.crowd.observe(s)
	// Those that start are expected to do what the others do.
	if g.crowd.demand()*float64(busy+g.starting-1) <= float64(g.pool.cores)-crowdSpare || g.closed {
		g.crowd.pauseFor = 0
		return false
	}
	g.crowd.rest(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.crowd.pause = nil
		g.growLocked()
	})
	return true
}

// crowdSample returns some of the environments that run calls, and how many run calls. It
// returns none when the sample would not matter.
func (g *Group) crowdSample() (some []*environment.Environment, busy int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	most := 2 * g.pool.cores
	now, timeout := time.Now(), g.queueTimeout()
	if len(g.members)+g.starting-1 < g.pool.cores || timeout < 0 {
		return nil, 0
	}
	if g.waiters.len() > 0 && now.Sub(g.waiters.front().since) > timeout/2 && now.Sub(g.crowd.patient) > timeout/4 {
		g.crowd.patient = now
		return nil, 0
	}
	if rand.N(crowdTurn) == 0 {
		g.crowd.first = rand.N(len(g.members) + 1)
	}
	for i := range g.members {
		m := g.members[(g.crowd.first+i)%len(g.members)]
		if m.dead || m.load == 0 {
			continue
		}
		if busy++; len(some) < most {
			some = append(some, m.env)
		}
	}
	return some, busy
}
