package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// drain has all nodes take up no events (POST), or take them up again (DELETE).
func (c *cluster) drain(method string) {
	c.t.Helper()
	for _, node := range c.nodes {
		node.admin(method, "/hearth/drain").want(c.t, 200, "draining")
	}
}

// newSentinel watches over a master named hearth, and returns the URL that leads to
// whichever is the master.
func newSentinel(t *testing.T, master *redisServer) string {
	t.Helper()
	s := &redisServer{t: t, dir: tempDir(t), port: freePort(t)}
	config := filepath.Join(s.dir, "sentinel.conf")
	text := fmt.Sprintf("port %d\ndir %s\nsentinel monitor hearth 127.0.0.1 %d 1\nsentinel down-after-milliseconds hearth 1000\nsentinel failover-timeout hearth 3000\n", s.port, s.dir, master.port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.args = []string{config, "--sentinel"}
	s.start()
	t.Cleanup(s.kill)
	eventually(t, "the sentinel knows the replica", func() bool {
		return strings.Contains(s.cli("sentinel", "master", "hearth"), "num-slaves\n1\n")
	})
	return s.url() + "?master=hearth"
}

// The master does not end but falls silent, as one whose machine or network is gone:
// nobody closes the connections to it.
func TestClusterFollowsSentinelToTheNextMaster(t *testing.T) {
	events := newLedger(t)
	master := newRedis(t)
	replica := newRedis(t, "--replicaof", "127.0.0.1", fmt.Sprint(master.port))
	eventually(t, "the replica follows", func() bool { return strings.Contains(replica.cli("info", "replication"), "master_link_status:up") })
	c := &cluster{t: t, redis: master}
	url := newSentinel(t, master)
	for range 2 {
		c.add(url, events.reach())
	}
	first := c.nodes[0]
	first.create("f", nodeZip(t, answers("well")))
	first.create("e", zipOf(t, events.code(20*time.Millisecond)))
	c.withinASecond("/f", 200, "well", c.nodes...)
	l := c.load(1, "/f", c.nodes...)
	accepted := make(map[string]bool)
	c.drain("POST") // so that the events wait
	first.accept(accepted, "before", 50)
	sync := exec.Command("redis-cli", "-p", fmt.Sprint(master.port))
	sync.Stdin = strings.NewReader("set last 1\nwait 1 10000\n")
	if answer, err := sync.Output(); err != nil || string(answer) != "OK\n1\n" {
		t.Fatalf("the replica does not follow: %s %v", answer, err)
	}
	master.signal(syscall.SIGSTOP)
	silent := time.Now()
	l.runs(t, 50)
	c.takesAgain(accepted, "failed-over")
	t.Logf("events were taken again %s after the master fell silent", time.Since(silent).Round(time.Millisecond))
	if !strings.Contains(replica.cli("info", "replication"), "role:master") {
		t.Error("the replica is no master")
	}
	c.drain("DELETE")
	events.wait(accepted)
	l.wantGap(t, 5*time.Second)
	l.wantAll(t, 200, "well")
}
