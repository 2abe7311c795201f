package main

import "testing"

func TestWebSocketsGroupIsSocketsAlone(t *testing.T) {
	s, err := parseFlags([]string{"websockets"})
	if err != nil {
		t.Fatal(err)
	}
	m := machine{Node: "20.1.0", Python: "3.11.2"}
	warm, scenarios := selected(s.only, s.group, warmTargets(m), allScenarios(m, s))
	if len(warm) > 0 || len(scenarios) != 2 {
		t.Errorf("%d targets and %d scenarios, want none and 2", len(warm), len(scenarios))
	}
}
