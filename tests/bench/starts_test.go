package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestStartsGroupIsFirstCallsAlone(t *testing.T) {
	s, err := parseFlags([]string{"starts", "--starts", "20"})
	if err != nil {
		t.Fatal(err)
	}
	m := machine{Node: "20.1.0", Python: "3.11.2"}
	warm, scenarios := selected(s.only, s.group, warmTargets(m), allScenarios(m, s))
	if len(warm) > 0 || len(scenarios) != 17 {
		t.Errorf("%d targets and %d scenarios, want none and 17", len(warm), len(scenarios))
	}
	if _, err := parseFlags([]string{"starts", "--starts", "0"}); err == nil {
		t.Error("no start at all is accepted")
	}
}

func TestStartGoalsHaveARatioAtMostOrAtLeast(t *testing.T) {
	goals := startGoals(report{Figures: []figure{
		{startsHello + "Node", startsAdded, 0.2}, {startsSecond, startsShare, 0.8},
	}})
	if len(goals) != 2 || goals[0].Wanted != "<= 0.10" || goals[0].Met || goals[1].Wanted != ">= 0.75" || !goals[1].Met {
		t.Errorf("goals = %v", goals)
	}
}

func TestCopyPackageLeavesOutBytecodeAndOtherServices(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	for _, name := range []string{"session.py", "__pycache__/session.pyc", "data/endpoints.json", "data/s3/service.json", "data/ec2/service.json"} {
		path := filepath.Join(from, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := copyPackage(from, filepath.Join(to, "botocore")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"session.py": true, "__pycache__": false, "data/endpoints.json": true, "data/s3/service.json": true, "data/ec2": false} {
		if _, err := os.Stat(filepath.Join(to, "botocore", name)); (err == nil) != want {
			t.Errorf("%s: %v, want it copied: %t", name, err, want)
		}
	}
}

func TestASizedBundleHasItsSizeAndDistinctModules(t *testing.T) {
	text := modules(1 << 20)
	if n := len(text); n < 1<<20 || n > 1<<20+8192 {
		t.Errorf("%d bytes, want one MB", n)
	}
	if strings.Count(text, "modules.m7 =") != 1 || !strings.Contains(text, "exports.handler") {
		t.Error("the bundle lacks a module or its handler")
	}
}
