package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hearthfn/hearth/warmpool/state"
	"github.com/hearthfn/hearth/warmpool/state/redisstore"
	"github.com/hearthfn/hearth/warmpool/state/statetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// startRedis runs a real redis-server and returns its address.
func startRedis(t *testing.T, args ...string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	l.Close()
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("redis-server", append([]string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", dir}, args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: install redis-server", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
			return address
		}
		if time.Now().After(end) {
			text, _ := os.ReadFile(log.Name())
			t.Fatalf("redis-server does not listen: %s", text)
		}
	}
}

// startCluster runs a Redis Cluster of three nodes.
func startCluster(t *testing.T) string {
	t.Helper()
	var nodes []string
	for range 3 {
		nodes = append(nodes, startRedis(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000"))
	}
	args := append([]string{"--cluster", "create"}, nodes...)
	if out, err := exec.Command("redis-cli", append(args, "--cluster-yes")...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	_, port, _ := net.SplitHostPort(nodes[0])
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		out, err := exec.Command("redis-cli", "-p", port, "cluster", "info").Output()
		if err == nil && strings.Contains(string(out), "cluster_state:ok") {
			return strings.Join(nodes, ",")
		}
		if time.Now().After(end) {
			t.Fatalf("the cluster is not ready: %s", out)
		}
	}
}

// prefixes keep the stores of one server apart.
var prefixes atomic.Int64

func open(t *testing.T, url string) *redisstore.Store {
	t.Helper()
	s, err := redisstore.Open(t.Context(), redisstore.Config{URL: url, Prefix: fmt.Sprint("t", prefixes.Add(1))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func conform(t *testing.T, url string) {
	t.Run("Records", func(t *testing.T) {
		statetest.Records(t, func(t *testing.T) state.Records { return open(t, url) })
	})
	wait := func(d time.Duration) { time.Sleep(d + 10*time.Millisecond) }
	t.Run("Queue", func(t *testing.T) {
		statetest.Queue(t, func(t *testing.T) (statetest.QueueStore, func(time.Duration)) { return open(t, url), wait })
	})
	t.Run("Slots", func(t *testing.T) {
		statetest.Slots(t, func(t *testing.T) (state.Slots, func(time.Duration)) { return open(t, url), wait })
	})
	t.Run("Counters", func(t *testing.T) {
		statetest.Counters(t, func(t *testing.T) (state.Counters, func() time.Time, func(time.Duration)) {
			return open(t, url), time.Now, wait
		})
	})
	t.Run("Nodes", func(t *testing.T) {
		statetest.Nodes(t, func(t *testing.T) (state.Nodes, func(time.Duration)) { return open(t, url), wait })
	})
}

func TestOneServerHoldsTheContract(t *testing.T) { conform(t, "redis://"+startRedis(t)) }

func TestAClusterHoldsTheContract(t *testing.T) {
	conform(t, "redis://"+startCluster(t)+"?cluster=true")
}

func TestUsersAndPasswordsAreUsedAndNotTold(t *testing.T) {
	address := startRedis(t, "--requirepass", "s3cret/@")
	open(t, "redis://:s3cret%2F%40@"+address)
	_, err := redisstore.Open(t.Context(), redisstore.Config{URL: "redis://:wrong-one@" + address})
	if !errors.Is(err, state.ErrUnavailable) || strings.Contains(err.Error(), "wrong-one") {
		t.Errorf("with the wrong password: %v", err)
	}
}

func TestAServerThatIsAwayIsUnavailable(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := redisstore.Open(ctx, redisstore.Config{URL: "redis://127.0.0.1:1", Timeout: time.Second})
	if !errors.Is(err, state.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}

func TestURLsThatAreNoneAreNamed(t *testing.T) {
	for url, good := range map[string]bool{
		"redis://localhost": true, "redis://a,b:7001?cluster=true": true, "redis://s1,s2?master=main": true, "rediss://u:p@h:1/2": true, "redis://[::1]:6379": true,
		"http://x": false, "redis://": false, "redis://a,b": false, "redis://h/x": false, "redis://h?other=1": false, "": false,
	} {
		if err := redisstore.CheckURL(url); (err == nil) != good {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// A node that died between its two steps leaves an entry that the index has not.
func TestEntriesThatTheIndexLacksAreFound(t *testing.T) {
	url := "redis://" + startRedis(t)
	prefix := fmt.Sprint("t", prefixes.Add(1))
	first, err := redisstore.Open(t.Context(), redisstore.Config{URL: url, Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, err := first.Push(t.Context(), "g", state.Item{Body: []byte("1")}); err != nil {
		t.Fatal(err)
	}
	if err := first.Client().ZRem(t.Context(), prefix+":{groups}:due", "g").Err(); err != nil {
		t.Fatal(err)
	}
	second, err := redisstore.Open(t.Context(), redisstore.Config{URL: url, Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		leases, _, err := second.Lease(t.Context(), state.Want{Max: 1, For: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if len(leases) == 1 {
			return
		}
		if time.Now().After(end) {
			t.Fatal("it is not found")
		}
	}
}

// What the manual says that an ACL has to allow is enough.
func TestTheUserOfTheManualMayDoAllThatIsNeeded(t *testing.T) {
	manual, err := os.ReadFile("../../../docs/cluster.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rule, _ := strings.Cut(string(manual), "ACL SETUSER hearth ")
	rule, _, found := strings.Cut(rule, "```")
	if !found {
		t.Fatal("the manual names no user")
	}
	allow := append([]string{"ACL", "SETUSER", "hearth"}, strings.Fields(strings.NewReplacer("\\\n", " ", "~hearth:*", "~t*:*", "&hearth:*", "&t*:*").Replace(rule))...)
	one := startRedis(t)
	several := startCluster(t)
	for _, address := range strings.Split(one+","+several, ",") {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("redis-cli", append([]string{"-p", port}, allow...)...).CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "OK" {
			t.Fatalf("%v: %s %v", allow, out, err)
		}
	}
	for name, url := range map[string]string{"one": "redis://hearth:a-long-password@" + one, "cluster": "redis://hearth:a-long-password@" + several + "?cluster=true"} {
		t.Run(name, func(t *testing.T) {
			conform(t, url)
			s, self := open(t, url), state.Node{Name: "n", Process: "p"}
			if nodes, _, err := s.Beat(t.Context(), self, time.Minute); err != nil || len(nodes) != 1 {
				t.Error(nodes, err)
			}
			for _, ready := range []int{1, 0} {
				if err := s.Offer(t.Context(), self, map[string]int{"thing": ready}); err != nil {
					t.Error(err)
				}
			}
			if _, err := s.Offers(t.Context(), "thing"); err != nil {
				t.Error(err)
			}
			if err := s.Leave(t.Context(), self); err != nil {
				t.Error(err)
			}
		})
	}
}
