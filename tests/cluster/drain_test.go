package cluster

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/hearthfn/hearth/tests/harness"
)

// All nodes are restarted one after the other while a full one has its calls run by them.
// The first two are drained before, the last just ends.
func TestClusterRestartedNodeByNodeLosesNothing(t *testing.T) {
	harness.Slow(t, "it restarts every node")
	harness.Parallel(t)
	events := harness.NewLedger(t)
	c := newCluster(t, 3, events.Reach())
	first, restarted := c.Nodes[0], c.Nodes[:3]
	full := c.Add(c.Redis.URL(), "memory_budget 64\nqueue_timeout 20s\n"+events.Reach())
	first.Create("f", harness.NodeZip(t, harness.Answers("well")))
	first.Create("e", harness.ZipOf(t, events.Code(0)))
	c.WithinASecond("/f", 200, "well", restarted...)
	harness.Eventually(t, "a full node has its call run by another", func() bool { return full.Get("/f").Status == 200 })
	through := c.Load(2, "/f", full)
	loads := make([]*harness.Load, len(restarted))
	for n, node := range restarted {
		loads[n] = c.Load(1, "/f", node)
	}
	accepted := make(map[string]bool)
	for n, node := range restarted {
		if refused := node.Accept(accepted, fmt.Sprint("before", n), 40); refused != 0 {
			t.Errorf("%d events were refused", refused)
		}
		id, slow := fmt.Sprint("slow", n), make(chan error, 1)
		go func() {
			out, err := node.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("e"), Payload: []byte(`{"id":"` + id + `","after":800}`)})
			if err == nil && out.FunctionError != nil {
				err = fmt.Errorf("%s", out.Payload)
			}
			slow <- err
		}()
		events.Wait(map[string]bool{id: true}) // it runs
		if n < 2 {
			node.WantHearth(0, []string{"drains"}, "drain")
			node.WantHearth(0, []string{fmt.Sprintf("n%d ", n+1), "draining, this one"}, "nodes")
			harness.Eventually(t, "another node knows that it drains", func() bool {
				out, _ := full.Hearth("nodes")
				return harness.LinesWith(out, "draining") == 1
			})
			node.Accept(accepted, fmt.Sprint("draining", n), 10) // others run them
		}
		loads[n].End() // clients go to the others
		node.Stop()
		if err := <-slow; err != nil {
			t.Errorf("a call in flight failed when node %d ended: %v", n+1, err)
		}
		through.Runs(t, 50)
		node.Restart()
		loads[n].WantAll(t, 200, "well")
		loads[n] = c.Load(1, "/f", node)
		loads[n].Runs(t, 20)
	}
	events.Wait(accepted)
	for _, l := range append(loads, through) {
		l.WantAll(t, 200, "well")
	}
	events.Mu.Lock()
	defer events.Mu.Unlock()
	for id, n := range events.Ran {
		if n > 1 {
			t.Errorf("event %s ran %d times", id, n)
		}
	}
	if n := handoffs(full, "broken"); n != 0 {
		t.Errorf("%v calls that were handed over broke", n)
	}
	t.Logf("%d events and %v calls were handed over", len(accepted), handoffs(full, "sent"))
}

func TestClusterIsMeasuredAfterAReloadToo(t *testing.T) {
	harness.Parallel(t)
	node := newCluster(t, 1, "").Nodes[0]
	if n := node.Metric("hearth_nodes"); n != 1 {
		t.Fatalf("%v nodes live, want 1", n)
	}
	node.Reload()
	if n := node.Metric("hearth_nodes"); n != 1 {
		t.Errorf("after a reload %v nodes live, want 1", n)
	}
}
