package gateway

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/tests/harness"
)

// A function that nobody calls costs a few lines of configuration: no watch, no
// descriptor, no series in /metrics. The times are generous, as tests run beside
// others; the benchmark states the exact ones.
func TestThousandFunctionsStartFastAndHoldNothingBeforeTheyAreCalled(t *testing.T) {
	harness.Quiet(t)
	const (
		functions = 1000
		within    = 5 * time.Second
		most      = 60 // descriptors, of which Caddy itself has about 15
	)
	s := harness.NewServer(t, "", "")
	var declared strings.Builder
	for i := range functions {
		code := s.Code(fmt.Sprintf("f%d", i), map[string]string{"index.js": "exports.handler = async () => 'first'"})
		fmt.Fprintf(&declared, "function f%d {\n runtime nodejs20.x\n handler index.handler\n code %s\n}\n", i, code)
	}
	s.Configure(declared.String(), "function /f7 f7")
	began := time.Now()
	s.Start()
	if took := time.Since(began); took > within {
		t.Errorf("%d functions start in %v, want %v at most", functions, took, within)
	}
	cold := holdingsOf(s)
	if cold.descriptors > most || cold.watches > 0 {
		t.Errorf("before a call the server holds %+v, want %d descriptors and no watch at most", cold, most)
	}

	s.Get("/f7").Want(t, 200, "first")
	if called := holdingsOf(s); called.instances > 1 || called.watches == 0 || called.watches > 10 {
		t.Errorf("after one call the server holds %+v, want one instance with the watches of one folder", called)
	}
	metrics := s.Get("/metrics").Body
	if !strings.Contains(metrics, `function="f7"`) || strings.Contains(metrics, `function="f8"`) {
		t.Error("/metrics has not the function that was called, and that alone")
	}

	began = time.Now()
	s.Reload()
	if took := time.Since(began); took > within {
		t.Errorf("%d functions are reloaded in %v, want %v at most", functions, took, within)
	}
	s.Code("f7", map[string]string{"index.js": "exports.handler = async () => 'second'"})
	harness.Eventually(t, "code that changed after the reload is run", func() bool {
		return strings.Contains(s.Get("/f7").Body, "second")
	})
}

// holdings are what the kernel keeps for the server.
type holdings struct{ descriptors, instances, watches int }

// held reads them from /proc (proc_pid_fdinfo(5)).
func holdingsOf(s *harness.Server) holdings {
	s.T.Helper()
	var h holdings
	dir := fmt.Sprintf("/proc/%d/", s.Cmd.Process.Pid)
	entries, err := os.ReadDir(dir + "fd")
	if err != nil {
		s.T.Fatal(err)
	}
	for _, e := range entries {
		h.descriptors++
		if target, _ := os.Readlink(filepath.Join(dir, "fd", e.Name())); target != "anon_inode:inotify" {
			continue
		}
		h.instances++
		info, err := os.ReadFile(filepath.Join(dir, "fdinfo", e.Name()))
		if err != nil {
			s.T.Fatal(err)
		}
		h.watches += strings.Count(string(info), "inotify wd:")
	}
	return h
}
