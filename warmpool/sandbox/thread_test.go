package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
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
