package sandbox

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

func clearCloseOnExec(f *os.File) error {
	_, err := unix.FcntlInt(f.Fd(), unix.F_SETFD, 0)
	return err
}

func TestExitSaysHowTheCommandEnded(t *testing.T) {
	for _, mode := range []string{On, Off} {
		t.Run(mode, func(t *testing.T) {
			s := inMode(t, mode)
			for script, want := range map[string]string{
				"true":          "exit status 0",
				"exit 7":        "exit status 7",
				"kill -SEGV $$": "signal: segmentation fault",
				"kill -TERM $$": "signal: terminated",
			} {
				p := start(t, s, Spec{ID: "exit", Args: []string{"sh", "-c", script}})
				if got := p.wait().String(); got != want {
					t.Errorf("%s: got %s, want %s", script, got, want)
				}
			}
		})
	}
}

func TestStartOfACommandThatIsNotThereSaysSo(t *testing.T) {
	s := shared(t)
	p := start(t, s, Spec{Args: []string{"/var/task/bootstrap"}})
	if exit := p.wait(); exit.Code == 0 {
		t.Errorf("ended with %v", exit)
	}
	if got := <-p.output; !strings.Contains(got, "/var/task/bootstrap") {
		t.Errorf("stderr is %q", got)
	}
}

func TestStartRefusesWhatItCannotDo(t *testing.T) {
	s := shared(t)
	good := Spec{ID: "a", Args: []string{"true"}}
	for name, spoil := range map[string]func(*Spec){
		"no id":             func(s *Spec) { s.ID = "" },
		"id with a path":    func(s *Spec) { s.ID = "../a" },
		"hidden id":         func(s *Spec) { s.ID = ".." },
		"no command":        func(s *Spec) { s.Args = nil },
		"relative source":   func(s *Spec) { s.Mounts = []Mount{{"code", TaskRoot}} },
		"relative target":   func(s *Spec) { s.Mounts = []Mount{{"/usr", "task"}} },
		"no source":         func(s *Spec) { s.Mounts = []Mount{{"/does/not/exist", TaskRoot}} },
		"target root":       func(s *Spec) { s.Mounts = []Mount{{"/usr", "/var/.."}} },
		"target proc":       func(s *Spec) { s.Mounts = []Mount{{"/usr", "/proc/sys"}} },
		"negative memory":   func(s *Spec) { s.MemoryMB = -1 },
		"variable of NUL":   func(s *Spec) { s.Env = []string{"A=b\x00--bind\x00/\x00/"} },
		"nameless variable": func(s *Spec) { s.Env = []string{"novalue"} },
	} {
		spec := good
		spoil(&spec)
		if p, err := s.Start(spec); err == nil {
			p.Kill()
			t.Errorf("%s: started", name)
		}
	}
	first := start(t, s, Spec{ID: "a", Args: []string{"sh", "-c", "cat <&3"}})
	if _, err := s.Start(good); err == nil {
		t.Error("a second environment of the same id started")
	}
	first.stdin.Close()
	if exit := first.wait(); exit != (Exit{}) {
		t.Errorf("the first ended with %v", exit)
	}
}

func TestTerminateReachesTheCommandItself(t *testing.T) {
	for _, mode := range []string{On, Off} {
		t.Run(mode, func(t *testing.T) {
			s := inMode(t, mode)
			p := start(t, s, Spec{ID: "t", Args: []string{"/usr/bin/python3", "-c", `
import os, signal, subprocess
child = subprocess.Popen(["cat"], stdin=3)
# Not pause: a signal that comes just before it is noticed by Python after it only.
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
os.write(1, b"up\n")
signal.sigwait({signal.SIGTERM})
os.write(1, b"child is up\n" if child.poll() is None else b"child is down\n")
os._exit(3)`}})
			p.line()
			if err := p.Terminate(); err != nil {
				t.Fatal(err)
			}
			if got := p.wait().String(); got != "exit status 3" {
				t.Errorf("ended with %s", got)
			}
			if got := <-p.output; got != "up\nchild is up\n" {
				t.Errorf("wrote %q", got)
			}
			if err := p.Terminate(); err != nil {
				t.Errorf("after the end: %v", err)
			}
		})
	}
}

func TestKillEndsWhatIgnoresSignalsAndItsDescendants(t *testing.T) {
	for _, mode := range []string{On, Off} {
		t.Run(mode, func(t *testing.T) {
			s := inMode(t, mode)
			p := start(t, s, Spec{ID: "k", Args: []string{"sh", "-c", "trap '' TERM INT HUP; (trap '' TERM; cat <&3) & echo up; wait; wait"}})
			p.line()
			if err := p.Terminate(); err != nil {
				t.Fatal(err)
			}
			p.Kill()
			if got := p.wait().String(); got != "signal: killed" {
				t.Errorf("ended with %s", got)
			}
			// The pipe breaks when the last descendant is gone.
			if _, err := p.stdin.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
				t.Errorf("a descendant lives: %v", err)
			}
			p.Kill()
		})
	}
}

