package statetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hearthfn/hearth/warmpool/state"
)

// Records tests the store that open makes, empty for each call.
func Records(t *testing.T, open func(t *testing.T) state.Records) {
	tests := []struct {
		name string
		run  func(t *testing.T, s state.Records)
	}{
		{"AValueIsReadAsItWasPut", valueIsReadAsPut},
		{"AStaleRevisionChangesNothing", staleRevisionChangesNothing},
		{"ARevisionNeverRepeatsAfterDeletion", revisionNeverRepeats},
		{"ATransactionAppliesAllOrNothing", transactionIsAllOrNothing},
		{"OneOfManyWritersWinsARevision", oneWriterWins},
		{"ListPagesThroughOneOwnerInByteOrder", listPages},
		{"OwnersAreListedWhileTheyHaveARecord", ownersAreListed},
		{"NamesThatBeginAlikeAreKeptApart", namesAreKeptApart},
		{"OutsideOfTheContractIsRefused", outsideIsRefused},
		{"ACancelledCallIsRefused", cancelledIsRefused},
		{"AWatchHearsOfItsPrefixOnly", watchHears},
		{"ASlowWatchIsToldThatAnythingMayHaveChanged", slowWatch},
		{"AWatchEndsWithItsContext", watchEnds},
		{"AReaderNeverSeesHalfATransaction", readerSeesWhole},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

func valueIsReadAsPut(t *testing.T, s state.Records) {
	values := [][]byte{nil, {}, {0}, []byte("text"), bytes.Repeat([]byte{0xff, 0}, state.MaxValue/2)}
	for i, value := range values {
		name := fmt.Sprint("n", i)
		revision := mustChange(t, s, "o", state.Put(name, state.Absent, value))
		got, err := s.Read(within(t), key("o", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Value, value) || got.Revision != revision || got.Key != key("o", name) {
			t.Errorf("%s is read with %d bytes and revision %d, want %d and %d", name, len(got.Value), got.Revision, len(value), revision)
		}
	}
	_, err := s.Read(within(t), key("o", "other"))
	wantError(t, "reading what was never put", err, state.ErrNotFound)
}

func staleRevisionChangesNothing(t *testing.T, s state.Records) {
	first := mustChange(t, s, "o", state.Put("n", state.Absent, []byte("1")))
	second := mustChange(t, s, "o", state.Put("n", first, []byte("2")))
	if second <= first {
		t.Errorf("revisions %d, %d do not grow", first, second)
	}
	for _, c := range []state.Change{
		state.Put("n", first, []byte("3")), state.Put("n", state.Absent, []byte("3")),
		state.Delete("n", first), state.Delete("n", state.Absent), state.Check("n", first),
		state.Put("none", first, nil), state.Delete("none", first), state.Check("none", first),
	} {
		_, err := s.Change(within(t), "o", c)
		wantError(t, fmt.Sprintf("%+v", c), err, state.ErrConflict)
	}
	got, err := s.Read(within(t), key("o", "n"))
	if err != nil || string(got.Value) != "2" || got.Revision != second {
		t.Errorf("after refusals: %q at %d, %v; want 2 at %d", got.Value, got.Revision, err, second)
	}
	mustChange(t, s, "o", state.Put("n", state.Any, []byte("4")), state.Delete("none", state.Any), state.Check("nil", state.Absent))
}

func revisionNeverRepeats(t *testing.T, s state.Records) {
	seen := map[state.Revision]bool{}
	for range 5 {
		revision := mustChange(t, s, "o", state.Put("n", state.Absent, nil))
		if seen[revision] || revision <= 0 {
			t.Fatalf("revision %d again, or not above 0", revision)
		}
		seen[revision] = true
		mustChange(t, s, "o", state.Delete("n", revision))
		_, err := s.Read(within(t), key("o", "n"))
		wantError(t, "reading the deleted", err, state.ErrNotFound)
	}
}

func transactionIsAllOrNothing(t *testing.T, s state.Records) {
	a := mustChange(t, s, "o", state.Put("a", state.Absent, []byte("a")), state.Put("b", state.Absent, []byte("b")))
	_, err := s.Change(within(t), "o", state.Put("a", a, []byte("x")), state.Delete("b", a), state.Put("c", a, nil))
	wantError(t, "a transaction whose last part is refused", err, state.ErrConflict)
	list, err := s.List(within(t), "o", "", "", 10)
	if err != nil || len(list) != 2 || string(list[0].Value) != "a" || string(list[1].Value) != "b" {
		t.Fatalf("after the refusal: %v, %v", list, err)
	}
	b := mustChange(t, s, "o", state.Put("a", a, []byte("x")), state.Delete("b", a), state.Put("c", state.Absent, []byte("c")))
	list, err = s.List(within(t), "o", "", "", 10)
	if err != nil || len(list) != 2 || string(list[0].Value) != "x" || list[1].Name != "c" || list[1].Revision != b {
		t.Fatalf("after the transaction: %v, %v", list, err)
	}
}

func oneWriterWins(t *testing.T, s state.Records) {
	const writers, rounds = 8, 10
	revision := mustChange(t, s, "o", state.Put("n", state.Absent, nil))
	for round := range rounds {
		results := make(chan error, writers)
		var group sync.WaitGroup
		for range writers {
			group.Go(func() {
				_, err := s.Change(within(t), "o", state.Put("n", revision, nil))
				results <- err
			})
		}
		group.Wait()
		won := 0
		for range writers {
			switch err := <-results; {
			case err == nil:
				won++
			case !errors.Is(err, state.ErrConflict):
				t.Fatal(err)
			}
		}
		if won != 1 {
			t.Fatalf("round %d: %d writers won revision %d", round, won, revision)
		}
		got, err := s.Read(within(t), key("o", "n"))
		if err != nil {
			t.Fatal(err)
		}
		revision = got.Revision
	}
}

func listPages(t *testing.T, s state.Records) {
	names := []string{"a", "b/1", "b/10", "b/2", "b0", "c", "é", "\x01", " "}
	for _, name := range names {
		mustChange(t, s, "o", state.Put(name, state.Absent, []byte(name)))
	}
	mustChange(t, s, "other", state.Put("b/3", state.Absent, nil))
	slices.Sort(names)
	for _, limit := range []int{1, 2, 4, len(names), 100} {
		var got []string
		for after := ""; ; after = got[len(got)-1] {
			page, err := s.List(within(t), "o", "", after, limit)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) > limit {
				t.Fatalf("a page of %d, limit %d", len(page), limit)
			}
			for _, r := range page {
				got = append(got, r.Name)
			}
			if len(page) < limit {
				break
			}
		}
		if !slices.Equal(got, names) {
			t.Errorf("limit %d: %q, want %q", limit, got, names)
		}
	}
	lists := []struct {
		owner, prefix, after string
		want                 string
	}{
		{"o", "b/", "", "b/1 b/10 b/2"},
		{"o", "b/", "b/1", "b/10 b/2"},
		{"o", "b/", "b/15", "b/2"},
		{"o", "b/", "a", "b/1 b/10 b/2"},
		{"o", "b/", "c", ""},
		{"o", "x", "", ""},
		{"nobody", "", "", ""},
	}
	for _, l := range lists {
		page, err := s.List(within(t), l.owner, l.prefix, l.after, 10)
		var got []string
		for _, r := range page {
			got = append(got, r.Name)
		}
		if err != nil || strings.Join(got, " ") != l.want {
			t.Errorf("List(%q, %q, %q) = %q, %v; want %q", l.owner, l.prefix, l.after, got, err, l.want)
		}
	}
}

func ownersAreListed(t *testing.T, s state.Records) {
	for _, owner := range []string{"f/a", "f/ab", "f/a!", "f/a\x01", "f/b", "g/a"} {
		mustChange(t, s, owner, state.Put("1", state.Absent, nil), state.Put("2", state.Absent, nil))
	}
	want := func(prefix, after string, limit int, want ...string) {
		t.Helper()
		got, err := s.Owners(within(t), prefix, after, limit)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("Owners(%q, %q, %d) = %q, %v; want %q", prefix, after, limit, got, err, want)
		}
	}
	want("", "", 100, "f/a", "f/a\x01", "f/a!", "f/ab", "f/b", "g/a")
	want("f/", "", 2, "f/a", "f/a\x01")
	want("f/", "f/a\x01", 100, "f/a!", "f/ab", "f/b")
	want("f/", "f/a", 1, "f/a\x01")
	want("f/", "g", 100)
	want("g", "a", 100, "g/a")
	mustChange(t, s, "f/b", state.Delete("1", state.Any))
	want("f/b", "", 100, "f/b")
	mustChange(t, s, "f/b", state.Delete("2", state.Any))
	want("f/b", "", 100)
	mustChange(t, s, "f/b", state.Put("3", state.Absent, nil))
	want("f/b", "", 100, "f/b")
}

func namesAreKeptApart(t *testing.T, s state.Records) {
	mustChange(t, s, "a", state.Put("bc", state.Absent, []byte("1")))
	mustChange(t, s, "ab", state.Put("c", state.Absent, []byte("2")))
	for _, k := range []state.Key{key("abc", "c"), key("a", "b"), key("a", "c")} {
		_, err := s.Read(within(t), k)
		wantError(t, fmt.Sprint(k), err, state.ErrNotFound)
	}
	list, err := s.List(within(t), "a", "", "", 10)
	if err != nil || len(list) != 1 {
		t.Errorf("List of a = %v, %v", list, err)
	}
}

func outsideIsRefused(t *testing.T, s state.Records) {
	long := strings.Repeat("x", 257)
	changes := make([]state.Change, state.MaxChanges+1)
	for i := range changes {
		changes[i] = state.Put(fmt.Sprint(i), state.Any, nil)
	}
	transactions := []struct {
		owner   string
		changes []state.Change
	}{
		{"", []state.Change{state.Put("n", state.Any, nil)}},
		{"a\x00b", []state.Change{state.Put("n", state.Any, nil)}},
		{"{a}", []state.Change{state.Put("n", state.Any, nil)}},
		{"\xff", []state.Change{state.Put("n", state.Any, nil)}},
		{long, []state.Change{state.Put("n", state.Any, nil)}},
		{"o", []state.Change{state.Put("", state.Any, nil)}},
		{"o", []state.Change{state.Put("a\x00", state.Any, nil)}},
		{"o", []state.Change{state.Put("\xff", state.Any, nil)}},
		{"o", []state.Change{state.Put(long, state.Any, nil)}},
		{"o", []state.Change{state.Put("n", -2, nil)}},
		{"o", []state.Change{{Name: "n"}}},
		{"o", []state.Change{state.Put("n", state.Any, make([]byte, state.MaxValue+1))}},
		{"o", []state.Change{state.Put("n", state.Any, nil), state.Check("n", state.Any)}},
		{"o", nil},
		{"o", changes},
	}
	for i, tx := range transactions {
		_, err := s.Change(within(t), tx.owner, tx.changes...)
		wantError(t, fmt.Sprint("transaction ", i), err, state.ErrInvalid)
	}
	_, err := s.Read(within(t), key("", "n"))
	wantError(t, "Read without owner", err, state.ErrInvalid)
	_, err = s.List(within(t), "o", "", "", 0)
	wantError(t, "List of 0", err, state.ErrInvalid)
	_, err = s.Owners(within(t), "", "", 0)
	wantError(t, "Owners of 0", err, state.ErrInvalid)
	if owners, err := s.Owners(within(t), "", "", 10); err != nil || len(owners) != 0 {
		t.Errorf("the refused left owners %q, %v", owners, err)
	}
	mustChange(t, s, "o", changes[:state.MaxChanges]...)
}

func cancelledIsRefused(t *testing.T, s state.Records) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Change(ctx, "o", state.Put("n", state.Absent, nil))
	wantError(t, "Change", err, context.Canceled)
	_, err = s.Read(ctx, key("o", "n"))
	wantError(t, "Read", err, context.Canceled)
	_, err = s.List(ctx, "o", "", "", 1)
	wantError(t, "List", err, context.Canceled)
	mustChange(t, s, "o", state.Put("n", state.Absent, nil))
}

