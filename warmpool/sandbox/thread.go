package sandbox

import (
	"errors"
	"fmt"
	"os"
	"sync"

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
		defer unix.Close(h.folder)
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

// ours is what is the same for all threads of this process. It stays open.
var ours struct {
	mu     sync.Mutex // guards what follows
	opened bool
	home
}

// openHome opens the home of this thread, which the caller must be locked to. The caller closes
// the folder.
func openHome() (home, error) {
	ours.mu.Lock()
	defer ours.mu.Unlock()
	if !ours.opened {
		namespace, err := unix.Open("/proc/thread-self/ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		root, rootErr := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
		if err := errors.Join(err, rootErr); err != nil {
			unix.Close(namespace)
			unix.Close(root)
			return home{}, fmt.Errorf("open the gateway's file system: %w", err)
		}
		ours.home, ours.opened = home{namespace: namespace, root: root}, true
	}
	h := ours.home
	folder, err := unix.Open(".", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return home{}, fmt.Errorf("open the gateway's working directory: %w", err)
	}
	h.folder = folder
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
