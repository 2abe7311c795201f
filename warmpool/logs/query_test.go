package logs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// openHistory returns the group of a function that has logged n numbered events,
// one per second, by turns in three streams, in several segments.
func openHistory(t *testing.T, n int) *Group {
	t.Helper()
	dir := t.TempDir()
	for first := 0; first < n; first += 10 { // each store begins a segment
		s := openStore(t, Config{Dir: dir})
		g := group(t, s, "thumb")
		var streams [3]*Stream
		for i := range streams {
			streams[i] = g.Stream("1", fmt.Sprintf("e%d", i), noon)
		}
		for i := first; i < min(first+10, n); i++ {
			streams[i%3].Line(noon.Add(time.Duration(i)*time.Second), "", fmt.Append(nil, i))
		}
		s.Close()
	}
	return group(t, openStore(t, Config{Dir: dir}), "thumb")
}

// numbers returns the messages on one line.
func numbers(all []Event) string {
	return strings.TrimSpace(strings.ReplaceAll(messages(all), "\n", " "))
}

func TestEventsComeInOrderFromAllSegments(t *testing.T) {
	g := openHistory(t, 30)
	all := events(t, g, Query{})
	if len(all) != 30 {
		t.Fatalf("%d events", len(all))
	}
	for i, e := range all {
		if e.Message != fmt.Sprintf("%d\n", i) || e.Stream != fmt.Sprintf("2023/11/23/[1]e%d", i%3) {
			t.Errorf("event %d is %+v", i, e)
		}
		if i > 0 && e.Position.String() <= all[i-1].Position.String() {
			t.Errorf("position %s comes after %s", e.Position, all[i-1].Position)
		}
	}
}

func TestEventsAreSelectedByTimeAndStream(t *testing.T) {
	g := openHistory(t, 30)
	at := func(s int) time.Time { return noon.Add(time.Duration(s) * time.Second) }
	const ms = time.Millisecond
	for _, c := range []struct {
		q    Query
		want string
	}{
		{Query{From: at(8), To: at(12)}, "8 9 10 11"},
		{Query{From: at(27)}, "27 28 29"},
		{Query{To: at(2)}, "0 1"},
		{Query{To: at(1).Add(ms)}, "0 1"},
		{Query{From: at(0).Add(ms), To: at(2)}, "1"},
		{Query{From: at(40)}, ""},
		{Query{To: noon}, ""},
		{Query{From: at(20), Stream: func(name string) bool { return strings.HasSuffix(name, "e2") }}, "20 23 26 29"},
	} {
		if got := numbers(events(t, g, c.q)); got != c.want {
			t.Errorf("%+v: got %s, want %s", c.q, got, c.want)
		}
	}
}

func TestEventsResumeAfterAPosition(t *testing.T) {
	g := openHistory(t, 30)
	var q Query
	for i := range 30 {
		for e, err := range g.Events(t.Context(), q) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Message != fmt.Sprintf("%d\n", i) {
				t.Fatalf("event %d is %q", i, e.Message)
			}
			if q.After, err = ParsePosition(e.Position.String()); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	if more := events(t, g, q); len(more) != 0 {
		t.Errorf("after the last came %v", more)
	}
	g.Stream("1", "new", noon).Line(noon.Add(time.Hour), "", []byte("30"))
	if got := numbers(events(t, g, q)); got != "30" {
		t.Errorf("got %q, want what was logged since", got)
	}
}

func TestPositionsThatWereNotGivenOutAreHarmless(t *testing.T) {
	g := openHistory(t, 20)
	for _, token := range []string{"", ".", "a.b", "1", "1.", ".1", "-1.1", "1.-1", "1.1.1", "99999999999999999999.1"} {
		if _, err := ParsePosition(token); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", token)) {
			t.Errorf("%q: %v", token, err)
		}
	}
	for token, want := range map[string]int{"0.0": 20, "1.5": 20, "9999999999999.0": 0} {
		p, err := ParsePosition(token)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(events(t, g, Query{After: p})); got != want {
			t.Errorf("after %s there are %d events, want %d", token, got, want)
		}
	}
	first := g.segments[0]
	if got := len(events(t, g, Query{After: Position{first.id, 1 << 40}})); got != 10 {
		t.Errorf("behind the end of the first segment there are %d events, want those of the second", got)
	}
}

