package code

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// bytecodeOf compiles a tree: files are the bytecode by path.
func bytecodeOf(t *testing.T, s *Store, tree string, files map[string]string) (string, error) {
	t.Helper()
	err := s.Compile(t.Context(), tree, "cpython-311", func(put func(string, []byte) error) error {
		for name, text := range files {
			if err := put(name, []byte(text)); err != nil {
				return err
			}
		}
		return nil
	})
	return s.Compiled(t.Context(), tree, "cpython-311"), err
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCompiledHasTheFilesOfTheTreeAndTheBytecode(t *testing.T) {
	s := openStore(t)
	a := add(t, s, file{"app.py", "x = 1", 0}, file{"pkg/m.py", "y", 0}, file{"pkg/__pycache__/m.cpython-311.pyc", "stale", 0})
	tree, err := s.Unpack(t.Context(), a.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Compiled(t.Context(), tree, "cpython-311"); got != "" {
		t.Errorf("before it was compiled: %s", got)
	}
	got, err := bytecodeOf(t, s, tree, map[string]string{"__pycache__/app.cpython-311.pyc": "A", "pkg/__pycache__/m.cpython-311.pyc": "M"})
	if err != nil || got == "" {
		t.Fatalf("got %q, %v", got, err)
	}
	for name, want := range map[string]string{"app.py": "x = 1", "__pycache__/app.cpython-311.pyc": "A", "pkg/__pycache__/m.cpython-311.pyc": "M"} {
		if text := read(t, filepath.Join(got, name)); text != want {
			t.Errorf("%s is %q, want %q", name, text, want)
		}
	}
	if text := read(t, filepath.Join(tree, "pkg/__pycache__/m.cpython-311.pyc")); text != "stale" {
		t.Errorf("the tree was written to: %q", text)
	}
	if other := s.Compiled(t.Context(), tree, "cpython-312"); other != "" {
		t.Errorf("for another kind of interpreter: %s", other)
	}
	if s.CanCompile(t.TempDir()) || !s.CanCompile(tree) {
		t.Error("only what never changes can be compiled")
	}
}

func TestBytecodeStaysInItsTree(t *testing.T) {
	s := openStore(t)
	outside := t.TempDir()
	a := add(t, s, file{"app.py", "x", 0}, file{"out", outside, fs.ModeSymlink | 0o777}, file{"own/__pycache__", outside, fs.ModeSymlink | 0o777}, file{"file/x", "", 0})
	tree, err := s.Unpack(t.Context(), a.Digest)
	if err != nil {
		t.Skipf("the archive is refused: %v", err)
	}
	for _, name := range []string{
		"../__pycache__/a.pyc", "/__pycache__/a.pyc", "app.py", "a.pyc", "__pycache__/a.py", "out/__pycache__/a.pyc", "own/__pycache__/a.pyc",
		"file/x/__pycache__/a.pyc", "new/__pycache__/a.pyc", "x/../__pycache__/a.pyc", "__pycache__/a\n.pyc", "", "__pycache__", "__pycache__/.pyc/",
	} {
		if got, err := bytecodeOf(t, s, tree, map[string]string{name: "code"}); err == nil || got != "" {
			t.Errorf("%q: got %q, %v", name, got, err)
		}
	}
	if left := look(t, outside) + look(t, s.path("new", "")) + look(t, s.path("compiled", "")); left != "" {
		t.Errorf("left behind is %s", left)
	}
}

func TestDamagedBytecodeIsGivenUp(t *testing.T) {
	dir := t.TempDir()
	for name, damage := range map[string]func(tree, compiled string) error{
		"bytecode cut short": func(_, compiled string) error {
			return os.Truncate(filepath.Join(compiled, "__pycache__/app.cpython-311.pyc"), 1)
		},
		"bytecode gone": func(_, compiled string) error {
			return os.Remove(filepath.Join(compiled, "__pycache__/app.cpython-311.pyc"))
		},
		"source replaced": func(tree, _ string) error {
			return errors.Join(os.Remove(filepath.Join(tree, "app.py")), os.WriteFile(filepath.Join(tree, "app.py"), []byte("b"), 0o644))
		},
		"list gone": func(_, compiled string) error { return os.Remove(filepath.Join(compiled, "..", compiledList)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
			s := openStoreAt(t, dir)
			tree, err := s.Unpack(t.Context(), add(t, s, file{"app.py", "a", 0}).Digest)
			if err != nil {
				t.Fatal(err)
			}
			files := map[string]string{"__pycache__/app.cpython-311.pyc": "code"}
			compiled, err := bytecodeOf(t, s, tree, files)
			if err != nil {
				t.Fatal(err)
			}
			if err := damage(tree, compiled); err != nil {
				t.Fatal(err)
			}
			next := openStoreAt(t, dir)
			if got := next.Compiled(t.Context(), tree, "cpython-311"); got != "" {
				t.Errorf("it is used: %s", got)
			}
			if got, err := bytecodeOf(t, next, tree, files); err != nil || got != compiled {
				t.Errorf("compiled again: got %q, %v", got, err)
			}
		})
	}
}

func TestBytecodeGoesWithItsCode(t *testing.T) {
	s := openStore(t)
	kept, gone := add(t, s, file{"a.py", "kept", 0}), add(t, s, file{"a.py", "gone", 0})
	var trees []string
	for _, a := range []Archive{kept, gone} {
		tree, err := s.Unpack(t.Context(), a.Digest)
		if err != nil {
			t.Fatal(err)
		}
		trees = append(trees, tree)
	}
	merged, err := s.Merge(t.Context(), trees)
	if err != nil {
		t.Fatal(err)
	}
	for _, tree := range append(trees, merged) {
		if _, err := bytecodeOf(t, s, tree, map[string]string{"__pycache__/a.cpython-311.pyc": "code"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Collect(t.Context(), func(d Digest) bool { return d == kept.Digest }, 0); err != nil {
		t.Fatal(err)
	}
	for tree, want := range map[string]bool{trees[0]: true, trees[1]: false, merged: true} {
		if got := s.Compiled(t.Context(), tree, "cpython-311"); (got != "") != want {
			t.Errorf("%s: got %q", tree, got)
		}
	}
	next := openStoreAt(t, s.dir) // has given out no merged tree
	if err := next.Collect(t.Context(), func(d Digest) bool { return d == kept.Digest }, time.Nanosecond); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(s.path("compiled", "")); err != nil || len(entries) != 1 {
		t.Errorf("left are %v, %v", entries, err)
	}
}
