package timeseries

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A clock is moved by tests.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func openAt(t *testing.T, dir string, c *clock) *Store {
	t.Helper()
	s, err := Open(Config{Dir: dir, Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func observe(t *testing.T, s *Store, key string, at time.Time, values ...float64) {
	t.Helper()
	series, err := s.Series(key)
	if err != nil {
		t.Fatal(err)
	}
	var stat Stat
	for _, v := range values {
		stat.Observe(v)
	}
	s.Add(at, Entry{series, &stat})
}

// sums are those of the periods of a range.
func sums(t *testing.T, s *Store, key string, from time.Time, n int, period time.Duration) (out []float64) {
	t.Helper()
	all, err := s.Read(t.Context(), []string{key, "none"}, Range{from, from.Add(time.Duration(n) * period), period})
	if err != nil {
		t.Fatal(err)
	}
	for i, stat := range all[0] {
		if all[1][i] != nil {
			t.Errorf("there are values of a series that is not there")
		}
		sum := 0.0
		if stat != nil {
			sum = stat.Sum
		}
		out = append(out, sum)
	}
	return out
}

func want(t *testing.T, what string, got []float64, wanted ...float64) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(wanted) {
		t.Errorf("%s: %v, not %v", what, got, wanted)
	}
}

func TestValuesOutliveACrash(t *testing.T) {
	c := &clock{time.Date(2026, 11, 29, 12, 0, 3, 0, time.UTC)}
	dir, begin := t.TempDir(), c.now.Truncate(time.Hour)
	s := openAt(t, dir, c)
	observe(t, s, "a", c.now, 1, 2)
	observe(t, s, "b", c.now, 5)
	c.now = c.now.Add(time.Minute)
	observe(t, s, "a", c.now, 4)
	s.Write()
	observe(t, s, "a", c.now, 8)
	want(t, "seconds", sums(t, s, "a", c.now, 2, time.Second), 12, 0)
	want(t, "minutes", sums(t, s, "a", begin, 3, time.Minute), 3, 12, 0)

	// What a crash leaves is what was written, perhaps with half a frame.
	copied := t.TempDir()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(copied, e.Name()), append(data, 90, 1, 0, 0, 7, 7), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s = openAt(t, copied, c)
		want(t, "after a crash", sums(t, s, "a", begin, 3, time.Minute), 3, 4, 0)
		want(t, "the other", sums(t, s, "b", begin, 3, time.Minute), 5, 0, 0)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s = openAt(t, dir, c)
	defer s.Close()
	want(t, "after a stop", sums(t, s, "a", begin, 3, time.Minute), 3, 12, 0)
}

func TestMinutesBecomeHoursAndHoursEnd(t *testing.T) {
	c := &clock{time.Date(2026, 11, 1, 0, 0, 30, 0, time.UTC)}
	dir, begin := t.TempDir(), c.now.Truncate(time.Hour)
	s := openAt(t, dir, c)
	for range 24 * 4 { // a value each 15 minutes for a day
		observe(t, s, "a", c.now, 1)
		s.Write()
		c.now = c.now.Add(15 * time.Minute)
	}
	s.Write()
	want(t, "minutes", sums(t, s, "a", begin, 2, 15*time.Minute), 1, 1)
	observe(t, s, "a", begin.Add(5*time.Minute), 100) // late
	want(t, "late", sums(t, s, "a", begin, 2, 15*time.Minute), 101, 1)
	for range 30 {
		c.now = c.now.Add(time.Hour)
		observe(t, s, "b", c.now, 1)
		s.Write()
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, dir, c)
	defer func() { s.Close() }()
	want(t, "hours", sums(t, s, "a", begin, 3, time.Hour), 104, 4, 4)
	want(t, "a day", sums(t, s, "a", begin, 2, 24*time.Hour), 24*4+100, 0)
	entries, _ := filepath.Glob(filepath.Join(dir, "minutes-*"))
	if len(entries) > 27 {
		t.Errorf("%d files of minutes are left", len(entries))
	}
	if entries, _ = filepath.Glob(filepath.Join(dir, "hours-*")); len(entries) > 40 {
		t.Errorf("%d files of hours are left", len(entries))
	}
	c.now = c.now.Add(61 * 24 * time.Hour)
	observe(t, s, "b", c.now, 1)
	s.Write()
	want(t, "after two months", sums(t, s, "a", begin, 2, 24*time.Hour), 0, 0)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, dir, c)
	found := 0
	s.Each(func(key string, _ time.Time) {
		if found++; key != "b" {
			t.Errorf("%s has no values any more, and is listed", key)
		}
	})
	if found != 1 {
		t.Errorf("%d series are listed", found)
	}
}

func TestDamagedFileIsPutAside(t *testing.T) {
	c := &clock{time.Date(2026, 11, 29, 12, 0, 3, 0, time.UTC)}
	dir := t.TempDir()
	s := openAt(t, dir, c)
	observe(t, s, "a", c.now, 1)
	c.now = c.now.Add(time.Hour)
	s.Write()
	observe(t, s, "a", c.now, 2)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"minutes-00000001", "hours-00000001-00000001"} {
		if err := os.Truncate(filepath.Join(dir, name), 30); err != nil {
			t.Fatal(err)
		}
	}
	s = openAt(t, dir, c)
	defer s.Close()
	want(t, "what is left", sums(t, s, "a", c.now.Truncate(time.Hour).Add(-time.Hour), 2, time.Hour), 0, 2)
	if _, err := os.Stat(filepath.Join(dir, "damaged-minutes-00000001")); err != nil {
		t.Error(err)
	}
}

func FuzzFile(f *testing.F) {
	path := filepath.Join(f.TempDir(), "file")
	var s Stat
	s.Observe(1)
	s.Observe(2)
	_, err := writeFile(path, func(yield func(chunk) bool) {
		_ = yield(chunk{1, appendPoint(nil, 0, 60, &s)}) && yield(chunk{7, appendPoint(nil, 0, 120, &s)})
	})
	if err != nil {
		f.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := openFile(path)
		if err != nil {
			return
		}
		_ = file.read(nil, func(_ uint32, data []byte) error {
			p := points{data: data}
			for p.next() {
			}
			return p.err
		})
	})
}

func TestKeysAreBoundedTogether(t *testing.T) {
	s, err := Open(Config{})
	if err != nil {
		t.Fatal(err)
	}
	most := maxKeys / maxKey
	for n := range most + 1 {
		key := fmt.Sprintf("%0*d", maxKey, n)
		if _, err := s.Series(key); (err != nil) != (n == most) {
			t.Fatalf("series %d: %v", n, err)
		}
	}
	if _, err := s.Series(fmt.Sprintf("%0*d", maxKey, 0)); err != nil {
		t.Errorf("a series that is there: %v", err)
	}
}

func TestAnIndexWithAHugeLengthIsDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	var s Stat
	s.Observe(1)
	file, err := writeFile(path, func(yield func(chunk) bool) { yield(chunk{1, appendPoint(nil, 0, 60, &s)}) })
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	index := binary.AppendUvarint([]byte{1}, 1<<63+8) // below zero as an int64
	file.indexLength, file.indexSum = int64(len(index)), crc32.Checksum(index, castagnoli)
	data = append(append(data[:file.index], index...), file.footer()...)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if file, err = openFile(path); err != nil {
		t.Fatal(err)
	}
	if err := file.read(nil, func(uint32, []byte) error { return nil }); !errors.Is(err, errDamaged) {
		t.Errorf("got %v", err)
	}
}
