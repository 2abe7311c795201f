package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// What tracing costs a call, and what the metrics over time take.
const (
	tracesScenario = "traces"
	tracesOff      = "off, answers/s, share of those without"
	tracesOn       = "1 %, answers/s, share of those without"

	seriesScenario = "metrics over time"
	seriesCPU      = "10,000 functions, 5,000 calls/s, % of a core"
	seriesDay      = "on disk for a function and day, bytes"

	// seriesSeconds is how many seconds of such calls are written: ten minutes, so that a few files are.
	seriesSeconds = 600
)

func traceScenarios(m machine, s settings) []scenario {
	return []scenario{
		{name: tracesScenario, group: tracesGroup, measure: func(ctx context.Context, shared *stage) ([]figure, error) { return measureTraces(ctx, shared, m, s) }},
		{name: seriesScenario, group: tracesGroup, measure: func(ctx context.Context, _ *stage) ([]figure, error) { return measureSeries(ctx) }},
	}
}

// tracings are the servers that are compared. The first is the measure: nothing is traced, and no
// option says so. With the second the option is there, and samples nothing. With the third one
// request of a hundred is traced, by Caddy's directive, and sent.
var tracings = []struct{ name, options, site string }{
	{"without", "", ""},
	{"off", "\t\ttracing {\n\t\t\tsample 0\n\t\t}\n", ""},
	{"1 %", "\t\ttracing {\n\t\t\tsample 1%\n\t\t}\n", "\ttracing\n"},
}

func measureTraces(ctx context.Context, shared *stage, m machine, s settings) ([]figure, error) {
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer collector.Close()
	f := function{name: "traced", runtime: m.nodeRuntime(), handler: "index.handler", code: "node", concurrency: 1}
	var stages []*stage
	defer func() {
		for _, one := range stages {
			one.close()
		}
	}()
	for _, tracing := range tracings {
		own, err := siteStage(ctx, shared, tracing.options, tracing.site, []string{
			"OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
			"OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.01",
		}, []function{f})
		if err != nil {
			return nil, err
		}
		stages = append(stages, own)
		if _, err := load(ctx, own, hearthStack, f.path(), 64, warmUp); err != nil {
			return nil, err
		}
	}
	rounds := make([][]sample, len(tracings))
	failures := 0
	for round := range s.rounds {
		for n := range tracings {
			i := (round + n) % len(tracings) // none is always the first
			measured, err := load(ctx, stages[i], hearthStack, f.path(), 64, time.Duration(s.seconds)*time.Second)
			if err != nil {
				return nil, err
			}
			progress("round %d/%d, tracing %-7s %8.0f req/s", round+1, s.rounds, tracings[i].name, measured.PerSec)
			rounds[i] = append(rounds[i], measured)
			failures += measured.Failures
		}
	}
	figures := []figure{{tracesScenario, "failures", float64(failures)}}
	for i, tracing := range tracings {
		figures = append(figures, figure{tracesScenario, tracing.name + ", answers/s", middle(rounds[i], func(s sample) float64 { return s.PerSec })})
	}
	for i, name := range []string{tracesOff, tracesOn} {
		var shares []float64
		for round, without := range rounds[0] {
			shares = append(shares, rounds[i+1][round].PerSec/without.PerSec)
		}
		figures = append(figures, figure{tracesScenario, name, median(shares)})
	}
	return figures, nil
}

// measureSeries runs the store's own benchmark, which says what it takes.
func measureSeries(ctx context.Context) ([]figure, error) {
	out, err := exec.CommandContext(ctx, "go", "test", "./warmpool/timeseries", "-run", "^$", "-bench", "SecondOfTenThousandFunctions", "-benchtime", strconv.Itoa(seriesSeconds)+"x").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("the benchmark of the store: %w\n%s", err, out)
	}
	var figures []figure
	for lines := bufio.NewScanner(strings.NewReader(string(out))); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		for i := 1; i < len(fields); i++ {
			name := map[string]string{"%core": seriesCPU, "B/function/day": seriesDay}[fields[i]]
			if v, err := strconv.ParseFloat(fields[i-1], 64); name != "" && err == nil {
				figures = append(figures, figure{seriesScenario, name, v})
			}
		}
	}
	if len(figures) != 2 {
		return nil, fmt.Errorf("the benchmark of the store does not say what it takes:\n%s", out)
	}
	return figures, nil
}
