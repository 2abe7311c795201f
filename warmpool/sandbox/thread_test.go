package sandbox

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func onMainThread() bool { return unix.Gettid() == unix.Getpid() }

// fromMainThread runs do in a goroutine that is on the main thread, to which it is
// not bound: what it starts and waits for comes to run there too. Of goroutines
// that each hold a thread one has the main one, if that does not wait for the
// network just then.
func fromMainThread(t *testing.T, do func()) {
	t.Helper()
	const holders = 20
	// The main thread may wait in the kernel for a while, on a busy machine above all.
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Microsecond) {
		var found atomic.Bool
		var work, held sync.WaitGroup
		held.Add(holders)
		for range holders {
			work.Go(func() {
				runtime.LockOSThread()
				held.Done()
				held.Wait()
				runtime.UnlockOSThread()
				if onMainThread() && found.CompareAndSwap(false, true) {
					do()
				}
			})
		}
		work.Wait()
		if found.Load() {
			return
		}
	}
	t.Fatal("no goroutine got the main thread")
}

func TestThreadOfANamespaceIsNeverTheMainOne(t *testing.T) {
	fromMainThread(t, func() {
		for range 50 {
			if onThread(func() error {
				if onMainThread() {
					return errors.New("on the main thread")
				}
				return nil
			}) != nil {
				t.Error("a thread that is to end is the main one, which does not")
				return
			}
		}
	})
}
