package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hearthfn/hearth/warmpool/keepalive"
)

// The trace has the published properties of Azure's functions ("Serverless in the
// Wild", section 3): a few functions have most of the calls, half of all are called
// less than once in an hour, a third by timers, sizes and starts vary by a factor of
// ten, and some come in bursts or only once.
const (
	traceFunctions = 600
	traceHours     = 12
	traceSeed      = 20261123
)

// A tracedFunction is one function of the trace.
type tracedFunction struct {
	memoryMB int
	start    time.Duration // its cold start
}

// An arrival is one call, at a time since the trace's begin.
type arrival struct {
	at       time.Duration
	function int
	took     time.Duration
}

func makeTrace() ([]tracedFunction, []arrival) {
	random := rand.New(rand.NewPCG(traceSeed, 1))
	functions := make([]tracedFunction, traceFunctions)
	var calls []arrival
	const end = traceHours * time.Hour
	for i := range functions {
		functions[i] = tracedFunction{
			memoryMB: []int{128, 128, 128, 256, 256, 512, 1024, 1769}[random.IntN(8)],
			start:    time.Duration(float64(60*time.Millisecond) * math.Exp(1.2*random.NormFloat64())),
		}
		call := func(at time.Duration) {
			if at < end {
				calls = append(calls, arrival{at, i, time.Duration(float64(100*time.Millisecond) * math.Exp(random.NormFloat64()))})
			}
		}
		switch kind := random.Float64(); {
		case kind < 0.3: // by a timer
			period := []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour}[random.IntN(5)]
			for at := time.Duration(random.Int64N(int64(period))); at < end; at += period {
				call(at + time.Duration(random.Int64N(int64(time.Second))))
			}
		case kind < 0.45: // in bursts
			for at := time.Duration(0); at < end; {
				at += time.Duration(random.ExpFloat64() * float64(2*time.Hour))
				for range 5 + random.IntN(40) {
					at += time.Duration(random.ExpFloat64() * float64(2*time.Second))
					call(at)
				}
			}
		case kind < 0.6: // once or twice
			for range 1 + random.IntN(2) {
				call(time.Duration(random.Int64N(int64(end))))
			}
		default: // at random, a few very often
			gap := 4 * time.Second * time.Duration(math.Pow(float64(1+random.IntN(300)), 1.35))
			for at := time.Duration(random.ExpFloat64() * float64(gap)); at < end; at += time.Duration(random.ExpFloat64() * float64(gap)) {
				call(at)
			}
		}
	}
	slices.SortFunc(calls, func(a, b arrival) int { return int(a.at - b.at) })
	return functions, calls
}

// A policy says what becomes of idle environments.
type policy interface {
	// used notes that an environment of function was taken after idle.
	used(function int, idle time.Duration)
	// started notes a start; missed is how long ago the function was used last, if it
	// has no environment left, else negative.
	started(function int, missed time.Duration)
	// released returns the priority of an environment that is idle from now on.
	released(function int) float64
	// window is how long an idle environment of function is kept.
	window(function int) time.Duration
	// evicted notes which priority was given up for want of memory.
	evicted(priority float64)
}

// fixedTime keeps everything for the same time, and gives up what was used least
// recently.
type fixedTime struct {
	keep time.Duration
	tick float64
}

func (p *fixedTime) used(int, time.Duration)    {}
func (p *fixedTime) started(int, time.Duration) {}
func (p *fixedTime) released(int) float64       { p.tick++; return p.tick }
func (p *fixedTime) window(int) time.Duration   { return p.keep }
func (p *fixedTime) evicted(float64)            {}

// expectedValue is the pool's policy.
type expectedValue struct {
	functions []tracedFunction
	histories []keepalive.History
	clock     keepalive.Clock
	most      time.Duration
}

func (p *expectedValue) used(function int, idle time.Duration) { p.histories[function].Used(idle) }

func (p *expectedValue) started(function int, missed time.Duration) {
	p.histories[function].Started(p.functions[function].start)
	if missed >= 0 {
		p.histories[function].Missed(missed)
	}
}

func (p *expectedValue) released(function int) float64 {
	h := &p.histories[function]
	return p.clock.Priority(h.Uses(), h.Cost(), p.functions[function].memoryMB)
}

