package main

import (
	"fmt"
	"strings"
)

// goal is a stated aim beside what was measured.
type goal struct {
	Name     string  `json:"name"`
	Wanted   string  `json:"wanted"`
	Measured float64 `json:"measured"`
	Met      bool    `json:"met"`
}

// judge compares a report with the aims that can be judged from it.
func judge(r report) []goal {
	var goals []goal
	const node, python = "hearth Node x1", "hearth Python x1"
	atLeast := func(name, target string, connections int, base string, wanted float64) {
		if row := r.row(target, connections); row != nil {
			if ratio, ok := r.ratio(row, base); ok {
				goals = append(goals, goal{name, ">= " + number(wanted), ratio, ratio >= wanted})
			}
		}
	}
	atLeast("one Node process, 64 connections, times reverse_proxy", node, 64, proxyTarget, 2.5)
	atLeast("one Node process, 64 connections, times respond", node, 64, respondTarget, 0.6)
	atLeast("one Node process, 16 connections, times reverse_proxy", node, 16, proxyTarget, 1.8)
	atLeast("one Python process, 64 connections, times Node", python, 64, node, 0.7)
	if share, ok := r.addedTime(node); ok {
		goals = append(goals, goal{"one Node process, 1 connection, time added over respond, times reverse_proxy's", "<= 0.50", share, share <= 0.5})
	}

	goals = append(goals, acceptGoals(r)...)
	goals = append(goals, pullGoals(r)...)
	goals = append(goals, wallGoals(r)...)
	goals = append(goals, startGoals(r)...)
	goals = append(goals, gatewayRouteGoals(r)...)

	for _, limit := range []struct {
		scenario, figure string
		most             float64
	}{
		{"cold Node", "first call over a warm one, median, ms", 5},
		{"cold Node", "first call over a warm one, p99, ms", 15},
		{"cold Python", "first call over a warm one, median, ms", 5},
		{"cold Python", "first call over a warm one, p99, ms", 15},
		{"cold Java", "first call over a warm one, median, ms", 20},
		{"cold Java", "first call over a warm one, p99, ms", 60},
		{"cold Node without a stem", "over the bare interpreter, median, ms", 12},
		{"cold Python without a stem", "over the bare interpreter, median, ms", 12},
		{"cold Java without a stem", "over the bare interpreter, median, ms", 12},
		{"keep-alive", "4 GB: time of cold starts, ratio", 1},
		{"keep-alive", "16 GB: cold starts, ratio", 1},
		{"keep-alive", "plenty: cold starts, ratio", 1},
		{"keep-alive", "plenty: memory, ratio", 1},
		{"cold at once", "failures of ", 0},
		{"registered", "start to the first answer, ms", 1000},
		{"registered", "memory after the start, MB", 200},
		{"registered", "reload and the first call of another, ms", 1000},
		{"registered", "memory after the reload, MB", 200},
		{"cold burst", "failures of ", 0},
		{"cold burst", "environments, most", burstEnvironments},
		{"api invoke", "failures", 0},
		{gatewayRoutes, "failures", 0},
		{"api create", "1 MB to Active, p50, ms", 50},
		{stacksScenario, stackCreated, 400},
		{stacksScenario, stackUpdated, 150},
		{stacksScenario, stackLarge, 5000},
		{consoleScenario, consolePaint, 300},
		{"api list", "first page, p50, ms", 10},
		{"events accepted", "failures", 0},
		{"events accepted and delivered", "failures", 0},
		{"event latency", "request to the function's start, p50, ms", 5},
		{"a million events", "memory growth once idle, MB", 100},
		{"a million events", "restart, start to the first answer, ms", 2000},
		{"a million events", "restart after a kill, start to the first answer, ms", 2000},
		{"idle mappings of ", idleShare, 5},
		{"cluster warm", "failures", 0},
		{"cluster hand-off", "failures", 0},
		{"cluster hand-off", "adds at p50, ms", 1},
		{clusterAccepted, "failures", 0},
		{clusterDelivered, "failures", 0},
		{hangingScenario, "failures", 0},
		{hangingScenario, hangingAdds, 50},
		{floodScenario, "failures of ", 0},
		{floodScenario, floodRatio, 10},
		{busyScenario, "failures", 0},
		{wallsWarm, "failures", 0},
		{wallsCold, wallsAdds, 0.5},
		{tracesScenario, "failures", 0},
		{seriesScenario, seriesCPU, 2},
		{wallsMany, wallsCPU, 2},
		{socketsIdle, socketsMemory, 40},
		{socketsTrip, socketsAdds, 0.3},
		{"mix", "failures", 0},
		{"mix", "short calls beside a long one, p99, ms", 10},
		{"mix", "short calls beside a long one, slowest, ms", milliseconds(longCall) / 4},
	} {
		for _, f := range r.Figures {
			if (f.Scenario == limit.scenario || strings.HasSuffix(limit.scenario, " ") && strings.HasPrefix(f.Scenario, limit.scenario)) && strings.HasPrefix(f.Name, limit.figure) {
				goals = append(goals, goal{f.Scenario + ": " + f.Name, "<= " + number(limit.most), f.Value, f.Value <= limit.most})
			}
		}
	}
	for _, f := range r.Figures {
		for _, least := range []struct {
			scenario, figure string
			wanted           float64
		}{
			{"api invoke", apiShare, 0.5},
			{"cluster warm", clusterShare, 0.95},
			{busyScenario, busyShare, 0.95},
			{tracesScenario, tracesOff, 0.99},
			{tracesScenario, tracesOn, 0.95},
			{clusterAccepted, "events/s", eventsWanted},
			{clusterDelivered, "events/s", eventsWanted},
		} {
			if f.Scenario == least.scenario && f.Name == least.figure {
				goals = append(goals, goal{f.Scenario + ": " + f.Name, ">= " + number(least.wanted), f.Value, f.Value >= least.wanted})
			}
		}
	}
	return goals
}

