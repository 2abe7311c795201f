// Command bench measures Hearth beside what a user would pick instead, in one run on
// one machine, so that the ratios mean something where the figures do not:
//
//	respond        Caddy's own respond with the same JSON: the limit
//	reverse_proxy  Caddy in front of one hand-written Node server: the alternative
//	hearth ...     functions with a fixed number of environments
//
// Each round visits every target at each number of connections in turn (A B C A B C), so
// that a slow minute of the machine hits all of them; what is printed are medians over the
// rounds, and ratios are taken inside a round. The scenarios look at what throughput
// hides: cold starts, a burst on a cold function, short calls beside a long one.
//
// `bench cold` measures the cold starts alone, `bench api` the Lambda API,
// `bench events` what becomes of events, `bench pull` sources that are polled,
// `bench cluster` several nodes that share a Redis, `bench load` what functions do to
// each other, `bench walls` what a network of its own costs a function, `bench starts`
// first calls beside what a bare interpreter takes for the same code, `bench websockets`
// idle sockets and messages, `bench stacks` stacks of CloudFormation, `bench console` the
// console's list of functions in a browser, `bench traces` what traces cost calls, and what metrics
// over time take.
//
// It expects to be started in the root of the repository, as ./xcaddy.sh bench does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// settings are the flags.
type settings struct {
	rounds  int
	seconds int
	starts  int
	only    *regexp.Regexp
	group   string // "" for everything
	json    string
	caddy   string
}

func main() {
	s, err := parseFlags(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}

	// The servers are stopped on the way out of run, also when a signal ends it.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s); err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted") // and not how wrk took it
		}
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) //nolint:gocritic // the process is over; there is nothing left to stop
	}
}

func parseFlags(args []string) (settings, error) {
	var s settings
	var only string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&s.rounds, "rounds", 3, "rounds over all targets; medians are over these")
	flags.IntVar(&s.seconds, "seconds", 6, "seconds of load per target, connections and round")
	flags.IntVar(&s.starts, "starts", 100, "first calls of each kind that `bench starts` times; fewer for a quick look")
	flags.StringVar(&only, "only", "", "measure only the targets and scenarios whose name matches this `regexp`")
	flags.StringVar(&s.json, "json", "", "`file` for the results as JSON (default tests/bench/results/DATE.json)")
	flags.StringVar(&s.caddy, "caddy", "bin/caddy", "the Caddy `binary` to measure")
	if len(args) > 0 && slices.Contains(groups, args[0]) {
		s.group, args = args[0], args[1:]
	}
	if err := flags.Parse(args); err != nil {
		return settings{}, err
	}
	if flags.NArg() > 0 {
		return settings{}, fmt.Errorf("unknown argument %q: the groups are %s, named before the flags", flags.Arg(0), strings.Join(groups, ", "))
	}
	if s.rounds < 1 || s.seconds < 1 || s.starts < 1 {
		return settings{}, errors.New("--rounds, --seconds and --starts must be 1 or more")
	}
	var err error
	if s.only, err = regexp.Compile(only); err != nil {
		return settings{}, fmt.Errorf("--only: %w", err)
	}
	if s.caddy, err = filepath.Abs(s.caddy); err != nil {
		return settings{}, err
	}
	if s.json == "" {
		s.json = filepath.Join("tests", "bench", "results", time.Now().Format("2006-01-02T150405")+".json")
	}
	return s, nil
}

func run(ctx context.Context, s settings) error {
	m, err := thisMachine(ctx, s.caddy)
	if err != nil {
		return err
	}
	warm, scenarios := selected(s.only, s.group, warmTargets(m), allScenarios(m, s))
	if len(warm) == 0 && len(scenarios) == 0 {
		return fmt.Errorf("--only %s matches nothing", s.only)
	}

	stage, err := newStage(ctx, s.caddy, warm, scenarios)
	if err != nil {
		return err
	}
	defer stage.close()

	r := report{Started: time.Now(), Rounds: s.rounds, Seconds: s.seconds, Machine: m, Absent: stage.absent}
	if r.Warm, err = measureWarm(ctx, stage, warm, s); err != nil {
		return err
	}
	for _, scenario := range scenarios {
		if stage.address[hearthStack] == "" {
			continue
		}
		progress("%s", scenario.name)
		figures, err := scenario.measure(ctx, stage)
		if err != nil {
			return fmt.Errorf("%s: %w", scenario.name, err)
		}
		r.Figures = append(r.Figures, figures...)
	}
	r.Goals = judge(r)

	r.writeMarkdown(os.Stdout)
	if err := r.keep(s.json); err != nil {
		return err
	}
	progress("kept in %s", s.json)
	return r.failure()
}

func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}
