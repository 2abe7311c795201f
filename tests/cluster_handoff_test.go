package tests

import (
	"bufio"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// whoCode answers with the environment's own name.
const whoCode = `import { randomUUID } from 'node:crypto';
const name = randomUUID();
export const handler = async () => ({ statusCode: 200, body: name });`

func (a *api) handed(result string) float64 {
	return a.metric(fmt.Sprintf(`hearth_handoffs_total{result=%q}`, result))
}

// A node that has no room for any function beside those that have it all.
func TestClusterHandsCallsToNodesThatHaveAnIdleEnvironment(t *testing.T) {
	c := newCluster(t, 1, "")
	holder := c.nodes[0]
	full := []*api{c.add(c.redis.url(), "memory_budget 64"), c.add(c.redis.url(), "memory_budget 64")}
	holder.create("f", zipOf(t, map[string]string{"index.mjs": whoCode}))
	name := holder.get("/f").body
	for _, node := range full {
		eventually(t, "a full node has its call run by another", func() bool { return node.get("/f").status == 200 })
	}
	before, began := holder.handed("received"), time.Now()
	for n := range 100 {
		if got := full[n%2].get("/f"); got.status != 200 || got.body != name {
			t.Fatalf("call %d is answered %d %s, want 200 %s", n, got.status, got.body, name)
		}
	}
	handed := time.Since(began) / 100
	began = time.Now()
	for range 100 {
		holder.get("/f").want(t, 200, name)
	}
	t.Logf("a call takes %s handed over, and %s where it runs", handed, time.Since(began)/100)
	if n := holder.handed("received") - before; n != 100 {
		t.Errorf("%v calls were received, want 100", n)
	}
	full[0].wantCall("f", "{}", name) // by the Lambda API

	// More than the holder can take at once: what it declines goes to nobody else.
	l := c.load(3, "/f", c.nodes...)
	l.runs(t, 500)
	l.end()
	bad := 0
	for _, one := range l.done {
		if one.err != nil || one.status != 200 {
			if bad++; bad < 5 {
				t.Errorf("after %s: %v", one.ended.Sub(one.began), one)
			}
		}
	}
	t.Logf("%d of %d calls failed", bad, len(l.done))
	sent, received := 0.0, 0.0
	for _, node := range c.nodes {
		sent, received = sent+node.handed("sent"), received+node.handed("received")
	}
	if sent != received || holder.handed("sent") != 0 || full[0].handed("received")+full[1].handed("received") != 0 {
		t.Errorf("%v calls were sent and %v received, by the holder %v", sent, received, holder.handed("sent"))
	}
	t.Logf("%v calls were handed over, %v declined", sent, holder.handed("declined"))
}

func TestClusterStreamsAnswersOfOtherNodesAsTheyAreWritten(t *testing.T) {
	c := newCluster(t, 1, "")
	holder, full := c.nodes[0], c.add(c.redis.url(), "memory_budget 64")
	holder.create("f", zipOf(t, map[string]string{"index.mjs": `
export const handler = awslambda.streamifyResponse(async (event, out) => {
	out = awslambda.HttpResponseStream.from(out, { statusCode: 201, headers: { 'x-own': 'own' } });
	out.write('first\n');
	await new Promise(done => setTimeout(done, 600));
	out.write('x'.repeat(9 << 20) + '\n');
	out.end('last\n');
});`}))
	holder.get("/f").want(t, 201, "last")
	eventually(t, "the full node has its call run by another", func() bool { return full.get("/f").status == 201 })
	began := time.Now()
	res, err := client.Do(full.request("GET", "/f", nil))
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
	eventually(t, "two calls were handed over", func() bool { return full.handed("sent") >= 2 })
}

func (s *server) signal(what syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(what); err != nil {
		s.t.Fatal(err)
	}
}

func TestClusterStartsColdWhenTheNodeThatOffersIsGone(t *testing.T) {
	c := newCluster(t, 2, "")
	holder, other := c.nodes[0], c.nodes[1]
	holder.create("f", zipOf(t, map[string]string{"index.mjs": whoCode}))
	name := holder.get("/f").body
	offered := func() bool {
		return strings.TrimSpace(c.redis.cli("--raw", "HVALS", "hearth:{warm/f:$LATEST}:ready")) != ""
	}
	eventually(t, "the idle environment is offered", offered)
	if got := other.get("/f"); got.body != name || other.handed("sent") != 1 {
		t.Errorf("a cold node answers %d %s, want %s by the other", got.status, got.body, name)
	}
	// One that falls silent is waited for a moment, and does not run the call later.
	holder.create("silent", zipOf(t, map[string]string{"index.mjs": whoCode}))
	holder.wantCall("silent", "{}", "-")
	ready := "hearth:{warm/silent:$LATEST}:ready"
	eventually(t, "another idle environment is offered", func() bool { return strings.TrimSpace(c.redis.cli("--raw", "HVALS", ready)) != "" })
	holder.signal(syscall.SIGSTOP)
	began := time.Now()
	other.wantCall("silent", "{}", "-")
	holder.signal(syscall.SIGCONT)
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("a silent node is waited for %s", took)
	}
	t.Logf("with a silent node a call took %s", time.Since(began).Round(time.Millisecond))
	eventually(t, "the node is awake", func() bool { return holder.get("/f").body == name })
	if n := holder.handed("received"); n != 1 {
		t.Errorf("%v calls were received, want 1", n)
	}
	eventually(t, "the idle environment is offered", offered)
	holder.kill() // its offer stays
	if got := other.get("/f"); got.status != 200 || got.body == name {
		t.Errorf("without the node that offers: %d %s", got.status, got.body)
	}
}
