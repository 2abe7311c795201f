package boltstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/state"
	"github.com/hearthfn/hearth/warmpool/state/boltstore"
	"github.com/hearthfn/hearth/warmpool/state/statetest"
)

func open(t *testing.T, c boltstore.Config) *boltstore.Store {
	t.Helper()
	if c.Path == "" {
		c.Path = filepath.Join(t.TempDir(), "state.db")
	}
	s, err := boltstore.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func TestRecordsHoldTheContract(t *testing.T) {
	statetest.Records(t, func(t *testing.T) state.Records { return open(t, boltstore.Config{}) })
}

func TestFileIsForItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	for range 2 { // a new one, and one that was put back with another mode
		s := open(t, boltstore.Config{Path: path})
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
		}
		if err := errors.Join(s.Close(), os.Chmod(path, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRecordsAndRevisionsOutliveClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s := open(t, boltstore.Config{Path: path})
	first, err := s.Change(t.Context(), "o", state.Put("n", state.Absent, []byte("v")))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, boltstore.Config{Path: path})
	got, err := s.Read(t.Context(), state.Key{Owner: "o", Name: "n"})
	if err != nil || string(got.Value) != "v" || got.Revision != first {
		t.Fatalf("%q at %d, %v; want v at %d", got.Value, got.Revision, err, first)
	}
	second, err := s.Change(t.Context(), "o", state.Put("n", first, nil))
	if err != nil || second <= first {
		t.Errorf("revision %d after %d, %v", second, first, err)
	}
}

func TestFileInUseIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	open(t, boltstore.Config{Path: path})
	_, err := boltstore.Open(boltstore.Config{Path: path, LockTimeout: time.Millisecond})
	wantNamed(t, err, state.ErrInUse, path, "stop the other Hearth")
}

func TestClosedStoreRefusesByName(t *testing.T) {
	s := open(t, boltstore.Config{})
	hints, err := s.Watch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, ok := <-hints; ok {
		t.Error("the watch outlives Close")
	}
	_, err = s.Change(t.Context(), "o", state.Put("n", state.Any, nil))
	wantNamed(t, err, state.ErrClosed)
	_, err = s.Read(t.Context(), state.Key{Owner: "o", Name: "n"})
	wantNamed(t, err, state.ErrClosed)
	_, err = s.Watch(t.Context(), "")
	wantNamed(t, err, state.ErrClosed)
	if err := s.Close(); err != nil {
		t.Errorf("Close again: %v", err)
	}
}

func TestNewerFormatIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	if err := open(t, boltstore.Config{Path: path}).Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("meta")).Put([]byte("format"), []byte{0, 0, 0, 0, 0, 0, 1, 2})
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	_, err = boltstore.Open(boltstore.Config{Path: path})
	wantNamed(t, err, state.ErrNewer, path, "format 258", "run the newer Hearth")
}

func TestTornFileIsNamedAndLeftAlone(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "whole.db")
	s := open(t, boltstore.Config{Path: whole})
	for i := range 50 {
		name := string(rune('a' + i))
		if _, err := s.Change(t.Context(), "o", state.Put(name, state.Absent, make([]byte, 9000))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	headless := append(make([]byte, 2*page), good[2*page:]...)
	torn := map[string][]byte{
		"half of it":            good[:len(good)/2],
		"the first pages":       good[:3*page],
		"one page":              good[:page],
		"a few bytes":           good[:100],
		"without its head":      headless,
		"not a state file":      []byte(strings.Repeat("not a state file\n", 5000)),
		"a kilobyte of nothing": make([]byte, 1024),
	}
	for name, content := range torn {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state.db")
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := boltstore.Open(boltstore.Config{Path: path})
			wantNamed(t, err, state.ErrDamaged, path, "put a backup in its place")
			after, err := os.ReadFile(path)
			if err != nil || string(after) != string(content) {
				t.Errorf("the torn file was changed (%v)", err)
			}
		})
	}
}

