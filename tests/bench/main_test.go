package main

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFlagsThatMeasureNothingAreRefused(t *testing.T) {
	for _, args := range [][]string{{"--rounds", "0"}, {"--seconds", "0"}, {"--only", "("}, {"respond"}} {
		if _, err := parseFlags(args); err == nil {
			t.Errorf("parseFlags(%q) takes them", args)
		}
	}
}

func TestOnlyKeepsMatchingTargetsAndScenarios(t *testing.T) {
	s, err := parseFlags([]string{"--only", "^respond$|burst"})
	if err != nil {
		t.Fatal(err)
	}
	m := machine{Node: "20.1.0", Python: "3.11.2"}
	warm, scenarios := selected(s.only, s.group, warmTargets(m), allScenarios(m, s))
	if len(warm) != 1 || warm[0].name != respondTarget {
		t.Errorf("targets = %v, want respond alone", warm)
	}
	if len(scenarios) != 1 || scenarios[0].name != "cold burst" {
		t.Errorf("scenarios = %v, want the cold burst alone", scenarios)
	}
}

func TestColdGroupLeavesOutWarmTargetsAndTheMix(t *testing.T) {
	s, err := parseFlags([]string{"cold", "--rounds", "1"})
	if err != nil {
		t.Fatal(err)
	}
	m := machine{Node: "20.1.0", Python: "3.11.2"}
	warm, scenarios := selected(s.only, s.group, warmTargets(m), allScenarios(m, s))
	if len(warm) > 0 || len(scenarios) != 10 {
		t.Errorf("%d targets and %d scenarios, want none and 10", len(warm), len(scenarios))
	}
	for _, c := range scenarios {
		if c.name == "mix" {
			t.Error("the mix is no cold start")
		}
	}
}

func TestEventsGroupIsEventsAlone(t *testing.T) {
	s, err := parseFlags([]string{"events"})
	if err != nil {
		t.Fatal(err)
	}
	m := machine{Node: "20.1.0", Python: "3.11.2"}
	warm, scenarios := selected(s.only, s.group, warmTargets(m), allScenarios(m, s))
	if len(warm) > 0 || len(scenarios) != 4 {
		t.Errorf("%d targets and %d scenarios, want none and 4", len(warm), len(scenarios))
	}
}

func TestRuntimesAreNamedAsLambdaNamesThem(t *testing.T) {
	m := machine{Node: firstVersion("v20.20.2\n"), Python: firstVersion("Python 3.11.7\n")}
	if got := m.nodeRuntime() + " " + m.pythonRuntime(); got != "nodejs20.x python3.11" {
		t.Errorf("runtimes = %s", got)
	}
}

func TestClusterGroupIsSeveralNodesAlone(t *testing.T) {
	s, err := parseFlags([]string{"cluster"})
	if err != nil {
		t.Fatal(err)
	}
	m := machine{Node: "20.1.0", Python: "3.11.2"}
	warm, scenarios := selected(s.only, s.group, warmTargets(m), allScenarios(m, s))
	if len(warm) > 0 || len(scenarios) != 6 {
		t.Errorf("%d targets and %d scenarios, want none and 6", len(warm), len(scenarios))
	}
}
