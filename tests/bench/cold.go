package main

import (
	"context"
	"fmt"
	"os/exec"
	"sync"
	"time"
)

const (
	coldFunctions = 200
	coldAtOnce    = 50
	// coldPause lies between cold starts, for a stem to be booted in.
	coldPause = 150 * time.Millisecond
)

func coldScenarios(m machine) []scenario {
	return []scenario{
		coldScenario("cold Node", function{"cold-node", m.nodeRuntime(), "index.handler", "node", 1}, "node", "-e", "0"),
		coldScenario("cold Python", function{"cold-python", m.pythonRuntime(), "app.handler", "python", 1}, "python3", "-I", "-S", "-c", "0"),
		coldTogetherScenario(m),
		registeredScenario(m),
	}
}

// copies are n functions that differ from f in their name alone.
func (f function) copies(n int) []function {
	all := make([]function, n)
	for i := range all {
		all[i] = f
		all[i].name = fmt.Sprintf("%s-%d", f.name, i+1)
	}
	return all
}

// coldScenario times the first and the second call of functions that have no
// environment, one after another, each beside a bare start of the interpreter.
func coldScenario(name string, f function, bare ...string) scenario {
	c := scenario{name: name, group: coldGroup, functions: f.copies(coldFunctions)}
	c.measure = func(ctx context.Context, stage *stage) ([]figure, error) {
		// The connection is made before the first call: it is not part of a cold start.
		client := newClient(1)
		defer client.CloseIdleConnections()
		if first := call(ctx, client, stage.address[hearthStack]+"/ready"); first.err != nil {
			return nil, first.err
		}
		var first, added, alone, over []time.Duration
		for _, f := range c.functions {
			began := time.Now()
			if err := exec.CommandContext(ctx, bare[0], bare[1:]...).Run(); err != nil {
				return nil, fmt.Errorf("%s: %w", bare[0], err)
			}
			interpreter := time.Since(began)
			if err := wait(ctx, coldPause); err != nil {
				return nil, err
			}
			cold := call(ctx, client, stage.address[hearthStack]+f.path())
			if cold.err != nil {
				return nil, fmt.Errorf("%s: %w", f.name, cold.err)
			}
			warm := call(ctx, client, stage.address[hearthStack]+f.path())
			if warm.err != nil {
				return nil, fmt.Errorf("%s: %w", f.name, warm.err)
			}
			first, added = append(first, cold.took), append(added, cold.took-warm.took)
			alone, over = append(alone, interpreter), append(over, cold.took-interpreter)
		}
		return []figure{
			{name, "first call, median, ms", milliseconds(median(first))},
			{name, "first call, p99, ms", milliseconds(percentile(first, 99))},
			{name, "first call over a warm one, median, ms", milliseconds(median(added))},
			{name, "first call over a warm one, p99, ms", milliseconds(percentile(added, 99))},
			{name, "bare interpreter, median, ms", milliseconds(median(alone))},
			{name, "first call over the bare interpreter, median, ms", milliseconds(median(over))},
		}, nil
	}
	return c
}

// coldTogetherScenario calls many cold functions at the same time, each once.
func coldTogetherScenario(m machine) scenario {
	const name = "cold at once"
	f := function{"together", m.nodeRuntime(), "index.handler", "node", 1}
	c := scenario{name: name, group: coldGroup, functions: f.copies(coldAtOnce)}
	c.measure = func(ctx context.Context, stage *stage) ([]figure, error) {
		client := newClient(coldAtOnce)
		defer client.CloseIdleConnections()
		calls := make([]outcome, len(c.functions))
		var all sync.WaitGroup
		for i, f := range c.functions {
			all.Go(func() { calls[i] = call(ctx, client, stage.address[hearthStack]+f.path()) })
		}
		all.Wait()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var failures int
		var took []time.Duration
		for _, c := range calls {
			if c.err != nil {
				failures++
				progress("%s: %v", name, c.err)
				continue
			}
			took = append(took, c.took)
		}
		return []figure{
			{name, fmt.Sprintf("failures of %d functions", coldAtOnce), float64(failures)},
			{name, "p50, ms", milliseconds(percentile(took, 50))},
			{name, "p99, ms", milliseconds(percentile(took, 99))},
		}, nil
	}
	return c
}
