package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// What a network of its own costs an environment, beside the machine's in the same run.
const (
	wallsWarm = "walls warm"
	wallsCold = "walls cold"
	wallsMany = "walls many"

	wallsThroughput = ", answers/s, share of host's"
	wallsLatency    = ", p50, times host's"
	wallsAdds       = "first call, private adds at p50, ms"
	wallsCPU        = "private adds to an environment, ms of CPU"

	wallsColdFunctions = 100
	wallsColdAtOnce    = 10 // of one network, before those of the other
	wallsEnvironments  = 1000
)

func wallScenarios(m machine, s settings) []scenario {
	return []scenario{wallsOfWarm(m, s), wallsOfCold(m), wallsOfMany(s)}
}

// networks are what is compared. The first is the measure.
var networks = []string{"host", "private"}

// wallStages are servers whose functions have each of the networks, alike otherwise.
func wallStages(ctx context.Context, shared *stage, functions []function) (stages []*stage, stop func(), err error) {
	stop = func() {
		for _, s := range stages {
			s.close()
		}
	}
	for _, network := range networks {
		own, err := loadStage(ctx, shared, "\t\tnetwork "+network+"\n", functions)
		if err != nil {
			stop()
			return nil, nil, err
		}
		stages = append(stages, own)
	}
	return stages, stop, nil
}

// turn is the order of the networks in a round: none is always the first.
func turn(round int) []int {
	order := []int{0, 1}
	if round%2 == 1 {
		slices.Reverse(order)
	}
	return order
}

// wallsOfWarm is the load of the warm targets on one environment.
func wallsOfWarm(m machine, s settings) scenario {
	return scenario{name: wallsWarm, group: wallsGroup, measure: func(ctx context.Context, shared *stage) ([]figure, error) {
		f := function{name: "wall", runtime: m.nodeRuntime(), handler: "index.handler", code: "node", concurrency: 1}
		stages, stop, err := wallStages(ctx, shared, []function{f})
		if err != nil {
			return nil, err
		}
		defer stop()
		for _, own := range stages {
			if _, err := load(ctx, own, hearthStack, f.path(), 64, warmUp); err != nil {
				return nil, err
			}
		}
		failures := 0
		var figures []figure
		for _, connections := range levels() {
			rounds := make([][]sample, len(networks))
			for round := range s.rounds {
				for _, i := range turn(round) {
					measured, err := load(ctx, stages[i], hearthStack, f.path(), connections, time.Duration(s.seconds)*time.Second)
					if err != nil {
						return nil, err
					}
					progress("round %d/%d, %2d connections, network %-7s %8.0f req/s", round+1, s.rounds, connections, networks[i], measured.PerSec)
					rounds[i] = append(rounds[i], measured)
					failures += measured.Failures
				}
			}
			figures = append(figures, compared(fmt.Sprintf("connections %d", connections), rounds)...)
		}
		return append(figures, figure{wallsWarm, "failures", float64(failures)}), nil
	}}
}

// compared takes ratios within a round, and their medians.
func compared(name string, rounds [][]sample) []figure {
	var throughput, latency []float64
	for round, host := range rounds[0] {
		private := rounds[1][round]
		throughput = append(throughput, private.PerSec/host.PerSec)
		latency = append(latency, float64(private.P50)/float64(max(host.P50, 1)))
	}
	var figures []figure
	for i, network := range networks {
		figures = append(figures,
			figure{wallsWarm, fmt.Sprintf("%s, %s, answers/s", name, network), middle(rounds[i], func(s sample) float64 { return s.PerSec })},
			figure{wallsWarm, fmt.Sprintf("%s, %s, p50, us", name, network), float64(middle(rounds[i], func(s sample) time.Duration { return s.P50 }).Microseconds())},
			figure{wallsWarm, fmt.Sprintf("%s, %s, p99, us", name, network), float64(middle(rounds[i], func(s sample) time.Duration { return s.P99 }).Microseconds())})
	}
	return append(figures,
		figure{wallsWarm, name + wallsThroughput, median(throughput)},
		figure{wallsWarm, name + wallsLatency, median(latency)})
}

// wallsOfCold are first calls of functions for each of whom there is a stem.
func wallsOfCold(m machine) scenario {
	return scenario{name: wallsCold, group: wallsGroup, measure: func(ctx context.Context, shared *stage) ([]figure, error) {
		functions := numbered(m, "cold-wall", "node", wallsColdFunctions)
		stages, stop, err := wallStages(ctx, shared, functions)
		if err != nil {
			return nil, err
		}
		defer stop()
		first := make([][]time.Duration, len(networks))
		round := 0
		for some := range slices.Chunk(functions, wallsColdAtOnce) {
			for _, i := range turn(round) {
				took, _, err := coldCalls(ctx, stages[i], some, coldPause, func() error { return awaitStem(ctx, stages[i], "nodejs") })
				if err != nil {
					return nil, err
				}
				first[i] = append(first[i], took...)
			}
			round++
		}
		figures := []figure{}
		for i, network := range networks {
			figures = append(figures,
				figure{wallsCold, "first call, " + network + ", p50, ms", milliseconds(median(first[i]))},
				figure{wallsCold, "first call, " + network + ", p99, ms", milliseconds(percentile(first[i], 99))})
		}
		return append(figures, figure{wallsCold, wallsAdds, milliseconds(median(first[1]) - median(first[0]))}), nil
	}}
}

