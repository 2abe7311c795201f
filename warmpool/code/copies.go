package code

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// Limits of copies of the user's own folders.
const (
	leastCopied   = 4 << 10 // bytes; less is compiled as quickly as it is looked up
	maxCopied     = 20_000  // files and folders of one
	maxCopiesOf   = 16      // copies of one folder in the life of a process: it is being worked on
	maxCopies     = 1 << 30 // bytes of all copies that a process has made
	copiesSettled = 2 * time.Second
)

var errUnfit = errors.New("it is used as it is")

// A copied is a folder of the user's own that was copied.
type copied struct {
	state folderState
	tree  string // the copy
	times int    // how often it was copied
}

// A folderState is what tells whether a folder has changed: a hash of the names, sizes, modes,
// inodes and times of all that is in it. The time of an inode's last change is the kernel's: no
// tool sets it.
type folderState [sha256.Size]byte

// AsCopied returns a copy of a folder of the user's own that never changes (Fixed), so that what
// was made of it can be used again, or folder itself if there is none, or the folder has changed
// since. wanted tells whether Copy would make one.
func (s *Store) AsCopied(folder string) (path string, wanted bool) {
	s.mu.Lock()
	known, ok := s.copies[folder]
	full := s.copiedBytes >= maxCopies
	s.mu.Unlock()
	if ok && known.tree != "" {
		if now, err := lookAt(folder); err == nil && now.state == known.state {
			return known.tree, false
		}
	}
	return folder, !full && known.times < maxCopiesOf && !s.Fixed(folder)
}

// Copy makes the copy that AsCopied returns. A folder is used as it is if it is small or large,
// has what an archive cannot have, or files that not everyone may read; and until it is left
// alone for two seconds, for which Copy waits once: nothing tells of a change within the same
// tick of the clock.
func (s *Store) Copy(ctx context.Context, folder string) error {
	if now, err := lookAt(folder); err == nil && now.size >= leastCopied {
		select {
		case <-time.After(min(copiesSettled, time.Until(now.changed.Add(copiesSettled)))):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return s.copy(ctx, folder, time.Now())
}

func (s *Store) copy(ctx context.Context, folder string, now time.Time) error {
	before, err := lookAt(folder)
	if err == nil && (before.size < leastCopied || now.Sub(before.changed) < copiesSettled) {
		return nil
	}
	var tree string
	if err == nil {
		tree, err = s.snapshotOf(ctx, folder)
	}
	var after inspection
	if err == nil {
		after, err = lookAt(folder)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.copies[folder]
	known.times++
	if errors.Is(err, errUnfit) {
		known.times, err = maxCopiesOf, nil
	}
	if err == nil && before.state == after.state && tree != "" {
		known.state, known.tree = after.state, tree
		s.copiedBytes += after.size
		s.log.Info("a code folder is copied: as long as it stays as it is, starts use what was made of its code before", zap.String("path", folder))
	}
	s.copies[folder] = known
	return err
}

// snapshotOf is snapshot of what a link leads to.
func (s *Store) snapshotOf(ctx context.Context, folder string) (string, error) {
	root, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return "", err
	}
	return s.snapshot(ctx, root)
}

// An inspection is what lookAt sees of a folder.
type inspection struct {
	state   folderState
	size    int64     // bytes of the files
	changed time.Time // the last change of anything
}

// lookAt tells how a folder is now. It is errUnfit for one that cannot be copied.
func lookAt(folder string) (inspection, error) {
	root, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return inspection{}, err
	}
	var found inspection
	hash := sha256.New()
	count := 0
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var stat unix.Stat_t
		if err := unix.Lstat(path, &stat); err != nil {
			return err
		}
		fmt.Fprintf(hash, "%s\x00%d %d %o %d %d.%d %d.%d\x00", path, stat.Dev, stat.Ino, stat.Mode, stat.Size,
			stat.Mtim.Sec, stat.Mtim.Nsec, stat.Ctim.Sec, stat.Ctim.Nsec)
		if changed := time.Unix(stat.Ctim.Unix()); changed.After(found.changed) {
			found.changed = changed
		}
		if count++; count > maxCopied || !fitsCopy(stat.Mode) {
			return errUnfit
		}
		if stat.Mode&unix.S_IFMT == unix.S_IFREG {
			if found.size += stat.Size; found.size > MaxUnpacked {
				return errUnfit
			}
		}
		return nil
	})
	hash.Sum(found.state[:0])
	return found, err
}

// fitsCopy reports whether a file of a mode means the same in a copy, where everyone may read
// all, and run what has an x for all.
func fitsCopy(mode uint32) bool {
	switch mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return mode&0o5 == 0o5
	case unix.S_IFREG:
		x := mode & 0o111
		return mode&0o4 != 0 && mode&(unix.S_ISUID|unix.S_ISGID) == 0 && (x == 0 || x == 0o111)
	case unix.S_IFLNK:
		return true
	}
	return false
}
