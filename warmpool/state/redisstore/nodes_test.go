package redisstore_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/hearthfn/hearth/warmpool/state"
	"github.com/hearthfn/hearth/warmpool/state/redisstore"
)

func TestBeatsKnowTheNodesThatLiveWhateverChanges(t *testing.T) {
	url := "redis://" + startRedis(t)
	var stores [2]*redisstore.Store
	for i := range stores {
		s, err := redisstore.Open(t.Context(), redisstore.Config{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		stores[i] = s
	}
	one, two := stores[0], stores[1]
	first, second := state.Node{Name: "a", Process: "1"}, state.Node{Name: "b", Process: "2"}
	beats := func(s *redisstore.Store, self state.Node, lasts time.Duration, want string) {
		t.Helper()
		for range 2 { // told, and remembered
			nodes, _, err := s.Beat(t.Context(), self, lasts)
			var got []string
			for _, n := range nodes {
				text := n.Name + n.Process
				if n.Draining {
					text += "-draining"
				}
				got = append(got, text)
			}
			if err != nil || strings.Join(got, " ") != want {
				t.Errorf("%s knows %q (%v), want %q", self.Name, got, err, want)
			}
		}
	}
	beats(one, first, time.Minute, "a1")
	beats(two, second, time.Minute, "a1 b2")
	beats(one, first, time.Minute, "a1 b2")
	second.Draining = true
	beats(two, second, time.Minute, "a1 b2-draining")
	beats(one, first, time.Minute, "a1 b2-draining")
	if err := two.Leave(t.Context(), second); err != nil {
		t.Error(err)
	}
	beats(one, first, time.Minute, "a1")
	second = state.Node{Name: "b", Process: "3"}
	if _, _, err := two.Beat(t.Context(), second, time.Millisecond); err != nil {
		t.Error(err)
	}
	for end := time.Now().Add(10 * time.Millisecond); time.Now().Before(end); {
		_ = one.Client().Ping(t.Context()).Err() // its time passes on the server
	}
	beats(one, first, time.Minute, "a1") // b has not been heard of
	beats(two, second, time.Minute, "a1 b3")
	beats(one, first, time.Minute, "a1 b3")
	if err := one.Client().FlushAll(context.Background()).Err(); err != nil {
		t.Fatal(err)
	}
	beats(two, second, time.Minute, "b3") // what the server forgot
	beats(one, first, time.Minute, "a1 b3")
}

func TestDataThatWasLostIsNotRemembered(t *testing.T) {
	core, told := observer.New(zap.ErrorLevel)
	s, err := redisstore.Open(t.Context(), redisstore.Config{URL: "redis://" + startRedis(t), Log: zap.New(core)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	keep := func() {
		t.Helper()
		if _, err := s.Change(t.Context(), "f/one", state.Put("r", state.Absent, nil)); err != nil {
			t.Error(err)
		}
		if all, err := s.Owners(t.Context(), "", "", 10); err != nil || len(all) != 1 {
			t.Errorf("the index has %q (%v), want the one owner", all, err)
		}
	}
	beat := func() string {
		t.Helper()
		_, kept, err := s.Beat(t.Context(), state.Node{Name: "a"}, time.Minute)
		if err != nil || kept == "" {
			t.Errorf("kept is %q: %v", kept, err)
		}
		return kept
	}
	keep()
	first := beat()
	if again := beat(); again != first || told.Len() != 0 {
		t.Errorf("kept is %q and then %q: %v", first, again, told.All())
	}
	if err := s.Client().FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	second := beat()
	if again := beat(); second == first || again != second || told.Len() != 1 {
		t.Errorf("after the loss kept is %q and then %q, was %q; told: %v", second, again, first, told.All())
	}
	keep()
}
