package sandbox

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/sandbox/network"
)

// inMountNamespace runs do on a thread that has joined a mount namespace. The thread comes back,
// because the start of another one and the end of this one take as long as all that do does. One
// that does not come back ends.
func inMountNamespace(namespace *os.File, do func() error) error {
	return network.OnThreadThatReturns(func() (bool, error) {
		h, err := openHome()
		if err != nil {
			return true, err
		}
		defer h.close()
		// Threads that share their root and working directory may not leave.
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			return true, fmt.Errorf("leave the gateway's file system: %w", err)
		}
		if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNS); err != nil {
			return true, fmt.Errorf("enter the mount namespace: %w", err)
		}
		err = do()
		return h.enter() == nil, err
	})
}

// A home is what of the file system a thread sees.
type home struct{ namespace, root, folder int }

// openHome opens the home of this thread, which the caller must be locked to.
func openHome() (home, error) {
	h := home{-1, -1, -1}
	var errs [3]error
	h.namespace, errs[0] = unix.Open("/proc/thread-self/ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	h.root, errs[1] = unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
	h.folder, errs[2] = unix.Open(".", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err := errors.Join(errs[:]...); err != nil {
		h.close()
		return home{}, fmt.Errorf("open the gateway's file system: %w", err)
	}
	return h, nil
}

// enter brings this thread there.
func (h home) enter() error {
	if err := unix.Setns(h.namespace, unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := unix.Fchdir(h.root); err != nil {
		return err
	}
	if err := unix.Chroot("."); err != nil {
		return err
	}
	return unix.Fchdir(h.folder)
}

func (h home) close() {
	for _, fd := range []int{h.namespace, h.root, h.folder} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}
