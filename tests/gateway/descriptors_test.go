package gateway

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// Descriptors are a budget: the idle environments make room for others.
func TestFewDescriptorsAnswerManyFunctions(t *testing.T) {
	harness.Slow(t, "it starts many functions")
	harness.Parallel(t)
	const functions = 40
	s := harness.NewServer(t, "", "")
	var declared, site strings.Builder
	for i := range functions {
		name := fmt.Sprintf("f%d", i)
		code := s.Code(name, map[string]string{"index.js": fmt.Sprintf("exports.handler = async () => 'I am %d'", i)})
		declared.WriteString(harness.NodeFunction(name, code, "queue_timeout 30s"))
		fmt.Fprintf(&site, "function /%s %s\n", name, name)
	}
	s.Configure(declared.String(), site.String())
	s.Wrap = []string{"sh", "-c", `ulimit -n 256; exec "$@"`, "sh"}
	s.Start()
	if !strings.Contains(s.Output(), "the limit of open files is low") {
		t.Errorf("nothing warns of the limit:\n%s", s.Output())
	}
	for round := range 2 {
		for i := range functions {
			s.Get(fmt.Sprintf("/f%d", i)).Want(t, 200, fmt.Sprintf("I am %d", i))
		}
		if open := descriptorsOf(s); open > 200 {
			t.Errorf("%d files are open after round %d, of 256", open, round)
		}
	}
	var all sync.WaitGroup
	for i := range functions {
		all.Go(func() { s.Get(fmt.Sprintf("/f%d", i)).Want(t, 200, fmt.Sprintf("I am %d", i)) })
	}
	all.Wait()
}

// descriptors is how many files the server has open.
func descriptorsOf(s *harness.Server) int {
	s.T.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.Cmd.Process.Pid))
	if err != nil {
		s.T.Fatal(err)
	}
	return len(entries)
}

// What an environment holds is what it is counted with.
func TestEnvironmentHoldsNoMoreDescriptorsThanItIsCountedWith(t *testing.T) {
	harness.Parallel(t)
	const functions, counted = 20, 8
	s := harness.NewServer(t, "", "")
	var declared, site strings.Builder
	for i := range functions {
		name := fmt.Sprintf("f%d", i)
		code := s.Code(name, map[string]string{"index.js": "exports.handler = async () => 'ok'"})
		declared.WriteString(harness.NodeFunction(name, code, ""))
		fmt.Fprintf(&site, "function /%s %s\n", name, name)
	}
	s.Configure("stems 0\n"+declared.String(), site.String())
	s.Start()
	s.Get("/f0").Want(t, 200, "ok")
	before := descriptorsOf(s)
	for i := 1; i < functions; i++ {
		s.Get(fmt.Sprintf("/f%d", i)).Want(t, 200, "ok")
	}
	// The server opens files of its own too, for an instant, and a connection or two of clients.
	const own = 4
	more := 0
	harness.Eventually(t, fmt.Sprintf("an environment holds at most %d descriptors", counted), func() bool {
		more = descriptorsOf(s) - before
		return more <= counted*(functions-1)+own
	})
	t.Logf("%.1f descriptors each", float64(more)/(functions-1))
}
