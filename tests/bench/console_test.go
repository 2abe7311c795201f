package main

import "testing"

func TestConsoleGroupIsTheConsoleAlone(t *testing.T) {
	s, err := parseFlags([]string{"console"})
	if err != nil {
		t.Fatal(err)
	}
	m := machine{Node: "20.1.0", Python: "3.11.2"}
	warm, scenarios := selected(s.only, s.group, warmTargets(m), allScenarios(m, s))
	if len(warm) > 0 || len(scenarios) != 1 {
		t.Errorf("%d targets and %d scenarios, want none and 1", len(warm), len(scenarios))
	}
}

func TestConsoleIsJudgedByItsGoal(t *testing.T) {
	goals := judge(report{Figures: []figure{{consoleScenario, consolePaint, 301}, {consoleScenario, consolePaintCached, 299}}})
	if len(goals) != 1 || goals[0].Met {
		t.Errorf("judged are %v", goals)
	}
}
