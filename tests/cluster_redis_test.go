package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// A redisServer is a real redis-server on a port of its own, with its own folder.
type redisServer struct {
	t    *testing.T
	dir  string
	port int
	args []string
	auth string // its password
	cmd  *exec.Cmd
}

func newRedis(t *testing.T, args ...string) *redisServer {
	t.Helper()
	r := &redisServer{t: t, dir: tempDir(t), port: freePort(t)}
	r.args = append([]string{"--port", fmt.Sprint(r.port), "--dir", r.dir, "--save", ""}, args...)
	if i := slices.Index(args, "--requirepass"); i >= 0 {
		r.auth = args[i+1]
	}
	r.start()
	t.Cleanup(r.kill)
	return r
}

func (r *redisServer) url() string {
	if r.auth != "" {
		return fmt.Sprintf("redis://:%s@127.0.0.1:%d", r.auth, r.port)
	}
	return fmt.Sprintf("redis://127.0.0.1:%d", r.port)
}

// ask is a command that asks the server.
func (r *redisServer) ask(args ...string) *exec.Cmd {
	cmd := exec.Command("redis-cli", append([]string{"-p", fmt.Sprint(r.port)}, args...)...)
	if r.auth != "" {
		cmd.Env = append(os.Environ(), "REDISCLI_AUTH="+r.auth)
	}
	return cmd
}

// start starts the server and returns when it answers, with all that it had kept.
func (r *redisServer) start() {
	r.t.Helper()
	log, err := os.OpenFile(filepath.Join(r.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		r.t.Fatal(err)
	}
	defer log.Close()
	r.cmd = exec.Command("redis-server", r.args...)
	r.cmd.Stdout, r.cmd.Stderr = log, log
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.cmd.Start(); err != nil {
		r.t.Fatalf("%v: install redis-server", err)
	}
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if out, err := r.ask("ping").Output(); err == nil && strings.HasPrefix(string(out), "PONG") {
			return
		}
		if time.Now().After(end) {
			text, _ := os.ReadFile(log.Name())
			r.t.Fatalf("redis-server does not answer: %s", text)
		}
	}
}

// kill ends the server as a power failure does, but for the disk's cache.
func (r *redisServer) kill() {
	if r.cmd != nil {
		_ = r.cmd.Process.Kill()
		_ = r.cmd.Wait()
		r.cmd = nil
	}
}

// cli is what the server answers.
func (r *redisServer) cli(args ...string) string {
	r.t.Helper()
	out, err := r.ask(args...).CombinedOutput()
	if err != nil {
		r.t.Fatalf("redis-cli %s: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// signal stops the server (SIGSTOP), or has it go on.
func (r *redisServer) signal(s syscall.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.t.Fatal(err)
	}
}

// refuses fails unless a node answers pushed events with 503, soon.
func (a *api) refuses() {
	a.t.Helper()
	began := time.Now()
	got := a.post("/events/e", `{"id":"refused"}`, "Authorization", "Bearer "+hookToken)
	took := time.Since(began)
	if got.status != 503 || got.header.Get("Retry-After") == "" || took > 5*time.Second {
		a.t.Errorf("without redis an event is answered after %s with %d %s %s", took, got.status, got.header, got.body)
	}
}

// takesAgain waits until nodes take events again, and follow each other's changes.
func (c *cluster) takesAgain(accepted map[string]bool, name string) {
	c.t.Helper()
	since := time.Now()
	for n, node := range c.nodes {
		eventually(c.t, "a node takes events again", func() bool { return node.accept(accepted, fmt.Sprint(name, n), 1) == 0 })
	}
	c.t.Logf("%s: all nodes take events again after %s", name, time.Since(since).Round(time.Millisecond))
	c.nodes[0].create(name, nodeZip(c.t, answers(name)))
	eventually(c.t, "another node knows a new function", func() bool {
		_, err := c.nodes[1].Invoke(c.t.Context(), &lambda.InvokeInput{FunctionName: aws.String(name), Payload: []byte("{}")})
		return err == nil
	})
	c.nodes[1].updateCode(name, nodeZip(c.t, answers("changed")))
	c.withinASecond("/invoke/"+name, 200, "changed", c.nodes...)
}

// wantGap fails if there was a time without any answer.
func (l *load) wantGap(t *testing.T, most time.Duration) {
	t.Helper()
	l.end()
	longest, last := time.Duration(0), time.Time{}
	for _, one := range l.done {
		if !last.IsZero() {
			longest = max(longest, one.ended.Sub(last))
		}
		last = one.ended
	}
	if longest > most {
		t.Errorf("for %s there was no answer", longest)
	}
}

func TestClusterGoesOnWhileRedisIsAwayAndLosesNothing(t *testing.T) {
	events := newLedger(t)
	c := newCluster(t, 2, events.reach())
	first := c.nodes[0]
	first.create("f", nodeZip(t, answers("well")))
	first.create("reserved", nodeZip(t, answers("well")))
	first.reserve("reserved", 6)
	first.create("e", zipOf(t, events.code(20*time.Millisecond)))
	c.withinASecond("/f", 200, "well", c.nodes...)
	c.withinASecond("/invoke/reserved", 200, "well", c.nodes...)
	var loads []*load
	for _, node := range c.nodes {
		loads = append(loads, c.load(1, "/f", node), c.load(2, "/invoke/reserved", node))
	}
	all := func(answered int) {
		for _, l := range loads {
			l.runs(t, answered)
		}
	}
	all(20)
	accepted := make(map[string]bool)
	first.accept(accepted, "before", 100)
	c.redis.kill()
	for _, node := range c.nodes {
		node.refuses()
	}
	all(20)
	c.redis.start()
	c.takesAgain(accepted, "restarted")

	first.accept(accepted, "again", 100)
	c.redis.signal(syscall.SIGSTOP)
	paused, resumes := time.Now(), time.After(10*time.Second)
	for _, node := range c.nodes {
		node.refuses()
	}
	<-resumes
	c.redis.signal(syscall.SIGCONT)
	for n, l := range loads {
		answered := 0
		for _, one := range l.sofar() {
			if one.began.After(paused) {
				answered++
			}
		}
		if answered < 20 {
			t.Errorf("load %d: %d calls were answered in the pause", n, answered)
		}
	}
	c.takesAgain(accepted, "resumed")
	events.wait(accepted)
	for _, e := range first.events("") {
		t.Logf("waits: attempt %d: %s %s", e.Attempts, e.Payload, e.Error)
	}
	for _, l := range loads {
		l.wantGap(t, 5*time.Second)
		l.wantAll(t, 200, "well")
	}
	events.mu.Lock()
	defer events.mu.Unlock()
	t.Logf("%d events were accepted, ran: %d", len(accepted), len(events.ran))
	for id, n := range events.ran {
		if n > 1 {
			t.Logf("%s ran %d times", id, n)
		}
	}
}
