package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hearthfn/hearth/warmpool/sandbox/cgroup"
	"github.com/hearthfn/hearth/warmpool/sandbox/lockdir"
)

// The real thing as far as a machine with v1 has it: a v2 Hierarchy without
// controllers still has processes begin in a cgroup, and kills them there.
func TestRootV2ProcessesBeginInTheirCgroupAndAreKilledThere(t *testing.T) {
	needRoot(t)
	var top string
	for line := range strings.Lines(read(t, "/proc/self/mountinfo")) {
		if strings.Contains(line, " - cgroup2 ") {
			top = strings.Fields(line)[4]
		}
	}
	if top == "" {
		t.Fatal("mount a cgroup2 file system at /sys/fs/cgroup/unified")
	}
	dir, lock, err := lockdir.Make(top)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	defer syscall.Rmdir(dir)
	inside := filepath.Join(dir, "env")
	if err := os.Mkdir(inside, 0o755); err != nil {
		t.Fatal(err)
	}
	g := cgroup.V2At(inside)
	defer g.Remove()

	s := open(t, Config{Mode: Off})
	r, w := pipe(t)
	defer r.Close()
	p := &Process{sandbox: s, id: "v2", cgroup: &g, done: make(chan struct{})}
	s.work.Add(1)
	if err := p.startPlain(Spec{Args: []string{"sh", "-c", "cat /proc/self/cgroup; exec sleep 1000"}, Stdout: w}); err != nil {
		t.Fatal(err)
	}
	w.Close()
	go p.reap()
	buf := make([]byte, 4096)
	n, err := r.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(buf[:n]); !strings.Contains(got, filepath.Base(dir)+"/env\n") {
		t.Errorf("the process is in\n%s", got)
	}
	if err := syscall.Rmdir(dir); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("a cgroup in use can be removed: %v", err)
	}
	g.Kill()
	select {
	case <-p.Done():
	case <-time.After(patience):
		t.Fatal("the process does not end")
	}
	if p.Exit().Signal != syscall.SIGKILL {
		t.Errorf("ended with %v", p.Exit())
	}
	if _, err := os.Stat(inside); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", inside, err)
	}
}
