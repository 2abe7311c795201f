package sandbox

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
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

// asBooted tries stems as they are when they have booted, and those that are ready.
func asBooted(t *testing.T, test func(t *testing.T, boot func(t testing.TB, s *Sandbox, id string) *stem)) {
	t.Run("booted", func(t *testing.T) { test(t, bootStem) })
	t.Run("ready", func(t *testing.T) { test(t, readyStem) })
}

func readyStem(t testing.TB, s *Sandbox, id string) *stem {
	t.Helper()
	st := bootStem(t, s, id)
	if err := st.Ready(); err != nil {
		t.Fatal(err)
	}
	return st
}

func TestStemAssumesAFunction(t *testing.T) { asBooted(t, testStemAssumesAFunction) }

func testStemAssumesAFunction(t *testing.T, boot func(t testing.TB, s *Sandbox, id string) *stem) {
	s := shared(t)
	if !s.CanAssume() {
		t.Fatal("stems do not work here")
	}
	code := folder(t, map[string]string{"index.js": "exports.handler = 1", "bin/tool": "x"})
	layer := folder(t, map[string]string{"nodejs/x.js": "x"})
	st := boot(t, s, "stem-a")
	if got := st.run("ls /var/task /opt | tr '\\n' ' '"); got != "/opt: bin lib  /var/task: lib" {
		t.Errorf("before, the stem sees %q", got)
	}
	if err := st.Assume(Assumption{Mounts: []Mount{{code, TaskRoot}, {layer, LayerRoot}}, MemoryMB: 512, EphemeralStorageMB: 600}); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"ls /var/task/ | tr '\\n' ' '":        "bin index.js",
		"ls . | tr '\\n' ' '":                 "bin index.js",
		"cat /opt/nodejs/x.js":                "x",
		"touch /var/task/new":                 "Read-only file system",
		"mkdir /opt/new":                      "Read-only file system",
		"df -m /tmp | awk 'END { print $2 }'": "600",
		"df -i /tmp | awk 'END { print $2 }'": fmt.Sprint(600 << 20 / perFile),
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
}

func TestRootAssumptionMovesTheLimitsOfTheCgroup(t *testing.T) {
	asBooted(t, testRootAssumptionMovesTheLimitsOfTheCgroup)
}

func testRootAssumptionMovesTheLimitsOfTheCgroup(t *testing.T, boot func(t testing.TB, s *Sandbox, id string) *stem) {
	needRoot(t)
	s := shared(t)
	for name, a := range map[string]Assumption{
		"up":   {MemoryMB: 512, EphemeralStorageMB: 600, MaxProcesses: 2000},
		"down": {MemoryMB: 64, EphemeralStorageMB: 10, MaxProcesses: 50},
		"none": {MemoryMB: 128, EphemeralStorageMB: 512, MaxProcesses: 1024},
	} {
		st := boot(t, s, "stem-"+name)
		if err := st.Assume(a); err != nil {
			t.Fatal(err)
		}
		limit := limitOf(t, s, "stem-"+name, "memory.max", "memory.limit_in_bytes")
		if want := int64(a.MemoryMB + a.EphemeralStorageMB); limit>>20 != want {
			t.Errorf("%s: the wall is at %d MB, want %d", name, limit>>20, want)
		}
		if n := limitOf(t, s, "stem-"+name, "pids.max"); n != int64(a.MaxProcesses+wrappers) {
			t.Errorf("%s: %d processes are allowed, want %d", name, n, a.MaxProcesses+wrappers)
		}
		if got, want := st.run("df -m /tmp | awk 'END { print $2 }'"), fmt.Sprint(a.EphemeralStorageMB); got != want {
			t.Errorf("%s: /tmp is of %s MB, want %s", name, got, want)
		}
		if got, want := st.run("df -i /tmp | awk 'END { print $2 }'"), fmt.Sprint(a.EphemeralStorageMB<<20/perFile); got != want {
			t.Errorf("%s: /tmp takes %s files, want %s", name, got, want)
		}
	}
}

// A stem that boots gives way to functions. One that waits for its own runs no more, and is not slow
// to get it.
func TestRootReadyStemHasTheShareOfAFunction(t *testing.T) {
	needRoot(t)
	s := shared(t)
	st := bootStem(t, s, "stem-share")
	behind := limitOf(t, s, "stem-share", "cpu.weight", "cpu.shares")
	if err := st.Ready(); err != nil {
		t.Fatal(err)
	}
	ready := limitOf(t, s, "stem-share", "cpu.weight", "cpu.shares")
	if err := st.Assume(Assumption{}); err != nil {
		t.Fatal(err)
	}
	if assumed := limitOf(t, s, "stem-share", "cpu.weight", "cpu.shares"); ready <= behind || ready != assumed {
		t.Errorf("the share of a core is %d while it boots, %d when it is ready, %d with a function", behind, ready, assumed)
	}
}

