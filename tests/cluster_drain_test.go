package tests

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// All nodes are restarted one after the other while a full one has its calls run by them.
// The first two are drained before, the last just ends.
func TestClusterRestartedNodeByNodeLosesNothing(t *testing.T) {
	events := newLedger(t)
	c := newCluster(t, 3, events.reach())
	first, restarted := c.nodes[0], c.nodes[:3]
	full := c.add(c.redis.url(), "memory_budget 64\n"+events.reach())
	first.create("f", nodeZip(t, answers("well")))
	first.create("e", zipOf(t, events.code(0)))
	c.withinASecond("/f", 200, "well", restarted...)
	eventually(t, "a full node has its call run by another", func() bool { return full.get("/f").status == 200 })
	through := c.load(2, "/f", full)
	loads := make([]*load, len(restarted))
	for n, node := range restarted {
		loads[n] = c.load(1, "/f", node)
	}
	accepted := make(map[string]bool)
	for n, node := range restarted {
		if refused := node.accept(accepted, fmt.Sprint("before", n), 40); refused != 0 {
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
		events.wait(map[string]bool{id: true}) // it runs
		if n < 2 {
			node.wantHearth(0, []string{"drains"}, "drain")
			node.wantHearth(0, []string{fmt.Sprintf("n%d ", n+1), "draining, this one"}, "nodes")
			eventually(t, "another node knows that it drains", func() bool {
				out, _ := full.hearth("nodes")
				return linesWith(out, "draining") == 1
			})
			node.accept(accepted, fmt.Sprint("draining", n), 10) // others run them
		}
		loads[n].end() // clients go to the others
		node.stop()
		if err := <-slow; err != nil {
			t.Errorf("a call in flight failed when node %d ended: %v", n+1, err)
		}
		through.runs(t, 50)
		node.restart()
		loads[n].wantAll(t, 200, "well")
		loads[n] = c.load(1, "/f", node)
		loads[n].runs(t, 20)
	}
	events.wait(accepted)
	for _, l := range append(loads, through) {
		l.wantAll(t, 200, "well")
	}
	events.mu.Lock()
	defer events.mu.Unlock()
	for id, n := range events.ran {
		if n > 1 {
			t.Errorf("event %s ran %d times", id, n)
		}
	}
	if n := full.handed("broken"); n != 0 {
		t.Errorf("%v calls that were handed over broke", n)
	}
	t.Logf("%d events and %v calls were handed over", len(accepted), full.handed("sent"))
}

func linesWith(text, part string) (n int) {
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}

func TestClusterIsMeasuredAfterAReloadToo(t *testing.T) {
	node := newCluster(t, 1, "").nodes[0]
	if n := node.metric("hearth_nodes"); n != 1 {
		t.Fatalf("%v nodes live, want 1", n)
	}
	node.reload()
	if n := node.metric("hearth_nodes"); n != 1 {
		t.Errorf("after a reload %v nodes live, want 1", n)
	}
}
