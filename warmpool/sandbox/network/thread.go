package network

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// OnThread runs do on a thread that ends with it, whatever do has made of it: to
// bring a thread back from where it went would be one more thing to fail.
func OnThread(do func() error) error {
	return OnThreadThatReturns(func() (bool, error) { return false, do() })
}

// OnThreadThatReturns runs do on a thread that ends with it, unless do says that it has left the
// thread as it was.
func OnThreadThatReturns(do func() (asItWas bool, err error)) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// The main thread does not end, and what /proc/self says of the gateway is
			// said of it. While it is held here, do gets another one.
			defer runtime.UnlockOSThread()
			done <- OnThreadThatReturns(do)
			return
		}
		asItWas, err := do()
		if asItWas {
			runtime.UnlockOSThread()
		}
		done <- err // else never unlocked
	}()
	return <-done
}

// Inside runs do on a thread that has joined a network namespace.
func Inside(namespace *os.File, do func() error) error {
	return OnThread(func() error {
		if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter the network: %w", err)
		}
		return do()
	})
}

// newNamespace is a network namespace that lasts as long as its descriptor and what
// is opened in it.
func newNamespace() (namespace *os.File, err error) {
	err = OnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace: %w", err)
		}
		namespace, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	return namespace, err
}
