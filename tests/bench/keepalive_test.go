package main

import (
	"testing"
	"time"

	"github.com/hearthfn/hearth/warmpool/keepalive"
)

func TestExpectedValueHasFewerColdStartsThanAFixedTime(t *testing.T) {
	figures, err := keepaliveScenario().measure(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range figures {
		t.Logf("%s: %.3g", f.Name, f.Value)
	}
	for _, f := range figures {
		switch f.Name {
		case "4 GB: time of cold starts, ratio", "8 GB: time of cold starts, ratio", "16 GB: cold starts, ratio", "plenty: cold starts, ratio":
			if f.Value >= 1 {
				t.Errorf("%s is %.3g", f.Name, f.Value)
			}
		case "plenty: memory, ratio":
			if f.Value > 1.0 {
				t.Errorf("%s is %.3g: it is no comparison at equal memory", f.Name, f.Value)
			}
		}
	}
}

// A scan of functions that are called once does not push out one that is busy.
func TestScanLeavesTheBusyFunctionWarm(t *testing.T) {
	functions := make([]tracedFunction, 201)
	var calls []arrival
	for i := range functions {
		functions[i] = tracedFunction{128, 100 * time.Millisecond}
	}
	for second := range 600 {
		at := time.Duration(second) * time.Second
		if second < 300 || second%30 == 0 {
			calls = append(calls, arrival{at, 0, time.Millisecond})
		}
		if second >= 300 {
			calls = append(calls, arrival{at + time.Millisecond, 1 + second%200, time.Millisecond})
		}
	}
	starts := func(p policy) int {
		r := replay(functions, calls, 10*128, p)
		return r.starts
	}
	fixed := starts(&fixedTime{keep: 10 * time.Minute})
	ours := starts(&expectedValue{functions: functions, histories: make([]keepalive.History, len(functions)), most: longestIdle})
	if ours >= fixed {
		t.Errorf("%d cold starts, with least recent use %d", ours, fixed)
	}
}
