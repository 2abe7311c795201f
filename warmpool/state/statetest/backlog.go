package statetest

import (
	"errors"
	"testing"

	"github.com/hearthfn/hearth/warmpool/state"
)

func buriedStays(t *testing.T, q queueTest) {
	ids := q.push(t, "a", "1", "2", "3")
	for i, l := range q.lease(t, state.Want{Max: 3}) {
		l.Attempts, l.Note = i+1, []byte("dead")
		if err := q.Bury(within(t), l); err != nil {
			t.Fatal(err)
		}
	}
	q.advance(moment)
	wantBodies(t, q.lease(t, state.Want{Max: 9}), "")
	page, next, err := q.Entries(within(t), "a", true, "", 2)
	if err != nil || len(page) != 2 || next == "" || page[0].ID != ids[0] || page[1].Attempts != 2 || string(page[1].Note) != "dead" || string(page[1].Body) != "2" || page[0].At.IsZero() {
		t.Fatalf("%+v, %q, %v", page, next, err)
	}
	page, next, err = q.Entries(within(t), "a", true, next, 2)
	if err != nil || len(page) != 1 || next != "" || page[0].ID != ids[2] {
		t.Fatalf("%+v, %q, %v", page, next, err)
	}
	if err := q.Purge(within(t), page[0], true); err != nil {
		t.Error(err)
	}
	wantError(t, "Purge again", q.Purge(within(t), page[0], true), state.ErrNotFound)
	wantError(t, "Replay of the purged", q.Replay(within(t), "a", ids[2]), state.ErrNotFound)
	if err := q.Replay(within(t), "a", ids[1]); err != nil {
		t.Fatal(err)
	}
	wantError(t, "Replay again", q.Replay(within(t), "a", ids[1]), state.ErrNotFound)
	wantError(t, "Replay of nonsense", q.Replay(within(t), "a", "nonsense"), state.ErrNotFound)
	wantError(t, "Replay in another group", q.Replay(within(t), "b", ids[0]), state.ErrNotFound)
	leases := q.lease(t, state.Want{Max: 9})
	wantBodies(t, leases, "a:2")
	if l := leases[0]; l.Attempts != 0 || len(l.Note) != 0 {
		t.Errorf("replayed is %+v", l)
	}
	if stats, err := q.Groups(within(t), "", 9); err != nil || len(stats) != 1 || stats[0].Buried != 1 || stats[0].Waiting != 1 || stats[0].Leased != 1 {
		t.Errorf("%+v, %v", stats, err)
	}
}

func waitingIsPurged(t *testing.T, q queueTest) {
	q.push(t, "a", "1", "2", "3")
	q.push(t, "ab", "x")
	var got []state.Entry
	for after := ""; ; {
		page, next, err := q.Entries(within(t), "a", false, after, 2)
		if err != nil || len(page) > 2 {
			t.Fatalf("%d, %v", len(page), err)
		}
		got = append(got, page...)
		if after = next; next == "" {
			break
		}
	}
	if len(got) != 3 || string(got[0].Body)+string(got[1].Body)+string(got[2].Body) != "123" {
		t.Fatalf("%+v", got)
	}
	l := q.lease(t, state.Want{Max: 1, Except: []string{"ab"}})[0]
	if err := q.Purge(within(t), got[0], false); err != nil {
		t.Fatal(err)
	}
	wantError(t, "Done of the purged", q.Done(within(t), l), state.ErrLeaseLost)
	wantError(t, "Purge again", q.Purge(within(t), got[0], false), state.ErrNotFound)
	wantError(t, "Purge as buried", q.Purge(within(t), got[1], true), state.ErrNotFound)
	wantBodies(t, q.lease(t, state.Want{Max: 9}), "a:2 a:3 ab:x")
}

func groupsAreCounted(t *testing.T, q queueTest) {
	for _, group := range []string{"b", "a", "c", "ab"} {
		q.push(t, group, "1", "2")
	}
	leases := q.lease(t, state.Want{Max: 2, Except: []string{"a", "b", "c"}})
	if err := errors.Join(q.Done(within(t), leases[0]), q.Bury(within(t), leases[1])); err != nil {
		t.Fatal(err)
	}
	q.lease(t, state.Want{Max: 1, Except: []string{"b", "c"}})
	stats, err := q.Groups(within(t), "", 2)
	if err != nil || len(stats) != 2 {
		t.Fatalf("%+v, %v", stats, err)
	}
	if a := stats[0]; a.Group != "a" || a.Waiting != 2 || a.Leased != 1 || a.Buried != 0 || a.Due.IsZero() {
		t.Errorf("a is %+v", a)
	}
	if ab := stats[1]; ab.Group != "ab" || ab.Waiting != 0 || ab.Leased != 0 || ab.Buried != 1 || !ab.Due.IsZero() {
		t.Errorf("ab is %+v", ab)
	}
	if stats, err = q.Groups(within(t), "ab", 9); err != nil || len(stats) != 2 || stats[0].Group != "b" {
		t.Errorf("%+v, %v", stats, err)
	}
}
