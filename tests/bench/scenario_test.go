package main

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

func TestBurstScenarioCountsFailuresAndEnvironments(t *testing.T) {
	const rounds = 2
	var calls atomic.Int64
	site := localStage(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("ms") != "10" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		// Two environments answer the first round, and the second is refused.
		if strings.HasSuffix(r.URL.Path, "/burst-2") {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		_, _ = io.WriteString(w, strconv.Itoa(int(calls.Add(1)%2)))
	})
	figures, err := burstScenario(machine{Node: "20.1.0"}, rounds).measure(t.Context(), site)
	if err != nil {
		t.Fatal(err)
	}
	if got := figures[0].Value; got != burstCalls {
		t.Errorf("%s = %v, want %d: one round of two was refused", figures[0].Name, got, burstCalls)
	}
	if got := figures[1].Value; got != 2 {
		t.Errorf("%s = %v, want 2", figures[1].Name, got)
	}
}
