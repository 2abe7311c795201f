// Package lockdir makes folders that go with the process that made them: a lock tells
// those of a process that lives from what another left behind.
package lockdir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// prefix starts the name of whatever a Sandbox makes on the machine.
const prefix = "hearth-sandbox-"

// Make makes a folder of this process's own in parent, and locks it. The
// lock goes with the process however it ends, which is how Abandoned tells
// a leftover from a folder in use (and systemd-tmpfiles, that leaves locked
// folders alone). A pid in the name could not: pids come again, and differ
// between containers that share the parent.
func Make(parent string) (dir string, lock *os.File, err error) {
	for range 5 {
		dir, err = os.MkdirTemp(parent, prefix)
		if err != nil {
			return "", nil, err
		}
		lock, err = claim(dir)
		if err == nil {
			return dir, lock, nil
		}
		// Between the two steps another process took it for a leftover.
		os.Remove(dir)
	}
	return "", nil, fmt.Errorf("lock a folder in %s: %w", parent, err)
}

// MakeNamed makes dir, whose name no other process has, and locks it.
func MakeNamed(dir string) (lock *os.File, err error) {
	for range 100 {
		if err = os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, err
		}
		if lock, err = claim(dir); err == nil {
			return lock, nil
		}
		// Between the two steps another process took it for a leftover, and is about to remove it.
		time.Sleep(time.Millisecond)
	}
	return nil, fmt.Errorf("lock the folder %s: %w", dir, err)
}

// claim locks dir. It fails when it is locked, removed or not this user's.
func claim(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	lock := os.NewFile(uintptr(fd), dir)
	if err := claimable(lock, dir); err != nil {
		lock.Close()
		return nil, err
	}
	return lock, nil
}

func claimable(lock *os.File, dir string) error {
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return err
	}
	locked, err := lock.Stat()
	if err != nil {
		return err
	}
	named, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !os.SameFile(locked, named) {
		return fmt.Errorf("%s is another folder now", dir)
	}
	// In a shared parent such as /tmp the name alone proves nothing.
	if owner, ok := locked.Sys().(*syscall.Stat_t); !ok || int(owner.Uid) != os.Geteuid() {
		return errors.New("belongs to another user")
	}
	return nil
}

// Abandoned calls remove for each folder that a process made in parent by
// Make and left behind when it died.
func Abandoned(parent string, remove func(dir string)) {
	dirs, err := filepath.Glob(filepath.Join(parent, prefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range dirs {
		lock, err := claim(dir)
		if err != nil {
			continue
		}
		remove(dir)
		lock.Close()
	}
}
