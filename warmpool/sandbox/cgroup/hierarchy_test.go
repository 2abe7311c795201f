package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

const v1Mounts = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:5 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 /docker/abc /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
`

func TestMountsOfCgroupsAreFound(t *testing.T) {
	mounts := parseMounts(strings.NewReader(v1Mounts + "nonsense\n1 2 - cgroup\n"))
	if len(mounts) != 3 {
		t.Fatalf("found %+v", mounts)
	}
	if m := mounts[1]; m.root != "/docker/abc" || m.dir != "/sys/fs/cgroup/memory" || m.v2 {
		t.Errorf("memory is %+v", m)
	}
	if m := mounts[2]; !m.v2 || m.dir != "/sys/fs/cgroup/unified" {
		t.Errorf("v2 is %+v", m)
	}
}

func TestOwnCgroupIsThatBelowTheMountOrItsTop(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "system.slice/hearth.service"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ root, membership, want string }{
		{"/", "0::/system.slice/hearth.service\n", "/system.slice/hearth.service"},
		{"/", "0::/somewhere/else\n", ""},       // a container without a cgroup namespace
		{"/docker/abc", "0::/docker/abc\n", ""}, // the mount is the container's own
		{"/..", "0::/\n", ""},                   // above what a namespace shows
		{"/docker/abc", "0::/docker/abc/system.slice/hearth.service\n", "/system.slice/hearth.service"},
		{"/docker/abc", "0::/docker/other\n", ""},
	} {
		m := cgroupMount{root: c.root, dir: dir, v2: true}
		if got := m.own(parseMembership(strings.NewReader(c.membership))); got != filepath.Join(dir, c.want) {
			t.Errorf("%+v: got %s", c, got)
		}
	}
	v1 := cgroupMount{root: "/", dir: dir, names: []string{"rw", "cpu", "cpuacct"}}
	if got := v1.own(parseMembership(strings.NewReader("1:cpu,cpuacct:/system.slice/hearth.service\n"))); got != filepath.Join(dir, "system.slice/hearth.service") {
		t.Errorf("v1: got %s", got)
	}
}

// v2Files makes the files that the kernel makes in a cgroup of version 2.
func v2Files(t *testing.T, dir string) {
	t.Helper()
	for _, name := range []string{"cgroup.subtree_control", "cgroup.procs", "cgroup.kill", "cgroup.freeze", "memory.max", "memory.swap.max", "memory.oom.group", "pids.max", "cpu.weight"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestV2PlaceIsTheDelegatedCgroupElseTheTop(t *testing.T) {
	for _, c := range []struct {
		own  string
		root bool
		want string
	}{
		{"user.slice/app.scope", false, "user.slice/app.scope"},
		{"user.slice/app.scope/hearth-gateway", false, "user.slice/app.scope"},
		{"system.slice/hearth.service", true, ""}, // not delegated: systemd's own
	} {
		top := t.TempDir()
		own := filepath.Join(top, c.own)
		if err := os.MkdirAll(own, 0o755); err != nil {
			t.Fatal(err)
		}
		for dir := own; ; dir = filepath.Dir(dir) {
			v2Files(t, dir)
			if dir == top {
				break
			}
		}
		// A folder that is no cgroup has no files of the kernel's, so it gets as far
		// as giving controllers to its own cgroup.
		_, err := openV2(top, own, c.root)
		if !errors.Is(err, ErrNoDelegation) {
			t.Fatalf("%s: %v", c.own, err)
		}
		if got := read(t, filepath.Join(top, c.want, "cgroup.subtree_control")); got != "+memory +pids +cpu" {
			t.Errorf("%s: controllers of %s are %q", c.own, c.want, got)
		}
	}
}

func TestV2SettingsAndReadings(t *testing.T) {
	dir := t.TempDir()
	v2Files(t, dir)
	for name, content := range map[string]string{
		"memory.current": "1000\n",
		"memory.peak":    "2000\n",
		"memory.stat":    "anon 300\nfile 600\nshmem 500\n",
		"memory.events":  "low 0\nhigh 0\nmax 7\noom 2\noom_kill 3\noom_group_kill 1\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	g := V2At(dir)
	if err := g.limit(Limits{Memory: 128 << 20, Tmp: 512 << 20, Processes: 12}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"memory.max": "671088640", "memory.swap.max": "0", "memory.oom.group": "1", "pids.max": "12", "cpu.weight": "72",
	} {
		if got := read(t, filepath.Join(dir, name)); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if current, peak := g.MemoryUse(); current != 1000 || peak != 2000 {
		t.Errorf("memory is %d, %d", current, peak)
	}
	if got := g.Anonymous(); got != 300 {
		t.Errorf("anonymous is %d", got)
	}
	if got := g.OOMKills(); got != 3 {
		t.Errorf("oom kills are %d", got)
	}
	g.Kill()
	if got := read(t, filepath.Join(dir, "cgroup.kill")); got != "1" {
		t.Errorf("cgroup.kill is %q", got)
	}

	if err := os.Remove(filepath.Join(dir, "memory.swap.max")); err != nil {
		t.Fatal(err)
	}
	if err := g.limit(Limits{}); err != nil {
		t.Errorf("without swap accounting: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "memory.max")); err != nil {
		t.Fatal(err)
	}
	if err := g.limit(Limits{}); err == nil {
		t.Error("no error without memory.max")
	}
}

func unlink(dir string) error { return syscall.Rmdir(dir) }

// Without the lock of its maker a cgroup is a leftover, whatever runs in it.
func TestRootLeftoversAreSweptAndLiveOnesAreNot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	live, err := Open()
	if err != nil {
		t.Fatalf("root has to get cgroups, mount them at /sys/fs/cgroup: %v", err)
	}
	defer live.Close()
	abandoned, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := abandoned.Add("env", Limits{Memory: 64 << 20, Processes: 10}); err != nil {
		t.Fatal(err)
	}
	for _, f := range slices.Concat(abandoned.home, abandoned.locks) {
		f.Close()
	}
	if dir := abandoned.parent.memory; !abandoned.parent.v2 {
		// As of one that was in another cgroup of memory: only the others are here.
		if err := errors.Join(unlink(filepath.Join(dir, "env")), unlink(dir)); err != nil {
			t.Fatal(err)
		}
	}

	next, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	for _, dir := range abandoned.parent.dirs() {
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", dir, err)
		}
	}
	for _, dir := range live.Dirs() {
		if _, err := os.Stat(dir); err != nil {
			t.Errorf("a live one was removed: %v", err)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
