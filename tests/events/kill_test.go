package events

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hearthfn/hearth/tests/harness"
	"github.com/hearthfn/hearth/tests/objectstore"
)

func TestEventsOfAClientSurviveKills(t *testing.T) {
	harness.Slow(t, "it kills 50 times")
	harness.Parallel(t)
	s, l := harness.NewServer(t, "", ""), harness.NewLedger(t)
	s.Configure(l.Function(s, "f", `event["id"]`), "receive /hooks/* generic {\n open\n}")
	s.Start()

	var mu sync.Mutex
	accepted := make(map[string]bool)
	var senders sync.WaitGroup
	end := make(chan struct{})
	for sender := range 16 {
		senders.Go(func() {
			pace := time.NewTicker(10 * time.Millisecond)
			defer pace.Stop()
			for n := 0; ; n++ {
				select {
				case <-end:
					return
				case <-pace.C:
				}
				id := fmt.Sprintf("%d-%d", sender, n)
				r, err := http.Post(s.URL("/hooks/f"), "application/json", strings.NewReader(`{"id":"`+id+`"}`))
				if err != nil {
					continue // it is being restarted
				}
				r.Body.Close()
				if r.StatusCode/100 == 2 {
					mu.Lock()
					accepted[id] = true
					mu.Unlock()
				}
			}
		})
	}
	s.KillOften()
	close(end)
	senders.Wait()
	http.DefaultClient.CloseIdleConnections()
	if len(accepted) < 10*harness.Kills {
		t.Errorf("only %d events were accepted: too few to tell", len(accepted))
	}
	l.Check(accepted)
	s.NothingWaits()
	if dead := s.Events("?dead=true"); len(dead) != 0 {
		t.Errorf("dead: %+v", dead)
	}
}

func TestEventsOfMinIOSurviveKills(t *testing.T) {
	harness.Slow(t, "it kills 50 times")
	harness.Parallel(t)
	s, l := harness.NewServer(t, "", ""), harness.NewLedger(t)
	s.Configure(l.Function(s, "f", `event["Records"][0]["s3"]["object"]["key"]`), "receive /events/* s3 {\n token "+harness.HookToken+"\n}")
	s.Start()
	store := objectstore.StartMinIO(t, s.URL("/events/f"), harness.HookToken)
	store.MustMakeBucket(t, "photos")

	var mu sync.Mutex
	written := make(map[string]bool)
	var writers sync.WaitGroup
	end := make(chan struct{})
	for writer := range 4 {
		writers.Go(func() {
			pace := time.NewTicker(40 * time.Millisecond)
			defer pace.Stop()
			for n := 0; ; n++ {
				select {
				case <-end:
					return
				case <-pace.C:
				}
				key := fmt.Sprintf("%d-%d", writer, n)
				if err := store.Put(t.Context(), "photos", key, "image/jpeg", []byte("x")); err != nil {
					t.Errorf("put: %v", err)
					return
				}
				mu.Lock()
				written[key] = true
				mu.Unlock()
			}
		})
	}
	s.KillOften()
	close(end)
	writers.Wait()
	l.Check(written)
	s.NothingWaits()
}
