package main

import (
	"encoding/json"
	"testing"
)

func TestStacksGroupIsTheStacksAlone(t *testing.T) {
	s, err := parseFlags([]string{"stacks"})
	if err != nil {
		t.Fatal(err)
	}
	m := machine{Node: "20.1.0", Python: "3.11.2"}
	warm, scenarios := selected(s.only, s.group, warmTargets(m), allScenarios(m, s))
	if len(warm) > 0 || len(scenarios) != 1 {
		t.Errorf("%d targets and %d scenarios, want none and 1", len(warm), len(scenarios))
	}
}

func TestStacksAreJudgedByTheirGoals(t *testing.T) {
	r := report{Figures: []figure{{stacksScenario, stackCreated, 399}, {stacksScenario, stackUpdated, 151}, {stacksScenario, stackLarge, 5000}}}
	met := map[string]bool{}
	for _, g := range judge(r) {
		met[g.Name] = g.Met
	}
	if len(met) != 3 || !met[stacksScenario+": "+stackCreated] || met[stacksScenario+": "+stackUpdated] || !met[stacksScenario+": "+stackLarge] {
		t.Errorf("judged are %v", met)
	}
}

func TestTheLargeStackHasItsNumberOfResources(t *testing.T) {
	var template struct{ Resources map[string]any }
	if err := json.Unmarshal([]byte(largeStack(0)), &template); err != nil || len(template.Resources) != stackResources {
		t.Errorf("%d resources, %v", len(template.Resources), err)
	}
}
