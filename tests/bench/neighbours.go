package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"time"
)

// What one function does to others, and a calculating one to itself.
const (
	hangingScenario = "load hanging init"
	floodScenario   = "load flood"
	busyScenario    = "load calculating"

	hangingAdds = "others' first calls, added at p50, ms"
	floodRatio  = "a warm function, p99, times its quiet one"
	busyShare   = "no limit, share of the best limit"
	busyP99     = "no limit, p99, times that of the best limit"

	neighbours       = 12  // functions whose first call is measured
	floodConnections = 100 // callers of the function that floods, or calculates
)

func loadScenarios(m machine, s settings) []scenario {
	length := time.Duration(s.seconds) * time.Second
	return []scenario{hanging(m), flood(m, length), calculating(m, busyScenario, loadGroup, s.rounds, length)}
}

// loadStage is a stage of its own: the scenarios want all of a node.
func loadStage(ctx context.Context, shared *stage, options string, functions []function) (*stage, error) {
	return siteStage(ctx, shared, options, "", nil, functions)
}

// siteStage is loadStage with more in the site's block, and environment variables of the server.
func siteStage(ctx context.Context, shared *stage, options, site string, environment []string, functions []function) (*stage, error) {
	own := &stage{caddy: shared.caddy, options: options, site: site, environment: environment, address: map[stack]string{}, roots: map[stack][]int{}}
	var err error
	if own.folder, err = os.MkdirTemp("", "hearth-bench-"); err == nil {
		err = os.CopyFS(own.folder, assets)
	}
	if err == nil {
		err = own.startHearth(ctx, own.caddy, functions)
	}
	if err != nil {
		own.close()
		return nil, err
	}
	return own, nil
}

func numbered(m machine, name, code string, n int) (all []function) {
	for i := range n {
		all = append(all, function{name: fmt.Sprintf("%s-%d", name, i+1), runtime: m.nodeRuntime(), handler: "index.handler", code: code})
	}
	return all
}

// firstCalls calls cold functions, one after the other.
func firstCalls(ctx context.Context, s *stage, functions []function) (took []time.Duration, failures int, err error) {
	client := newClient(1)
	defer client.CloseIdleConnections()
	for _, f := range functions {
		c := call(ctx, client, s.address[hearthStack]+f.path())
		if c.err != nil {
			progress("%s: %v", f.name, c.err)
			failures++
		}
		took = append(took, c.took)
	}
	return took, failures, ctx.Err()
}

// hanging has two callers wait for a function whose init does not end.
func hanging(m machine) scenario {
	return scenario{name: hangingScenario, group: loadGroup, measure: func(ctx context.Context, shared *stage) ([]figure, error) {
		quiet, beside, hang := numbered(m, "quiet", "node", neighbours), numbered(m, "beside", "node", neighbours), numbered(m, "hang", "hang", 1)
		own, err := loadStage(ctx, shared, "", slices.Concat(quiet, beside, hang))
		if err != nil {
			return nil, err
		}
		defer own.close()
		alone, failures, err := firstCalls(ctx, own, quiet)
		if err != nil {
			return nil, err
		}
		hangs, stop := context.WithCancel(ctx)
		defer stop()
		done := make(chan struct{})
		go func() {
			defer close(done)
			burst(hangs, own.address[hearthStack]+hang[0].path(), 2)
		}()
		if err := wait(ctx, 500*time.Millisecond); err != nil { // until both have the slots
			return nil, err
		}
		others, failed, err := firstCalls(ctx, own, beside)
		stop()
		<-done
		if err != nil {
			return nil, err
		}
		return []figure{
			{hangingScenario, "failures", float64(failures + failed)},
			{hangingScenario, "first calls alone, p50, ms", milliseconds(median(alone))},
			{hangingScenario, hangingAdds, milliseconds(median(others) - median(alone))},
			{hangingScenario, "others' first calls, slowest, ms", milliseconds(percentile(others, 100))},
		}, nil
	}}
}

