package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/sandbox/network"
)

func onMainThread() bool { return unix.Gettid() == unix.Getpid() }

// leaveMainThread calls onThread from a goroutine that is on the main thread and not
// bound to it: what it starts and waits for comes to run there too, as there is no
// other thread to run Go. The caller is bound to it.
func leaveMainThread() {
	runtime.GOMAXPROCS(1)
	runtime.UnlockOSThread()
	tried := 0
	for range 100 {
		done := make(chan error)
		go func() {
			if !onMainThread() {
				done <- nil
				return
			}
			tried++
			done <- network.OnThread(func() error {
				if onMainThread() {
					return errors.New("a thread that is to end is the main one, which does not")
				}
				return nil
			})
		}()
		if err := <-done; err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println("tried:", tried > 0)
}

func TestThreadOfANamespaceIsNeverTheMainOne(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), mainThreadEnv+"=1")
	out, err := cmd.CombinedOutput()
	if got := strings.TrimSpace(string(out)); err != nil || got != "tried: true" {
		t.Errorf("%v: %s", err, got)
	}
}

// A thread that has made mounts for a stem is used for other things of the gateway's afterwards.
// Where the gateway is not root its holder does that.
func TestThreadsComeBackFromTheNamespacesOfStems(t *testing.T) {
	s := shared(t)
	pid := os.Getpid()
	if h := s.holder.Load(); h != nil {
		pid = h.cmd.Process.Pid
	}
	var all sync.WaitGroup
	for i := range 8 {
		st := bootStem(t, s, fmt.Sprintf("back%d", i))
		target := TaskRoot
		if i%2 == 1 {
			target = TaskRoot + "/nowhere" // refused before it is there, or when it is
		}
		all.Go(func() {
			namespace, err := st.namespace("mnt")
			if err != nil {
				t.Error(err)
				return
			}
			defer namespace.Close()
			late := lateMounts{Tmp: 1 << 20, Mounts: []lateMount{{Mount: Mount{Source: s.skeleton.root, Target: target}}}}
			mount := late.make
			if st.holder != nil {
				mount = func(namespace *os.File) error { return st.holder.mount(namespace, late) }
			}
			if err := mount(namespace); (err == nil) != (i%2 == 0) {
				t.Errorf("mount at %s: %v", target, err)
			}
		})
	}
	all.Wait()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil || len(threads) < 2 {
		t.Fatal(threads, err)
	}
	for _, thread := range threads {
		for _, name := range []string{"ns/mnt", "root", "cwd"} {
			want, err := os.Readlink(fmt.Sprintf("/proc/%d/%s", pid, name))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := os.Readlink(thread + "/" + name); err == nil && got != want { // else it has ended
				t.Errorf("%s of %s is %s, want %s", name, thread, got, want)
			}
		}
	}
}
