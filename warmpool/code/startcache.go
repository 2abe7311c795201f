package code

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
)

// Limits of start caches.
const (
	MaxStartCache  = 128 << 20 // bytes of one
	MaxStartCaches = 2 << 30   // bytes of all; the oldest are given up
)

// What is in a folder below DIR/starts.
const (
	startFiles = "files"     // what environments see
	startSums  = "sums.json" // name: SHA-256 in hexadecimal
)

var errNoStartCache = errors.New("there is no start cache")

// StartCache is a folder with what a runtime made of the code in tree, a result of Folder, so
// that it starts sooner. key tells what else it depends on. It is "" if there is none, and for a
// folder of the user's own. Nobody may change what is in it. Once in the life of a process its
// files are compared with their sums; a damaged one is given up.
func (s *Store) StartCache(ctx context.Context, tree, key string) string {
	target, ok := s.startPath(tree, key)
	if !ok || !exists(target) {
		return ""
	}
	err := s.once(ctx, target, func(bool) error { return sameStart(target) }, func(string) error { return errNoStartCache })
	if err != nil {
		return ""
	}
	return filepath.Join(target, startFiles)
}

// Fixed reports whether a folder never changes: an unpacked archive, or several as one.
func (s *Store) Fixed(folder string) bool {
	parent := filepath.Dir(folder)
	return (parent == s.path("tree", "") || parent == s.path("merged", "")) && Digest(filepath.Base(folder)).valid()
}

// PutStartCache stores what StartCache returns: files by their names, some of them in one folder.
func (s *Store) PutStartCache(ctx context.Context, tree, key string, files map[string][]byte) error {
	target, ok := s.startPath(tree, key)
	if !ok {
		return fmt.Errorf("start cache of %s: it may change", tree)
	}
	size := int64(0)
	for name, data := range files {
		if name == "." || !filepath.IsLocal(name) || filepath.Clean(name) != name || strings.Count(name, "/") > 1 || strings.ContainsAny(name, "\\\x00") {
			return fmt.Errorf("start cache: a file %.100q", name)
		}
		size += int64(len(data))
	}
	if size > MaxStartCache {
		return fmt.Errorf("start cache: %d bytes, the most is %d", size, MaxStartCache)
	}
	if err := s.makeRoom(size); err != nil {
		return err
	}
	return s.once(ctx, target, func(bool) error { return sameStart(target) }, func(into string) error {
		sums := make(map[string]string, len(files))
		for name, data := range files {
			path := filepath.Join(into, startFiles, name)
			if err := mkdirAll(filepath.Dir(path)); err != nil {
				return err
			}
			if err := writeReadable(path, data); err != nil {
				return err
			}
			sum := sha256.Sum256(data)
			sums[name] = hex.EncodeToString(sum[:])
		}
		text, err := json.Marshal(sums)
		if err != nil {
			return err
		}
		return writeReadable(filepath.Join(into, startSums), text)
	})
}

// writeReadable writes a file that everyone may read, whatever the umask.
func writeReadable(path string, data []byte) error {
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return err
	}
	return os.Chmod(path, 0o644)
}

// startPath is the folder of a start cache; ok is false for code that may change.
func (s *Store) startPath(tree, key string) (path string, ok bool) {
	if !s.Fixed(tree) {
		return "", false
	}
	return s.path("starts", filepath.Base(tree)+"-"+key), true
}

// sameStart reports what in a start cache is not as it was written.
func sameStart(target string) error {
	text, err := os.ReadFile(filepath.Join(target, startSums))
	if err != nil {
		return err
	}
	var sums map[string]string
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&sums); err != nil {
		return err
	}
	found := 0
	err = filepath.WalkDir(filepath.Join(target, startFiles), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(filepath.Join(target, startFiles), path)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != sums[name] {
			return fmt.Errorf("%.100s has another checksum", name)
		}
		found++
		return nil
	})
	if err == nil && found != len(sums) {
		err = fmt.Errorf("%d of %d files are there", found, len(sums))
	}
	return err
}

// makeRoom gives up the oldest start caches until there is room for one of size bytes. An
// environment that has one keeps it.
func (s *Store) makeRoom(size int64) error {
	type start struct {
		name    string
		size    int64
		written time.Time
	}
	entries, err := os.ReadDir(s.path("starts", ""))
	if err != nil {
		return fmt.Errorf("code store: %w", err)
	}
	var all []start
	for _, e := range entries {
		one := start{name: e.Name()}
		_ = filepath.WalkDir(s.path("starts", e.Name()), func(_ string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil // it is being given up
			}
			if info, err := d.Info(); err == nil && !d.IsDir() {
				one.size += info.Size()
			}
			return nil
		})
		if info, err := e.Info(); err == nil {
			one.written = info.ModTime()
		}
		size += one.size
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b start) int { return a.written.Compare(b.written) })
	for _, one := range all {
		if size <= MaxStartCaches {
			return nil
		}
		if err := s.removeOld("starts", one.name, 0); err != nil {
			return err
		}
		s.log.Info("a start cache is given up: there are too many", zap.String("path", one.name))
		size -= one.size
	}
	return nil
}
