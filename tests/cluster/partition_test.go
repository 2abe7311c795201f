package cluster

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/hearthfn/hearth/tests/harness"
)

// within waits longer than eventually.
func within(t *testing.T, most time.Duration, what string, happens func() bool) {
	t.Helper()
	for began := time.Now(); !happens(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > most {
			t.Fatalf("not within %s: %s", most, what)
		}
	}
}

// The node gives up what it holds before the other takes it over.
func TestClusterTakesOverFromANodeThatIsCutOff(t *testing.T) {
	harness.Slow(t, "leases last 20 s")
	harness.Parallel(t)
	const reserved = 4
	n := harness.NewNetns(t)
	c := &harness.Cluster{T: t, Redis: harness.NewRedis(t, "--bind", "127.0.0.1", n.Back, "--requirepass", "hunter2")}
	url := strings.Replace(c.Redis.URL(), "127.0.0.1", n.Back, 1)
	const options = "network host" // the stage knows a node by the address that its functions have
	first := c.Add(url, options)
	cut := c.Add(url, options, func(s *harness.Server) { s.Netns, s.Host = n.Name, n.Inside })
	slots, events := harness.NewStage(t, n.Outside), harness.NewStage(t, n.Outside)
	events.Gated = n.Inside
	first.Create("f", harness.NodeZip(t, harness.Answers("old code")))
	first.Create("reserved", harness.ZipOf(t, slots.Code(200*time.Millisecond, "")))
	reserve(first, "reserved", reserved)
	first.Create("e", harness.ZipOf(t, events.Code(0, n.Inside)), func(in *lambda.CreateFunctionInput) { in.Timeout = aws.Int32(120) })
	c.WithinASecond("/f", 200, "old code", cut)

	// The node has an event and all slots when it is cut off.
	first.Admin("POST", "/hearth/drain").Want(t, 200, "true")
	first.Accept(make(map[string]bool), "x", 1)
	harness.Eventually(t, "the event runs", func() bool { now, _ := events.Seen(n.Inside); return now == 1 })
	first.Admin("DELETE", "/hearth/drain").Want(t, 200, "false")
	warm, holds := c.Load(1, "/f", cut), c.Load(reserved, "/invoke/reserved", cut)
	harness.Eventually(t, "the node uses all slots", func() bool { now, _ := slots.Seen(n.Inside); return now == reserved })
	n.Cut("down")
	since := time.Now()
	takes := c.Load(reserved, "/invoke/reserved", first)
	_, err := first.UpdateFunctionCode(context.Background(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), ZipFile: harness.NodeZip(t, harness.Answers("new code"))})
	first.Check(err)

	within(t, slotsEnd+10*time.Second, "the other node has all slots", func() bool { now, _ := slots.Seen(n.Outside); return now == reserved })
	t.Logf("the other node had all slots after %s", time.Since(since).Round(time.Millisecond))
	within(t, leasesEnd+10*time.Second, "the event runs on the other node", func() bool { _, ever := events.Seen(n.Outside); return ever == 1 })
	t.Logf("the other node had run the event after %s", time.Since(since).Round(time.Millisecond))
	first.NothingWaits()
	warm.Runs(t, 20)
	n.Cut("up")
	healed := time.Now()
	harness.Eventually(t, "the nodes are together again", func() bool { return cut.Metric("hearth_nodes") == 2 && first.Metric("hearth_nodes") == 2 })
	harness.Eventually(t, "the node runs the new code", func() bool { return cut.Get("/f").Body == "new code" })
	harness.Eventually(t, "the node gets slots again", func() bool { now, _ := slots.Seen(n.Inside); return now > 0 })
	t.Logf("the node was back %s after it could be", time.Since(healed).Round(time.Millisecond))
	close(events.Gate) // now it wants to try the event again
	harness.Eventually(t, "the node hears that the event is not its own", func() bool { return strings.Contains(cut.Output(), "the lease of an event was lost") })
	if kept := append(first.Events(""), first.Events("?dead=true")...); len(kept) != 0 {
		t.Errorf("the event is kept still: %+v", kept)
	}
	warm.WantAll(t, 200, "code")
	holds.End()
	takes.End()
	slots.Mu.Lock()
	defer slots.Mu.Unlock()
	if slots.Most != reserved {
		t.Errorf("%d executions at once, want %d", slots.Most, reserved)
	}
}
