package logs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is the time of the first event in most tests.
var noon = time.Date(2023, 11, 23, 12, 0, 0, 0, time.UTC)

const testID = "8f5d2b3a-0c1d-4e2f-9a8b-7c6d5e4f3a2b"

func openStore(t testing.TB, cfg Config) *Store {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	s, err := Open(cfg, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func group(t testing.TB, s *Store, name string) *Group {
	t.Helper()
	g, err := s.Group(name)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// openStream returns a stream of the function "thumb" in a store of its own.
func openStream(t testing.TB) *Stream {
	t.Helper()
	return group(t, openStore(t, Config{}), "thumb").Stream("$LATEST", "6c1f0a", noon)
}

func flush(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func events(t testing.TB, g *Group, q Query) []Event {
	t.Helper()
	var all []Event
	for e, err := range g.Events(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

func messages(all []Event) string {
	var b strings.Builder
	for _, e := range all {
		b.WriteString(e.Message)
	}
	return b.String()
}

// segmentFiles returns the paths of the files of the function.
func segmentFiles(t testing.TB, s *Store, function string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.config.Dir, function, "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestInvocationReadsAsOnLambda(t *testing.T) {
	st := openStream(t)
	st.Start(noon, testID, "$LATEST")
	st.Line(noon.Add(time.Millisecond), testID, []byte("hello\n"))
	st.End(noon.Add(3*time.Millisecond), testID)
	st.Report(noon.Add(3*time.Millisecond), testID, Report{Duration: 2180 * time.Microsecond, MemoryMB: 128, MaxMemoryUsedMB: 67})

	all := events(t, st.Group(), Query{})
	want := "START RequestId: " + testID + " Version: $LATEST\n" +
		"hello\n" +
		"END RequestId: " + testID + "\n" +
		"REPORT RequestId: " + testID + "\tDuration: 2.18 ms\tBilled Duration: 3 ms\tMemory Size: 128 MB\tMax Memory Used: 67 MB\t\n"
	if got := messages(all); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	for _, e := range all {
		if e.RequestID != testID {
			t.Errorf("request ID of %q is %q", e.Message, e.RequestID)
		}
		if e.Stream != "2023/11/23/[$LATEST]6c1f0a" || e.Stream != st.Name() {
			t.Errorf("stream of %q is %q", e.Message, e.Stream)
		}
	}
	if len(all) != 4 || !all[1].Time.Equal(noon.Add(time.Millisecond)) {
		t.Errorf("got times %v", all)
	}
	if name := st.Group().Name(); name != "/aws/lambda/thumb" {
		t.Errorf("group is named %q", name)
	}
}

func TestPlatformLinesAreWordedAsLambdas(t *testing.T) {
	ok := Report{Duration: 3010 * time.Microsecond, MemoryMB: 128, MaxMemoryUsedMB: 36}
	with := func(change func(*Report)) Report { r := ok; change(&r); return r }
	report := func(r Report) func(*Stream) { return func(st *Stream) { st.Report(noon, "ID", r) } }
	for name, c := range map[string]struct {
		log  func(*Stream)
		want string
	}{
		"cold start": {
			report(with(func(r *Report) { r.InitDuration = 110100 * time.Microsecond })),
			"REPORT RequestId: ID\tDuration: 3.01 ms\tBilled Duration: 114 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\tInit Duration: 110.10 ms\t\n",
		},
		"timeout": {
			report(with(func(r *Report) { r.Duration, r.Status = 3*time.Second, "timeout" })),
			"REPORT RequestId: ID\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\tStatus: timeout\n",
		},
		"error": {
			report(with(func(r *Report) { r.Status, r.ErrorType = "error", "Runtime.ExitError" })),
			"REPORT RequestId: ID\tDuration: 3.01 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\tStatus: error\tError Type: Runtime.ExitError\n",
		},
		"rounded": {
			report(with(func(r *Report) { r.Duration = 996 * time.Microsecond })),
			"REPORT RequestId: ID\tDuration: 1.00 ms\tBilled Duration: 1 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t\n",
		},
		"task timed out": {
			func(st *Stream) { st.Timeout(noon.Add(7*time.Millisecond), "ID", 3*time.Second) },
			"2023-11-23T12:00:00.007Z ID Task timed out after 3.00 seconds\n\n",
		},
		"init start": {
			func(st *Stream) {
				st.InitStart(noon, "nodejs:22.v12", "arn:aws:lambda:us-east-1::runtime:nodejs-22.12")
			},
			"INIT_START Runtime Version: nodejs:22.v12\tRuntime Version ARN: arn:aws:lambda:us-east-1::runtime:nodejs-22.12\n",
		},
		"init report": {
			func(st *Stream) {
				st.InitReport(noon, InitReport{150790 * time.Microsecond, "init", "error", "Runtime.UserCodeSyntaxError"})
			},
			"INIT_REPORT Init Duration: 150.79 ms\tPhase: init\tStatus: error\tError Type: Runtime.UserCodeSyntaxError\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			st := openStream(t)
			c.log(st)
			if got := messages(events(t, st.Group(), Query{})); got != c.want {
				t.Errorf("got\n%q, want\n%q", got, c.want)
			}
		})
	}
}

func TestAnyTextComesBackAsItWasLogged(t *testing.T) {
	st := openStream(t)
	texts := []string{
		"\n\n", "a", "a\n", "\ta", "a\n\tb", "a\nb\n\n", "# 1 2023/11/23/[1]forged",
		"2023-11-23T12:00:00.000Z 1 forged START", "x\n2023-11-23T12:00:00.000Z 1 forged START",
		"x\n# 1 2023/11/23/[1]forged", "nul\x00 and no utf-8 \xff\xfe", "carriage\r\nreturn", "RequestId: forged",
		strings.Repeat("long ", 40_000), strings.Repeat("\n", 1000),
	}
	for _, text := range append([]string{"", "\n"}, texts...) { // without text there is no event
		st.Line(noon, testID, []byte(text))
	}
	all := events(t, st.Group(), Query{})
	if len(all) != len(texts) {
		t.Fatalf("%d events from %d", len(all), len(texts))
	}
	for i, e := range all {
		if want := strings.TrimSuffix(texts[i], "\n") + "\n"; e.Message != want {
			t.Errorf("got %.100q, want %.100q", e.Message, want)
		}
		if e.RequestID != testID || e.Stream != st.Name() {
			t.Errorf("%.100q is of %q, %q", e.Message, e.RequestID, e.Stream)
		}
	}
}

func TestLineOutsideAnInvocationHasNoRequestID(t *testing.T) {
	st := openStream(t)
	st.Line(noon, "", []byte("loading"))
	st.Line(noon, "not an\nID", []byte("loading"))
	for _, e := range events(t, st.Group(), Query{}) {
		if e.RequestID != "" || e.Message != "loading\n" {
			t.Errorf("got %+v", e)
		}
	}
}

func TestTextOverTheLimitBecomesSeveralEvents(t *testing.T) {
	st := openStream(t)
	text := "x" + strings.Repeat("é", MaxLine) // so that the limit is within a character
	st.Line(noon, testID, []byte(text))
	st.Line(noon, testID, []byte(strings.Repeat("\x80", MaxLine+1)))
	st.Line(noon, testID, []byte(strings.Repeat("y", MaxLine)))
	all := events(t, st.Group(), Query{})
	if len(all) != 3+2+1 {
		t.Fatalf("%d events", len(all))
	}
	var joined string
	for _, e := range all[:3] {
		if len(e.Message) > MaxLine+1 {
			t.Errorf("an event of %d bytes", len(e.Message))
		}
		if !strings.HasPrefix(strings.TrimPrefix(e.Message, "x"), "é") {
			t.Errorf("an event begins within a character: %q", e.Message[:4])
		}
		joined += strings.TrimSuffix(e.Message, "\n")
	}
	if joined != text {
		t.Error("the parts are not the text")
	}
}

func TestLateRecordKeepsTheOrderOfTime(t *testing.T) {
	st := openStream(t)
	for _, d := range []time.Duration{0, 50, 20, 60, -5000, -4990} {
		st.Line(noon.Add(d*time.Millisecond), "", []byte("a line"))
	}
	want := []time.Duration{0, 50, 50, 60, -5000, -4990} // the clock was set back
	for i, e := range events(t, st.Group(), Query{}) {
		if got := e.Time.Sub(noon); got != want[i]*time.Millisecond {
			t.Errorf("event %d is %s after noon, want %d ms", i, got, want[i])
		}
	}
}

func TestFilesAreForTheOwnerOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "logs")
	s := openStore(t, Config{Dir: dir})
	group(t, s, "thumb").Stream("1", "e", noon).Line(noon, "", []byte("secret"))
	flush(t, s)
	for path, want := range map[string]os.FileMode{
		dir: 0o700, filepath.Join(dir, "thumb"): 0o700, segmentFiles(t, s, "thumb")[0]: 0o600,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", path, info.Mode().Perm(), want)
		}
	}
}

func TestGroupRefusesNamesThatAreNoFunctions(t *testing.T) {
	s := openStore(t, Config{})
	for _, name := range []string{"", ".", "..", "../etc", "a/b", "a\x00b", "a b", "a\nb", "ä", strings.Repeat("a", 65)} {
		if _, err := s.Group(name); err == nil {
			t.Errorf("%q was taken", name)
		}
	}
	if g, again := group(t, s, "a-B_9"), group(t, s, "a-B_9"); g != again {
		t.Error("a group was made twice")
	}
}

func TestOpenRefusesWhatCannotWork(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, cfg := range []Config{
		{},
		{Dir: file},
		{Dir: t.TempDir(), MaxFileMB: -1},
		{Dir: t.TempDir(), MaxFileMB: 16, MaxTotalMB: 31},
	} {
		if s, err := Open(cfg, zap.NewNop()); err == nil {
			s.Close()
			t.Errorf("%+v was taken", cfg)
		}
	}
}

func TestCloseWritesWhatIsBuffered(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, Config{Dir: dir})
	st := group(t, s, "thumb").Stream("1", "e", noon)
	st.Line(noon, "", []byte("before"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	st.Line(noon, "", []byte("after"))
	if s.Dropped() != 1 {
		t.Errorf("%d lines dropped after Close, want 1", s.Dropped())
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if err := s.Flush(t.Context()); err != ErrClosed {
		t.Errorf("Flush after Close: %v", err)
	}
	if got := messages(events(t, st.Group(), Query{})); got != "before\n" {
		t.Errorf("read after Close: %q", got)
	}
	if got := messages(events(t, group(t, openStore(t, Config{Dir: dir}), "thumb"), Query{})); got != "before\n" {
		t.Errorf("read after opening again: %q", got)
	}
}

func TestBufferReachesTheDiskWithoutBeingAsked(t *testing.T) {
	written := make(chan string, 1)
	s, err := open(Config{Dir: t.TempDir()}, zap.NewNop(), func(_ string, b []byte) (int, error) {
		written <- string(b)
		return len(b), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	group(t, s, "thumb").Stream("1", "e", noon).Line(noon, "", []byte("hello"))
	want := "# 1 2023/11/23/[1]e\n2023-11-23T12:00:00.000Z 1 - hello\n"
	if got := <-written; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCaptureSplitsOutputIntoLines(t *testing.T) {
	st := openStream(t)
	c := st.Capture()
	long := strings.Repeat("x", MaxLine)
	for i, part := range []string{"on", "e\ntwo\n", "\n", long + "\n", long + "yy\n", long + "z", "unfinished"} {
		c.Add(noon, fmt.Sprintf("id%d", i), []byte(part))
	}
	c.End(noon, "end")
	c.End(noon, "again")
	c.Add(noon, "next", []byte("of another\n"))
	want := [][2]string{
		{"id1", "one"}, {"id1", "two"}, {"id3", long}, {"id4", long}, {"id4", "yy"},
		{"id5", long}, {"end", "zunfinished"}, {"next", "of another"},
	}
	all := events(t, st.Group(), Query{})
	if len(all) != len(want) {
		t.Fatalf("%d events, want %d", len(all), len(want))
	}
	for i, e := range all {
		if e.Message != want[i][1]+"\n" || e.RequestID != want[i][0] {
			t.Errorf("got %.40q of %s, want %.40q of %s", e.Message, e.RequestID, want[i][1], want[i][0])
		}
	}
}

func TestTailKeepsTheLastOfItsInvocation(t *testing.T) {
	st := openStream(t)
	st.Line(noon, "a", []byte("too early"))
	a, b := st.Tail("a"), st.Tail("b")
	st.Start(noon, "a", "$LATEST")
	st.Start(noon, "b", "$LATEST")
	st.Line(noon, "", []byte("nobody's"))
	for i := range 5000 {
		st.Line(noon, "b", fmt.Appendf(nil, "line %d", i))
	}
	st.Line(noon, "a", []byte("two\nlines\n"))
	st.End(noon, "a")
	want := "START RequestId: a Version: $LATEST\ntwo\nlines\nEND RequestId: a\n"
	if got := string(a.Close()); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	got := string(b.Close())
	if len(got) != MaxTail || !strings.HasSuffix(got, "line 4998\nline 4999\n") {
		t.Errorf("%d bytes that end in %.40q", len(got), got[max(0, len(got)-40):])
	}
	if len(st.tails) != 0 {
		t.Errorf("%d tails are left", len(st.tails))
	}
	c := st.Tail("c")
	st.Line(noon, "c", []byte(strings.Repeat("x", 2*MaxTail)+"\nend"))
	if got := c.Close(); len(got) != MaxTail || !strings.HasSuffix(string(got), "x\nend\n") {
		t.Errorf("%d bytes of a long line that end in %.40q", len(got), got[max(0, len(got)-40):])
	}
}
