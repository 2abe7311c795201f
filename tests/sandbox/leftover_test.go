package sandbox

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// What a server that is killed makes on the machine is gone when the next one has
// started, and what that one makes is gone when it has stopped.
func TestKilledServerLeavesNothing(t *testing.T) {
	harness.Parallel(t)
	asBoth(t, func(t *testing.T, asRoot bool) { leavesNothing(t, asRoot, false) })
	t.Run("as another user with users", func(t *testing.T) { leavesNothing(t, false, true) })
}

// A trace is what a server has on the machine: processes, and what lives without them.
type trace struct {
	t          *testing.T
	server     *harness.Server
	processes  []int
	namespaces map[string]bool // e.g. net:[4026531840], but for those of this test
	others     []string        // folders in /proc of all processes then: who comes later may get such a number anew
	cgroups    map[string]bool // folders
}

// traceOf looks at a server that runs.
func traceOf(t *testing.T, s *harness.Server) *trace {
	t.Helper()
	r := &trace{t: t, server: s, namespaces: map[string]bool{}, cgroups: map[string]bool{}}
	r.processes = append(harness.Descendants(s.Cmd.Process.Pid), s.Cmd.Process.Pid)
	var err error
	if r.others, err = filepath.Glob("/proc/[0-9]*"); err != nil {
		t.Fatal(err)
	}
	kinds := []string{"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"}
	for _, pid := range r.processes {
		for _, kind := range kinds {
			r.namespaces[readlink("/proc/%d/ns/%s", pid, kind)] = true
		}
		for _, dir := range cgroupsOf(pid) {
			r.cgroups[dir] = true
		}
	}
	for _, kind := range kinds {
		delete(r.namespaces, readlink("/proc/%d/ns/%s", os.Getpid(), kind))
	}
	var machine syscall.Stat_t
	if err := syscall.Stat("/run/netns/"+s.Netns, &machine); err != nil {
		t.Fatal(err)
	}
	delete(r.namespaces, fmt.Sprintf("net:[%d]", machine.Ino))
	delete(r.namespaces, "") // of a process that has ended meanwhile
	return r
}

// cgroupsOf are the folders of a process's cgroups that a server of Hearth made.
func cgroupsOf(pid int) (dirs []string) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return nil
	}
	mounted, err := filepath.Glob("/sys/fs/cgroup/*")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(b)) {
		_, path, found := strings.Cut(strings.TrimSpace(line), ":/")
		at := strings.Index(path, "hearth-sandbox-")
		if !found || at < 0 {
			continue
		}
		for _, top := range append(mounted, "/sys/fs/cgroup") {
			dir := filepath.Join(top, path)
			if _, err := os.Stat(dir); err == nil {
				name, _, _ := strings.Cut(path[at:], "/")
				dirs = append(dirs, dir, filepath.Join(top, path[:at], name))
			}
		}
	}
	return dirs
}

// has fails unless the server has some of everything that could be left.
func (r *trace) has(asRoot bool) {
	r.t.Helper()
	names := map[string]bool{}
	for _, pid := range r.processes {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		name, _, _ := strings.Cut(string(line), "\x00")
		names[filepath.Base(name)] = true
	}
	wanted := []string{"bwrap"}
	if !asRoot {
		wanted = append(wanted, "hearth-holder", "pasta")
	}
	for _, name := range wanted {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(names)), func(n string) bool { return strings.HasPrefix(n, name) }) {
			r.t.Errorf("no %s is among the server's processes: %v", name, names)
		}
	}
	kinds := map[string]bool{}
	for name := range r.namespaces {
		kind, _, _ := strings.Cut(name, ":")
		kinds[kind] = true
	}
	for _, kind := range []string{"mnt", "net", "pid", "user"} {
		if !kinds[kind] {
			r.t.Errorf("the server has no namespace of its own of kind %s: %v", kind, r.namespaces)
		}
	}
	if asRoot && len(r.cgroups) == 0 {
		r.t.Error("the server has no cgroups")
	}
}

