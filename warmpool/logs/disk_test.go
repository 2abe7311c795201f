package logs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// A slowDisk takes nothing until it is released.
type slowDisk struct {
	entered chan struct{} // gets one for every write
	release chan struct{}
}

func openSlow(t *testing.T, cfg Config, log *zap.Logger) (*Store, *slowDisk) {
	t.Helper()
	d := &slowDisk{make(chan struct{}, 100_000), make(chan struct{})}
	cfg.Dir = t.TempDir()
	s, err := open(cfg, log, func(path string, b []byte) (int, error) {
		d.entered <- struct{}{}
		<-d.release
		return appendFile(path, b)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, d
}

func TestDiskThatHangsHoldsNoCallerAndDroppedLinesAreTold(t *testing.T) {
	core, warnings := observer.New(zapcore.WarnLevel)
	s, disk := openSlow(t, Config{}, zap.New(core))
	st := group(t, s, "thumb").Stream("1", "e", noon)
	text := []byte(strings.Repeat("x", 1000))
	const lines = 20_000
	for range lines {
		st.Line(noon, "", text) // returns, or the test times out
	}
	dropped := s.Dropped()
	buffered := int64(lines-dropped) * int64(len(text))
	if dropped == 0 || buffered < maxGroupBuffer/2 || buffered > maxGroupBuffer+2*batchSize {
		t.Errorf("%d lines dropped and %d bytes buffered, want about %d", dropped, buffered, maxGroupBuffer)
	}
	close(disk.release)
	flush(t, s)
	st.Line(noon, "", []byte("afterwards"))
	all := events(t, st.Group(), Query{})
	if len(all) != lines-int(dropped)+2 {
		t.Errorf("%d events from %d lines of which %d were dropped", len(all), lines, dropped)
	}
	note := fmt.Sprintf("hearth: %d log lines of this function are missing here, the disk did not take them\n", dropped)
	if got := messages(all[len(all)-2:]); got != note+"afterwards\n" {
		t.Errorf("got %q, want %q", got, note)
	}
	if s.buffered.Load() != 0 || st.group.buffered != 0 {
		t.Errorf("%d bytes count as buffered after all is written", s.buffered.Load())
	}
	if n := warnings.FilterMessage("log lines dropped, the disk does not keep up").Len(); n != 1 {
		t.Errorf("%d warnings in the node's log, want one", n)
	}
}

func TestBuffersOfAllGroupsAreBoundedTogether(t *testing.T) {
	s, disk := openSlow(t, Config{}, zap.NewNop())
	defer close(disk.release)
	text := []byte(strings.Repeat("x", 32<<10))
	for i := range 3 * maxBuffers / maxGroupBuffer {
		st := group(t, s, fmt.Sprintf("f%d", i)).Stream("1", "e", noon)
		for range maxGroupBuffer / len(text) {
			st.Line(noon, "", text)
		}
	}
	if n := s.buffered.Load(); n < maxBuffers || n > maxBuffers+4*batchSize*48 {
		t.Errorf("%d bytes are buffered, want about %d", n, maxBuffers)
	}
	before := s.Dropped()
	group(t, s, "quiet").Stream("1", "e", noon).Line(noon, "", []byte("hello"))
	if s.Dropped() != before {
		t.Error("a quiet group lost its line to the others")
	}
}

func TestFailingDiskLosesItsBatchesAndNothingElse(t *testing.T) {
	var failing atomic.Bool
	core, logged := observer.New(zapcore.InfoLevel)
	s, err := open(Config{Dir: t.TempDir()}, zap.New(core), func(path string, b []byte) (int, error) {
		if failing.Load() {
			n, _ := appendFile(path, b[:len(b)-5]) // torn within its last line
			return n, syscall.ENOSPC
		}
		return appendFile(path, b)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	st := group(t, s, "thumb").Stream("1", "e", noon)
	for _, step := range []string{"bad", "good", "bad", "bad", "good again"} {
		failing.Store(step == "bad")
		st.Line(noon, "", []byte(step+" line"))
		flush(t, s)
		if n := len(segmentFiles(t, s, "thumb")); n > 3 {
			t.Errorf("%d files, a failing disk should not collect empty ones", n)
		}
	}
	first := "hearth: 1 log lines of this function are missing here, the disk did not take them\n"
	note := "hearth: 2 log lines of this function are missing here, the disk did not take them\n"
	if got := messages(events(t, st.Group(), Query{})); got != first+"good line\n"+note+"good again line\n" {
		t.Errorf("got %q", got)
	}
	if s.Dropped() != 3 {
		t.Errorf("%d lines dropped, want 3", s.Dropped())
	}
	var got string
	for _, e := range logged.FilterField(zap.String("log_group", "/aws/lambda/thumb")).All() {
		got += e.Message + "; "
	}
	if got != strings.Repeat("log lines dropped, the disk fails; log lines are written again; ", 2) {
		t.Errorf("the node's log says: %s", got)
	}
}

func TestFolderThatWasRemovedIsMadeAgain(t *testing.T) {
	st := openStream(t)
	g := st.Group()
	st.Line(noon, "", []byte("one"))
	flush(t, g.store)
	if err := os.RemoveAll(g.dir); err != nil {
		t.Fatal(err)
	}
	st.Line(noon, "", []byte("lost"))
	flush(t, g.store)
	st.Line(noon, "", []byte("three"))
	if got := messages(events(t, g, Query{})); !strings.HasSuffix(got, "missing here, the disk did not take them\nthree\n") {
		t.Errorf("got %q", got)
	}
}

// diskUse is what the files of the store take.
func diskUse(t *testing.T, s *Store) int64 {
	t.Helper()
	var n int64
	files, err := filepath.Glob(filepath.Join(s.config.Dir, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		n += info.Size()
	}
	return n
}

func TestEndlessPrintingFillsNoDiskAndTakesNothingFromOthers(t *testing.T) {
	s := openStore(t, Config{MaxFileMB: 1, MaxTotalMB: 4})
	quiet := group(t, s, "quiet").Stream("1", "e", noon)
	for i := range 1000 {
		quiet.Line(noon, "", fmt.Appendf(nil, "quiet %d", i))
	}
	flush(t, s)
	loud := group(t, s, "loud").Stream("1", "e", noon)
	text := []byte(strings.Repeat("x", 1000))
	const lines = 64 << 10
	for i := range lines {
		loud.Line(noon, "", text)
		if i%500 == 0 {
			flush(t, s) // else most would be dropped, which proves nothing
			if n := diskUse(t, s); n > 4<<20 {
				t.Fatalf("%d bytes on disk, 4 MB are allowed", n)
			}
		}
	}
	flush(t, s)
	if n := len(events(t, quiet.Group(), Query{})); n != 1000 {
		t.Errorf("%d of 1000 lines of the quiet function are left", n)
	}
	all := events(t, loud.Group(), Query{})
	if n := len(all); n < 2<<10 || n > 4<<10 {
		t.Errorf("%d lines of the loud function are left, want 2 to 4 MB", n)
	}
	if s.Dropped() > 0 {
		t.Errorf("%d lines dropped", s.Dropped())
	}
	if got, want := s.writer.total, diskUse(t, s); got != want {
		t.Errorf("the store counts %d bytes, there are %d", got, want)
	}
	for _, file := range segmentFiles(t, s, "loud") {
		if info, err := os.Stat(file); err != nil || info.Size() > 1<<20 {
			t.Errorf("%v, %v: over MaxFileMB", info, err)
		}
	}
}

func TestManySmallGroupsKeepTheTotalToo(t *testing.T) {
	s := openStore(t, Config{MaxFileMB: 1, MaxTotalMB: 2})
	text := []byte(strings.Repeat("x", 50<<10))
	for i := range 100 {
		group(t, s, fmt.Sprintf("f%d", i)).Stream("1", "e", noon).Line(noon, "", text)
	}
	flush(t, s)
	if n := diskUse(t, s); n > 2<<20 || n < 1<<20 {
		t.Errorf("%d bytes on disk, want just under 2 MB", n)
	}
	group(t, s, "f0").Stream("1", "e", noon).Line(noon, "", []byte("again"))
	if got := messages(events(t, group(t, s, "f0"), Query{})); !strings.HasSuffix(got, "again\n") {
		t.Errorf("a group that was evicted reads %.40q", got)
	}
}

func TestRetentionRemovesWhatIsOld(t *testing.T) {
	g := openHistory(t, 30)
	dir := g.store.config.Dir
	g.store.Close()
	files := segmentFiles(t, g.store, "thumb")
	for i, age := range []time.Duration{49 * time.Hour, 47 * time.Hour, 0} {
		at := time.Now().Add(-age)
		if err := os.Chtimes(files[i], at, at); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		retention time.Duration
		want      int
	}{{-1, 30}, {0, 30}, {48 * time.Hour, 20}, {time.Hour, 10}} {
		s := openStore(t, Config{Dir: dir, Retention: c.retention})
		if n := len(events(t, group(t, s, "thumb"), Query{})); n != c.want {
			t.Errorf("%d events with a retention of %s, want %d", n, c.retention, c.want)
		}
		s.Close()
	}
}

func TestSegmentOfADayIsClosed(t *testing.T) {
	st := openStream(t)
	g := st.Group()
	st.Line(noon, "", []byte("a line"))
	flush(t, g.store)
	g.mu.Lock()
	before := g.segments[0]
	g.segments[0].id -= (25 * time.Hour).Milliseconds()
	after := g.segments[0]
	g.mu.Unlock()
	if err := os.Rename(filepath.Join(g.dir, before.name()), filepath.Join(g.dir, after.name())); err != nil {
		t.Fatal(err)
	}
	st.Line(noon, "", []byte("a line"))
	flush(t, g.store)
	if n := len(segmentFiles(t, g.store, "thumb")); n != 2 {
		t.Errorf("%d segments, want a second one", n)
	}
}

func TestLineThatACrashHasTornIsNotRead(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, Config{Dir: dir})
	st := group(t, s, "thumb").Stream("1", "e", noon)
	st.Line(noon, "", []byte("whole"))
	st.Line(noon, testID, []byte("first\nsecond\nthird"))
	s.Close()
	file := segmentFiles(t, s, "thumb")[0]
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for n := len(whole); n >= 0; n-- {
		if err := os.Truncate(file, int64(n)); err != nil {
			t.Fatal(err)
		}
		s := openStore(t, Config{Dir: dir})
		got := messages(events(t, group(t, s, "thumb"), Query{}))
		switch got {
		case "", "whole\n", "whole\nfirst\n", "whole\nfirst\nsecond\n", "whole\nfirst\nsecond\nthird\n":
		default:
			t.Fatalf("of the first %d bytes %q was read", n, got)
		}
		if n == len(whole) && got != "whole\nfirst\nsecond\nthird\n" {
			t.Errorf("got %q", got)
		}
		s.Close()
	}
}

func TestBatchThatIsHalfWrittenIsNotRead(t *testing.T) {
	st := openStream(t)
	g := st.Group()
	st.Line(noon, "", []byte("whole"))
	flush(t, g.store)
	// What a reader sees while the writer is at work: more than is known to be whole.
	more := []byte("2023-11-23T12:00:00.000Z 1 - first\n\tsec")
	if _, err := appendFile(segmentFiles(t, g.store, "thumb")[0], more); err != nil {
		t.Fatal(err)
	}
	if got := messages(events(t, g, Query{})); got != "whole\n" {
		t.Errorf("got %q", got)
	}
}

func TestOpenLeavesOtherFilesAlone(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"README", "no function!/x.log", "thumb/notes.txt", "thumb/20261123T060000,000Z.log", "thumb/20261123T060000.000Z.log/x"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := openStore(t, Config{Dir: dir, Retention: time.Nanosecond})
	if got := events(t, group(t, s, "thumb"), Query{}); len(got) != 0 {
		t.Errorf("got %v", got)
	}
	if n := s.writer.total; n != 0 {
		t.Errorf("%d bytes of other files count", n)
	}
	var n int
	filepath.WalkDir(dir, func(_ string, d os.DirEntry, _ error) error {
		if d.Type().IsRegular() {
			n++
		}
		return nil
	})
	if n != 5 {
		t.Errorf("%d of 5 files are left", n)
	}
}

func TestManyGoroutinesLogAndReadAtOnce(t *testing.T) {
	s := openStore(t, Config{MaxFileMB: 1, MaxTotalMB: 64})
	const writers, calls = 8, 500
	var writing, reading sync.WaitGroup
	for n := range writers {
		writing.Go(func() {
			st := group(t, s, fmt.Sprintf("f%d", n%3)).Stream("1", fmt.Sprint(n), noon)
			for i := range calls {
				id := fmt.Sprintf("%d-%d", n, i)
				tail := st.Tail(id)
				now := time.Now()
				st.Start(now, id, "1")
				st.Line(now, id, []byte("one\ntwo"))
				st.End(now, id)
				st.Report(now, id, benchReport)
				if got := string(tail.Close()); !strings.HasPrefix(got, "START RequestId: "+id+" Version: 1\none\ntwo\nEND ") {
					t.Errorf("tail of %s is %q", id, got)
				}
			}
		})
	}
	stop := make(chan struct{})
	for n := range 3 {
		reading.Go(func() {
			g := group(t, s, fmt.Sprintf("f%d", n))
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := g.Last(t.Context(), Query{}, 100); err != nil {
					t.Error(err)
				}
				if _, err := g.Streams(t.Context()); err != nil {
					t.Error(err)
				}
				s.Groups()
			}
		})
	}
	writing.Wait()
	close(stop)
	reading.Wait()
	perStream := make(map[string]int)
	total := 0
	for n := range 3 {
		for _, e := range events(t, group(t, s, fmt.Sprintf("f%d", n)), Query{}) {
			total++
			// The events of a stream are in its order: START, line, END, REPORT.
			want := []string{"START ", "one\n", "END ", "REPORT "}[perStream[e.Stream]%4]
			if !strings.HasPrefix(e.Message, want) {
				t.Fatalf("event %d of %s is %q, want %q", perStream[e.Stream], e.Stream, e.Message, want)
			}
			perStream[e.Stream]++
		}
	}
	if total != writers*calls*4 || s.Dropped() > 0 {
		t.Errorf("%d events, want %d; %d dropped", total, writers*calls*4, s.Dropped())
	}
}

func TestPlatformLinesNeedNoAllocation(t *testing.T) {
	s := openMemory(t)
	st := group(t, s, "thumb").Stream("$LATEST", "6c1f0a", noon)
	text := []byte("hello\nworld\n")
	n := testing.AllocsPerRun(50_000, func() {
		invocation(st, noon)
		st.Line(noon, testID, text)
	})
	// A new batch now and then is no allocation per call.
	if n >= 1 {
		t.Errorf("%.2f allocations per invocation", n)
	}
}
