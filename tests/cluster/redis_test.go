package cluster

import (
	"syscall"
	"testing"
	"time"

	"github.com/hearthfn/hearth/tests/harness"
)

// refuses fails unless a node answers pushed events with 503, soon.
func refuses(a *harness.API) {
	a.T.Helper()
	began := time.Now()
	got := a.Post("/events/e", `{"id":"refused"}`, "Authorization", "Bearer "+harness.HookToken)
	took := time.Since(began)
	if got.Status != 503 || got.Header.Get("Retry-After") == "" || took > 5*time.Second {
		a.T.Errorf("without redis an event is answered after %s with %d %s %s", took, got.Status, got.Header, got.Body)
	}
}

func TestClusterGoesOnWhileRedisIsAwayAndLosesNothing(t *testing.T) {
	harness.Slow(t, "it kills Redis")
	harness.Parallel(t)
	events := harness.NewLedger(t)
	c := newCluster(t, 2, events.Reach())
	// By default Redis answers before it has written, while the disk is busy.
	c.Redis.CLI("config", "set", "appendfsync", "always")
	first := c.Nodes[0]
	first.Create("f", harness.NodeZip(t, harness.Answers("well")))
	first.Create("reserved", harness.NodeZip(t, harness.Answers("well")))
	reserve(first, "reserved", 6)
	first.Create("e", harness.ZipOf(t, events.Code(20*time.Millisecond)))
	c.WithinASecond("/f", 200, "well", c.Nodes...)
	c.WithinASecond("/invoke/reserved", 200, "well", c.Nodes...)
	var loads []*harness.Load
	for _, node := range c.Nodes {
		loads = append(loads, c.Load(1, "/f", node), c.Load(2, "/invoke/reserved", node))
	}
	all := func(answered int) {
		for _, l := range loads {
			l.Runs(t, answered)
		}
	}
	all(20)
	accepted := make(map[string]bool)
	first.Accept(accepted, "before", 100)
	c.Redis.Kill()
	for _, node := range c.Nodes {
		refuses(node)
	}
	all(20)
	c.Redis.Start()
	c.TakesAgain(accepted, "restarted")

	first.Accept(accepted, "again", 100)
	c.Redis.Signal(syscall.SIGSTOP)
	paused, resumes := time.Now(), time.After(10*time.Second)
	for _, node := range c.Nodes {
		refuses(node)
	}
	<-resumes
	c.Redis.Signal(syscall.SIGCONT)
	for n, l := range loads {
		answered := 0
		for _, one := range l.Sofar() {
			if one.Began.After(paused) {
				answered++
			}
		}
		if answered < 20 {
			t.Errorf("load %d: %d calls were answered in the pause", n, answered)
		}
	}
	c.TakesAgain(accepted, "resumed")
	events.Wait(accepted)
	for _, e := range first.Events("") {
		t.Logf("waits: attempt %d: %s %s", e.Attempts, e.Payload, e.Error)
	}
	for _, l := range loads {
		l.WantGap(t, 5*time.Second)
		l.WantAll(t, 200, "well")
	}
	events.Mu.Lock()
	defer events.Mu.Unlock()
	t.Logf("%d events were accepted, ran: %d", len(accepted), len(events.Ran))
	for id, n := range events.Ran {
		if n > 1 {
			t.Logf("%s ran %d times", id, n)
		}
	}
}