// flood has one function use up the memory budget, by calls that wait.
func flood(m machine, length time.Duration) scenario {
	return scenario{name: floodScenario, group: loadGroup, measure: func(ctx context.Context, shared *stage) ([]figure, error) {
		greedy, warm, fresh := numbered(m, "greedy", "sleep", 1), numbered(m, "warm", "node", 1), numbered(m, "new", "node", 5)
		own, err := loadStage(ctx, shared, "\t\tmemory_budget 2048\n\t\tstems 0\n", slices.Concat(greedy, warm, fresh))
		if err != nil {
			return nil, err
		}
		defer own.close()
		during := func() (took []time.Duration, failures int, err error) {
			stop := repeat(ctx, own.address[hearthStack]+warm[0].path())
			err = wait(ctx, length)
			for _, c := range stop() {
				if c.err != nil {
					progress("%s: %v", warm[0].name, c.err)
					failures++
				}
				took = append(took, c.took)
			}
			return took, failures, err
		}
		quiet, failures, err := during()
		if err != nil {
			return nil, err
		}
		type flooded struct {
			sample
			err error
		}
		done := make(chan flooded, 1)
		go func() {
			s, err := load(ctx, own, hearthStack, greedy[0].path()+"?ms=300", floodConnections, 2*length+4*time.Second)
			done <- flooded{s, err}
		}()
		var beside, first []time.Duration
		var failed, firstFailed int
		err = wait(ctx, 2*time.Second) // until the budget is used up
		if err == nil {
			beside, failed, err = during()
		}
		if err == nil {
			first, firstFailed, err = firstCalls(ctx, own, fresh)
		}
		loaded := <-done
		if err := errors.Join(err, loaded.err); err != nil {
			return nil, err
		}
		return []figure{
			{floodScenario, "failures of the warm function", float64(failures + failed)},
			{floodScenario, "failures of new functions", float64(firstFailed)},
			{floodScenario, "the warm function, quiet, p99, ms", milliseconds(percentile(quiet, 99))},
			{floodScenario, "the warm function, beside the flood, p99, ms", milliseconds(percentile(beside, 99))},
			{floodScenario, floodRatio, float64(percentile(beside, 99)) / float64(percentile(quiet, 99))},
			{floodScenario, "new functions' first calls, slowest, ms", milliseconds(percentile(first, 100))},
			{floodScenario, "the flood, answers/s", loaded.answered()},
		}, nil
	}}
}

// calculating has a function calculate with limits set by hand and with none.
func calculating(m machine, name, group string, rounds int, length time.Duration) scenario {
	return scenario{name: name, group: group, measure: func(ctx context.Context, shared *stage) ([]figure, error) {
		limits := []int{0, m.Cores, 2 * m.Cores, 4 * m.Cores}
		functions := numbered(m, "busy", "spin", len(limits))
		for i := range functions {
			functions[i].concurrency = limits[i]
		}
		// Long enough for all who wait, so that nobody is refused on a slow machine.
		own, err := loadStage(ctx, shared, "\t\tqueue_timeout 10s\n", functions)
		if err != nil {
			return nil, err
		}
		defer own.close()
		for _, f := range functions { // so that no start is measured
			if _, err := load(ctx, own, hearthStack, f.path()+"?ms=8", floodConnections, 3*warmUp); err != nil {
				return nil, err
			}
		}
		rates, costs, slow := make([][]float64, len(limits)), make([][]float64, len(limits)), make([][]float64, len(limits))
		failures := 0
		for range rounds {
			for i, f := range functions {
				s, err := load(ctx, own, hearthStack, f.path()+"?ms=8", floodConnections, length)
				if err != nil {
					return nil, err
				}
				rates[i] = append(rates[i], s.answered())
				costs[i] = append(costs[i], milliseconds(s.CPU))
				slow[i] = append(slow[i], milliseconds(s.P99))
				failures += s.Failures
			}
		}
		best, least, p99 := 0.0, math.Inf(1), 0.0
		figures := []figure{{name, "failures", float64(failures)}}
		for i, limit := range limits[1:] {
			rate := median(rates[i+1])
			if least = min(least, median(costs[i+1])); rate > best {
				best, p99 = rate, median(slow[i+1])
			}
			figures = append(figures, figure{name, fmt.Sprintf("reserved %d, answers/s", limit), rate})
		}
		return append(figures,
			figure{name, "no limit, answers/s", median(rates[0])},
			figure{name, busyShare, median(rates[0]) / best},
			figure{name, busyP99, median(slow[0]) / p99},
			// What holds on a machine that others keep busy, too.
			figure{name, "no limit, CPU time of an answer, ms", median(costs[0])},
			figure{name, "least CPU time of an answer with a limit, ms", least},
		), nil
	}}
}
