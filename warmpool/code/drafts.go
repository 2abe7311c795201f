package code

import (
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// drafts is the folder of what is being written. Every process that uses the store
// holds a shared lock on it, which goes with the process however it ends. A process
// that can have the lock for itself is alone, so all in the folder is a leftover.
type drafts struct {
	lock *os.File
}

// openDrafts removes leftovers. If other processes use the store, or the file system has
// no locks, it removes only those more than a day old.
func openDrafts(dir string) (*drafts, error) {
	lock, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	alone := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
	if err := sweep(dir, alone); err != nil {
		lock.Close()
		return nil, err
	}
	// Without a lock a later process takes the folder for one in use only if another
	// holds it; nothing is written yet, so nothing is lost in between.
	_ = unix.Flock(int(lock.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	return &drafts{lock}, nil
}

func (d *drafts) close() error { return d.lock.Close() }

// sweep removes everything in dir, or only what is more than a day old.
func sweep(dir string, all bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !all && time.Since(info.ModTime()) <= 24*time.Hour {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}
