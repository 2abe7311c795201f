package sandbox

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// holderOf is the process that holds namespaces for a server that is not root; 0 for none.
func holderOf(s *harness.Server) int {
	for _, pid := range harness.Descendants(s.Cmd.Process.Pid) {
		if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && strings.HasPrefix(string(b), "hearth-holder\x00") && harness.Alive(pid) {
			return pid
		}
	}
	return 0
}

// interpreters are the processes of a server that run Python.
func interpreters(s *harness.Server) (pids []int) {
	for _, pid := range harness.Descendants(s.Cmd.Process.Pid) {
		if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); err == nil && strings.HasPrefix(string(b), "python") {
			pids = append(pids, pid)
		}
	}
	return pids
}

// The network of functions is in the holder, for a server that is not root. When the holder
// is killed, both come back.
func TestFunctionsHaveTheirNetworkAgainWhenTheHolderIsBack(t *testing.T) {
	harness.Parallel(t)
	w := newWorld(t)
	echoes(t, w.beyond, 7007)
	s := w.server("127.0.0.53", false)
	s.Configure(harness.PythonFunction("f", s.Code("f", map[string]string{"app.py": prober}), "timeout 60s"), "function f")
	s.Start()
	for range 3 {
		attempts(s, "/", both(publicV4, 7007, w.beyond)...)
		s.AwaitStem("python")
		before := holderOf(s)
		if before == 0 {
			t.Fatal("there is no holder")
		}
		environments := interpreters(s)
		if len(environments) == 0 {
			t.Fatal("there is no environment")
		}
		if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		// They are killed at once, but on a busy machine some answer for a moment yet.
		harness.Eventually(t, "the environments end with it", func() bool { return !slices.ContainsFunc(environments, harness.Alive) })
		harness.Eventually(t, "another holder is there", func() bool { now := holderOf(s); return now != 0 && now != before })
		harness.Eventually(t, "it is said", func() bool { return strings.Contains(s.Output(), "the process that holds namespaces is back") })
		harness.Eventually(t, "no call goes to an environment that ended with it", func() bool {
			r := s.Request("POST", "/", strings.NewReader("[]"))
			r.Header.Set("Content-Type", "application/json")
			return s.Do(r).Status == 200
		})
	}
	attempts(s, "/", both(publicV4, 7007, w.beyond)...)
	s.AwaitStem("python")
}
