package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"
)

// First calls, as a ratio of what a bare interpreter takes to load the same code on the same
// machine in the same minute.
const (
	startsHello = "starts hello, "
	startsCode  = "starts code, "

	startsAdded  = "first call less a warm one, over the bare interpreter, p50"
	startsFirst  = "first call over the bare interpreter, p50"
	startsNew    = "first call of new code over the bare interpreter, p50"
	startsFailed = "failures"

	// startsPause lies between first calls, for a stem to be booted in.
	startsPause = 100 * time.Millisecond
	// newCodes is how many codes are called that have never been called, at most.
	newCodes = 10
)

func startScenarios(m machine, s settings) []scenario {
	length := time.Duration(s.seconds) * time.Second
	all := []scenario{}
	for _, l := range loaders(m) {
		all = append(all, l.scenario(s.starts))
	}
	rounds := max(1, s.starts/20)
	for _, h := range hellos(m) {
		all = append(all, startsAtOnce(h, rounds))
	}
	return append(all,
		startsWaiting(m, rounds),
		calculating(m, startsBusy, startsGroup, s.rounds, length),
		startsIdle(m),
		startsWarm(m, s),
		startsPeers(m, s.starts),
	)
}

// A loader is code whose first calls are timed, beside a bare interpreter that loads it.
type loader struct {
	name     string
	function function
	family   string // of its stems
	bare     []string
	sdk      bool // the runtime has boto3 beside it, as hearth runtimes install brings it
	// make makes the code in a folder: what the function is given, and the folder that the
	// bare interpreter starts in. An error says what this machine lacks. nil: the code is an asset.
	make func(ctx context.Context, stage *stage, folder, mark string) (code, bareFolder string, err error)
}

// hellos are functions of a few lines. The bare interpreters load nothing.
func hellos(m machine) []loader {
	return []loader{
		{name: "Node", family: "nodejs", function: function{name: "hello-node", runtime: m.nodeRuntime(), handler: "index.handler", code: "node"},
			bare: []string{"node", "-e", "process.stdout.write('x')"}},
		{name: "Python", family: "python", function: function{name: "hello-python", runtime: m.pythonRuntime(), handler: "app.handler", code: "python"},
			bare: []string{"python", "-I", "-S", "-c", "import os; os.write(1, b'x')"}},
	}
}

// loaders are all whose first calls are timed, the small ones first.
func loaders(m machine) []loader {
	boto3 := function{name: "boto3", runtime: m.pythonRuntime(), handler: "app.handler"}
	sdk := boto3
	sdk.name = "sdk"
	bareBoto3 := []string{"python", "-c", "import app, os; os.write(1, b'x')"}
	return append(hellos(m),
		loader{name: "Node, bundle of client-s3 and express", family: "nodejs", make: makeBundle,
			function: function{name: "bundle", runtime: m.nodeRuntime(), handler: "index.handler"},
			bare:     []string{"node", "-e", "require('./index.js'); process.stdout.write('x')"}},
		sizedBundle(m, 1), sizedBundle(m, 5), sizedBundle(m, 20),
		loader{name: "Node, node_modules with client-s3, express and sharp", family: "nodejs", make: makeTree,
			function: function{name: "tree", runtime: m.nodeRuntime(), handler: "index.handler"},
			bare:     []string{"node", "-e", "require('./index.js'); process.stdout.write('x')"}},
		loader{name: "Python, boto3 in the zip", family: "python", make: makeBoto3, function: boto3, bare: bareBoto3},
		loader{name: "Python, boto3 of the runtime", family: "python", make: makeSDK, sdk: true, function: sdk, bare: bareBoto3},
		loader{name: "Java, Jackson and 2,000 classes", family: "java", make: makeJar,
			function: function{name: "jackson", runtime: javaRuntime, handler: "Main::handle"},
			bare:     []string{"java", "-jar", "lib/app.jar"}},
	)
}

// bareCommand is the command with the interpreter that serves the function's runtime.
func (l loader) bareCommand(ctx context.Context, stage *stage) ([]string, error) {
	program, err := stage.runtime(ctx, l.function.runtime)
	return append([]string{program}, l.bare[1:]...), err
}

// runtime tells which interpreter serves a runtime.
func (s *stage) runtime(ctx context.Context, name string) (program string, err error) {
	output, err := exec.CommandContext(ctx, s.caddy, "hearth", "runtimes", "--json", "--data-dir", filepath.Join(s.folder, "data")).Output()
	if err != nil {
		return "", fmt.Errorf("caddy hearth runtimes: %w", err)
	}
	var all []struct {
		Runtime, Path string
	}
	if err := json.Unmarshal(output, &all); err != nil {
		return "", fmt.Errorf("caddy hearth runtimes: %w", err)
	}
	for _, r := range all {
		if r.Runtime == name && r.Path != "" {
			return r.Path, nil
		}
	}
	return "", fmt.Errorf("no program serves %s", name)
}

// scenario times n first calls, each when a stem is ready, in turns with the bare interpreter.
func (l loader) scenario(n int) scenario {
	name := startsCode + l.name
	if l.make == nil {
		name = startsHello + l.name
	}
	return scenario{name: name, group: startsGroup, measure: func(ctx context.Context, shared *stage) ([]figure, error) {
		figures, err := l.measure(ctx, shared, name, n)
		var lacks *lacksError
		if errors.As(err, &lacks) {
			shared.absent[stack(name)] = lacks.Error()
			return nil, nil
		}
		return figures, err
	}}
}

