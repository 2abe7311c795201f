package artefact

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func open(t *testing.T, dir string, limit int64) *Store {
	t.Helper()
	s, err := Open(dir, limit)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func always(*Object) error { return nil }

func put(t *testing.T, s *Store, bucket, key string, data []byte) error {
	t.Helper()
	d, err := s.Draft(int64(len(data)))
	if err != nil {
		return err
	}
	defer d.Close()
	if _, err := d.Write(data); err != nil {
		return err
	}
	return s.Put(bucket, &Object{Key: key}, d, always)
}

func read(t *testing.T, s *Store, bucket, key string, offset int64) []byte {
	t.Helper()
	o, err := s.Object(bucket, key)
	if err != nil {
		t.Fatal(err)
	}
	content, err := s.Content(o.Blob, offset)
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	data, err := io.ReadAll(content)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// count is how many files there are below a folder.
func count(t *testing.T, parts ...string) int {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestObjectsOutliveARestartAndContentsEndWithTheLast(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 1<<20)
	if err := s.CreateBucket(Bucket{Name: "b"}); err != nil {
		t.Fatal(err)
	}
	data := bytes.Repeat([]byte("0123456789"), 1000)
	for _, key := range []string{"../../x", "x", "y"} {
		if err := put(t, s, "b", key, data); err != nil {
			t.Fatal(err)
		}
	}
	if n := count(t, dir, "blob"); n != 1 {
		t.Errorf("%d contents of one", n)
	}
	names, err := filepath.Glob(filepath.Join(dir, "blob", "*"))
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := os.ReadFile(names[0]); err != nil || bytes.Contains(kept, data[:20]) {
		t.Errorf("the content is not encrypted, %v", err)
	}
	for range 2 {
		for offset := range int64(40) {
			if got := read(t, s, "b", "../../x", offset); !bytes.Equal(got, data[offset:]) {
				t.Fatalf("from %d on: %.20q", offset, got)
			}
		}
		s = open(t, dir, 1<<20)
	}
	if s.used != int64(len(data)) || s.entries != 3 {
		t.Errorf("%d bytes, %d entries", s.used, s.entries)
	}
	for _, key := range []string{"../../x", "x"} {
		if err := s.Delete("b", key); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, s, "b", "y", 0); !bytes.Equal(got, data) {
		t.Error("a content is gone that an object has")
	}
	if err := s.DeleteBucket("b"); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("%v", err)
	}
	if err := errors.Join(s.Delete("b", "y"), s.Delete("b", "y"), s.DeleteBucket("b")); err != nil {
		t.Error(err)
	}
	if count(t, dir, "blob") != 0 || count(t, dir, "bucket") != 0 || count(t, dir, "new") != 0 || s.used != 0 || s.reserved != 0 || s.entries != 0 {
		t.Errorf("something stays: %d bytes, %d reserved, %d entries", s.used, s.reserved, s.entries)
	}
}

func TestRoomIsReservedBeforeBytesCome(t *testing.T) {
	s := open(t, t.TempDir(), 100)
	if err := s.CreateBucket(Bucket{Name: "b"}); err != nil {
		t.Fatal(err)
	}
	first, err := s.Draft(60)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Draft(41); !errors.Is(err, ErrFull) {
		t.Errorf("%v", err)
	}
	if _, err := first.Write(make([]byte, 61)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v", err)
	}
	first.Close()
	if err := put(t, s, "b", "k", make([]byte, 100)); err != nil {
		t.Error(err)
	}
	if err := put(t, s, "b", "k", make([]byte, 1)); !errors.Is(err, ErrFull) {
		t.Errorf("%v", err)
	}
	if _, err := s.Draft(MaxObject + 1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v", err)
	}
}

func TestConcurrentPutsLeaveOneWholeObject(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 1<<20)
	if err := s.CreateBucket(Bucket{Name: "b"}); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for n := range 16 {
		all.Go(func() {
			for range 4 {
				if err := put(t, s, "b", "k", bytes.Repeat([]byte{byte(n)}, 100+n%3)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for range 2 {
		data := read(t, s, "b", "k", 0)
		if len(data) < 100 || !bytes.Equal(data, bytes.Repeat(data[:1], len(data))) || s.used != int64(len(data)) || count(t, dir, "blob") != 1 {
			t.Errorf("%d bytes, %d used, %d contents", len(data), s.used, count(t, dir, "blob"))
		}
		s = open(t, dir, 1<<20)
	}
}

// A crash leaves files of any step. The next start has what was answered, and nothing else.
func TestStartRemovesWhatACrashLeftHalfMade(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 1<<20)
	if err := s.CreateBucket(Bucket{Name: "b"}); err != nil {
		t.Fatal(err)
	}
	if err := put(t, s, "b", "k", []byte("kept")); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		"new/draft-1": "half a content", "blob/0123": "a content without an object", "bucket/b/.new-1": "half an object",
		"bucket/half/0.json": "{}", "upload/half/00001.json": "{}", "upload/gone/upload.json": `{"ID":"gone","Bucket":"gone"}`,
	} {
		path = filepath.Join(dir, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	s = open(t, dir, 1<<20)
	if got := read(t, s, "b", "k", 0); string(got) != "kept" {
		t.Errorf("%q", got)
	}
	for folder, want := range map[string]int{"new": 0, "blob": 1, "bucket": 1, "bucket/b": 2, "upload": 0} {
		if n := count(t, dir, folder); n != want {
			t.Errorf("%s: %d files, want %d", folder, n, want)
		}
	}
}

func TestUploadsInPartsOutliveARestart(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 1<<20)
	if err := s.CreateBucket(Bucket{Name: "b"}); err != nil {
		t.Fatal(err)
	}
	u, err := s.StartUpload(Upload{Bucket: "b", Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	for n, text := range []string{"one", "two", "zwei"} { // the last is part 2 again
		d, err := s.Draft(4)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(d, text)
		if err := s.PutPart(u, &Part{Number: min(n+1, 2)}, d); err != nil {
			t.Fatal(err)
		}
		d.Close()
	}
	s = open(t, dir, 1<<20)
	u, parts, err := s.Upload("b", "k", u.ID)
	if err != nil || len(parts) != 2 || parts[1].Size != 4 || s.used != 7 || count(t, dir, "blob") != 2 {
		t.Fatalf("%v, %v, %d used", parts, err, s.used)
	}
	if _, _, err := s.Upload("b", "other", u.ID); !errors.Is(err, ErrNoUpload) {
		t.Errorf("%v", err)
	}
	if err := s.Abort(u); err != nil || s.used != 0 || s.entries != 0 || count(t, dir, "blob") != 0 || count(t, dir, "upload") != 0 {
		t.Errorf("%v, %d used", err, s.used)
	}
	if err := s.Abort(u); !errors.Is(err, ErrNoUpload) {
		t.Errorf("%v", err)
	}
	for n := range MaxUploads + 1 {
		_, err := s.StartUpload(Upload{Bucket: "b", Key: fmt.Sprint(n)})
		if want := n == MaxUploads; errors.Is(err, ErrTooMany) != want {
			t.Fatalf("upload %d: %v", n, err)
		}
	}
	if err := s.DeleteBucket("b"); err != nil || count(t, dir, "upload") != 0 {
		t.Errorf("%v", err)
	}
}
