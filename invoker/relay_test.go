package invoker_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hearthfn/hearth/invoker"
)

func TestARelayIsTriedAgainAndThenGoesToItsDeadLetterQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		defer w.close()
		relay := func(r invoker.Relay) func(*invoker.Message) {
			return func(m *invoker.Message) { m.Function, m.Relay = invoker.RelayGroup(r.To), &r }
		}
		w.push("", `{"n":1}`, relay(invoker.Relay{To: "arn:aws:sqs:r:0:a"}))
		synctest.Wait()
		w.refuse = errors.New("away")
		w.push("", `{"n":2}`, relay(invoker.Relay{To: "arn:aws:sqs:r:0:b", MaxTries: 2, MaxAge: time.Hour, DeadLetter: "arn:aws:sqs:r:0:dead"}))
		w.push("", `{"n":3}`, relay(invoker.Relay{To: "arn:aws:sqs:r:0:c", MaxTries: 100, MaxAge: time.Minute}))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		w.mu.Lock()
		got := fmt.Sprint(w.sent)
		w.sent, w.refuse = nil, nil
		w.mu.Unlock()
		count := make(map[string]int)
		for _, to := range []string{":a ", ":b ", ":c ", ":dead "} {
			for n := range len(got) - len(to) {
				if got[n:n+len(to)] == to {
					count[to]++
				}
			}
		}
		if count[":a "] != 1 || count[":b "] != 3 || count[":c "] < 3 || count[":dead "] < 2 {
			t.Errorf("sent were %s", got)
		}
		time.Sleep(2 * time.Minute) // the queues are back
		synctest.Wait()
		w.mu.Lock()
		got = fmt.Sprint(w.sent)
		w.mu.Unlock()
		if len(w.sent) != 2 {
			t.Errorf("sent were %s", got)
		}
		if n := len(w.made()); n > 0 {
			t.Errorf("%d functions ran", n)
		}
		w.refuse = errors.New("away")
		w.push("", `{"n":4}`, relay(invoker.Relay{To: "arn:aws:sqs:r:0:c", MaxTries: 100, MaxAge: time.Minute}))
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if s := w.stat("@arn:aws:sqs:r:0:c"); s.Dead != 1 || s.Waiting != 0 {
			t.Errorf("a message that is too old is kept as %+v", s)
		}
	})
}
