package invoker_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/hearthfn/hearth/invoker"
	"github.com/hearthfn/hearth/warmpool/environment"
)

func TestNoMoreWaitThanMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *invoker.Config) { c.MaxWaiting = 10 })
		defer w.close()
		var all sync.WaitGroup
		var kept, full atomic.Int64
		for n := range 50 {
			all.Go(func() {
				err := w.Push(t.Context(), &invoker.Message{RequestID: fmt.Sprint(n), Function: "f", Qualifier: "$LATEST", Payload: []byte("{}")})
				switch {
				case err == nil:
					kept.Add(1)
				case errors.Is(err, invoker.ErrFull):
					full.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if page, _, err := w.Events(t.Context(), "f", false, "", 100); err != nil || len(page) != 10 || kept.Load() != 10 || full.Load() != 40 {
			t.Errorf("%d wait, %d were taken and %d refused, %v", len(page), kept.Load(), full.Load(), err)
		}
	})
}

func TestEachAttemptSaysWhatFailed(t *testing.T) {
	core, said := observer.New(zap.WarnLevel)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *invoker.Config) { c.Log = zap.New(core) })
		defer w.close()
		w.settings["told"] = invoker.Settings{MaxRetries: 0, MaxAge: time.Hour, OnFailure: "arn:aws:sqs:us-east-1:000000000000:q"}
		w.play = func(c *call) error {
			c.Outcome, c.Payload = environment.OutcomeError, []byte(`{"errorMessage":"the disk is `+c.function+`"}`)
			return nil
		}
		w.push("f", "1")
		w.start()
		time.Sleep(time.Second)
		page, _, err := w.Events(t.Context(), "f", false, "", 10)
		if err != nil || len(page) != 1 || page[0].Error != "the disk is f" || page[0].Attempts != 1 {
			t.Errorf("events that wait are %+v, %v", page, err)
		}
		time.Sleep(10 * time.Minute)
		w.push("told", "2")
		time.Sleep(time.Minute)
	})
	var lines []string
	for _, e := range said.All() {
		f := e.ContextMap()
		lines = append(lines, fmt.Sprint(e.Message, " ", f["function"], " ", f["request_id"], " ", f["attempt"], " ", f["error"]))
	}
	const want = "an event failed: it is tried again f id-1 1 the disk is f; an event failed: it is tried again f id-1 2 the disk is f; " +
		"an event is given up and kept aside f id-1 3 the disk is f; an event is given up: its destination is told told id-2 1 the disk is told"
	if got := strings.Join(lines, "; "); got != want {
		t.Errorf("the log has %s\nwant %s", got, want)
	}
}
