package code

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/disk"
)

// Tree is the folder that an archive is unpacked in, or would be. Unpack makes it.
func (s *Store) Tree(d Digest) string { return s.path("tree", string(d)) }

// Holds reports whether a path is that of a tree, which never changes.
func (s *Store) Holds(path string) bool {
	return filepath.Dir(path) == s.path("tree", "") && Digest(filepath.Base(path)).valid()
}

// Size is the size of the archive that a tree is of, in bytes; 0 if it is not known.
func (s *Store) Size(tree string) int64 {
	info, err := os.Stat(s.path("archive", filepath.Base(tree)))
	if err != nil {
		return 0
	}
	return info.Size()
}

// Unpack returns the folder that holds what is in an archive, unpacked if it has
// not been yet. Nobody may change what is in it. Once in the life of a process the folder
// is compared with the archive, and made again if they differ.
func (s *Store) Unpack(ctx context.Context, d Digest) (string, error) {
	if !d.valid() {
		return "", fmt.Errorf("code archive %.64q: %w", d, fs.ErrNotExist)
	}
	tree := s.Tree(d)
	whole := func(deep bool) error { return s.compare(d, tree, deep) }
	return tree, s.once(ctx, tree, whole, func(into string) error {
		file, err := s.Open(ctx, d)
		if err != nil {
			return err
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			return err
		}
		return unpack(file, info.Size(), into)
	})
}

// doubt makes the next use of a tree check all of its files. A client has uploaded the archive
// again, perhaps because the function does not work.
func (s *Store) doubt(tree string) {
	if !exists(tree) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.whole, tree)
	s.doubted[tree] = struct{}{}
}

// once makes the folder target by work, in a temporary folder that it renames when it is
// complete. Other callers at the same time wait for the one that works, and get the same error.
// The next call tries again. whole checks an existing folder and returns what is wrong with it.
// With deep it reads all files.
func (s *Store) once(ctx context.Context, target string, whole func(deep bool) error, work func(into string) error) error {
	there := exists(target)
	s.mu.Lock()
	if _, checked := s.whole[target]; checked && there {
		s.mu.Unlock()
		return nil
	}
	f := s.flights[target]
	if f != nil {
		s.mu.Unlock()
		select {
		case <-f.done:
			return f.err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	f = &flight{done: make(chan struct{})}
	s.flights[target] = f
	_, deep := s.doubted[target]
	delete(s.doubted, target)
	s.mu.Unlock()

	f.err = s.ensure(target, func() error { return whole(deep) }, work)
	s.mu.Lock()
	delete(s.flights, target)
	if _, again := s.doubted[target]; f.err == nil && !again {
		s.whole[target] = struct{}{}
	}
	s.mu.Unlock()
	close(f.done)
	return f.err
}

// ensure makes the folder target unless it exists and is complete.
func (s *Store) ensure(target string, whole func() error, work func(into string) error) error {
	if exists(target) {
		damage := whole()
		if damage == nil {
			return nil
		}
		s.log.Warn("unpacked code is damaged: it is unpacked again", zap.String("path", target), zap.Error(damage))
		if err := s.removeOld(filepath.Base(filepath.Dir(target)), filepath.Base(target), 0); err != nil {
			return fmt.Errorf("code store: %w", err)
		}
	}
	return s.make(target, work)
}

func (s *Store) make(target string, work func(into string) error) error {
	into, err := os.MkdirTemp(s.path("new", ""), "tree-")
	if err != nil {
		return fmt.Errorf("code store: %w", err)
	}
	defer os.RemoveAll(into) // is gone when it has been renamed
	if err := os.Chmod(into, 0o755); err != nil {
		return fmt.Errorf("code store: %w", err)
	}
	if err := work(into); err != nil {
		return err
	}
	// A folder has its name only when all of it would survive a power cut.
	if err := disk.SyncTree(into); err != nil {
		return fmt.Errorf("code store: %w", err)
	}
	err = disk.Rename(into, target)
	if errors.Is(err, fs.ErrExist) {
		return nil // another process was quicker
	}
	if err != nil {
		return fmt.Errorf("code store: %w", err)
	}
	return nil
}

// compare says what in a tree is not as in its archive: kinds and sizes, and with deep
// the checksums of all files. A tree whose archive cannot be read is taken as it is, for
// it could not be made again.
func (s *Store) compare(d Digest, tree string, deep bool) error {
	file, err := s.open(d)
	if err != nil {
		return nil
	}
	defer file.Close() // it was only read
	info, err := file.Stat()
	if err != nil {
		return nil
	}
	entries, err := inspect(file, info.Size())
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if err := e.compare(filepath.Join(tree, filepath.FromSlash(e.name)), deep); err != nil {
			return fmt.Errorf("%.200q: %w", e.name, err)
		}
	}
	return nil
}

// compare says what about a path is not as in its entry.
func (e *entry) compare(path string, deep bool) error {
	have, err := os.Lstat(path)
	switch {
	case err != nil:
		return err
	case have.Mode().Type() != e.kind:
		return fmt.Errorf("it is %s, not %s", have.Mode().Type(), e.kind)
	case e.kind == fs.ModeDir:
		return nil
	case have.Size() != int64(e.UncompressedSize64):
		return fmt.Errorf("it has %d bytes, not %d", have.Size(), e.UncompressedSize64)
	case e.kind != 0 || !deep:
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close() // it was only read
	hash := crc32.NewIEEE()
	if _, err := io.Copy(hash, file); err != nil {
		return err
	}
	if hash.Sum32() != e.CRC32 {
		return errors.New("it has another checksum")
	}
	return nil
}
