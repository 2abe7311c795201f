package warmpool

import (
	"math/rand/v2"
	"time"

	"github.com/hearthfn/hearth/warmpool/environment"
)

// A crowd knows whether the environments of a function keep the cores busy, so that one
// more would not help: then calls only take turns, and each costs a little more. It
// samples a few of the environments that run calls, each time one more is wanted. Of a
// function that waits for something else hardly any are found to use a core; so it grows
// as fast as starts do.
//
// It is guarded by its group's mu.
type crowd struct {
	running  float64       // part of the environments sampled that used a core, a moving average
	samples  int           // so far
	pause    *time.Timer   // until the next sample; nil: it may be taken now
	pauseFor time.Duration // how long the last pause was; 0 after a start that would help
	patient  time.Time     // when an environment was started last because a caller had waited for long
}

const (
	// crowdPause is how long no start is thought of after one would not have helped. It
	// doubles up to crowdPauseMost while none would: a sample reads a file for each
	// thread, and on a machine whose cores are busy that time is the functions'.
	crowdPause     = 10 * time.Millisecond
	crowdPauseMost = 160 * time.Millisecond
	// crowdWeight is that of one sample in the average.
	crowdWeight = 1.0 / 3
	// crowdSpare of a core has to be free for a start to pay.
	crowdSpare = 0.5
)

func (c *crowd) pauses() bool { return c.pause != nil }

func (c *crowd) observe(running float64) {
	if c.samples++; c.samples == 1 {
		c.running = running
	}
	c.running += (running - c.running) * crowdWeight
}

// rest pauses, unless it does so already, and calls over when the pause is over.
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

// crowded reports whether a start, which the caller counts as under way, would not
// help. Then growth pauses for a moment. There are always as many environments as
// cores, and now and then one more for a caller who has waited for half of the time that
// it may.
func (g *Group) crowded() bool {
	envs, busy := g.crowdSample()
	if len(envs) == 0 {
		return false
	}
	running := 0
	for _, env := range envs {
		if env.Runnable() {
			running++
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.crowd.observe(float64(running) / float64(len(envs)))
	if g.crowd.running*float64(busy)+float64(g.starting-1) <= float64(g.pool.cores)-crowdSpare || g.closed {
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

// crowdSample is some environments that run calls, and how many do. There is none when
// it does not matter.
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
	first := rand.N(len(g.members) + 1)
	for i := range g.members {
		m := g.members[(first+i)%len(g.members)]
		if m.dead || m.load == 0 {
			continue
		}
		if busy++; len(some) < most {
			some = append(some, m.env)
		}
	}
	return some, busy
}
