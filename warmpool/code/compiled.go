package code

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// What is in a folder below DIR/compiled.
const (
	compiledTree = "tree"  // what environments see
	compiledList = "added" // a line for each file that was added: its size in bytes, its path
)

// errNotCompiled says that there is no bytecode yet.
var errNotCompiled = errors.New("it is not compiled")

// Compiled is a folder with all that is in tree, a result of Folder or Layers, and beside it the
// bytecode for the interpreters of kind, such as "cpython-311". It is "" until Compile has made
// it, and for a folder of the user's own. Nobody may change what is in it. Once in the life of a
// process it is compared with the tree, and given up if they differ.
func (s *Store) Compiled(ctx context.Context, tree, kind string) string {
	target, ok := s.compiledPath(tree, kind)
	if !ok || !exists(target) {
		return ""
	}
	err := s.once(ctx, target, func(bool) error { return sameCompiled(tree, target) }, func(string) error { return errNotCompiled })
	if err != nil {
		return ""
	}
	return filepath.Join(target, compiledTree)
}

// CanCompile reports whether Compile can make something of a folder: it never changes.
func (s *Store) CanCompile(tree string) bool {
	_, ok := s.compiledPath(tree, "-")
	return ok
}

// Compile makes the folder that Compiled returns. The files of the tree are shared with it by
// hard links. add calls put for each file of bytecode, with its path below the tree. It may have
// come from code that nobody trusts: put refuses what is not in a __pycache__ beside a folder of
// the tree, and more than MaxUnpacked bytes in all.
func (s *Store) Compile(ctx context.Context, tree, kind string, add func(put func(name string, data []byte) error) error) error {
	target, ok := s.compiledPath(tree, kind)
	if !ok {
		return fmt.Errorf("compile %s: it may change", tree)
	}
	return s.once(ctx, target, func(bool) error { return sameCompiled(tree, target) }, func(into string) error {
		a := adder{root: filepath.Join(into, compiledTree)}
		if err := mkdirAll(a.root); err != nil {
			return err
		}
		if err := overlay(tree, a.root); err != nil {
			return err
		}
		if err := add(a.put); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(into, compiledList), a.list.Bytes(), 0o644)
	})
}

// Scratch is a file without a name on the disk of the store. It is gone when it is closed.
func (s *Store) Scratch() (*os.File, error) {
	file, err := os.CreateTemp(s.path("new", ""), "scratch-")
	if err != nil {
		return nil, fmt.Errorf("code store: %w", err)
	}
	return file, os.Remove(file.Name())
}

// compiledPath is the folder of what was compiled of a tree; ok is false for one that may change.
func (s *Store) compiledPath(tree, kind string) (path string, ok bool) {
	parent, name := filepath.Split(tree)
	parent = filepath.Clean(parent)
	if parent != s.path("tree", "") && parent != s.path("merged", "") || !Digest(name).valid() {
		return "", false
	}
	return s.path("compiled", name+"-"+kind), true
}

// digestOfCompiled is the name of the tree of which an entry of DIR/compiled was made.
func digestOfCompiled(name string) Digest {
	name, _, _ = strings.Cut(name, "-")
	return Digest(name)
}

// An adder puts bytecode into a copy of a tree.
type adder struct {
	root  string
	total int64
	list  bytes.Buffer
}

func (a *adder) put(name string, data []byte) error {
	dir, file := path.Split(name)
	dir = path.Clean(dir)
	if !filepath.IsLocal(name) || path.Clean(name) != name || path.Base(dir) != "__pycache__" || path.Ext(file) != ".pyc" || strings.ContainsAny(name, "\n\x00") {
		return fmt.Errorf("bytecode %.200q: it does not belong there", name)
	}
	if a.total += int64(len(data)); a.total > MaxUnpacked {
		return fmt.Errorf("bytecode: over %d bytes", MaxUnpacked)
	}
	// No link leads out of the tree, because none is followed.
	for above := path.Dir(dir); above != "."; above = path.Dir(above) {
		if info, err := os.Lstat(filepath.Join(a.root, above)); err != nil || !info.IsDir() {
			return fmt.Errorf("bytecode %.200q: %s is no folder of the code", name, above)
		}
	}
	folder := filepath.Join(a.root, dir)
	if info, err := os.Lstat(folder); err == nil && !info.IsDir() {
		return fmt.Errorf("bytecode %.200q: %s is no folder", name, dir)
	}
	if err := mkdirAll(folder); err != nil {
		return err
	}
	// One that came with the code is a file of the tree too: it makes way, and is not written to.
	to := filepath.Join(folder, file)
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = out.Write(data)
	fmt.Fprintf(&a.list, "%d %s\n", len(data), name)
	return errors.Join(err, out.Chmod(0o644), out.Close())
}

// sameCompiled reports what in a compiled folder is not as in its tree, or not as it was added.
func sameCompiled(tree, target string) error {
	list, err := os.Open(filepath.Join(target, compiledList))
	if err != nil {
		return err
	}
	defer list.Close() // it was only read
	added := make(map[string]struct{})
	lines := bufio.NewScanner(list)
	lines.Buffer(nil, 2*maxPath)
	for lines.Scan() {
		size, name, _ := strings.Cut(lines.Text(), " ")
		info, err := os.Lstat(filepath.Join(target, compiledTree, name))
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() || fmt.Sprint(info.Size()) != size {
			return fmt.Errorf("%.200s has %d bytes, not %s", name, info.Size(), size)
		}
		added[name] = struct{}{}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return filepath.WalkDir(tree, func(from string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(tree, from)
		if err != nil {
			return err
		}
		if _, replaced := added[rel]; replaced {
			return nil
		}
		if !sameFile(from, filepath.Join(target, compiledTree, rel)) {
			return fmt.Errorf("%.200s is another file", rel)
		}
		return nil
	})
}

// sameFile reports whether two paths are one file, or where there are no hard links the same
// bytes.
func sameFile(a, b string) bool {
	infoA, errA := os.Lstat(a)
	infoB, errB := os.Lstat(b)
	if errors.Join(errA, errB) != nil || infoA.Size() != infoB.Size() {
		return false
	}
	if os.SameFile(infoA, infoB) {
		return true
	}
	fileA, errA := os.Open(a)
	fileB, errB := os.Open(b)
	if errors.Join(errA, errB) != nil {
		return false
	}
	defer fileA.Close() // they were only read
	defer fileB.Close()
	bufA, bufB := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, errA := io.ReadFull(fileA, bufA)
		m, _ := io.ReadFull(fileB, bufB)
		if !bytes.Equal(bufA[:n], bufB[:m]) {
			return false
		}
		if errA != nil {
			return errors.Is(errA, io.EOF) || errors.Is(errA, io.ErrUnexpectedEOF)
		}
	}
}
