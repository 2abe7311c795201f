package main

import (
	"io"
	"net/http"
	"sync"
	"testing"
)

func TestBurstCallsAreThereAtTheSameTime(t *testing.T) {
	const n = 20
	var arrived sync.WaitGroup
	arrived.Add(n)
	site := localStage(t, func(w http.ResponseWriter, _ *http.Request) {
		arrived.Done()
		arrived.Wait() // nobody is answered before all have come
		_, _ = io.WriteString(w, "a")
	})
	for _, c := range burst(t.Context(), site.address[hearthStack], n) {
		if c.err != nil || c.body != "a" || c.took <= 0 {
			t.Errorf("call = %+v", c)
		}
	}
}

func TestRefusedCallIsAnErrorWithTheAnswer(t *testing.T) {
	site := localStage(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTooManyRequests)
	})
	for _, c := range burst(t.Context(), site.address[hearthStack], 2) {
		if c.err == nil {
			t.Error("a refused call is no error")
		}
	}
}

func TestRepeatStopsAfterTheCallUnderWay(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	site := localStage(t, func(http.ResponseWriter, *http.Request) {
		began <- struct{}{}
		<-release
	})
	stop := repeat(t.Context(), site.address[hearthStack])
	<-began
	release <- struct{}{}
	<-began
	outcomes := make(chan []outcome)
	go func() { outcomes <- stop() }()
	close(release)
	for {
		select {
		case <-began: // stop may have come a call too late
		case calls := <-outcomes:
			if len(calls) < 2 {
				t.Errorf("%d calls, want 2 at least", len(calls))
			}
			return
		}
	}
}

func TestRepeatEndsAtTheFirstFailure(t *testing.T) {
	site := localStage(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	called := repeat(t.Context(), site.address[hearthStack])
	if calls := called(); len(calls) > 1 {
		t.Errorf("%d calls after a failure", len(calls)-1)
	}
}