// A lacksError says what this machine does not have.
type lacksError struct{ err error }

func (e *lacksError) Error() string { return e.err.Error() }
func (e *lacksError) Unwrap() error { return e.err }

func (l loader) measure(ctx context.Context, shared *stage, name string, n int) ([]figure, error) {
	bare, err := l.bareCommand(ctx, shared)
	if err != nil {
		return nil, &lacksError{err}
	}
	bareFolder := shared.folder
	functions := l.function.copies(n)
	var fresh []function
	if l.make != nil {
		made, err := shared.made(l.function.name)
		if err != nil {
			return nil, err
		}
		code, folder, err := l.make(ctx, shared, filepath.Join(made, "0"), "")
		if err != nil {
			return nil, &lacksError{fmt.Errorf("cannot make the code: %w", err)}
		}
		bareFolder = folder
		for i := range functions {
			functions[i].code = code
		}
		unseen := l.function
		unseen.name += "new"
		fresh = unseen.copies(min(newCodes, max(1, n/4)))
		for i := range fresh {
			mark := fmt.Sprint(i + 1)
			if fresh[i].code, _, err = l.make(ctx, shared, filepath.Join(made, mark), mark); err != nil {
				return nil, err
			}
		}
	}
	options := ""
	if l.sdk {
		data := filepath.Join(shared.folder, "sdk")
		if output, err := exec.CommandContext(ctx, shared.caddy, "hearth", "runtimes", "install", "boto3", "--data-dir", data).CombinedOutput(); err != nil {
			return nil, &lacksError{fmt.Errorf("cannot install boto3: %w: %s", err, output)}
		}
		options = fmt.Sprintf("\t\truntimes {\n\t\t\tboto3 %s\n\t\t}\n", filepath.Join(data, "runtimes", "sdk", "python"))
	}
	own, err := loadStage(ctx, shared, options, append(functions, fresh...))
	if err != nil {
		return nil, err
	}
	defer own.close()

	// The first time the disk is read and bytecode is written.
	if _, err := bareStart(ctx, bareFolder, bare); err != nil {
		return nil, err
	}
	var interpreter []time.Duration
	before := func() error {
		took, err := bareStart(ctx, bareFolder, bare)
		interpreter = append(interpreter, took)
		if err != nil {
			return err
		}
		return awaitStem(ctx, own, l.family)
	}
	firstNew, _, err := coldCalls(ctx, own, fresh, startsPause, before)
	if err != nil {
		return nil, err
	}
	first, added, err := coldCalls(ctx, own, functions, startsPause, before)
	if err != nil {
		return nil, err
	}
	base := median(interpreter)
	over := func(d time.Duration) float64 { return float64(d) / float64(base) }
	figures := []figure{
		{name, "bare interpreter, p50, ms", milliseconds(base)},
		{name, "bare interpreter, p99, ms", milliseconds(percentile(interpreter, 99))},
		{name, "first call, p50, ms", milliseconds(median(first))},
		{name, "first call, p99, ms", milliseconds(percentile(first, 99))},
		{name, "first call less a warm one, p50, ms", milliseconds(median(added))},
		{name, startsAdded, over(median(added))},
		{name, startsFirst, over(median(first))},
		{name, "first call over the bare interpreter, p99 of both", float64(percentile(first, 99)) / float64(percentile(interpreter, 99))},
	}
	if len(firstNew) > 0 {
		figures = append(figures, figure{name, startsNew, over(median(firstNew))})
	}
	return figures, nil
}

// startGoals judge the table of ratios.
func startGoals(r report) (goals []goal) {
	for _, want := range []struct {
		scenario, figure string
		most, least      float64
	}{
		{startsHello + "Node", startsAdded, 0.10, 0},
		{startsHello + "Python", startsAdded, 0.20, 0},
		{startsCode + "Node, bundle of client-s3 and express", startsFirst, 0.40, 0},
		{startsCode + "Python, boto3 in the zip", startsFirst, 0.90, 0},
		{startsCode + "Python, boto3 of the runtime", startsFirst, 0.25, 0},
		{startsCode + "Java, Jackson and 2,000 classes", startsFirst, 0.40, 0},
		{startsTogether + "Node", startsSlowest, 0.5, 0},
		{startsTogether + "Python", startsSlowest, 0.4, 0},
		{startsSecond, startsShare, 0, 0.75},
		{startsBusy, busyShare, 0, 0.95},
		{startsBusy, busyP99, 1, 0},
		{startsDensity, "Node, MB of an idle environment", 10, 0},
		{startsDensity, "Python, MB of an idle environment", 5, 0},
		{startsThroughput, "hearth Node x1, 16 connections, of respond", 0, 0.55},
		{startsThroughput, "hearth Node x1, 64 connections, of respond", 0, 0.72},
	} {
		for _, f := range r.Figures {
			if f.Scenario != want.scenario || f.Name != want.figure {
				continue
			}
			g := goal{f.Scenario + ": " + f.Name, "<= " + number(want.most), f.Value, f.Value <= want.most}
			if want.least > 0 {
				g.Wanted, g.Met = ">= "+number(want.least), f.Value >= want.least
			}
			goals = append(goals, g)
		}
	}
	return goals
}