// left is what is there still, in words.
func (r *trace) left() (left []string) {
	for _, pid := range r.processes {
		if harness.Alive(pid) {
			left = append(left, fmt.Sprint("process ", pid))
		}
	}
	for _, process := range r.others {
		links, err := filepath.Glob(process + "/ns/*")
		if err != nil {
			r.t.Fatal(err)
		}
		for _, link := range links {
			if name := readlink("%s", link); r.namespaces[name] {
				left = append(left, name+" by "+link)
			}
		}
	}
	for dir := range r.cgroups {
		if _, err := os.Stat(dir); err == nil {
			left = append(left, dir)
		}
	}
	return left
}

// counts is how many things a server's machine has that do not end with a process.
func counts(t *testing.T, s *harness.Server, tmp string) string {
	t.Helper()
	out, err := exec.Command("nsenter", "--net=/run/netns/"+s.Netns, "sh", "-c",
		"ip -o link; ip rule; ip -6 rule; ip route show table all; ip -6 route show table all; nft list tables").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	n := map[string]int{"folders": len(folders(t, tmp))}
	for line := range strings.Lines(string(out)) {
		switch {
		case strings.HasPrefix(line, "table "):
			n["tables"]++
		case strings.Contains(line, "lookup "):
			n["rules"]++
		case strings.Contains(line, ": <"):
			n["links"]++
		case strings.Contains(line, "dev hearth-"):
			n["routes"]++
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, tmp) || strings.Contains(line, " - nsfs ") && !strings.Contains(line, "/run/netns/") {
			n["mounts"]++
		}
	}
	return fmt.Sprint(n) // in the order of the names
}

// folders are those that servers keep while they live.
func folders(t *testing.T, tmp string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(tmp, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func readlink(format string, args ...any) string {
	name, err := os.Readlink(fmt.Sprintf(format, args...))
	if err != nil {
		return ""
	}
	return name
}

func leavesNothing(t *testing.T, asRoot, users bool) {
	w := newWorld(t)
	s := w.server("127.0.0.53", asRoot)
	if users {
		lend(s)
	}
	if asRoot {
		s.Wrap = nil // so that its mounts would be the machine's
	}
	tmp := filepath.Join(s.Dir, "tmp")
	if err := os.Mkdir(tmp, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(tmp, 0o777); err != nil {
		t.Fatal(err)
	}
	s.Env = append(s.Env, "TMPDIR="+tmp)
	dir := s.Code("f", map[string]string{"app.py": prober})
	s.Configure(harness.PythonFunction("f", dir, "network private\ntimeout 60s")+harness.PythonFunction("none", dir, "network none\ntimeout 60s")+
		harness.PythonFunction("host", dir, "network host\ntimeout 60s"), "function /none none\nfunction /host host\nfunction f")
	calls := func() *trace {
		s.Mu.Lock()
		s.Out.Reset() // Start waits for what the first start has printed already
		s.Mu.Unlock()
		s.Start()
		for _, path := range []string{"/", "/none", "/host"} {
			attempts(s, path)
		}
		s.AwaitStem("python")
		return traceOf(t, s)
	}
	gone := func(r *trace, what string) {
		t.Helper()
		harness.Eventually(t, what, func() bool { return len(r.left()) == 0 })
		if left := r.left(); len(left) > 0 {
			t.Errorf("left is:\n%s", strings.Join(left[:min(len(left), 20)], "\n"))
		}
	}
	before := counts(t, s, tmp)
	killed := calls()
	killed.has(asRoot)
	during := counts(t, s, tmp)
	if during == before {
		t.Errorf("nothing is made that could be left: %s", during)
	}
	if err := s.Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.Exited
	next := calls()
	gone(killed, "all that the killed server made is gone")
	harness.Eventually(t, "the machine has what one server makes", func() bool { return counts(t, s, tmp) == during })
	if now := counts(t, s, tmp); now != during {
		t.Errorf("there are %s, the killed server alone had %s", now, during)
	}
	s.Stop()
	gone(next, "all that the server made which stopped is gone")
	harness.Eventually(t, "the machine is as it was", func() bool { return counts(t, s, tmp) == before })
	if now := counts(t, s, tmp); now != before {
		t.Errorf("there are %s, before there were %s: %v", now, before, folders(t, tmp))
	}
}
