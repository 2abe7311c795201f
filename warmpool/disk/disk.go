// Package disk writes files so that a power cut leaves them whole: what a call has
// written is on the disk when it returns, and a file that is replaced is the old one or
// the new one.
//
//	write a new file -> fsync -> rename over the old one -> fsync of its folder
//
// Without the first fsync file systems may keep the new name and lose what is in the
// file; without the second the old name may come back.
package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Replace writes a file with the permissions mode, in place of one that is there.
func Replace(path string, data []byte, mode fs.FileMode) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // fails when it has been renamed
	if _, err := file.Write(data); err != nil {
		return errors.Join(err, file.Close())
	}
	return Keep(file, mode, path)
}

// Keep closes a file that has been written and gives it the permissions mode and its
// name, in place of one that has it. On an error the file has the name it had.
func Keep(file *os.File, mode fs.FileMode, path string) error {
	if err := errors.Join(file.Chmod(mode), file.Sync(), file.Close()); err != nil {
		return err
	}
	return Rename(file.Name(), path)
}

// Rename gives a file or folder, which has been synced, another name.
func Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(to))
}

// SyncDir has the names in a folder on the disk.
func SyncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// SyncTree has all that was written below a folder on the disk. One call for the whole
// file system takes less time than one for each file of a tree.
func SyncTree(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close() // it was only read
	if err := unix.Syncfs(int(dir.Fd())); err != nil {
		return fmt.Errorf("sync the file system of %s: %w", path, err)
	}
	return nil
}
