package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// The console as a browser shows it to somebody who is signed in: from the start of the navigation
// until the first row of the list of functions is painted.
const (
	consoleScenario = "console"

	consolePaint       = "first row of 1,000 functions painted, p50, ms"
	consolePaintCached = "first row of 1,000 functions painted, files of the page cached, p50, ms"

	consoleFunctions = 1000
	consoleLoads     = 10 // of each kind, in a round
	consoleDriver    = "tests/console"
)

func consoleScenarios(m machine, s settings) []scenario {
	return []scenario{{name: consoleScenario, group: consoleGroup, measure: func(ctx context.Context, shared *stage) ([]figure, error) {
		own, err := newAPIStage(ctx, shared, "\tconsole /console\n")
		if err != nil {
			return nil, err
		}
		defer own.close()
		return measureConsole(ctx, own, m, s.rounds)
	}}}
}

func measureConsole(ctx context.Context, s *apiStage, m machine, rounds int) ([]figure, error) {
	code, err := s.archive(0)
	if err != nil {
		return nil, err
	}
	client := s.client(1)
	for i := range consoleFunctions {
		if err := createActive(ctx, client, m, fmt.Sprintf("service-%04d", i), code); err != nil {
			return nil, err
		}
	}
	var cold, cached []time.Duration
	for round := range rounds {
		var times struct{ Cold, Warm []float64 } // ms
		script := exec.CommandContext(ctx, "node", "paint.mjs", s.address[hearthStack]+"/console/", s.key.AccessKeyID, s.key.SecretAccessKey,
			filepath.Join(s.folder, fmt.Sprintf("chromium-%d", round)), strconv.Itoa(consoleLoads))
		script.Dir = consoleDriver
		out, err := script.Output()
		if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
			return nil, fmt.Errorf("the browser (npm ci in %s makes it ready): %w\n%s", consoleDriver, err, failed.Stderr)
		}
		if err == nil {
			err = json.Unmarshal(out, &times)
		}
		if err != nil {
			return nil, err
		}
		cold, cached = append(cold, inTime(times.Cold)...), append(cached, inTime(times.Warm)...)
		progress("round %d/%d, p50 %.0f ms", round+1, rounds, milliseconds(median(cold)))
	}
	return []figure{{consoleScenario, consolePaint, milliseconds(median(cold))}, {consoleScenario, consolePaintCached, milliseconds(median(cached))}}, nil
}

func inTime(ms []float64) []time.Duration {
	var times []time.Duration
	for _, one := range ms {
		times = append(times, time.Duration(one*float64(time.Millisecond)))
	}
	return times
}