// hear waits until the watch has told of owner, or of anything.
func hear(t *testing.T, hints <-chan string, owner string) {
	t.Helper()
	ctx := within(t)
	for {
		select {
		case hint, ok := <-hints:
			if !ok {
				t.Fatalf("the watch ended before it told of %q", owner)
			}
			if hint == owner || hint == "" {
				return
			}
		case <-ctx.Done():
			t.Fatalf("the watch never told of %q", owner)
		}
	}
}

func watchHears(t *testing.T, s state.Records) {
	hints, err := s.Watch(t.Context(), "f/")
	if err != nil {
		t.Fatal(err)
	}
	mustChange(t, s, "g/a", state.Put("n", state.Absent, nil))
	mustChange(t, s, "f/a", state.Put("n", state.Absent, nil))
	ctx := within(t)
	select {
	case hint := <-hints:
		if hint != "f/a" && hint != "" {
			t.Errorf("hint %q of another prefix", hint)
		}
	case <-ctx.Done():
		t.Fatal("no hint of f/a")
	}
	mustChange(t, s, "f/b", state.Delete("n", state.Any))
	hear(t, hints, "f/b")
}

func slowWatch(t *testing.T, s state.Records) {
	hints, err := s.Watch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	const owners = 300
	for i := range owners {
		mustChange(t, s, fmt.Sprint("o", i), state.Put("n", state.Absent, nil))
	}
	told := map[string]bool{}
	ctx := within(t)
	for len(told) < owners {
		select {
		case hint := <-hints:
			if hint == "" {
				return
			}
			told[hint] = true
		case <-ctx.Done():
			t.Fatalf("told of %d owners of %d, and not that anything may have changed", len(told), owners)
		}
	}
}

func watchEnds(t *testing.T, s state.Records) {
	ctx, cancel := context.WithCancel(t.Context())
	hints, err := s.Watch(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	wait := within(t)
	for {
		select {
		case _, ok := <-hints:
			if !ok {
				mustChange(t, s, "o", state.Put("n", state.Absent, nil))
				return
			}
		case <-wait.Done():
			t.Fatal("the channel is still open")
		}
	}
}

func readerSeesWhole(t *testing.T, s state.Records) {
	const rounds = 50
	put := func(i int) error {
		value := []byte(fmt.Sprint(i))
		_, err := s.Change(within(t), "o", state.Put("a", state.Any, value), state.Put("b", state.Any, value))
		return err
	}
	if err := put(0); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		for i := range rounds {
			if err := put(i); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for {
		list, err := s.List(within(t), "o", "", "", 2)
		if err != nil || len(list) != 2 || !bytes.Equal(list[0].Value, list[1].Value) || list[0].Revision != list[1].Revision {
			t.Errorf("half a transaction: %v, %v", list, err)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			return
		default:
		}
	}
}
