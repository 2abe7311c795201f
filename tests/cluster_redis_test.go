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

// A redisServer is a real redis-server on a port of its own, with its own folder.
type redisServer struct {
	t    *testing.T
	dir  string
	port int
	args []string
	cmd  *exec.Cmd
}

func newRedis(t *testing.T, args ...string) *redisServer {
	t.Helper()
	r := &redisServer{t: t, dir: tempDir(t), port: freePort(t)}
	r.args = append([]string{"--port", fmt.Sprint(r.port), "--dir", r.dir, "--save", ""}, args...)
	r.start()
	t.Cleanup(r.kill)
	return r
}

func (r *redisServer) url() string { return fmt.Sprintf("redis://127.0.0.1:%d", r.port) }

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
		if out, err := exec.Command("redis-cli", "-p", fmt.Sprint(r.port), "ping").Output(); err == nil && strings.HasPrefix(string(out), "PONG") {
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
	out, err := exec.Command("redis-cli", append([]string{"-p", fmt.Sprint(r.port)}, args...)...).CombinedOutput()
	if err != nil {
		r.t.Fatalf("redis-cli %s: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}
