package sandbox

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A stem is a shell that runs what it is told, one line after the other.
type stem struct {
	*Process
	t      testing.TB
	input  *os.File
	output *bufio.Reader
}

func bootStem(t testing.TB, s *Sandbox, id string) *stem {
	t.Helper()
	pipe := func() (r, w *os.File) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		return r, w
	}
	r, input := pipe()
	output, w := pipe()
	p, err := s.Start(Spec{ID: id, Args: []string{"sh", "-c", `while read -r line <&3; do cd /var/task; eval "$line" 2>&1; echo; echo END; done`},
		Env: []string{"PATH=/usr/bin:/bin"}, Network: NetworkNone, Stem: true, Stdout: w, ExtraFiles: []*os.File{r}})
	r.Close()
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	st := &stem{p, t, input, bufio.NewReader(output)}
	t.Cleanup(func() {
		input.Close()
		p.Kill()
		<-p.Done()
		output.Close()
	})
	st.run(":") // it has booted
	return st
}

func (st *stem) run(line string) string {
	st.t.Helper()
	if _, err := io.WriteString(st.input, line+"\n"); err != nil {
		st.t.Fatal(err)
	}
	var out strings.Builder
	for {
		text, err := st.output.ReadString('\n')
		if err != nil {
			st.t.Fatalf("after %q: %v", out.String(), err)
		}
		if text == "END\n" {
			return strings.TrimSpace(out.String())
		}
		out.WriteString(text)
	}
}

func TestRootStemAssumesAFunction(t *testing.T) {
	s := shared(t)
	if !s.CanAssume() {
		t.Fatal("stems do not work here")
	}
	code := folder(t, map[string]string{"index.js": "exports.handler = 1", "bin/tool": "x"})
	layer := folder(t, map[string]string{"nodejs/x.js": "x"})
	st := bootStem(t, s, "stem-a")
	if got := st.run("ls /var/task /opt | tr '\\n' ' '"); got != "/opt:  /var/task:" {
		t.Errorf("before, the stem sees %q", got)
	}
	if err := st.Assume(Assumption{Mounts: []Mount{{code, TaskRoot}, {layer, LayerRoot}}, MemoryMB: 512, EphemeralStorageMB: 600, MaxProcesses: 50}); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"ls /var/task/ | tr '\\n' ' '":        "bin index.js",
		"ls . | tr '\\n' ' '":                 "bin index.js",
		"cat /opt/nodejs/x.js":                "x",
		"touch /var/task/new":                 "Read-only file system",
		"mkdir /opt/new":                      "Read-only file system",
		"df -m /tmp | awk 'END { print $2 }'": "600",
		"grep ' /var/task ' /proc/self/mountinfo | tail -1 | cut -d' ' -f6": "ro,nosuid,nodev",
		"grep -c ' /tmp ' /proc/self/mountinfo":                             "1",
		"touch /tmp/new && ls /tmp":                                         "new",
		"umount /var/task; ls /var/task | wc -l":                            "2",
		"ls /proc/1/root/root 2>/dev/null || echo nothing of the machine":   "nothing of the machine",
	} {
		if got := st.run(line); !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
	if st.cgroup == nil {
		t.Fatal("there is no cgroup")
	}
	limit := readNumber(filepath.Join(st.cgroup.memory, map[bool]string{true: "memory.max", false: "memory.limit_in_bytes"}[st.cgroup.v2]))
	if limit != (512+600)<<20 {
		t.Errorf("the wall is at %d MB, want %d", limit>>20, 512+600)
	}
	if n := readNumber(filepath.Join(st.cgroup.pids, "pids.max")); n != 50+wrappers {
		t.Errorf("%d processes are allowed, want %d", n, 50+wrappers)
	}
}

func TestRootStemsSeeNothingOfEachOther(t *testing.T) {
	s := shared(t)
	a, b := bootStem(t, s, "stem-a"), bootStem(t, s, "stem-b")
	if err := a.Assume(Assumption{Mounts: []Mount{{folder(t, map[string]string{"a.txt": ""}), TaskRoot}}}); err != nil {
		t.Fatal(err)
	}
	if got := b.run("ls /var/task"); got != "" {
		t.Errorf("the other stem sees %q", got)
	}
	if err := b.Assume(Assumption{Mounts: []Mount{{folder(t, map[string]string{"b.txt": ""}), TaskRoot}}}); err != nil {
		t.Fatal(err)
	}
	if got := a.run("ls /var/task") + b.run("ls /var/task"); got != "a.txtb.txt" {
		t.Errorf("they see %q", got)
	}
}

