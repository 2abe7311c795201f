package tests

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// Descriptors are a budget: the idle environments make room for others.
func TestFewDescriptorsAnswerManyFunctions(t *testing.T) {
	const functions = 40
	s := newServer(t, "", "")
	var declared, site strings.Builder
	for i := range functions {
		name := fmt.Sprintf("f%d", i)
		code := s.code(name, map[string]string{"index.js": fmt.Sprintf("exports.handler = async () => 'I am %d'", i)})
		declared.WriteString(nodeFunction(name, code, "queue_timeout 30s"))
		fmt.Fprintf(&site, "invoke /%s %s\n", name, name)
	}
	s.configure(declared.String(), site.String())
	s.wrap = []string{"sh", "-c", `ulimit -n 256; exec "$@"`, "sh"}
	s.start()
	if !strings.Contains(s.output(), "the limit of open files is low") {
		t.Errorf("nothing warns of the limit:\n%s", s.output())
	}
	for round := range 2 {
		for i := range functions {
			s.get(fmt.Sprintf("/f%d", i)).want(t, 200, fmt.Sprintf("I am %d", i))
		}
		if open := s.descriptors(); open > 200 {
			t.Errorf("%d files are open after round %d, of 256", open, round)
		}
	}
	var all sync.WaitGroup
	for i := range functions {
		all.Go(func() { s.get(fmt.Sprintf("/f%d", i)).want(t, 200, fmt.Sprintf("I am %d", i)) })
	}
	all.Wait()
}

// descriptors is how many files the server has open.
func (s *server) descriptors() int {
	s.t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	return len(entries)
}

// What an environment holds is what it is counted with.
func TestEnvironmentHoldsNoMoreDescriptorsThanItIsCountedWith(t *testing.T) {
	const functions, counted = 20, 8
	s := newServer(t, "", "")
	var declared, site strings.Builder
	for i := range functions {
		name := fmt.Sprintf("f%d", i)
		code := s.code(name, map[string]string{"index.js": "exports.handler = async () => 'ok'"})
		declared.WriteString(nodeFunction(name, code, ""))
		fmt.Fprintf(&site, "invoke /%s %s\n", name, name)
	}
	s.configure("stems 0\n"+declared.String(), site.String())
	s.start()
	s.get("/f0").want(t, 200, "ok")
	before := s.descriptors()
	for i := 1; i < functions; i++ {
		s.get(fmt.Sprintf("/f%d", i)).want(t, 200, "ok")
	}
	if more := s.descriptors() - before; more > counted*(functions-1) {
		t.Errorf("%d environments hold %d descriptors, want %d each at most", functions-1, more, counted)
	} else {
		t.Logf("%.1f descriptors each", float64(more)/(functions-1))
	}
}
