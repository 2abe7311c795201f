package code

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestFolderIsCopiedOnceItIsLeftAlone(t *testing.T) {
	s, folder := openStore(t), t.TempDir()
	app, lib := filepath.Join(folder, "app.py"), filepath.Join(folder, "node_modules/lib/index.js")
	if err := os.MkdirAll(filepath.Dir(lib), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(path string, content []byte) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	copy := func(at time.Time) {
		t.Helper()
		if err := s.copy(t.Context(), folder, at); err != nil {
			t.Fatal(err)
		}
	}
	write(app, bytes.Repeat([]byte("a"), leastCopied))
	write(lib, []byte("one"))
	copy(time.Now())
	if got, wanted := s.AsCopied(folder); got != folder || !wanted {
		t.Errorf("a folder that has just changed: got %s, %t", got, wanted)
	}
	copy(time.Now().Add(copiesSettled))
	first, wanted := s.AsCopied(folder)
	if first == folder || wanted || !s.Fixed(first) || !s.CanCompile(first) {
		t.Fatalf("got %s, %t", first, wanted)
	}
	if got, err := os.ReadFile(filepath.Join(first, "node_modules/lib/index.js")); err != nil || string(got) != "one" {
		t.Errorf("got %q, %v", got, err)
	}

	// A change that keeps size and time, deep in a folder that nobody watches.
	info, err := os.Stat(lib)
	if err != nil {
		t.Fatal(err)
	}
	write(lib, []byte("two"))
	if err := os.Chtimes(lib, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if got, wanted := s.AsCopied(folder); got != folder || !wanted {
		t.Errorf("after a change: got %s, %t", got, wanted)
	}
	copy(time.Now().Add(copiesSettled))
	second, _ := s.AsCopied(folder)
	if got, err := os.ReadFile(filepath.Join(second, "node_modules/lib/index.js")); second == first || err != nil || string(got) != "two" {
		t.Errorf("got %q of %s, %v", got, second, err)
	}
	if got, err := os.ReadFile(filepath.Join(first, "node_modules/lib/index.js")); err != nil || string(got) != "one" {
		t.Errorf("the first copy has %q, %v", got, err)
	}
}

func TestFoldersThatACopyWouldChangeAreUsedAsTheyAre(t *testing.T) {
	for name, spoil := range map[string]func(folder string) error{
		"a secret":   func(folder string) error { return os.WriteFile(filepath.Join(folder, "key"), []byte("k"), 0o600) },
		"a few may":  func(folder string) error { return os.Chmod(filepath.Join(folder, "app.py"), 0o754) },
		"a private":  func(folder string) error { return os.Mkdir(filepath.Join(folder, "private"), 0o700) },
		"much of it": func(folder string) error { return os.Truncate(filepath.Join(folder, "app.py"), MaxUnpacked+1) },
		"a little":   func(folder string) error { return os.Truncate(filepath.Join(folder, "app.py"), leastCopied-1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, folder := openStore(t), t.TempDir()
			if err := os.Chmod(folder, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folder, "app.py"), make([]byte, leastCopied), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := spoil(folder); err != nil {
				t.Fatal(err)
			}
			if err := s.copy(t.Context(), folder, time.Now().Add(copiesSettled)); err != nil {
				t.Fatal(err)
			}
			if got, _ := s.AsCopied(folder); got != folder {
				t.Errorf("got %s", got)
			}
		})
	}
}