func TestLastPagesBackwards(t *testing.T) {
	g := openHistory(t, 30)
	var q Query
	for _, want := range []string{
		"23 24 25 26 27 28 29", "16 17 18 19 20 21 22", "9 10 11 12 13 14 15", "2 3 4 5 6 7 8", "0 1", "",
	} {
		page, err := g.Last(t.Context(), q, 7)
		if err != nil {
			t.Fatal(err)
		}
		if got := numbers(page); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if len(page) > 0 {
			q.Before = page[0].Position
		}
	}
	q = Query{To: noon.Add(12 * time.Second), Stream: func(name string) bool { return strings.HasSuffix(name, "e0") }}
	page, err := g.Last(t.Context(), q, 3)
	if got := numbers(page); got != "3 6 9" || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestLastIsBoundedInBytes(t *testing.T) {
	st := openStream(t)
	for range 20 {
		st.Line(noon, "", []byte(strings.Repeat("x", 100<<10)))
	}
	page, err := st.Group().Last(t.Context(), Query{}, 10_000)
	if err != nil || len(page) != 10 {
		t.Errorf("%d events, %v; want the 10 that fit into 1 MB", len(page), err)
	}
}

func TestFollowGivesWhatIsLoggedNext(t *testing.T) {
	s := openStore(t, Config{MaxFileMB: 1, MaxTotalMB: 64})
	st := group(t, s, "thumb").Stream("1", "e", noon)
	st.Line(noon, "", []byte("0"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	filler := strings.Repeat(" ", 100<<10) // so that segments rotate
	i := 0
	var end error
	for e, err := range st.Group().Events(ctx, Query{Follow: true}) {
		if err != nil {
			end = err
			break
		}
		if got := strings.TrimSpace(e.Message); got != fmt.Sprint(i) {
			t.Fatalf("event %d is %.20q", i, got)
		}
		i++
		if i == 50 {
			cancel()
			continue
		}
		st.Line(noon, "", fmt.Appendf(nil, "%d%s", i, filler))
	}
	if !errors.Is(end, context.Canceled) || i != 50 {
		t.Errorf("ended after %d events with %v", i, end)
	}
	if n := len(segmentFiles(t, s, "thumb")); n < 3 {
		t.Errorf("%d segments, the test wants several", n)
	}
}

func TestFollowEndsWithTheStore(t *testing.T) {
	st := openStream(t)
	st.Line(noon, "", []byte("0"))
	for e, err := range st.Group().Events(t.Context(), Query{Follow: true}) {
		if err == nil && e.Message == "0\n" {
			st.Group().store.Close()
		} else if !errors.Is(err, ErrClosed) {
			t.Errorf("got %v, %v", e, err)
		}
	}
}

func TestFollowGivesTheLinesThatCloseWrites(t *testing.T) {
	st := openStream(t)
	st.Line(noon, "", []byte("0"))
	var got []Event
	for e, err := range st.Group().Events(t.Context(), Query{Follow: true}) {
		if err != nil {
			break
		}
		got = append(got, e)
		if len(got) == 1 {
			st.Line(noon, "", []byte("1"))
			st.Group().store.Close()
		}
	}
	if numbers(got) != "0 1" {
		t.Errorf("got %q", numbers(got))
	}
}

func TestStreamsTellTheirFirstAndLastEvent(t *testing.T) {
	g := openHistory(t, 30)
	for round := range 2 { // with and without the index
		infos, err := g.Streams(t.Context())
		if err != nil || len(infos) != 3 {
			t.Fatalf("%v, %v", infos, err)
		}
		for i, info := range infos {
			first, last := noon.Add(time.Duration(i)*time.Second), noon.Add(time.Duration(27+i)*time.Second)
			if round == 1 && i == 0 {
				last = noon.Add(time.Hour)
			}
			if want := fmt.Sprintf("2023/11/23/[1]e%d", i); info != (StreamInfo{want, first, last, first}) {
				t.Errorf("round %d: got %+v, want %s from %s to %s", round, info, want, first, last)
			}
		}
		g.Stream("1", "e0", noon).Line(noon.Add(time.Hour), "", []byte("late"))
	}
}

func TestGroupsAreThoseThatHaveLogged(t *testing.T) {
	s := openStore(t, Config{})
	group(t, s, "silent")
	for _, name := range []string{"b", "a"} {
		group(t, s, name).Stream("1", "e", noon).Line(noon, "", []byte("a line"))
	}
	flush(t, s)
	groups := s.Groups()
	if len(groups) != 2 || groups[0].Name() != "/aws/lambda/a" || groups[1].Name() != "/aws/lambda/b" {
		t.Errorf("got %v", groups)
	}
	if since := time.Since(groups[0].Created()); since < 0 || since > time.Minute {
		t.Errorf("created %s ago", since)
	}
}

func TestSegmentThatIsGoneIsEmpty(t *testing.T) {
	g := openHistory(t, 30)
	files := segmentFiles(t, g.store, "thumb")
	if err := os.Remove(files[1]); err != nil {
		t.Fatal(err)
	}
	if got := len(events(t, g, Query{})); got != 20 {
		t.Errorf("%d events, want those of the other two segments", got)
	}
}

func TestReadingEndsWithItsContext(t *testing.T) {
	g := openHistory(t, 10)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range g.Events(ctx, Query{}) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Events: %v", err)
		}
	}
	if _, err := g.Last(ctx, Query{}, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("Last: %v", err)
	}
	if _, err := g.Streams(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Streams: %v", err)
	}
}
