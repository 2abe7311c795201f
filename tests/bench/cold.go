package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	coldFunctions = 200
	coldAlone     = 50 // functions that are started without a stem
	coldAtOnce    = 50
	// coldPause lies between cold starts, for a stem to be booted in.
	coldPause = 150 * time.Millisecond
)

// javaRuntime is served by the Java that is there, the nearest if need be.
const javaRuntime = "java17"

func coldScenarios(m machine) []scenario {
	node := function{"cold-node", m.nodeRuntime(), "index.handler", "node", 1, false}
	python := function{"cold-python", m.pythonRuntime(), "app.handler", "python", 1, false}
	java := function{"cold-java", javaRuntime, "Function", "java", 1, false}
	return []scenario{
		coldScenario("cold Node", "nodejs", node),
		coldScenario("cold Python", "python", python),
		coldScenario("cold Java", "java", java),
		coldAloneScenario("cold Node without a stem", node, "node", "-e", "process.stdout.write('x')"),
		coldAloneScenario("cold Python without a stem", python, "/usr/bin/python3", "-I", "-S", "-c", "import os; os.write(1, b'x')"),
		coldAloneScenario("cold Java without a stem", java, "java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-cp", "assets/java", "Bare"),
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
// environment, one after another, each when there is a stem for it.
func coldScenario(name, family string, f function) scenario {
	c := scenario{name: name, group: coldGroup, functions: f.copies(coldFunctions)}
	c.measure = func(ctx context.Context, stage *stage) ([]figure, error) {
		first, added, err := coldCalls(ctx, stage, c.functions, coldPause, func() error { return awaitStem(ctx, stage, family) })
		if err != nil {
			return nil, err
		}
		return []figure{
			{name, "first call, median, ms", milliseconds(median(first))},
			{name, "first call, p99, ms", milliseconds(percentile(first, 99))},
			{name, "first call over a warm one, median, ms", milliseconds(median(added))},
			{name, "first call over a warm one, p99, ms", milliseconds(percentile(added, 99))},
		}, nil
	}
	return c
}

// coldAloneScenario does the same with functions that cannot be made of a stem,
// each beside a bare start of the interpreter, which says when it is there.
func coldAloneScenario(name string, f function, bare ...string) scenario {
	f.name += "-alone"
	f.alone = true
	c := scenario{name: name, group: coldGroup, functions: f.copies(coldAlone)}
	c.measure = func(ctx context.Context, stage *stage) ([]figure, error) {
		var interpreter []time.Duration
		first, added, err := coldCalls(ctx, stage, c.functions, coldPause, func() error {
			took, err := bareStart(ctx, stage.folder, bare)
			interpreter = append(interpreter, took)
			return err
		})
		if err != nil {
			return nil, err
		}
		over := make([]time.Duration, len(first))
		for i := range first {
			over[i] = added[i] - interpreter[i]
		}
		return []figure{
			{name, "first call, median, ms", milliseconds(median(first))},
			{name, "first call, p99, ms", milliseconds(percentile(first, 99))},
			{name, "bare interpreter, median, ms", milliseconds(median(interpreter))},
			{name, "over the bare interpreter, median, ms", milliseconds(median(over))},
		}, nil
	}
	return c
}

// coldCalls makes the first and the second call of each function, and returns what
// the first took, and how much longer than the second.
func coldCalls(ctx context.Context, stage *stage, functions []function, pause time.Duration, before func() error) (first, added []time.Duration, err error) {
	// The connection is made before the first call: it is not part of a cold start.
	client := newClient(1)
	defer client.CloseIdleConnections()
	if first := call(ctx, client, stage.address[hearthStack]+"/ready"); first.err != nil {
		return nil, nil, first.err
	}
	for _, f := range functions {
		if err := before(); err != nil {
			return nil, nil, err
		}
		if err := wait(ctx, pause); err != nil {
			return nil, nil, err
		}
		cold := call(ctx, client, stage.address[hearthStack]+f.path())
		if cold.err != nil {
			return nil, nil, fmt.Errorf("%s: %w", f.name, cold.err)
		}
		warm := call(ctx, client, stage.address[hearthStack]+f.path())
		if warm.err != nil {
			return nil, nil, fmt.Errorf("%s: %w", f.name, warm.err)
		}
		first, added = append(first, cold.took), append(added, cold.took-warm.took)
	}
	return first, added, nil
}

// awaitStem waits until a stem of a family is ready.
func awaitStem(ctx context.Context, stage *stage, family string) error {
	client := newClient(1)
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		metrics := call(ctx, client, stage.address[hearthStack]+"/metrics")
		if metrics.err != nil {
			return fmt.Errorf("wait for a stem of %s: %w", family, metrics.err)
		}
		_, count, found := strings.Cut(metrics.body, fmt.Sprintf("hearth_stems{runtime=%q,state=\"ready\"} ", family))
		if found && !strings.HasPrefix(count, "0\n") {
			return nil
		}
		if err := wait(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("wait for a stem of %s: %w", family, err)
		}
	}
}

// bareStart times a command in folder until it says something.
func bareStart(ctx context.Context, folder string, command []string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = folder
	// Functions do not have it, and reading certificates takes Node as long as its start.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "NODE_EXTRA_CA_CERTS=") })
	output, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	_, err = output.Read(make([]byte, 1))
	took := time.Since(began)
	if err := errors.Join(err, cmd.Wait()); err != nil {
		return 0, fmt.Errorf("%s: %w", command[0], err)
	}
	return took, nil
}

// coldTogetherScenario calls many cold functions at the same time, each once.
func coldTogetherScenario(m machine) scenario {
	const name = "cold at once"
	f := function{"together", m.nodeRuntime(), "index.handler", "node", 1, false}
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
