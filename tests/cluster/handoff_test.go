package cluster

import (
	"bufio"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hearthfn/hearth/tests/harness"
)

// whoCode answers with the environment's own name.
const whoCode = `import { randomUUID } from 'node:crypto';
const name = randomUUID();
export const handler = async () => ({ statusCode: 200, body: name });`

func handoffs(a *harness.API, result string) float64 {
	return a.Metric(fmt.Sprintf(`hearth_handoffs_total{result=%q}`, result))
}

// A node that has no room for any function beside those that have it all.
func TestClusterHandsCallsToNodesThatHaveAnIdleEnvironment(t *testing.T) {
	harness.Quiet(t)
	c := newCluster(t, 1, "")
	holder := c.Nodes[0]
	// A holder that the machine keeps from answering within 0.5 s is asked again after 3 s.
	const options = "memory_budget 64\nqueue_timeout 20s"
	full := []*harness.API{c.Add(c.Redis.URL(), options), c.Add(c.Redis.URL(), options)}
	holder.Create("f", harness.ZipOf(t, map[string]string{"index.mjs": whoCode}))
	name := holder.Get("/f").Body
	for _, node := range full {
		harness.Eventually(t, "a full node has its call run by another", func() bool { return node.Get("/f").Status == 200 })
	}
	before, began := handoffs(holder, "received"), time.Now()
	for n := range 100 {
		if got := full[n%2].Get("/f"); got.Status != 200 || got.Body != name {
			t.Fatalf("call %d is answered %d %s, want 200 %s", n, got.Status, got.Body, name)
		}
	}
	handed := time.Since(began) / 100
	began = time.Now()
	for range 100 {
		holder.Get("/f").Want(t, 200, name)
	}
	t.Logf("a call takes %s handed over, and %s where it runs", handed, time.Since(began)/100)
	if n := handoffs(holder, "received") - before; n != 100 {
		t.Errorf("%v calls were received, want 100", n)
	}
	full[0].WantCall("f", "{}", name) // by the Lambda API

	// More than the holder can take at once: what it declines goes to nobody else.
	l := c.Load(3, "/f", c.Nodes...)
	l.Runs(t, 500)
	l.End()
	bad := 0
	for _, one := range l.Done {
		if one.Err != nil || one.Status != 200 {
			if bad++; bad < 5 {
				t.Errorf("after %s: %v", one.Ended.Sub(one.Began), one)
			}
		}
	}
	t.Logf("%d of %d calls failed", bad, len(l.Done))
	sent, received := 0.0, 0.0
	for _, node := range c.Nodes {
		sent, received = sent+handoffs(node, "sent"), received+handoffs(node, "received")
	}
	if sent != received || handoffs(holder, "sent") != 0 || handoffs(full[0], "received")+handoffs(full[1], "received") != 0 {
		t.Errorf("%v calls were sent and %v received, by the holder %v", sent, received, handoffs(holder, "sent"))
	}
	t.Logf("%v calls were handed over, %v declined", sent, handoffs(holder, "declined"))
}

func TestClusterStreamsAnswersOfOtherNodesAsTheyAreWritten(t *testing.T) {
	harness.Quiet(t)
	c := newCluster(t, 1, "")
	holder, full := c.Nodes[0], c.Add(c.Redis.URL(), "memory_budget 64")
	holder.Create("f", harness.ZipOf(t, map[string]string{"index.mjs": `
export const handler = awslambda.streamifyResponse(async (event, out) => {
	out = awslambda.HttpResponseStream.from(out, { statusCode: 201, headers: { 'x-own': 'own' } });
	out.write('first\n');
	await new Promise(done => setTimeout(done, 600));
	out.write('x'.repeat(9 << 20) + '\n');
	out.end('last\n');
});`}))
	holder.Get("/f").Want(t, 201, "last")
	harness.Eventually(t, "the full node has its call run by another", func() bool { return full.Get("/f").Status == 201 })
	began := time.Now()
	res, err := harness.Client.Do(full.Request("GET", "/f", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewReader(res.Body)
	first, err := lines.ReadString('\n')
	if err != nil || first != "first\n" || res.StatusCode != 201 || res.Header.Get("X-Own") != "own" {
		t.Fatalf("%d %v, %q %v", res.StatusCode, res.Header, first, err)
	}
	if early := time.Since(began); early > 500*time.Millisecond {
		t.Errorf("the first line came after %s", early)
	}
	long, err := lines.ReadString('\n')
	if err != nil || len(long) != 9<<20+1 || strings.Trim(long, "x") != "\n" {
		t.Errorf("the second line has %d bytes, %v", len(long), err)
	}
	if last, err := lines.ReadString('\n'); last != "last\n" {
		t.Errorf("the last line is %q, %v", last, err)
	}
	harness.Eventually(t, "two calls were handed over", func() bool { return handoffs(full, "sent") >= 2 })
}

func signalTo(s *harness.Server, what syscall.Signal) {
	s.T.Helper()
	if err := s.Cmd.Process.Signal(what); err != nil {
		s.T.Fatal(err)
	}
}

func TestClusterStartsColdWhenTheNodeThatOffersIsGone(t *testing.T) {
	harness.Quiet(t)
	c := newCluster(t, 2, "")
	holder, other := c.Nodes[0], c.Nodes[1]
	holder.Create("f", harness.ZipOf(t, map[string]string{"index.mjs": whoCode}))
	name := holder.Get("/f").Body
	offered := func() bool {
		return strings.TrimSpace(c.Redis.CLI("--raw", "HVALS", "hearth:{warm/f:$LATEST}:ready")) != ""
	}
	harness.Eventually(t, "the idle environment is offered", offered)
	if got := other.Get("/f"); got.Body != name || handoffs(other, "sent") != 1 {
		t.Errorf("a cold node answers %d %s, want %s by the other", got.Status, got.Body, name)
	}
	// One that falls silent is waited for a moment, and does not run the call later.
	holder.Create("silent", harness.ZipOf(t, map[string]string{"index.mjs": whoCode}))
	holder.WantCall("silent", "{}", "-")
	ready := "hearth:{warm/silent:$LATEST}:ready"
	harness.Eventually(t, "another idle environment is offered", func() bool { return strings.TrimSpace(c.Redis.CLI("--raw", "HVALS", ready)) != "" })
	signalTo(holder.Server, syscall.SIGSTOP)
	began := time.Now()
	other.WantCall("silent", "{}", "-")
	signalTo(holder.Server, syscall.SIGCONT)
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("a silent node is waited for %s", took)
	}
	t.Logf("with a silent node a call took %s", time.Since(began).Round(time.Millisecond))
	harness.Eventually(t, "the node is awake", func() bool { return holder.Get("/f").Body == name })
	if n := handoffs(holder, "received"); n != 1 {
		t.Errorf("%v calls were received, want 1", n)
	}
	harness.Eventually(t, "the idle environment is offered", offered)
	holder.Kill() // its offer stays
	if got := other.Get("/f"); got.Status != 200 || got.Body == name {
		t.Errorf("without the node that offers: %d %s", got.Status, got.Body)
	}
}
