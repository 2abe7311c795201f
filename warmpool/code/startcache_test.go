package code

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestStartCacheIsReadOnlyWhole(t *testing.T) {
	s := openStore(t)
	a := add(t, s, file{"index.js", "x", 0})
	tree, err := s.Unpack(t.Context(), a.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.StartCache(t.Context(), tree, "nodejs-1"); got != "" {
		t.Errorf("before there is one: %s", got)
	}
	files := map[string][]byte{"scripts": []byte("a"), "v22/b": []byte("b")}
	if err := s.PutStartCache(t.Context(), tree, "nodejs-1", files); err != nil {
		t.Fatal(err)
	}
	folder := s.StartCache(t.Context(), tree, "nodejs-1")
	if folder == "" || read(t, filepath.Join(folder, "scripts")) != "a" || read(t, filepath.Join(folder, "v22/b")) != "b" {
		t.Fatalf("got %q", folder)
	}
	if other := s.StartCache(t.Context(), tree, "nodejs-2"); other != "" {
		t.Errorf("of another key: %s", other)
	}
	if s.StartCache(t.Context(), t.TempDir(), "nodejs-1") != "" || s.PutStartCache(t.Context(), t.TempDir(), "nodejs-1", files) == nil {
		t.Error("a folder that may change has one")
	}

	for what, damage := range map[string]func() error{
		"a changed file": func() error { return os.WriteFile(filepath.Join(folder, "scripts"), []byte("b"), 0o644) },
		"a missing file": func() error { return os.Remove(filepath.Join(folder, "v22/b")) },
		"a file more":    func() error { return os.WriteFile(filepath.Join(folder, "more"), nil, 0o644) },
		"no sums":        func() error { return os.Remove(filepath.Join(folder, "../sums.json")) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		next, err := OpenStore(s.dir, s.log) // another process
		if err != nil {
			t.Fatal(err)
		}
		if got := next.StartCache(t.Context(), tree, "nodejs-1"); got != "" {
			t.Errorf("%s: it is used", what)
		}
		if err := next.PutStartCache(t.Context(), tree, "nodejs-1", files); err != nil {
			t.Fatal(err)
		}
		if err := next.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStartCacheOfStrangersIsRefused(t *testing.T) {
	s := openStore(t)
	a := add(t, s, file{"index.js", "x", 0})
	tree, err := s.Unpack(t.Context(), a.Digest)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../x", "/x", "a/b/c", "a/../b", "", ".", "a\\b", "a\x00"} {
		if err := s.PutStartCache(t.Context(), tree, "k", map[string][]byte{name: nil}); err == nil {
			t.Errorf("a file %q is taken", name)
		}
	}
	if err := s.PutStartCache(t.Context(), tree, "k", map[string][]byte{"a": make([]byte, MaxStartCache), "b": {1}}); err == nil {
		t.Error("one that is too large is taken")
	}
}

func TestStartCacheGoesWithItsCode(t *testing.T) {
	s := openStore(t)
	a := add(t, s, file{"index.js", "x", 0})
	tree, err := s.Unpack(t.Context(), a.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.PutStartCache(t.Context(), tree, "k", map[string][]byte{"a": {1}}); err != nil {
		t.Fatal(err)
	}
	keep := true
	collect := func() string {
		t.Helper()
		if err := s.Collect(t.Context(), func(Digest) bool { return keep }, -time.Hour); err != nil {
			t.Fatal(err)
		}
		return s.StartCache(t.Context(), tree, "k")
	}
	if collect() == "" {
		t.Error("it is gone while the code is used")
	}
	keep = false
	if collect() != "" {
		t.Error("it is there though the code is gone")
	}
}
