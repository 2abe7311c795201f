package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const staging = ".new-"

// lock takes the folder for this process, until unlock, and removes what others have
// left half made.
func (i *Installer) lock() (unlock func() error, err error) {
	if err := os.MkdirAll(i.Dir, 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(i.Dir, ".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		file.Close()
		return nil, fmt.Errorf("another install into %s is running: %w", i.Dir, err)
	}
	left, err := filepath.Glob(filepath.Join(i.Dir, staging+"*"))
	for _, path := range left {
		err = errors.Join(err, os.RemoveAll(path))
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file.Close, nil
}

// stage makes a folder to work in. It is removed by the caller.
func (i *Installer) stage() (string, error) {
	folder, err := os.MkdirTemp(i.Dir, staging)
	if err != nil {
		return "", err
	}
	return folder, os.Chmod(folder, 0o755) // environments have users of their own
}

// place gives a whole folder its name; one of that name is replaced.
func place(folder, target string) error {
	if err := publish(folder); err != nil {
		return err
	}
	if _, err := os.Lstat(target); err == nil {
		old := folder + ".old" // within what the next run removes
		if err := os.Rename(target, old); err != nil {
			return err
		}
		defer os.RemoveAll(old)
	}
	return os.Rename(folder, target)
}

// link has the name lead to a whole folder beside it, in one step. The folder that it led
// to before stays for what runs, those before that are removed.
func link(folder, name string) error {
	if err := publish(folder); err != nil {
		return err
	}
	before, err := os.Readlink(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is not what an install has made: %w", name, err)
	}
	target := name + "-" + strings.TrimPrefix(filepath.Base(filepath.Dir(folder)), staging)
	if err := os.Rename(folder, target); err != nil {
		return err
	}
	next := filepath.Join(filepath.Dir(folder), "link")
	if err := os.Symlink(filepath.Base(target), next); err != nil {
		return err
	}
	if err := os.Rename(next, name); err != nil {
		return err
	}
	all, err := filepath.Glob(name + "-[0-9]*")
	for _, old := range all {
		if old != target && filepath.Base(old) != before {
			err = errors.Join(err, os.RemoveAll(old))
		}
	}
	return err
}

// publish makes a folder readable for all users and writes it to the disk.
func publish(folder string) error {
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		mode := info.Mode().Perm() &^ 0o022
		if d.IsDir() || mode&0o100 != 0 {
			mode |= 0o555
		}
		return os.Chmod(path, mode|0o444)
	})
	if err != nil {
		return err
	}
	dir, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer dir.Close()
	return unix.Syncfs(int(dir.Fd()))
}

// room reports whether the disk has so many MB left.
func (i *Installer) room(mb int) error {
	var disk unix.Statfs_t
	if err := unix.Statfs(i.Dir, &disk); err != nil {
		return err
	}
	if free := disk.Bavail * uint64(disk.Bsize) >> 20; free < uint64(mb) {
		return fmt.Errorf("%s has %d MB left on its disk, and %d are needed: name another folder with --dir", i.Dir, free, mb)
	}
	return nil
}

// size is what a folder holds, in bytes.
func size(folder string) (n int64) {
	// A size that cannot be read counts as nothing: only people see it.
	_ = filepath.WalkDir(folder, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			n += info.Size()
		}
		return nil
	})
	return n
}
