package main

import "strings"

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
	atLeast := func(name string, measured, wanted float64, ok bool) {
		if ok {
			goals = append(goals, goal{name, ">= " + number(wanted), measured, measured >= wanted})
		}
	}
	const busy = 64
	toProxy, ok := r.best("hearth Node", busy, proxyTarget)
	atLeast("warm Node, 64 connections, times reverse_proxy", toProxy, 2.5, ok)
	toRespond, ok := r.best("hearth Node", busy, respondTarget)
	atLeast("warm Node, 64 connections, times respond", toRespond, 0.6, ok)

	for _, limit := range []struct {
		scenario, figure string
		most             float64
	}{
		{"cold Node", "first call, median, ms", 5},
		{"cold Python", "first call, median, ms", 5},
		{"cold burst", "failures of ", 0},
		{"cold burst", "environments, most", burstEnvironments},
		{"mix", "failures", 0},
		{"mix", "short calls beside a long one, p99, ms", 10},
		{"mix", "short calls beside a long one, slowest, ms", milliseconds(longCall) / 4},
	} {
		for _, f := range r.Figures {
			if f.Scenario == limit.scenario && strings.HasPrefix(f.Name, limit.figure) {
				goals = append(goals, goal{f.Scenario + ": " + f.Name, "<= " + number(limit.most), f.Value, f.Value <= limit.most})
			}
		}
	}
	return goals
}

// best returns the highest ratio to base of the targets whose name begins with prefix.
// How many environments are best depends on the machine; the user may choose them too.
func (r report) best(prefix string, connections int, base string) (best float64, ok bool) {
	for i := range r.Warm {
		row := &r.Warm[i]
		if row.Connections != connections || !strings.HasPrefix(row.Target, prefix) {
			continue
		}
		if ratio, measured := r.ratio(row, base); measured {
			best, ok = max(best, ratio), true
		}
	}
	return best, ok
}
