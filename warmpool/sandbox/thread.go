package sandbox

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// onThread runs do on a thread that ends with it, whatever do has made of it: to
// bring a thread back from where it went would be one more thing to fail.
func onThread(do func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// The main thread does not end, and what /proc/self says of the gateway is
			// said of it. While it is held here, do gets another one.
			defer runtime.UnlockOSThread()
			done <- onThread(do)
			return
		}
		done <- do() // and never unlocked
	}()
	return <-done
}

// inMountNamespace runs do on a thread that has joined a mount namespace.
func inMountNamespace(namespace *os.File, do func() error) error {
	return onThread(func() error {
		// Threads that share their root and working directory may not leave.
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			return fmt.Errorf("leave the gateway's file system: %w", err)
		}
		if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNS); err != nil {
			return fmt.Errorf("enter the mount namespace: %w", err)
		}
		return do()
	})
}

// inNetwork runs do on a thread that has joined a network namespace.
func inNetwork(namespace *os.File, do func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter the network: %w", err)
		}
		return do()
	})
}
