package harness

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

	"github.com/redis/go-redis/v9"
)

// Commands is how many commands redis has run, those that scripts call included.
func (r *Redis) Commands() (n int) {
	r.T.Helper()
	for _, line := range strings.Split(r.CLI("info", "commandstats"), "\n") {
		var calls int
		if _, after, found := strings.Cut(line, ":calls="); found {
			if _, err := fmt.Sscan(strings.ReplaceAll(after, ",", " "), &calls); err != nil {
				r.T.Fatal(err)
			}
			n += calls
		}
	}
	return n
}

// A Redis is a real redis-server on a port of its own, with its own folder.
type Redis struct {
	T    *testing.T
	Dir  string
	Port int
	Args []string
	auth string // its password
	cmd  *exec.Cmd
}

func NewRedis(t *testing.T, args ...string) *Redis {
	t.Helper()
	r := &Redis{T: t, Dir: TempDir(t), Port: FreePort(t)}
	r.Args = append([]string{"--port", fmt.Sprint(r.Port), "--dir", r.Dir, "--save", ""}, args...)
	if i := slices.Index(args, "--requirepass"); i >= 0 {
		r.auth = args[i+1]
	}
	r.Start()
	t.Cleanup(r.Kill)
	return r
}

func (r *Redis) URL() string {
	if r.auth != "" {
		return fmt.Sprintf("redis://:%s@127.0.0.1:%d", r.auth, r.Port)
	}
	return fmt.Sprintf("redis://127.0.0.1:%d", r.Port)
}

// RedisOption has a gateway use the Redis of a URL, with a secret that all gateways of the
// tests have.
func RedisOption(url string) string {
	return fmt.Sprintf("redis %s {\n secret the-secret-of-the-tests\n unprotected\n}\n", url)
}

// ask is a command that asks the server.
func (r *Redis) ask(args ...string) *exec.Cmd {
	cmd := exec.Command("redis-cli", append([]string{"-p", fmt.Sprint(r.Port)}, args...)...)
	if r.auth != "" {
		cmd.Env = append(os.Environ(), "REDISCLI_AUTH="+r.auth)
	}
	return cmd
}

// Start starts the server and returns when it answers, with all that it had kept.
func (r *Redis) Start() {
	r.T.Helper()
	log, err := os.OpenFile(filepath.Join(r.Dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		r.T.Fatal(err)
	}
	defer log.Close()
	r.cmd = exec.Command("redis-server", r.Args...)
	r.cmd.Stdout, r.cmd.Stderr = log, log
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.cmd.Start(); err != nil {
		r.T.Fatalf("%v: install redis-server", err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if out, err := r.ask("ping").Output(); err == nil && strings.HasPrefix(string(out), "PONG") {
			return
		}
		if time.Now().After(end) {
			text, _ := os.ReadFile(log.Name())
			r.T.Fatalf("redis-server does not answer: %s", text)
		}
	}
}

// Kill ends the server as a power failure does, but for the disk's cache.
func (r *Redis) Kill() {
	if r.cmd != nil {
		_ = r.cmd.Process.Kill()
		_ = r.cmd.Wait()
		r.cmd = nil
	}
}

// CLI is what the server answers.
func (r *Redis) CLI(args ...string) string {
	r.T.Helper()
	out, err := r.ask(args...).CombinedOutput()
	if err != nil {
		r.T.Fatalf("redis-cli %s: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// Signal stops the server (SIGSTOP), or has it go on.
func (r *Redis) Signal(s syscall.Signal) {
	r.T.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.T.Fatal(err)
	}
}

// reader is a client of the server.
func (r *Redis) Client() *redis.Client {
	r.T.Helper()
	c := redis.NewClient(&redis.Options{Addr: fmt.Sprintf("127.0.0.1:%d", r.Port)})
	r.T.Cleanup(func() { c.Close() })
	return c
}

// add writes records ID with an id field.
func AddRecords(t *testing.T, c *redis.Client, stream string, ids ...string) {
	t.Helper()
	_, err := c.Pipelined(t.Context(), func(p redis.Pipeliner) error {
		for _, id := range ids {
			p.XAdd(t.Context(), &redis.XAddArgs{Stream: stream, Values: []string{"id", id}})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
