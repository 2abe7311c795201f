package code

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/state"
	"github.com/hearthfn/hearth/warmpool/state/boltstore"
)

// sharedStores are two nodes' stores, and what they share.
func sharedStores(t *testing.T) (one, two *Store, records *boltstore.Store) {
	t.Helper()
	records, err := boltstore.Open(boltstore.Config{Path: filepath.Join(t.TempDir(), "state.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { records.Close() })
	open := func() *Store {
		s, err := OpenStore(t.TempDir(), zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		s.Share(NewShared(records))
		return s
	}
	return open(), open(), records
}

func TestArchivesReachOtherNodes(t *testing.T) {
	one, two, _ := sharedStores(t)
	random := make([]byte, 2<<20) // several chunks even when it is zipped
	rand.Read(random)
	noise := string(random)
	a := add(t, one, file{name: "index.js", text: "1"}, file{name: "data", text: noise})
	tree, err := two.Unpack(t.Context(), a.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(tree, "data")); err != nil || string(text) != noise {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	read := func(s *Store) []byte {
		t.Helper()
		f, err := s.Open(t.Context(), a.Digest)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		all, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	if !bytes.Equal(read(one), read(two)) {
		t.Error("the archives differ")
	}
}

func TestDamagedSharedCodeIsRefused(t *testing.T) {
	one, two, records := sharedStores(t)
	a := add(t, one, file{name: "index.js", text: "1"})
	if _, err := records.Change(t.Context(), ownerCode+string(a.Digest), state.Put(chunkName(0), state.Any, bytes.Repeat([]byte{1}, int(a.Size)))); err != nil {
		t.Fatal(err)
	}
	if _, err := two.Unpack(t.Context(), a.Digest); err == nil || !strings.Contains(err.Error(), "digest") {
		t.Errorf("%v", err)
	}
}

func TestSharedCodeThatNothingUsesGoes(t *testing.T) {
	one, two, _ := sharedStores(t)
	a := add(t, one, file{name: "index.js", text: "1"})
	b := add(t, one, file{name: "index.js", text: "2"})
	if err := one.Collect(t.Context(), func(d Digest) bool { return d == b.Digest }, time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := two.Open(t.Context(), a.Digest); err != nil {
		t.Errorf("young code is gone: %v", err)
	}
	if err := one.Collect(t.Context(), func(d Digest) bool { return d == b.Digest }, 0); err != nil {
		t.Fatal(err)
	}
	three, err := OpenStore(t.TempDir(), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { three.Close() })
	three.Share(one.shared)
	if _, err := three.Open(t.Context(), a.Digest); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("unused code: %v", err)
	}
	if f, err := three.Open(t.Context(), b.Digest); err != nil {
		t.Errorf("used code: %v", err)
	} else {
		f.Close()
	}
}
