package logs

import (
	"errors"
	"maps"
	"testing"
	"time"

	"go.uber.org/zap"
)

func TestWhatCallsSayOfAGroupIsKept(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Config{Dir: dir, Retention: -1}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	g, err := s.Named("/ours/made")
	if err != nil {
		t.Fatal(err)
	}
	put := func(stream, text string) error {
		return g.Put(t.Context(), stream, []Message{{noon, []byte(text)}})
	}
	if err := put("a", "early"); !errors.Is(err, ErrNoStream) {
		t.Errorf("put into no stream: %v", err)
	}
	for _, err := range []error{
		g.Create(map[string]string{"team": "blue"}, noon), g.CreateStream(t.Context(), "a", noon), g.CreateStream(t.Context(), "b", noon),
		put("a", "one"), put("b", "two\nlines"), g.DeleteStream(t.Context(), "a"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := g.Create(nil, noon); !errors.Is(err, ErrGroupExists) {
		t.Errorf("made twice: %v", err)
	}
	for range 2 { // now, and after a restart
		streams, err := g.Streams(t.Context())
		if err != nil || len(streams) != 1 || streams[0].Name != "b" || !streams[0].Created.Equal(noon) {
			t.Errorf("streams %+v, %v", streams, err)
		}
		if all := events(t, g, Query{}); len(all) != 1 || all[0].Message != "two\nlines\n" || !g.Made("b") {
			t.Errorf("events %+v", all)
		}
		if !maps.Equal(g.Tags(), map[string]string{"team": "blue"}) || !g.Created().Equal(noon) || len(s.Groups()) != 1 {
			t.Errorf("tags %v, created %v, %d groups", g.Tags(), g.Created(), len(s.Groups()))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if s, err = Open(Config{Dir: dir, Retention: -1}, zap.NewNop()); err != nil {
			t.Fatal(err)
		}
		if g, err = s.Named("/ours/made"); err != nil {
			t.Fatal(err)
		}
	}
	defer s.Close()
	if err := g.Remove(t.Context()); err != nil || g.Exists() || len(g.Tags()) != 0 {
		t.Errorf("removed: %v, tags %v", err, g.Tags())
	}
}

// PutLogEvents takes events of the last days after those of today.
func TestEndOfAQueryIsNotTheFirstLaterEventWhereEventsAreOfAnyTime(t *testing.T) {
	s, err := Open(Config{Dir: t.TempDir(), Retention: -1}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	g, err := s.Named("/ours/late")
	if err != nil {
		t.Fatal(err)
	}
	yesterday := noon.Add(-24 * time.Hour)
	for _, err := range []error{
		g.Create(nil, noon), g.CreateStream(t.Context(), "a", noon),
		g.Put(t.Context(), "a", []Message{{noon, []byte("today")}}),
		g.Put(t.Context(), "a", []Message{{yesterday, []byte("yesterday")}}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	q := Query{From: yesterday, To: yesterday.Add(time.Hour)}
	if found := events(t, g, q); len(found) != 1 || found[0].Message != "yesterday\n" {
		t.Errorf("Events found %+v", found)
	}
	if found, err := g.Last(t.Context(), q, 10); err != nil || len(found) != 1 || found[0].Message != "yesterday\n" {
		t.Errorf("Last found %+v, %v", found, err)
	}
}