func (p *expectedValue) window(function int) time.Duration {
	return p.histories[function].Window(p.most)
}
func (p *expectedValue) evicted(priority float64) { p.clock.Evicted(priority) }

// A kept environment of the simulation.
type kept struct {
	function int
	freeAt   time.Duration // when its call is over
	priority float64
}

// replayed is what a policy made of a trace.
type replayed struct {
	starts   int
	cost     time.Duration // of all starts
	memoryMB float64       // on average
}

// replay runs a trace in virtual time on a node of budgetMB.
func replay(functions []tracedFunction, calls []arrival, budgetMB int, p policy) replayed {
	var r replayed
	warm := make(map[int][]*kept) // by function, the last used last
	lastUse := make(map[int]time.Duration)
	usedMB := 0
	var last time.Duration
	var integral float64
	remove := func(k *kept) {
		all := warm[k.function]
		warm[k.function] = slices.Delete(all, slices.Index(all, k), slices.Index(all, k)+1)
		usedMB -= functions[k.function].memoryMB
	}
	for _, c := range calls {
		integral += float64(usedMB) * (c.at - last).Seconds()
		last = c.at
		for f, all := range warm {
			window := p.window(f)
			for _, k := range slices.Clone(all) {
				if idle := c.at - k.freeAt; idle > window {
					integral -= float64(functions[f].memoryMB) * (idle - window).Seconds() // it went when its time was over
					remove(k)
				}
			}
		}
		var found *kept
		for _, k := range slices.Backward(warm[c.function]) {
			if k.freeAt <= c.at {
				found = k
				break
			}
		}
		if found == nil {
			r.starts++
			r.cost += functions[c.function].start
			missed := time.Duration(-1)
			if at, known := lastUse[c.function]; known && len(warm[c.function]) == 0 {
				missed = c.at - at
			}
			p.started(c.function, missed)
			for usedMB+functions[c.function].memoryMB > budgetMB {
				var lowest *kept
				for _, all := range warm {
					for _, k := range all {
						if k.freeAt <= c.at && (lowest == nil || k.priority < lowest.priority) {
							lowest = k
						}
					}
				}
				if lowest == nil {
					break
				}
				p.evicted(lowest.priority)
				remove(lowest)
			}
			found = &kept{function: c.function}
			warm[c.function] = append(warm[c.function], found)
			usedMB += functions[c.function].memoryMB
		} else {
			p.used(c.function, c.at-found.freeAt)
			all := warm[c.function]
			i := slices.Index(all, found)
			warm[c.function] = append(slices.Delete(all, i, i+1), found)
		}
		found.freeAt = c.at + c.took
		lastUse[c.function] = found.freeAt
		found.priority = p.released(c.function)
	}
	r.memoryMB = integral / last.Seconds()
	return r
}

// longestIdle is the pool's default of the time that an environment is kept at most.
const longestIdle = time.Hour

// keepaliveScenario compares the pool's policy with ten minutes for everybody. It
// simulates, and so needs no server.
func keepaliveScenario() scenario {
	const name = "keep-alive"
	return scenario{name: name, group: coldGroup, measure: func(ctx context.Context, _ *stage) ([]figure, error) {
		functions, calls := makeTrace()
		figures := []figure{{name, "calls", float64(len(calls))}}
		for _, budgetMB := range []int{4 << 10, 8 << 10, 16 << 10, 1 << 20} {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			fixed := replay(functions, calls, budgetMB, &fixedTime{keep: 10 * time.Minute})
			ours := replay(functions, calls, budgetMB, &expectedValue{functions: functions, histories: make([]keepalive.History, len(functions)), most: longestIdle})
			budget := fmt.Sprintf("%d GB", budgetMB>>10)
			if budgetMB == 1<<20 {
				budget = "plenty"
			}
			figures = append(figures,
				figure{name, budget + ": cold starts with 10 minutes for all", float64(fixed.starts)},
				figure{name, budget + ": cold starts", float64(ours.starts)},
				figure{name, budget + ": cold starts, ratio", float64(ours.starts) / float64(fixed.starts)},
				figure{name, budget + ": time of cold starts, ratio", float64(ours.cost) / float64(fixed.cost)},
				figure{name, budget + ": memory, ratio", ours.memoryMB / fixed.memoryMB},
			)
		}
		return figures, nil
	}}
}
