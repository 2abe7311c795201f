package sandbox

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/sandbox/network"
)

// inMountNamespace runs do on a thread that has joined a mount namespace.
func inMountNamespace(namespace *os.File, do func() error) error {
	return network.OnThread(func() error {
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
