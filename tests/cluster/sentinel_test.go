package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hearthfn/hearth/tests/harness"
)

// newSentinel watches over a master named hearth, and returns the URL that leads to
// whichever is the master.
func newSentinel(t *testing.T, master *harness.Redis) string {
	t.Helper()
	s := &harness.Redis{T: t, Dir: harness.TempDir(t), Port: harness.FreePort(t)}
	config := filepath.Join(s.Dir, "sentinel.conf")
	text := fmt.Sprintf("port %d\ndir %s\nsentinel monitor hearth 127.0.0.1 %d 1\nsentinel down-after-milliseconds hearth 1000\nsentinel failover-timeout hearth 3000\n", s.Port, s.Dir, master.Port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Args = []string{config, "--sentinel"}
	s.Start()
	t.Cleanup(s.Kill)
	harness.Eventually(t, "the sentinel knows the replica", func() bool {
		return strings.Contains(s.CLI("sentinel", "master", "hearth"), "num-slaves\n1\n")
	})
	return s.URL() + "?master=hearth"
}

// The master does not end but falls silent, as one whose machine or network is gone:
// nobody closes the connections to it.
func TestClusterFollowsSentinelToTheNextMaster(t *testing.T) {
	harness.Slow(t, "Sentinel takes its time")
	harness.Parallel(t)
	events := harness.NewLedger(t)
	master := harness.NewRedis(t)
	replica := harness.NewRedis(t, "--replicaof", "127.0.0.1", fmt.Sprint(master.Port))
	harness.Eventually(t, "the replica follows", func() bool { return strings.Contains(replica.CLI("info", "replication"), "master_link_status:up") })
	c := &harness.Cluster{T: t, Redis: master}
	url := newSentinel(t, master)
	for range 2 {
		c.Add(url, events.Reach())
	}
	first := c.Nodes[0]
	first.Create("f", harness.NodeZip(t, harness.Answers("well")))
	first.Create("e", harness.ZipOf(t, events.Code(20*time.Millisecond)))
	c.WithinASecond("/f", 200, "well", c.Nodes...)
	l := c.Load(1, "/f", c.Nodes...)
	accepted := make(map[string]bool)
	c.Drain("POST") // so that the events wait
	first.Accept(accepted, "before", 50)
	sync := exec.Command("redis-cli", "-p", fmt.Sprint(master.Port))
	sync.Stdin = strings.NewReader("set last 1\nwait 1 10000\n")
	if answer, err := sync.Output(); err != nil || string(answer) != "OK\n1\n" {
		t.Fatalf("the replica does not follow: %s %v", answer, err)
	}
	master.Signal(syscall.SIGSTOP)
	silent := time.Now()
	l.Runs(t, 50)
	c.TakesAgain(accepted, "failed-over")
	t.Logf("events were taken again %s after the master fell silent", time.Since(silent).Round(time.Millisecond))
	if !strings.Contains(replica.CLI("info", "replication"), "role:master") {
		t.Error("the replica is no master")
	}
	c.Drain("DELETE")
	events.Wait(accepted)
	l.WantGap(t, 5*time.Second)
	l.WantAll(t, 200, "well")
}
