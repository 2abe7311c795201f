package code

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// Merge returns a folder that holds several trees as one, of which later ones win,
// as layers do at /opt. The files are shared with the trees by hard links. A single
// tree is returned as it is. The trees are Store.Unpack's, or folders that do not
// change (Snapshot).
// https://docs.aws.amazon.com/lambda/latest/dg/adding-layers.html
func (s *Store) Merge(ctx context.Context, trees []string) (string, error) {
	if len(trees) == 1 {
		return trees[0], nil
	}
	hash := sha256.New()
	for _, tree := range trees {
		fmt.Fprintf(hash, "%s\x00", tree)
	}
	target := s.mergedPath(hash.Sum(nil))
	return target, s.once(ctx, target, func(bool) error { return sameAs(trees, target) }, func(into string) error {
		for _, tree := range trees {
			if err := overlay(tree, into); err != nil {
				return fmt.Errorf("merge layers: %w", err)
			}
		}
		return nil
	})
}

// sameAs reports what of the files in a merged folder is not as in its trees: they share
// files, and of a tree that was damaged and made again they have the damaged ones.
func sameAs(trees []string, merged string) error {
	decided := make(map[string]struct{})
	for _, tree := range slices.Backward(trees) {
		err := filepath.WalkDir(tree, func(from string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			rel, err := filepath.Rel(tree, from)
			if err != nil {
				return err
			}
			if _, later := decided[rel]; later {
				return nil
			}
			decided[rel] = struct{}{}
			want, err := d.Info()
			if err != nil {
				return err
			}
			have, err := os.Lstat(filepath.Join(merged, rel))
			switch {
			case errors.Is(err, syscall.ENOTDIR): // a file of a later layer is there
			case err != nil:
				return err
			case have.Mode().IsRegular() && have.Size() != want.Size():
				return fmt.Errorf("%s has %d bytes, not %d", rel, have.Size(), want.Size())
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// overlay puts the content of tree over that of into.
func overlay(tree, into string) error {
	return filepath.WalkDir(tree, func(from string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(tree, from)
		if err != nil || rel == "." {
			return err
		}
		to := filepath.Join(into, rel)
		there, err := os.Lstat(to)
		exists := err == nil
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if d.IsDir() {
			if exists && there.IsDir() {
				return nil
			}
			if exists { // a file of an earlier layer makes way
				if err := os.Remove(to); err != nil {
					return err
				}
			}
			return mkdirAll(to)
		}
		if exists {
			if err := os.RemoveAll(to); err != nil {
				return err
			}
		}
		if d.Type()&fs.ModeSymlink != 0 {
			link, err := os.Readlink(from)
			if err != nil {
				return err
			}
			return os.Symlink(link, to)
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s is neither a file, a folder nor a link", from)
		}
		if err := os.Link(from, to); err == nil {
			return nil
		}
		return copyFile(from, to) // on another file system
	})
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if info.Mode().Perm()&0o100 != 0 {
		mode = 0o755
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Chmod(mode), out.Close())
}

// mergedPath is the path of the merged tree that a sum stands for, which Collect leaves
// alone from now on: this package does not know how long environments have it mounted.
func (s *Store) mergedPath(sum []byte) string {
	name := hex.EncodeToString(sum)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.merged[name] = struct{}{}
	return s.path("merged", name)
}