// TestDamagedPageIsNamed spoils one page after the other of a file that was closed.
func TestDamagedPageIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s := open(t, boltstore.Config{Path: path})
	for i := range 40 {
		name := fmt.Sprintf("n%02d", i)
		_, err := s.Change(t.Context(), "o", state.Put(name, state.Absent, make([]byte, 1500)))
		if err == nil {
			_, err = s.Push(t.Context(), "g", state.Item{Body: make([]byte, 1500)})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page, seen := os.Getpagesize(), 0
	for at := 2 * page; at < len(good); at += page {
		content := bytes.Clone(good)
		copy(content[at:], bytes.Repeat([]byte{0xee}, 16)) // number and kind of the page
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		err := readAll(path)
		if err != nil {
			seen++
			wantNamed(t, err, state.ErrDamaged, path, "put a backup in its place")
		}
	}
	if seen < 20 {
		t.Errorf("%d damaged pages were seen: the test shows little", seen)
	}
}

// readAll reads all that a file has in the ways of its users.
func readAll(path string) (err error) {
	s, err := boltstore.Open(boltstore.Config{Path: path})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	ctx := context.Background()
	if _, err := s.List(ctx, "o", "", "", 100); err != nil {
		return err
	}
	_, _, err = s.Lease(ctx, state.Want{Max: 100, For: time.Hour})
	return err
}

// TestOneTornHeadIsTheStateBefore: a crash may tear the head that is being
// written; the other one is whole.
func TestOneTornHeadIsTheStateBefore(t *testing.T) {
	for head := range 2 {
		path := filepath.Join(t.TempDir(), "state.db")
		s := open(t, boltstore.Config{Path: path})
		for _, value := range []string{"1", "2", "3"} {
			if _, err := s.Change(t.Context(), "o", state.Put("n", state.Any, []byte(value))); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = file.WriteAt(make([]byte, 64), int64(head*os.Getpagesize()+16))
		if err := errors.Join(err, file.Close()); err != nil {
			t.Fatal(err)
		}
		s = open(t, boltstore.Config{Path: path})
		got, err := s.Read(t.Context(), state.Key{Owner: "o", Name: "n"})
		if err != nil || string(got.Value) != "3" && string(got.Value) != "2" {
			t.Errorf("head %d torn: %q, %v", head, got.Value, err)
		}
	}
}

func TestFullDiskRefusesAndKeepsWhatWasAccepted(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatalf("mounting a small disk needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	path := filepath.Join(dir, "state.db")
	s := open(t, boltstore.Config{Path: path})
	put := func(i int) error {
		_, err := s.Change(t.Context(), "o", state.Put(string(rune('a'+i)), state.Absent, make([]byte, 32<<10)))
		return err
	}
	accepted := 0
	for ; accepted < 100; accepted++ {
		if err := put(accepted); err != nil {
			wantNamed(t, err, state.ErrUnavailable, path, "free some")
			break
		}
	}
	if accepted == 0 || accepted == 100 {
		t.Fatalf("%d records of 32 KB on a disk of 1 MB", accepted)
	}
	for range 2 { // after a refusal, and after a crash-like reopening
		list, err := s.List(t.Context(), "o", "", "", 200)
		if err != nil || len(list) != accepted {
			t.Fatalf("%d records kept of %d, %v", len(list), accepted, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, boltstore.Config{Path: path})
	}
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT, "size=8m"); err != nil {
		t.Fatal(err)
	}
	if err := put(accepted); err != nil {
		t.Errorf("with space again: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func wantNamed(t *testing.T, err, want error, texts ...string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error = %v, want %v", err, want)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q does not say %q", err, text)
		}
	}
}

// A write must not reach the file after its caller was told that it was refused.
func TestCancelledWriteIsNotApplied(t *testing.T) {
	s := open(t, boltstore.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Change(ctx, "o", state.Put("n", state.Any, nil)); !errors.Is(err, context.Canceled) {
		t.Fatalf("error = %v", err)
	}
	if _, err := s.Read(t.Context(), state.Key{Owner: "o", Name: "n"}); !errors.Is(err, state.ErrNotFound) {
		t.Errorf("error = %v", err)
	}
}
