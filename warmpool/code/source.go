package code

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"
)

// A fileState is an archive outside the store as it was last seen.
type fileState struct {
	size     int64
	modified time.Time
	digest   Digest
}

// Check reports what is wrong with a path that a configuration names as code or
// layer: that it is not there, or a file that is no archive. It reads the list of an
// archive and unpacks nothing.
func Check(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return nil
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is neither a folder nor an archive", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := inspect(file, info.Size()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// Folder returns the folder with the code of path: path itself, or the unpacked content of an
// archive (a zip or a jar). An archive that has changed gets another folder. While the changed
// file is not a valid archive, because it is being written, Folder returns the old folder.
func (s *Store) Folder(ctx context.Context, path string) (string, error) {
	if s.Holds(path) {
		return s.Unpack(ctx, Digest(filepath.Base(path)))
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.IsDir() {
		return path, nil
	}
	s.mu.Lock()
	known, ok := s.files[path]
	s.mu.Unlock()
	if !ok || known.size != info.Size() || !known.modified.Equal(info.ModTime()) {
		next, err := s.addFile(ctx, path)
		switch {
		case err == nil:
			known = next
			s.mu.Lock()
			s.files[path] = known
			s.mu.Unlock()
		case ok && errors.Is(err, ErrInvalid):
			s.log.Warn("the code archive has become invalid: what it was before is used on", zap.String("path", path), zap.Error(err))
		default:
			return "", fmt.Errorf("%s: %w", path, err)
		}
	}
	return s.Unpack(ctx, known.digest)
}

// addFile stores the archive at path, unless the same archive exists.
func (s *Store) addFile(ctx context.Context, path string) (fileState, error) {
	file, err := os.Open(path)
	if err != nil {
		return fileState{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fileState{}, err
	}
	a, err := s.add(ctx, file, MaxArchive)
	return fileState{info.Size(), info.ModTime(), a.Digest}, err
}

// Layers returns the folder for /opt of layers, folders or archives, of which
// later ones win; "" for none. With more than one, what a folder holds is taken as
// it is now.
func (s *Store) Layers(ctx context.Context, paths []string) (string, error) {
	if len(paths) == 0 {
		return "", nil
	}
	trees := make([]string, len(paths))
	for i, path := range paths {
		tree, err := s.Folder(ctx, path)
		if err == nil && tree == path && len(paths) > 1 && !s.Holds(path) {
			tree, err = s.snapshot(ctx, path)
		}
		if err != nil {
			return "", fmt.Errorf("layer: %w", err)
		}
		trees[i] = tree
	}
	return s.Merge(ctx, trees)
}

// snapshot copies a folder that may change into one that does not change. The name of the copy
// is the hash of the content.
func (s *Store) snapshot(ctx context.Context, dir string) (string, error) {
	sum, err := contentOf(dir)
	if err != nil {
		return "", err
	}
	target := s.mergedPath(sum)
	whole := func(bool) error { return sameAs([]string{dir}, target) }
	return target, s.once(ctx, target, whole, func(into string) error {
		if err := copyTree(dir, into); err != nil {
			return err
		}
		if copied, err := contentOf(into); err != nil || !bytes.Equal(copied, sum) {
			return errors.Join(err, fmt.Errorf("%s has changed while it was copied", dir))
		}
		return nil
	})
}

// contentOf is a hash of all that is in a folder.
func contentOf(dir string) ([]byte, error) {
	hash := sha256.New()
	var total int64
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(hash, "%s\x00%s\x00", rel, d.Type())
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			fmt.Fprintf(hash, "%s\x00", link)
			return err
		case d.Type().IsRegular():
			file, err := os.Open(path)
			if err != nil {
				return err
			}
			defer file.Close()
			info, err := file.Stat()
			if err != nil {
				return err
			}
			fmt.Fprintf(hash, "%d %t\x00", info.Size(), info.Mode().Perm()&0o100 != 0)
			n, err := io.Copy(hash, file)
			if total += n; total > MaxUnpacked {
				return errUnzipped
			}
			return err
		}
		return nil
	})
	return hash.Sum(nil), err
}

// copyTree copies the content of from into the folder to.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case d.IsDir():
			return mkdirAll(target)
		case d.Type()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			return errors.Join(err, os.Symlink(link, target))
		case d.Type().IsRegular():
			return copyFile(path, target)
		}
		return nil // a socket or the like is no code
	})
}