func TestRootAssumedMemoryHolds(t *testing.T) {
	s := shared(t)
	st := bootStem(t, s, "stem-memory")
	if err := st.Assume(Assumption{MemoryMB: 600}); err != nil {
		t.Fatal(err)
	}
	const fill = "head -c %dm /dev/zero | tail -c %dm | wc -c"
	if got, want := st.run(fmt.Sprintf(fill, 300, 300)), fmt.Sprint(300<<20); got != want {
		t.Errorf("within its memory: %q, want %s", got, want)
	}
	if _, err := io.WriteString(st.input, fmt.Sprintf(fill, 2000, 2000)+"\n"); err != nil {
		t.Fatal(err)
	}
	<-st.Done()
	if exit := st.Exit(); !exit.OOMKilled {
		t.Errorf("past its memory it ended by %s", exit)
	}
}

func TestRootHiddenPathsAreCoveredInAStem(t *testing.T) {
	code := folder(t, map[string]string{"index.js": "", "data/secret": "s", "key": "k"})
	s := open(t, Config{Hide: []string{filepath.Join(code, "data"), filepath.Join(code, "key")}})
	st := bootStem(t, s, "stem-hide")
	if err := st.Assume(Assumption{Mounts: []Mount{{code, TaskRoot}}}); err != nil {
		t.Fatal(err)
	}
	if got := st.run("ls /var/task/data; cat /var/task/key; ls /var/task | tr '\\n' ' '"); got != "data index.js key" {
		t.Errorf("the function sees %q", got)
	}
	hidden := bootStem(t, s, "stem-hidden")
	if err := hidden.Assume(Assumption{Mounts: []Mount{{filepath.Join(code, "data"), TaskRoot}}}); err == nil {
		t.Error("a hidden folder became a function's code")
	}
}

func TestRootAssumeRefusesWhatItCannotDo(t *testing.T) {
	s := shared(t)
	st := bootStem(t, s, "stem-refuse")
	for name, a := range map[string]Assumption{
		"other target":     {Mounts: []Mount{{"/usr", "/usr"}}},
		"no such folder":   {Mounts: []Mount{{"/no/such/folder", TaskRoot}}},
		"relative":         {Mounts: []Mount{{"code", TaskRoot}}},
		"negative limit":   {MemoryMB: -1},
		"a file as a code": {Mounts: []Mount{{"/etc/passwd", TaskRoot}}},
	} {
		if err := st.Assume(a); err == nil {
			t.Errorf("%s: there was no error", name)
		}
	}
	st.Kill()
	<-st.Done()
	if err := st.Assume(Assumption{}); err == nil {
		t.Error("a process that has ended assumed a function")
	}
}

// No mount of a stem's is to be seen on the machine, during or after.
func TestRootAssumeLeavesNoMount(t *testing.T) {
	before := mounts(t)
	s := open(t, Config{})
	st := bootStem(t, s, "stem-mounts")
	if err := st.Assume(Assumption{Mounts: []Mount{{folder(t, map[string]string{"a": ""}), TaskRoot}}}); err != nil {
		t.Fatal(err)
	}
	if during := mounts(t); during != before {
		t.Errorf("the machine's mounts changed:\n%s\nbefore:\n%s", during, before)
	}
	st.Kill()
	<-st.Done()
	if after := mounts(t); after != before {
		t.Errorf("the machine's mounts changed:\n%s\nbefore:\n%s", after, before)
	}
}

func mounts(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestStemsNeedTheSandboxAndRoot(t *testing.T) {
	if open(t, Config{Mode: Off}).CanAssume() {
		t.Error("stems without a sandbox")
	}
	if os.Geteuid() != 0 && shared(t).CanAssume() {
		t.Error("stems without root")
	}
}

func BenchmarkAssume(b *testing.B) {
	s := open(b, Config{})
	code := b.TempDir()
	for i := range b.N {
		b.StopTimer()
		st := bootStem(b, s, fmt.Sprintf("stem-%d", i))
		b.StartTimer()
		if err := st.Assume(Assumption{Mounts: []Mount{{code, TaskRoot}}}); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		st.Kill()
		<-st.Done()
		b.StartTimer()
	}
}
