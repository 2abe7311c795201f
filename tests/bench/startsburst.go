package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Many first calls at once, and a function that grows.
const (
	startsTogether = "starts at once, "
	startsSecond   = "starts waiting function"
	startsBusy     = "starts calculating function"

	startsSlowest = "slowest answer over spawning bare interpreters, median"
	startsShare   = "answers of the first second over a warm second, median"

	togetherFunctions  = 40
	waitingConnections = 200
	// stemsSettle is how long the number of stems must stay the same before a burst.
	stemsSettle = 2 * time.Second
)

// startsAtOnce calls cold functions at the same time, in turns with spawning as many bare
// interpreters.
func startsAtOnce(l loader, rounds int) scenario {
	name := startsTogether + l.name
	return scenario{name: name, group: startsGroup, measure: func(ctx context.Context, shared *stage) ([]figure, error) {
		bare, err := l.bareCommand(ctx, shared)
		if err != nil {
			return nil, err
		}
		f := l.function
		f.name += "-together"
		functions := f.copies(rounds * togetherFunctions)
		own, err := loadStage(ctx, shared, "\t\tqueue_timeout 30s\n", functions)
		if err != nil {
			return nil, err
		}
		defer own.close()
		var ratios []float64
		var all, spawned []time.Duration
		failures := 0
		for round := range rounds {
			took, err := spawn(ctx, shared.folder, bare, togetherFunctions)
			if err != nil {
				return nil, err
			}
			spawned = append(spawned, took)
			if err := stemsSettled(ctx, own, l.family); err != nil {
				return nil, err
			}
			var slowest time.Duration
			for _, c := range together(ctx, own, functions[round*togetherFunctions:(round+1)*togetherFunctions]) {
				if c.err != nil {
					if failures++; failures == 1 {
						progress("%s: %v", name, c.err)
					}
					continue
				}
				all = append(all, c.took)
				slowest = max(slowest, c.took)
			}
			ratios = append(ratios, float64(slowest)/float64(took))
			progress("%s: round %d/%d, bare %v, slowest %v", name, round+1, rounds, took.Round(time.Millisecond), slowest.Round(time.Millisecond))
		}
		return []figure{
			{name, fmt.Sprintf("failures of %d functions", len(functions)), float64(failures)},
			{name, fmt.Sprintf("spawning %d bare interpreters, median, ms", togetherFunctions), milliseconds(median(spawned))},
			{name, "first calls, p50, ms", milliseconds(median(all))},
			{name, "first calls, p99, ms", milliseconds(percentile(all, 99))},
			{name, startsSlowest, median(ratios)},
			{name, "slowest answer over spawning bare interpreters, first round", ratios[0]},
			{name, "slowest answer over spawning bare interpreters, worst round", percentile(ratios, 100)},
		}, ctx.Err()
	}}
}

// together calls functions at the same time, over connections that have been made before.
func together(ctx context.Context, s *stage, functions []function) []outcome {
	client := newClient(len(functions))
	defer client.CloseIdleConnections()
	calls := make([]outcome, len(functions))
	for _, path := range []func(function) string{func(function) string { return "/ready" }, function.path} {
		var all sync.WaitGroup
		for i, f := range functions {
			all.Go(func() { calls[i] = call(ctx, client, s.address[hearthStack]+path(f)) })
		}
		all.Wait()
	}
	return calls
}

// spawn starts a command n times at once, and returns when the last has ended.
func spawn(ctx context.Context, folder string, command []string, n int) (time.Duration, error) {
	began := time.Now()
	started := make([]*exec.Cmd, 0, n)
	for range n {
		c := exec.CommandContext(ctx, command[0], command[1:]...)
		c.Dir = folder
		if err := c.Start(); err != nil {
			return 0, fmt.Errorf("%s: %w", command[0], err)
		}
		started = append(started, c)
	}
	for _, c := range started {
		if err := c.Wait(); err != nil {
			return 0, fmt.Errorf("%s: %w", command[0], err)
		}
	}
	return time.Since(began), nil
}

// stemsSettled waits until the number of stems has not changed for a while and none is booted.
func stemsSettled(ctx context.Context, s *stage, family string) error {
	client := newClient(1)
	defer client.CloseIdleConnections()
	if err := awaitStem(ctx, s, family); err != nil {
		return err
	}
	of := regexp.MustCompile(`(?m)^hearth_stems\{.*` + regexp.QuoteMeta(family) + `.*$`)
	last, since, until := "", time.Now(), time.Now().Add(2*time.Minute)
	for time.Since(since) < stemsSettle {
		metrics := call(ctx, client, s.address[hearthStack]+"/metrics")
		if metrics.err != nil {
			return metrics.err
		}
		if now := strings.Join(of.FindAllString(metrics.body, -1), "\n"); now != last || !strings.Contains(now, `state="booting"} 0`) {
			last, since = now, time.Now()
		}
		if time.Now().After(until) {
			progress("the stems of %s do not settle: %s", family, last)
			return nil
		}
		if err := wait(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// startsWaiting has many callers fall on a cold function that waits 10 ms.
func startsWaiting(m machine, rounds int) scenario {
	return scenario{name: startsSecond, group: startsGroup, measure: func(ctx context.Context, shared *stage) ([]figure, error) {
		functions := numbered(m, "waits", "sleep", rounds)
		own, err := loadStage(ctx, shared, "\t\tqueue_timeout 10s\n", functions)
		if err != nil {
			return nil, err
		}
		defer own.close()
		var shares, firsts, warms, slow []float64
		failures := 0
		for i, f := range functions {
			if err := stemsSettled(ctx, own, "nodejs"); err != nil {
				return nil, err
			}
			second := func() (sample, error) {
				s, err := load(ctx, own, hearthStack, f.path()+"?ms=10", waitingConnections, time.Second)
				failures += s.Failures
				return s, err
			}
			first, err := second()
			if err != nil {
				return nil, err
			}
			for range 2 { // it grows on
				if _, err := second(); err != nil {
					return nil, err
				}
			}
			var warm []float64
			for range 3 {
				s, err := second()
				if err != nil {
					return nil, err
				}
				warm = append(warm, s.PerSec)
			}
			progress("%s: round %d/%d, first second %.0f, warm %.0f", startsSecond, i+1, rounds, first.PerSec, median(warm))
			firsts, warms = append(firsts, first.PerSec), append(warms, median(warm))
			shares = append(shares, first.PerSec/median(warm))
			slow = append(slow, milliseconds(first.P99))
		}
		return []figure{
			{startsSecond, "failures", float64(failures)},
			{startsSecond, "answers in the first second, median", median(firsts)},
			{startsSecond, "answers in a warm second, median", median(warms)},
			{startsSecond, startsShare, median(shares)},
			{startsSecond, "p99 of the first second, median, ms", median(slow)},
		}, nil
	}}
}
