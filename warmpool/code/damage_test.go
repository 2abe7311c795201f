package code

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// patch changes a field of the nth header with a signature.
func patch(b []byte, signature string, nth, offset int, value uint32) []byte {
	b = bytes.Clone(b)
	at := 0
	for ; nth >= 0; nth-- {
		at += bytes.Index(b[at:], []byte(signature)) + 1
	}
	binary.LittleEndian.PutUint32(b[at-1+offset:], value)
	return b
}

const central = "PK\x01\x02"

func TestEntriesThatLieAreRefusedByName(t *testing.T) {
	whole := zipOf(t, file{"a", strings.Repeat("abcdefgh", 1000), 0}, file{"lib/b", "some text", 0})
	for name, test := range map[string]struct {
		archive []byte
		want    string
	}{
		"overlapping":     {patch(patch(whole, central, 1, 42, 0), central, 1, 20, 20), `"lib/b": it overlaps with "a"`},
		"beyond the end":  {patch(whole, central, 1, 20, 1<<20), `"lib/b": it goes beyond the end`},
		"no header there": {patch(whole, central, 1, 42, 7), `"lib/b": its header is damaged`},
		"longer":          {patch(whole, central, 0, 24, 100), `"a": it is damaged, or not as long as declared`},
		"shorter":         {patch(whole, central, 0, 24, 10_000), `"a": it is damaged, or not as long as declared`},
		"checksum":        {patch(whole, central, 1, 16, 1), `"lib/b": it is damaged, or not as long as declared`},
		"cut short":       {patch(whole, central, 0, 20, 5), `"a": it is damaged, or not as long as declared`},
		"another method":  {patch(whole, central, 0, 10, 9), `"a": compression method 9 is not supported`},
	} {
		s := openStore(t)
		a, err := s.Add(t.Context(), bytes.NewReader(test.archive), MaxUpload)
		if err == nil {
			_, err = s.Unpack(t.Context(), a.Digest)
		}
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
		if left := look(t, s.path("tree", "")) + look(t, s.path("new", "")); left != "" {
			t.Errorf("%s: left behind is %s", name, left)
		}
	}
}

func TestDamagedTreeIsMadeAgain(t *testing.T) {
	files := []file{{"index.js", "exports.h = 1", 0}, {"lib/x", "x", 0}, {"empty", "", 0}, {"link", "lib/x", fs.ModeSymlink | 0o777}}
	for name, damage := range map[string]func(tree string) error{
		"no bytes":  func(tree string) error { return os.Truncate(filepath.Join(tree, "index.js"), 0) },
		"gone":      func(tree string) error { return os.Remove(filepath.Join(tree, "lib/x")) },
		"no folder": func(tree string) error { return os.RemoveAll(filepath.Join(tree, "lib")) },
		"no link": func(tree string) error {
			return errors.Join(os.Remove(filepath.Join(tree, "link")), os.Mkdir(filepath.Join(tree, "link"), 0o755))
		},
	} {
		s := openStore(t)
		a := add(t, s, files...)
		tree, err := s.Unpack(t.Context(), a.Digest)
		if err != nil {
			t.Fatal(err)
		}
		want := look(t, tree)
		if err := damage(tree); err != nil {
			t.Fatal(err)
		}
		core, said := observer.New(zap.WarnLevel)
		after, err := OpenStore(s.dir, zap.New(core)) // the server has started again
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { after.Close() })
		for range 2 {
			if _, err := after.Unpack(t.Context(), a.Digest); err != nil || look(t, tree) != want {
				t.Errorf("%s: %v: %s", name, err, look(t, tree))
			}
		}
		if said.FilterMessage("unpacked code is damaged: it is unpacked again").Len() != 1 {
			t.Errorf("%s: the log has %v", name, said.All())
		}
	}
}

// The same archive is uploaded again because the function does not work: all of the
// tree is read.
func TestUploadOfTheSameArchiveMendsItsTree(t *testing.T) {
	s := openStore(t)
	a := add(t, s, file{"index.js", "exports.h = 1", 0})
	tree, err := s.Unpack(t.Context(), a.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tree, "index.js"), make([]byte, len("exports.h = 1")), 0o644); err != nil {
		t.Fatal(err)
	}
	add(t, s, file{"index.js", "exports.h = 1", 0})
	if _, err := s.Unpack(t.Context(), a.Digest); err != nil || look(t, tree) != "index.js=exports.h = 1 644" {
		t.Errorf("%v: %q", err, look(t, tree))
	}
}

func TestDamagedLayersAreMergedAgain(t *testing.T) {
	s := openStore(t)
	one, two := add(t, s, file{"a", "one", 0}, file{"d/x", "one", 0}), add(t, s, file{"b", "two", 0}, file{"d", "two", 0})
	layers := []string{s.Tree(one.Digest), s.Tree(two.Digest)}
	merged, err := s.Layers(t.Context(), layers)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(merged, "a"), 0); err != nil { // the tree's file is the same
		t.Fatal(err)
	}
	after, err := OpenStore(s.dir, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { after.Close() })
	const want = "a=one 644; b=two 644; d=two 644"
	if again, err := after.Layers(t.Context(), layers); err != nil || again != merged || look(t, merged) != want {
		t.Errorf("%v: %s", err, look(t, merged))
	}
	info, err := os.Stat(merged)
	if err != nil {
		t.Fatal(err)
	}
	third, err := OpenStore(s.dir, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { third.Close() })
	if _, err := third.Layers(t.Context(), layers); err != nil {
		t.Fatal(err)
	}
	if same, err := os.Stat(merged); err != nil || !os.SameFile(info, same) {
		t.Errorf("what is whole was made again: %v", err)
	}
}