func TestKillEndsDaemonsToo(t *testing.T) {
	s := shared(t)
	p := start(t, s, Spec{Args: []string{"sh", "-c", "setsid sh -c 'setsid cat <&3 & sleep 1000' & echo up; exec sleep 1000"}})
	p.line()
	p.Kill()
	p.wait()
	if _, err := p.stdin.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("a descendant lives: %v", err)
	}
}

func TestEndOfTheCommandEndsWhatItStarted(t *testing.T) {
	for _, mode := range []string{On, Off} {
		t.Run(mode, func(t *testing.T) {
			s := inMode(t, mode)
			p := start(t, s, Spec{ID: "e", Args: []string{"sh", "-c", "cat <&3 & exit 0"}})
			if exit := p.wait(); exit != (Exit{}) {
				t.Errorf("ended with %v", exit)
			}
			if _, err := p.stdin.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
				t.Errorf("a descendant lives: %v", err)
			}
		})
	}
}

func TestNothingIsLeftOfManyEnvironments(t *testing.T) {
	for _, mode := range []string{On, Off} {
		t.Run(mode, func(t *testing.T) {
			s := open(t, Config{Mode: mode})
			round := func(n int) {
				var all sync.WaitGroup
				for i := range n {
					all.Go(func() {
						p, err := s.Start(Spec{ID: fmt.Sprint("many-", i), Args: []string{"sleep", "1000"}})
						if err != nil {
							t.Error(err)
							return
						}
						p.Kill()
						<-p.Done()
					})
				}
				all.Wait()
			}
			round(5)
			spare := kept(s) // first: it waits for what is being made
			files, mounts := openFiles(t)-spare, mountsOf(t, s)
			for range 10 {
				round(5)
			}
			// What watches a process until it is reaped goes a moment after it.
			got := openFiles(t) - kept(s)
			for end := time.Now().Add(patience); got > files && time.Now().Before(end); got = openFiles(t) - kept(s) {
				time.Sleep(time.Millisecond)
			}
			if got > files {
				t.Errorf("%d files open, %d before", got, files)
			}
			if got := mountsOf(t, s); got != mounts {
				t.Errorf("%d mounts, %d before", got, mounts)
			}
			if left := leftover(t, s); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if len(s.live) > 0 {
				t.Errorf("still known: %v", s.live)
			}
		})
	}
}

// mountsOf is how many mounts on the machine name the folder of s. Others come and go
// as other programs like.
func mountsOf(t *testing.T, s *Sandbox) int {
	t.Helper()
	return strings.Count(read(t, "/proc/self/mountinfo"), s.dir)
}

// kept is how many descriptors are kept for user namespaces to be used again: for as
// many as there were environments at once.
func kept(s *Sandbox) int {
	ahead := s.identities
	if h := s.holder.Load(); h != nil && h.identities != nil {
		ahead = h.identities
	}
	switch {
	case ahead != nil:
		for end := time.Now().Add(patience); len(ahead.ready) < readyIdentities && time.Now().Before(end); {
			time.Sleep(time.Millisecond) // until what is made ahead is there
		}
		return len(ahead.ready)
	case s.holder.Load() != nil:
		s.holder.Load().mu.Lock()
		defer s.holder.Load().mu.Unlock()
		return len(s.holder.Load().free.ready) + 2*len(s.holder.Load().free.resting)
	}
	return 0
}

// leftover is what of environments is on the machine.
func leftover(t *testing.T, s *Sandbox) []string {
	t.Helper()
	var left []string
	if s.cgroups != nil {
		for _, dir := range s.cgroups.Dirs() {
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if e.IsDir() {
					left = append(left, filepath.Join(dir, e.Name()))
				}
			}
		}
	}
	tmp, err := filepath.Glob(filepath.Join(s.dir, "tmp-*"))
	if err != nil {
		t.Fatal(err)
	}
	return append(left, tmp...)
}

func TestCloseEndsWhatRuns(t *testing.T) {
	for _, mode := range []string{On, Off} {
		t.Run(mode, func(t *testing.T) {
			s := open(t, Config{Mode: mode})
			p := start(t, s, Spec{ID: "c", Args: []string{"sleep", "1000"}})
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			select {
			case <-p.Done():
			default:
				t.Error("Close returned before the process was gone")
			}
			if _, err := s.Start(Spec{ID: "d", Args: []string{"true"}}); !errors.Is(err, ErrClosed) {
				t.Errorf("start after Close: %v", err)
			}
			if _, err := os.Stat(s.dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s is left: %v", s.dir, err)
			}
			if s.cgroups != nil {
				if _, err := os.Stat(s.cgroups.Dirs()[0]); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("%s is left: %v", s.cgroups.Dirs()[0], err)
				}
			}
		})
	}
}