// wallGoals judge what a network of its own costs calls: 3 % at most.
func wallGoals(r report) (goals []goal) {
	for _, f := range r.Figures {
		switch {
		case f.Scenario != wallsWarm:
		case strings.HasSuffix(f.Name, wallsThroughput):
			goals = append(goals, goal{f.Scenario + ": " + f.Name, ">= 0.97", f.Value, f.Value >= 0.97})
		case strings.HasSuffix(f.Name, wallsLatency):
			goals = append(goals, goal{f.Scenario + ": " + f.Name, "<= 1.03", f.Value, f.Value <= 1.03})
		}
	}
	return goals
}

// pullGoals judge how many records are taken: so many, or most of what the source gives
// to a bare client.
func pullGoals(r report) (goals []goal) {
	shares := make(map[string]float64)
	for _, f := range r.Figures {
		if f.Name == pullShare {
			shares[f.Scenario] = f.Value
		}
	}
	for _, f := range r.Figures {
		share, ok := shares[f.Scenario]
		if f.Name == pullRate && ok {
			wanted := fmt.Sprintf(">= %d, or a share of 0.8", pullWanted)
			goals = append(goals, goal{f.Scenario + ": " + f.Name, wanted, f.Value, f.Value >= pullWanted || share >= 0.8})
		}
	}
	return goals
}

// acceptGoals judge how many events are accepted: so many, or half of what the disk
// allows if that is less.
func acceptGoals(r report) (goals []goal) {
	value := func(scenario, name string) (float64, bool) {
		for _, f := range r.Figures {
			if f.Scenario == scenario && f.Name == name {
				return f.Value, true
			}
		}
		return 0, false
	}
	for _, scenario := range []string{"events accepted", "events accepted and delivered"} {
		accepted, ok := value(scenario, "events/s")
		disk, known := value(scenario, "the disk allows, events/s")
		if ok && known {
			wanted := min(eventsWanted, disk/2)
			goals = append(goals, goal{scenario + ": events/s", ">= " + number(wanted), accepted, accepted >= wanted})
		}
	}
	return goals
}

// addedTime returns what a target adds to the median answer of respond at one
// connection, as a share of what reverse_proxy adds in the same round: the median
// over the rounds. It is false if one of them was not measured.
func (r report) addedTime(target string) (share float64, ok bool) {
	row, limit, proxy := r.row(target, 1), r.row(respondTarget, 1), r.row(proxyTarget, 1)
	if row == nil || limit == nil || proxy == nil || len(limit.Rounds) != len(row.Rounds) || len(proxy.Rounds) != len(row.Rounds) {
		return 0, false
	}
	var shares []float64
	for i := range row.Rounds {
		if added := proxy.Rounds[i].P50 - limit.Rounds[i].P50; added > 0 {
			shares = append(shares, float64(row.Rounds[i].P50-limit.Rounds[i].P50)/float64(added))
		}
	}
	if len(shares) == 0 {
		return 0, false
	}
	return median(shares), true
}
