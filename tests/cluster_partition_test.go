package tests

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// A netns is a network namespace with two ways out of it: one for clients and what
// functions reach, and one that leads to Redis and the other nodes, which can be cut.
type netns struct {
	t                     *testing.T
	name                  string
	outside, inside, back string // addresses of the first way's ends, and of the second one out here
}

func newNetns(t *testing.T) *netns {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can make a network namespace")
	}
	net := fmt.Sprintf("10.213.%d.", rand.N(256))
	n := &netns{t: t, name: fmt.Sprintf("ht%x", rand.N(1<<28)), outside: net + "1", inside: net + "2", back: net + "5"}
	if out, err := exec.Command("ip", "netns", "add", n.name).CombinedOutput(); err != nil {
		t.Skipf("no network namespace can be made here: %s", out)
	}
	t.Cleanup(func() { n.ip("netns", "del", n.name) }) // the links go with it
	for way, ends := range map[string][2]string{"c": {n.outside, n.inside}, "r": {n.back, net + "6"}} {
		n.ip("link", "add", n.name+way, "type", "veth", "peer", "name", way, "netns", n.name)
		n.ip("addr", "add", ends[0]+"/30", "dev", n.name+way)
		n.ip("link", "set", n.name+way, "up")
		n.ip("-n", n.name, "addr", "add", ends[1]+"/30", "dev", way)
		n.ip("-n", n.name, "link", "set", way, "up")
	}
	n.ip("-n", n.name, "link", "set", "lo", "up")
	return n
}

func (n *netns) ip(args ...string) {
	n.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		n.t.Errorf("ip %s: %s", args, out)
	}
}

// cut takes the way to Redis down, or up again.
func (n *netns) cut(state string) { n.t.Helper(); n.ip("link", "set", n.name+"r", state) }

// A stage counts the executions that are on it, by the address they come from. One is
// counted after it has begun and until before it ends, so never too many are.
type stage struct {
	listener net.Listener
	gate     chan struct{} // those from gated wait until it is closed
	gated    string

	mu   sync.Mutex // guards what follows
	now  map[string]int
	ever map[string]int
	most int // at once, from anywhere
}

func newStage(t *testing.T, address string) *stage {
	t.Helper()
	listener, err := net.Listen("tcp", address+":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	s := &stage{listener: listener, gate: make(chan struct{}), now: make(map[string]int), ever: make(map[string]int)}
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go s.play(c)
		}
	}()
	return s
}

func (s *stage) play(c net.Conn) {
	defer c.Close()
	from, _, _ := net.SplitHostPort(c.RemoteAddr().String())
	s.mu.Lock()
	s.now[from]++
	s.ever[from]++
	all := 0
	for _, n := range s.now {
		all += n
	}
	s.most = max(s.most, all)
	s.mu.Unlock()
	if from == s.gated {
		<-s.gate
	}
	_, _ = c.Write([]byte("x"))
	_, _ = io.Copy(io.Discard, c) // until the function ends it, or is killed
	s.mu.Lock()
	s.now[from]--
	s.mu.Unlock()
}

// code is that of a function which is on the stage for a time, and fails after it if it
// runs at the address loser.
func (s *stage) code(execution time.Duration, loser string) map[string]string {
	address := s.listener.Addr().(*net.TCPAddr)
	return map[string]string{"index.mjs": fmt.Sprintf(`
import net from 'node:net';
export const handler = () => new Promise((done, fail) => {
	const stage = net.connect(%d, '%s');
	let from;
	stage.once('connect', () => { from = stage.localAddress; });
	stage.once('data', () => setTimeout(() => stage.end(), %d));
	stage.once('close', () => from === '%s' ? fail(new Error('the loser')) : done({ statusCode: 200, body: 'played' }));
	stage.once('error', fail);
});`, address.Port, address.IP, execution.Milliseconds(), loser)}
}

// seen is how many executions from an address there are, and were.
func (s *stage) seen(from string) (now, ever int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now[from], s.ever[from]
}

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
func cutOffOneNode(t *testing.T) {
	const reserved = 4
	n := newNetns(t)
	c := &cluster{t: t, redis: newRedis(t, "--bind", "127.0.0.1", n.back, "--requirepass", "hunter2")}
	url := strings.Replace(c.redis.url(), "127.0.0.1", n.back, 1)
	const options = "network host" // the stage knows a node by the address that its functions have
	first := c.add(url, options)
	cut := c.add(url, options, func(s *server) { s.netns, s.host = n.name, n.inside })
	slots, events := newStage(t, n.outside), newStage(t, n.outside)
	events.gated = n.inside
	first.create("f", nodeZip(t, answers("old code")))
	first.create("reserved", zipOf(t, slots.code(200*time.Millisecond, "")))
	first.reserve("reserved", reserved)
	first.create("e", zipOf(t, events.code(0, n.inside)), func(in *lambda.CreateFunctionInput) { in.Timeout = aws.Int32(120) })
	c.withinASecond("/f", 200, "old code", cut)

	// The node has an event and all slots when it is cut off.
	first.admin("POST", "/hearth/drain").want(t, 200, "true")
	first.accept(make(map[string]bool), "x", 1)
	eventually(t, "the event runs", func() bool { now, _ := events.seen(n.inside); return now == 1 })
	first.admin("DELETE", "/hearth/drain").want(t, 200, "false")
	warm, holds := c.load(1, "/f", cut), c.load(reserved, "/invoke/reserved", cut)
	eventually(t, "the node uses all slots", func() bool { now, _ := slots.seen(n.inside); return now == reserved })
	n.cut("down")
	since := time.Now()
	takes := c.load(reserved, "/invoke/reserved", first)
	_, err := first.UpdateFunctionCode(context.Background(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), ZipFile: nodeZip(t, answers("new code"))})
	first.check(err)

	within(t, slotsEnd+10*time.Second, "the other node has all slots", func() bool { now, _ := slots.seen(n.outside); return now == reserved })
	t.Logf("the other node had all slots after %s", time.Since(since).Round(time.Millisecond))
	within(t, leasesEnd+10*time.Second, "the event runs on the other node", func() bool { _, ever := events.seen(n.outside); return ever == 1 })
	t.Logf("the other node had run the event after %s", time.Since(since).Round(time.Millisecond))
	first.nothingWaits()
	warm.runs(t, 20)
	n.cut("up")
	healed := time.Now()
	eventually(t, "the nodes are together again", func() bool { return cut.metric("hearth_nodes") == 2 && first.metric("hearth_nodes") == 2 })
	eventually(t, "the node runs the new code", func() bool { return cut.get("/f").body == "new code" })
	eventually(t, "the node gets slots again", func() bool { now, _ := slots.seen(n.inside); return now > 0 })
	t.Logf("the node was back %s after it could be", time.Since(healed).Round(time.Millisecond))
	close(events.gate) // now it wants to try the event again
	eventually(t, "the node hears that the event is not its own", func() bool { return strings.Contains(cut.output(), "the lease of an event was lost") })
	if kept := append(first.events(""), first.events("?dead=true")...); len(kept) != 0 {
		t.Errorf("the event is kept still: %+v", kept)
	}
	warm.wantAll(t, 200, "code")
	holds.end()
	takes.end()
	slots.mu.Lock()
	defer slots.mu.Unlock()
	if slots.most != reserved {
		t.Errorf("%d executions at once, want %d", slots.most, reserved)
	}
}