// wallsOfMany has servers make many environments ahead, with one network and with the
// other.
func wallsOfMany(s settings) scenario {
	return scenario{name: wallsMany, group: wallsGroup, measure: func(ctx context.Context, shared *stage) ([]figure, error) {
		many, err := mostEnvironments()
		if err != nil {
			return nil, err
		}
		used, took := make([][]float64, len(networks)), make([][]float64, len(networks))
		for round := range s.rounds {
			for _, i := range turn(round) {
				cpu, all, err := manyEnvironments(ctx, shared, networks[i], many)
				if err != nil {
					return nil, err
				}
				used[i] = append(used[i], milliseconds(cpu)/float64(many))
				took[i] = append(took[i], all.Seconds())
				progress("round %d/%d, network %-7s %d environments, %.2f ms of CPU each", round+1, s.rounds, networks[i], many, milliseconds(cpu)/float64(many))
			}
		}
		figures := []figure{{wallsMany, "environments", float64(many)}}
		adds := make([]float64, s.rounds)
		for round := range s.rounds {
			adds[round] = used[1][round] - used[0][round]
		}
		for i, network := range networks {
			figures = append(figures,
				figure{wallsMany, network + ", CPU of an environment, ms", median(used[i])},
				figure{wallsMany, network + ", all are ready, s", median(took[i])})
		}
		return append(figures, figure{wallsMany, wallsCPU, median(adds)}), nil
	}}
}

// mostEnvironments is how many a server has descriptors for: half of them, 14 each. If it
// may, this program raises the limit, which the servers have from it.
func mostEnvironments() (int, error) {
	const each = 14
	const wanted = 2 * (each + 2) * wallsEnvironments
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, err
	}
	if limit.Max < wanted && unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: wanted, Max: wanted}) == nil {
		limit.Max = wanted
	}
	return min(wallsEnvironments, int(limit.Max)/2/(each+2)), nil
}

// manyEnvironments returns the CPU time of a server until it has as many environments.
func manyEnvironments(ctx context.Context, shared *stage, network string, many int) (used, took time.Duration, err error) {
	const patience = 10 * time.Minute
	folder, err := os.MkdirTemp("", "hearth-bench-")
	if err != nil {
		return 0, 0, err
	}
	own := &stage{caddy: shared.caddy, folder: folder, address: map[stack]string{}, roots: map[stack][]int{}}
	defer own.close()
	if err := os.CopyFS(folder, assets); err != nil {
		return 0, 0, err
	}
	if err := os.Chmod(own.asset("bash/bootstrap"), 0o755); err != nil {
		return 0, 0, err
	}
	own.options = fmt.Sprintf("\t\tnetwork %s\n\t\tstems 0\n\t\tmemory_budget %d\n\t\tconcurrency %d\n\t\tfunction many {\n\t\t\truntime provided.al2023\n\t\t\thandler none\n\t\t\tcode %s\n\t\t\tmemory 128\n\t\t\tprovisioned_concurrency %d\n\t\t}\n",
		network, 2*128*many, 2*many, own.asset("bash"), many)
	began := time.Now()
	if err := own.startHearth(ctx, own.caddy, nil); err != nil {
		return 0, 0, err
	}
	client := newClient(1)
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for ready := 0; ready < many; {
		if err := wait(ctx, 200*time.Millisecond); err != nil {
			return 0, 0, fmt.Errorf("%d of %d environments are ready after %v: %w:\n%s", ready, many, patience, err, own.servers[0].lastWords())
		}
		metrics := call(ctx, client, own.address[hearthStack]+"/metrics")
		if metrics.err != nil {
			return 0, 0, metrics.err
		}
		_, count, _ := strings.Cut(metrics.body, "hearth_environments{function=\"many\",state=\"idle\"} ")
		count, _, _ = strings.Cut(count, "\n")
		ready, _ = strconv.Atoi(count) // not there yet: none
	}
	took = time.Since(began)
	used, err = exactCPUOf(own.roots[hearthStack][0])
	return used, took, err
}

// exactCPUOf is cpuOf for a family of many processes that have run for less than a tick:
// of those with one thread the scheduler knows the nanoseconds.
func exactCPUOf(root int) (sum time.Duration, err error) {
	members, err := family(root)
	if err != nil {
		return 0, err
	}
	for _, p := range members {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", p.pid))
		if err != nil {
			return 0, err
		}
		own := p.cpu
		if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", p.pid)); err == nil && len(threads) == 1 {
			var nanoseconds int64
			if _, err := fmt.Sscan(string(text), &nanoseconds); err != nil {
				return 0, err
			}
			own = time.Duration(nanoseconds)
		}
		sum += own
	}
	return sum, nil
}