// beGateway starts an environment, says where it is, and waits to be killed.
func beGateway() {
	s, err := New(Config{}, zap.NewNop())
	if err != nil {
		fmt.Println(err)
		return
	}
	up, said, err := os.Pipe()
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := s.Start(Spec{ID: "orphan", Args: []string{"sh", "-c", "echo up; exec sleep 1000"}, Stdout: said})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := up.Read(make([]byte, 8)); err != nil {
		fmt.Println(err)
		return
	}
	if os.Getenv(gatewayEnv) == "frozen" && !p.Freeze() {
		fmt.Println("it was not frozen")
		return
	}
	group := "none"
	if s.cgroups != nil {
		group = s.cgroups.Dirs()[0]
	}
	holder := p.initPID
	if s.holder.Load() != nil {
		holder = s.holder.Load().cmd.Process.Pid
	}
	fmt.Println(p.initPID, s.dir, group, holder)
	time.Sleep(time.Minute)
}

func TestKilledGatewayTakesItsEnvironmentsAndTheNextClearsUp(t *testing.T) {
	for _, environment := range []string{"running", "frozen"} {
		t.Run(environment, func(t *testing.T) { killGateway(t, environment) })
	}
}

func killGateway(t *testing.T, environment string) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	gateway := exec.Command(self)
	gateway.Env = append(os.Environ(), gatewayEnv+"="+environment)
	stdout, err := gateway.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := gateway.Start(); err != nil {
		t.Fatal(err)
	}
	defer gateway.Wait()
	defer gateway.Process.Kill()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	fields := strings.Fields(line)
	if err != nil || len(fields) != 4 {
		t.Fatalf("the gateway says %q, %v", line, err)
	}
	pid, dir, group := atoi(t, fields[0]), fields[1], fields[2]
	var orphans []*pidfd
	for _, pid := range []int{pid, atoi(t, fields[3])} {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			t.Fatal(err)
		}
		orphan := newPidfd(fd)
		defer orphan.close()
		orphans = append(orphans, orphan)
	}

	// While it lives, another gateway leaves its things alone.
	open(t, Config{})
	if _, err := os.Stat(dir); err != nil {
		t.Fatalf("the folder of a live gateway is gone: %v", err)
	}

	if err := gateway.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() {
		for _, orphan := range orphans {
			orphan.wait()
		}
		close(gone)
	}()
	select {
	case <-gone:
	case <-time.After(patience):
		t.Fatal("the environment or the holder outlives its gateway")
	}
	gateway.Wait()

	open(t, Config{})
	for _, left := range []string{dir, group} {
		if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", left, err)
		}
	}
}

func TestPathIsOnTheMachineOnlyWhenOff(t *testing.T) {
	mounts := []Mount{{"/srv/fn", TaskRoot}, {"/srv/lib", "/var/task/lib"}, {"/srv/layers", LayerRoot}}
	for path, want := range map[string]string{
		"/var/task":            "/srv/fn",
		"/var/task/index.js":   "/srv/fn/index.js",
		"/var/task/lib/a.js":   "/srv/lib/a.js",
		"/var/tasks":           "/var/tasks",
		"/opt/nodejs/../bin/x": "/srv/layers/bin/x",
		"/usr/bin/node":        "/usr/bin/node",
	} {
		if got := (&Sandbox{}).Path(mounts, path); got != want {
			t.Errorf("off: %s is at %s, want %s", path, got, want)
		}
		if got := (&Sandbox{on: true}).Path(mounts, path); got != path {
			t.Errorf("on: %s is at %s", path, got)
		}
	}
}

func TestOffRunsInItsCodeWithATmpThatIsRemoved(t *testing.T) {
	s := open(t, Config{Mode: Off})
	dir := folder(t, map[string]string{"index.js": "code"})
	got := run(t, s, "cat index.js; echo; echo x > $TMPDIR/x; echo $TMPDIR; env | grep -vE '^(TMPDIR|PWD|PATH|_|SHLVL|OLDPWD)='; true", Spec{Mounts: []Mount{{dir, TaskRoot}}})
	code, tmp, _ := strings.Cut(got, "\n")
	if code != "code" || !strings.HasPrefix(tmp, s.dir) {
		t.Errorf("wrote %q", got)
	}
	if _, err := os.Stat(tmp); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", tmp, err)
	}
}

func TestNewSaysWhatIsMissing(t *testing.T) {
	for bwrap, want := range map[string]string{
		"no-such-bwrap": "install bubblewrap",
		"false":         "sandbox off",
	} {
		if _, err := New(Config{Bwrap: bwrap}, zap.NewNop()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("bwrap %s: %v", bwrap, err)
		}
	}
	if _, err := New(Config{Mode: "maybe"}, zap.NewNop()); err == nil || !strings.Contains(err.Error(), `"maybe"`) {
		t.Errorf("mode maybe: %v", err)
	}
	for said, want := range map[string]string{
		"bwrap: Unknown option --size":                                        "0.7",
		"bwrap: No permissions to creating new namespace, likely because ...": "unprivileged_userns_clone",
		"bwrap: setting up uid map: Permission denied":                        "apparmor",
		"bwrap: Can't mount proc on /newroot/proc: Operation not permitted":   "systempaths",
	} {
		if got := remedy(said); !strings.Contains(got, want) {
			t.Errorf("%s: got %q", said, got)
		}
	}
}
