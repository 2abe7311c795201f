package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// scenario measures what throughput hides. Its functions are cold when it begins.
type scenario struct {
	name      string
	group     string // "" belongs to none
	functions []function
	measure   func(context.Context, *stage) ([]figure, error)
}

// figure is one measured value, in the unit that its name ends with.
type figure struct {
	Scenario string  `json:"scenario"`
	Name     string  `json:"name"`
	Value    float64 `json:"value"`
}

// What `bench cold`, `bench api` and so on measure.
const (
	coldGroup    = "cold"
	apiGroup     = "api"
	eventsGroup  = "events"
	pullGroup    = "pull"
	clusterGroup = "cluster"
	loadGroup    = "load"
	wallsGroup   = "walls"
	startsGroup  = "starts"
	socketsGroup = "websockets"
	stacksGroup  = "stacks"
	consoleGroup = "console"
	tracesGroup  = "traces"
)

var groups = []string{coldGroup, apiGroup, eventsGroup, pullGroup, clusterGroup, loadGroup, wallsGroup, startsGroup, socketsGroup, stacksGroup, consoleGroup, tracesGroup}

const (
	burstCalls        = 200
	burstEnvironments = 10
	longCall          = 2 * time.Second
)

func allScenarios(m machine, s settings) []scenario {
	all := append(coldScenarios(m),
		keepaliveScenario(),
		burstScenario(m, s.rounds),
		mixScenario(m, time.Duration(s.seconds)*time.Second),
	)
	all = append(all, apiScenarios(m, s)...)
	all = append(all, eventScenarios(m, s)...)
	all = append(all, pullScenarios(m, s)...)
	all = append(all, loadScenarios(m, s)...)
	all = append(all, wallScenarios(m, s)...)
	all = append(all, startScenarios(m, s)...)
	all = append(all, socketScenarios(m, s)...)
	all = append(all, stackScenarios(m, s)...)
	all = append(all, consoleScenarios(m, s)...)
	all = append(all, traceScenarios(m, s)...)
	return append(all, clusterScenarios(m, s)...)
}

// burstScenario sends many calls at once to a cold function that may have few
// environments. Nobody may be turned away: whoever comes too many waits.
func burstScenario(m machine, rounds int) scenario {
	const name = "cold burst"
	c := scenario{name: name, group: coldGroup}
	for i := range rounds {
		c.functions = append(c.functions,
			function{fmt.Sprintf("burst-%d", i+1), m.nodeRuntime(), "index.handler", "sleep", burstEnvironments, false})
	}
	c.measure = func(ctx context.Context, stage *stage) ([]figure, error) {
		var failures, environments int
		var whole, p50, p99 []time.Duration
		for _, f := range c.functions {
			start := time.Now()
			calls := burst(ctx, stage.address[hearthStack]+f.path()+"?ms=10", burstCalls)
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			whole = append(whole, time.Since(start))
			seen := map[string]bool{}
			var took []time.Duration
			for _, c := range calls {
				if c.err != nil {
					if failures++; failures == 1 {
						progress("%s: %v", f.name, c.err) // the others say the same
					}
					continue
				}
				seen[c.body] = true
				took = append(took, c.took)
			}
			environments = max(environments, len(seen))
			p50 = append(p50, percentile(took, 50))
			p99 = append(p99, percentile(took, 99))
		}
		return []figure{
			{name, fmt.Sprintf("failures of %d calls", rounds*burstCalls), float64(failures)},
			{name, "environments, most", float64(environments)},
			{name, "all answered, median, ms", milliseconds(median(whole))},
			{name, "p50, median, ms", milliseconds(median(p50))},
			{name, "p99, median, ms", milliseconds(median(p99))},
		}, nil
	}
	return c
}

// mixScenario repeats a long call among short ones of the same function: a short call
// that is put behind the long one shows in the slowest, if not in p99.
func mixScenario(m machine, length time.Duration) scenario {
	const (
		name        = "mix"
		connections = 8
	)
	f := function{"mix", m.nodeRuntime(), "index.handler", "sleep", 4, false}
	length = max(length, 2*longCall)
	return scenario{name: name, functions: []function{f}, measure: func(ctx context.Context, stage *stage) ([]figure, error) {
		short := func(length time.Duration) (sample, error) {
			return load(ctx, stage, hearthStack, f.path(), connections, length)
		}
		if _, err := short(warmUp); err != nil {
			return nil, err
		}
		alone, err := short(length)
		if err != nil {
			return nil, err
		}
		stop := repeat(ctx, fmt.Sprintf("%s%s?ms=%d", stage.address[hearthStack], f.path(), longCall.Milliseconds()))
		beside, err := short(length)
		long := stop()
		if err != nil {
			return nil, err
		}
		var took []time.Duration
		failures := alone.Failures + beside.Failures
		for _, c := range long {
			if c.err != nil {
				failures++
				progress("long call: %v", c.err)
				continue
			}
			took = append(took, c.took)
		}
		return []figure{
			{name, "failures", float64(failures)},
			{name, "short calls alone, p99, ms", milliseconds(alone.P99)},
			{name, "short calls beside a long one, p99, ms", milliseconds(beside.P99)},
			{name, "short calls beside a long one, slowest, ms", milliseconds(beside.Max)},
			{name, "long calls answered", float64(len(took))},
			{name, "long calls, slowest, ms", milliseconds(percentile(took, 100))},
		}, nil
	}}
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// newClient returns a client that keeps up to connections open.
func newClient(connections int) *http.Client {
	return &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: connections, DisableCompression: true},
		Timeout:   time.Minute,
	}
}
