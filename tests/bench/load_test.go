package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"
)

const wrkOutput = `Running 1s test @ http://127.0.0.1:8080/
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   301.25us  512.11us   9.95ms   94.38%
  51234 requests in 1.00s, 7.12MB read
{"requests":50000,"duration_us":1250000,"p50_us":274,"p99_us":5529,"max_us":9950,"status_errors":2,"socket_errors":3}
`

func TestLineOfTheLoadGeneratorIsRead(t *testing.T) {
	got, err := parseWrk([]byte(wrkOutput))
	if err != nil {
		t.Fatal(err)
	}
	want := sample{
		Requests: 50000, PerSec: 40000, Failures: 5,
		P50: 274 * time.Microsecond, P99: 5529 * time.Microsecond, Max: 9950 * time.Microsecond,
	}
	if got != want {
		t.Errorf("parseWrk = %+v, want %+v", got, want)
	}
}

func TestLoadThatMeasuredNothingIsAnError(t *testing.T) {
	for _, output := range []string{
		"", "unable to connect", "\n{", `
{"requests":0,"duration_us":1000000}`,
	} {
		if s, err := parseWrk([]byte(output)); err == nil {
			t.Errorf("parseWrk(%q) = %+v, want an error", output, s)
		}
	}
}

// localStage is a stage whose one stack is this test.
func localStage(t *testing.T, handler http.HandlerFunc) *stage {
	t.Helper()
	s := &stage{folder: t.TempDir(), address: map[stack]string{}, roots: map[stack][]int{}}
	if err := os.CopyFS(s.folder, assets); err != nil {
		t.Fatal(err)
	}
	site := httptest.NewServer(handler)
	t.Cleanup(site.Close)
	s.address[hearthStack] = site.URL
	s.roots[hearthStack] = []int{os.Getpid()}
	return s
}

func TestLoadCountsRequestsAndTheirCPU(t *testing.T) {
	site := localStage(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(greeting)) })
	got, err := load(t.Context(), site, hearthStack, "/", 2, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if got.Requests == 0 || got.PerSec <= 0 || got.P50 <= 0 || got.P99 < got.P50 || got.Max < got.P99 || got.CPU <= 0 {
		t.Errorf("load = %+v", got)
	}
	if got.Failures != 0 {
		t.Errorf("%d failures, the server made none", got.Failures)
	}
}

func TestRefusalsAreFailuresOfTheLoad(t *testing.T) {
	site := localStage(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) })
	got, err := load(t.Context(), site, hearthStack, "/", 2, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if got.Failures != got.Requests {
		t.Errorf("%d failures of %d requests, all were refused", got.Failures, got.Requests)
	}
}

func TestInterruptEndsTheLoad(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	site := localStage(t, func(http.ResponseWriter, *http.Request) { cancel() })
	if _, err := load(ctx, site, hearthStack, "/", 1, time.Hour); err == nil {
		t.Error("an hour of load ended without an error")
	}
}
