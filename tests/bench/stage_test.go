package main

import "testing"

func TestHearthBlocksDeclareAndRouteEachFunction(t *testing.T) {
	s := &stage{folder: "/bench"}
	global, site := s.hearthBlocks([]function{{"node-2", "nodejs20.x", "index.handler", "node", 2, false}})
	const wantGlobal = `	hearth {
		data_dir /bench/data
		idle_timeout 10s
		function node-2 {
			runtime nodejs20.x
			handler index.handler
			code /bench/assets/node
			memory 256
			timeout 30s
			reserved_concurrency 2
		}
	}
`
	if global != wantGlobal {
		t.Errorf("global options:\n%s\nwant:\n%s", global, wantGlobal)
	}
	const wantSite = "\troute /node/* {\n\t\troute /node/node-2 {\n\t\t\tfunction node-2\n\t\t}\n\t}\n"
	if site != wantSite {
		t.Errorf("site:\n%s\nwant:\n%s", site, wantSite)
	}
}

func TestFunctionNamesAreUnique(t *testing.T) {
	m := machine{Node: "20.1.0", Python: "3.11.2"}
	seen := map[string]bool{}
	check := func(f function) {
		if seen[f.name] {
			t.Errorf("two functions are named %q: the second would not be cold", f.name)
		}
		seen[f.name] = true
	}
	for _, target := range warmTargets(m) {
		if target.stack == hearthStack {
			check(target.function)
		}
	}
	for _, scenario := range allScenarios(m, settings{rounds: 3, seconds: 6}) {
		for _, f := range scenario.functions {
			check(f)
		}
	}
}