func TestReadyStemLeavesNoDescriptor(t *testing.T) {
	s := shared(t)
	first := readyStem(t, s, "stem-first") // what stays open is open from now on
	if err := first.Assume(Assumption{}); err != nil {
		t.Fatal(err)
	}
	open := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, e := range entries {
			if to, _ := os.Readlink("/proc/self/fd/" + e.Name()); strings.HasPrefix(to, "mnt:") {
				n++
			}
		}
		return n
	}
	before := open()
	for _, assumes := range []bool{true, false} {
		st := readyStem(t, s, fmt.Sprint("stem-", assumes))
		if assumes {
			if err := st.Assume(Assumption{}); err != nil {
				t.Fatal(err)
			}
			if n := open(); n != before {
				t.Errorf("%d mount namespaces are open after Assume, want %d", n, before)
			}
		}
		st.Kill()
		<-st.Done()
		if n := open(); n != before {
			t.Errorf("assumed %v: %d mount namespaces are open at the end, want %d", assumes, n, before)
		}
		if err := st.Ready(); !errors.Is(err, errHasEnded) {
			t.Errorf("Ready of a stem that has ended: %v", err)
		}
	}
}

// limitOf is what the file of that name says of an environment, whichever of the names the
// kernel has.
func limitOf(t *testing.T, s *Sandbox, id string, names ...string) int64 {
	t.Helper()
	for _, dir := range s.cgroups.Dirs() {
		for _, name := range names {
			if b, err := os.ReadFile(filepath.Join(dir, id, name)); err == nil {
				n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
		}
	}
	t.Fatalf("environment %s has no %s", id, names)
	return 0
}

func TestStemsSeeNothingOfEachOther(t *testing.T) {
	s := shared(t)
	a, b := bootStem(t, s, "stem-a"), bootStem(t, s, "stem-b")
	if err := a.Assume(Assumption{Mounts: []Mount{{folder(t, map[string]string{"a.txt": ""}), TaskRoot}}}); err != nil {
		t.Fatal(err)
	}
	if got := b.run("ls /var/task"); got != "lib" { // of every environment that has no code yet
		t.Errorf("the other stem sees %q", got)
	}
	if err := b.Assume(Assumption{Mounts: []Mount{{folder(t, map[string]string{"b.txt": ""}), TaskRoot}}}); err != nil {
		t.Fatal(err)
	}
	if got := a.run("ls /var/task") + b.run("ls /var/task"); got != "a.txtb.txt" {
		t.Errorf("they see %q", got)
	}
}

func TestAssumedMemoryHolds(t *testing.T) {
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

func TestHiddenPathsAreCoveredInAStem(t *testing.T) {
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

func TestAssumeRefusesWhatItCannotDo(t *testing.T) {
	s := shared(t)
	code := folder(t, nil)
	task := []Mount{{code, TaskRoot}}
	st := bootStem(t, s, "stem-refuse")
	for _, c := range []struct {
		a    Assumption
		want string
	}{
		{Assumption{Mounts: []Mount{{code, "/usr"}}}, "a stem has room at /var/task, /opt and /var/cache only"},
		{Assumption{Mounts: []Mount{{"/no/such/folder", TaskRoot}}}, "no such file"},
		{Assumption{Mounts: []Mount{{"code", TaskRoot}}}, "absolute"},
		{Assumption{MemoryMB: -1}, "negative"},
		{Assumption{Mounts: task}, ""},
		{Assumption{Mounts: task}, "already"},
	} {
		err := st.Assume(c.a)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: got %v, want %q", c.a, err, c.want)
		}
	}
	file := bootStem(t, s, "stem-file")
	if err := file.Assume(Assumption{Mounts: []Mount{{"/etc/passwd", TaskRoot}}}); err == nil || !strings.Contains(err.Error(), "mount at /var/task") {
		t.Errorf("a file as code: got %v", err)
	}
	file.Kill()
	<-file.Done()
	if err := file.Assume(Assumption{}); err == nil || !strings.Contains(err.Error(), "ended") {
		t.Errorf("after the end: got %v", err)
	}
	function := start(t, s, Spec{ID: "no-stem", Args: []string{"sh", "-c", "read -r line <&3"}})
	if err := function.Assume(Assumption{}); err == nil || !strings.Contains(err.Error(), "not started as a stem") {
		t.Errorf("no stem: got %v", err)
	}
	if s.cgroups == nil {
		if err := bootStem(t, s, "stem-processes").Assume(Assumption{MaxProcesses: 5}); err == nil || !strings.Contains(err.Error(), "needs a cgroup") {
			t.Errorf("processes without a cgroup: got %v", err)
		}
	}
}

// No mount of a stem's is to be seen on the machine, during or after.
func TestAssumeLeavesNoMount(t *testing.T) {
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

// mounts are the mounts of the machine that a sandbox of this test may have made. Others mount
// and unmount meanwhile.
func mounts(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var ours strings.Builder
	for line := range strings.Lines(string(b)) {
		if strings.Contains(line, t.Name()) || strings.Contains(line, " "+TaskRoot) {
			ours.WriteString(line)
		}
	}
	return ours.String()
}

func TestStemsNeedTheSandbox(t *testing.T) {
	s := open(t, Config{Mode: Off})
	if s.CanAssume() || s.CanListen() {
		t.Error("stems without a sandbox")
	}
	p := start(t, s, Spec{ID: "off", Stem: true, Args: []string{"sh", "-c", "read -r line <&3"}})
	if err := p.Assume(Assumption{}); err == nil || !strings.Contains(err.Error(), "sandbox is off") {
		t.Errorf("got %v", err)
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
