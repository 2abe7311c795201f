package statetest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hearthfn/hearth/warmpool/state"
)

// A QueueStore is a queue with its backlog.
type QueueStore interface {
	state.Queue
	state.Backlog
}

// moment is the time that a test lets pass; leases that must last are far longer.
const moment = 200 * time.Millisecond

// A queueTest has a store and a way to let time pass on its clock.
type queueTest struct {
	QueueStore
	advance func(time.Duration)
}

// Queue tests the store that open makes, empty for each call. advance lets
// that much time pass on the store's clock: it sets a clock or waits.
func Queue(t *testing.T, open func(t *testing.T) (store QueueStore, advance func(time.Duration))) {
	tests := []struct {
		name string
		run  func(t *testing.T, q queueTest)
	}{
		{"WhatIsPushedIsLeasedOnceAndDone", pushedIsLeasedOnce},
		{"ALeaseThatEndedIsAnotherOnes", endedLeaseIsAnothers},
		{"AnExtendedLeaseLasts", extendedLeaseLasts},
		{"ARetriedEntryComesBackInItsTimeWithItsNote", retriedComesBack},
		{"APushedEntryWaitsForItsTime", pushedWaits},
		{"WithoutALeaseNothingIsWritten", noLeaseNoWrite},
		{"ANoisyGroupLeavesTheOthersTheirShare", noisyGroup},
		{"BusyGroupsGetNothing", busyGroups},
		{"ABuriedEntryStaysUntilItIsReplayedOrPurged", buriedStays},
		{"WaitingEntriesAreListedAndPurged", waitingIsPurged},
		{"WhatIsNamedIsKeptOnceForItsTime", namedIsKeptOnce},
		{"ManyHoldersNeverShareAnEntry", manyHolders},
		{"ReadyTellsOfGroupsThatGotAnEntry", readyTells},
		{"OutsideOfTheContractIsRefused", queueRefuses},
		{"GroupsAreCounted", groupsAreCounted},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			store, advance := open(t)
			test.run(t, queueTest{store, advance})
		})
	}
}

func (q queueTest) push(t *testing.T, group string, bodies ...string) []string {
	t.Helper()
	items := make([]state.Item, len(bodies))
	for i, body := range bodies {
		items[i].Body = []byte(body)
	}
	ids, err := q.Push(within(t), group, items...)
	if err != nil || len(ids) != len(bodies) {
		t.Fatalf("Push: %d IDs, %v", len(ids), err)
	}
	return ids
}

func (q queueTest) lease(t *testing.T, want state.Want) []state.Lease {
	t.Helper()
	if want.For == 0 {
		want.For = time.Hour
	}
	leases, _, err := q.Lease(within(t), want)
	if err != nil || len(leases) > want.Max {
		t.Fatalf("Lease: %d of %d, %v", len(leases), want.Max, err)
	}
	return leases
}

// bodies names what is leased, group by group in byte order.
func bodies(leases []state.Lease) string {
	var all []string
	for _, l := range leases {
		all = append(all, l.Group+":"+string(l.Body))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func wantBodies(t *testing.T, leases []state.Lease, want string) {
	t.Helper()
	if got := bodies(leases); got != want {
		t.Errorf("leased are %q, want %q", got, want)
	}
}

func pushedIsLeasedOnce(t *testing.T, q queueTest) {
	ids := q.push(t, "a", "1", "2", "")
	big := strings.Repeat("x", state.MaxBody)
	q.push(t, "b", big)
	leases := q.lease(t, state.Want{Max: 10})
	wantBodies(t, leases, "a: a:1 a:2 b:"+big)
	var got []string
	for _, l := range leases {
		if l.Group == "a" {
			got = append(got, l.ID)
		}
		if l.Attempts != 0 || len(l.Note) != 0 || l.Pushed.IsZero() || l.At.Before(l.Pushed) || l.Token <= 0 || l.Until.IsZero() {
			t.Errorf("lease %+v", l)
		}
	}
	if !slices.Equal(got, ids) {
		t.Errorf("IDs %q, pushed were %q in this order", got, ids)
	}
	wantBodies(t, q.lease(t, state.Want{Max: 10}), "")
	for _, l := range leases {
		if err := q.Done(within(t), l); err != nil {
			t.Fatal(err)
		}
		wantError(t, "Done again", q.Done(within(t), l), state.ErrLeaseLost)
	}
	wantBodies(t, q.lease(t, state.Want{Max: 10}), "")
	if groups, err := q.Groups(within(t), "", 10); err != nil || len(groups) != 0 {
		t.Errorf("groups %v, %v", groups, err)
	}
}

func endedLeaseIsAnothers(t *testing.T, q queueTest) {
	q.push(t, "a", "1")
	first := q.lease(t, state.Want{Max: 1, For: moment})
	wantBodies(t, first, "a:1")
	_, next, err := q.Lease(within(t), state.Want{Max: 1, For: time.Hour})
	if err != nil || next.IsZero() || next.After(first[0].Until) {
		t.Errorf("another call may find more at %v, %v; the lease ends at %v", next, err, first[0].Until)
	}
	q.advance(moment)
	wantError(t, "Done after the end", q.Done(within(t), first[0]), state.ErrLeaseLost)
	second := q.lease(t, state.Want{Max: 1})
	wantBodies(t, second, "a:1")
	if second[0].Token <= first[0].Token {
		t.Errorf("tokens %d, %d do not grow", first[0].Token, second[0].Token)
	}
	wantError(t, "Done of the first", q.Done(within(t), first[0]), state.ErrLeaseLost)
	wantError(t, "Retry of the first", q.Retry(within(t), first[0]), state.ErrLeaseLost)
	_, err = q.Extend(within(t), first[0], time.Hour)
	wantError(t, "Extend of the first", err, state.ErrLeaseLost)
	if err := q.Done(within(t), second[0]); err != nil {
		t.Error(err)
	}
}

func extendedLeaseLasts(t *testing.T, q queueTest) {
	q.push(t, "a", "1")
	l := q.lease(t, state.Want{Max: 1, For: moment})[0]
	longer, err := q.Extend(within(t), l, time.Hour)
	if err != nil || !longer.Until.After(l.Until) || longer.Token != l.Token {
		t.Fatalf("%+v, %v", longer, err)
	}
	q.advance(moment)
	wantBodies(t, q.lease(t, state.Want{Max: 1}), "")
	if err := q.Done(within(t), l); err != nil {
		t.Errorf("Done of the extended: %v", err)
	}
}

func retriedComesBack(t *testing.T, q queueTest) {
	id := q.push(t, "a", "1")[0]
	l := q.lease(t, state.Want{Max: 1})[0]
	pushed := l.Pushed
	l.At, l.Attempts, l.Note = l.Pushed.Add(2*moment), 3, []byte("why")
	if err := q.Retry(within(t), l); err != nil {
		t.Fatal(err)
	}
	leases, next, err := q.Lease(within(t), state.Want{Max: 1, For: time.Hour})
	if err != nil || len(leases) != 0 || next.Sub(l.At).Abs() > time.Millisecond {
		t.Errorf("before its time: %v, next at %v and not %v, %v", leases, next, l.At, err)
	}
	q.advance(2 * moment)
	got := q.lease(t, state.Want{Max: 1})
	wantBodies(t, got, "a:1")
	if g := got[0]; g.ID != id || g.Attempts != 3 || string(g.Note) != "why" || !g.Pushed.Equal(pushed) || g.Token <= l.Token {
		t.Errorf("came back as %+v", g)
	}
	// The zero time is at once.
	g := got[0]
	g.At = time.Time{}
	if err := q.Retry(within(t), g); err != nil {
		t.Fatal(err)
	}
	wantBodies(t, q.lease(t, state.Want{Max: 1}), "a:1")
}

func pushedWaits(t *testing.T, q queueTest) {
	q.push(t, "a", "now")
	now := q.lease(t, state.Want{Max: 1})[0].Pushed
	for body, at := range map[string]time.Time{"later": now.Add(2 * moment), "much later": now.Add(time.Hour), "before": now.Add(-time.Hour)} {
		if _, err := q.Push(within(t), "a", state.Item{Body: []byte(body), At: at}); err != nil {
			t.Fatal(err)
		}
	}
	wantBodies(t, q.lease(t, state.Want{Max: 9}), "a:before")
	q.advance(2 * moment)
	wantBodies(t, q.lease(t, state.Want{Max: 9}), "a:later")
}

func noLeaseNoWrite(t *testing.T, q queueTest) {
	id := q.push(t, "a", "1")[0]
	l := q.lease(t, state.Want{Max: 1})[0]
	forged := []state.Lease{{Entry: state.Entry{Group: "a", ID: id}}, l, l, l}
	forged[1].Token++
	forged[2].Group = "b"
	forged[3].ID = "nonsense"
	for i, f := range forged {
		wantError(t, fmt.Sprint("Done ", i), q.Done(within(t), f), state.ErrLeaseLost)
		wantError(t, fmt.Sprint("Retry ", i), q.Retry(within(t), f), state.ErrLeaseLost)
		wantError(t, fmt.Sprint("Bury ", i), q.Bury(within(t), f), state.ErrLeaseLost)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantError(t, "cancelled Done", q.Done(ctx, l), context.Canceled)
	if err := q.Done(within(t), l); err != nil {
		t.Errorf("Done after a cancelled one: %v", err)
	}
}

func noisyGroup(t *testing.T, q queueTest) {
	for range 10 {
		q.push(t, "noisy", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10")
	}
	q.push(t, "a", "1")
	q.push(t, "b", "1", "2")
	leases := q.lease(t, state.Want{Max: 9})
	got := map[string]int{}
	for _, l := range leases {
		got[l.Group]++
	}
	if got["a"] != 1 || got["b"] != 2 || got["noisy"] != 6 {
		t.Errorf("leased are %v of 9", got)
	}
	// One at a time, each group has its turn.
	q.push(t, "a", "2", "3", "4")
	q.push(t, "b", "3", "4", "5")
	turns := map[string]int{}
	for range 6 {
		for _, l := range q.lease(t, state.Want{Max: 1}) {
			turns[l.Group]++
		}
	}
	if turns["a"] != 2 || turns["b"] != 2 || turns["noisy"] != 2 {
		t.Errorf("turns %v", turns)
	}
}

func busyGroups(t *testing.T, q queueTest) {
	for _, group := range []string{"a", "b", "c"} {
		q.push(t, group, "1", "2", "3")
	}
	wantBodies(t, q.lease(t, state.Want{Max: 9, Except: []string{"a", "c"}, PerGroup: 2}), "b:1 b:2")
	_, next, err := q.Lease(within(t), state.Want{Max: 1, For: time.Hour, Except: []string{"a", "b", "c"}})
	if err != nil || !next.IsZero() && next.Before(time.Now().Add(-time.Hour)) {
		t.Errorf("next at %v, %v though all are busy", next, err)
	}
	wantBodies(t, q.lease(t, state.Want{Max: 9, PerGroup: 1}), "a:1 b:3 c:1")
	wantBodies(t, q.lease(t, state.Want{Max: 9}), "a:2 a:3 c:2 c:3")
}

func namedIsKeptOnce(t *testing.T, q queueTest) {
	item := state.Item{Body: []byte("1"), Once: "hook-7", OnceFor: 2 * moment}
	push := func(group string, item state.Item) string {
		t.Helper()
		ids, err := q.Push(within(t), group, item)
		if err != nil {
			t.Fatal(err)
		}
		return ids[0]
	}
	first := push("a", item)
	if again := push("a", item); again != first {
		t.Errorf("ID %s, the first had %s", again, first)
	}
	push("b", item)
	ids, err := q.Push(within(t), "a", state.Item{Body: []byte("2"), Once: "x", OnceFor: time.Hour}, state.Item{Body: []byte("3"), Once: "x", OnceFor: time.Hour}, item)
	if err != nil || ids[0] != ids[1] || ids[2] != first {
		t.Errorf("%q, %v", ids, err)
	}
	leases := q.lease(t, state.Want{Max: 9})
	wantBodies(t, leases, "a:1 a:2 b:1")
	for _, l := range leases {
		if err := q.Done(within(t), l); err != nil {
			t.Fatal(err)
		}
	}
	if again := push("a", item); again != first {
		t.Error("kept again once the first was done")
	}
	q.advance(2 * moment)
	if again := push("a", item); again == first {
		t.Error("not kept again after its time")
	}
	if again := push("a", state.Item{Body: []byte("2"), Once: "x", OnceFor: time.Hour}); again != ids[0] {
		t.Error("kept again within its time")
	}
	wantBodies(t, q.lease(t, state.Want{Max: 9}), "a:1")
}

func manyHolders(t *testing.T, q queueTest) {
	const entries, holders = 300, 6
	for i := range entries / 10 {
		var some []string
		for j := range 10 {
			some = append(some, fmt.Sprint(i*10+j))
		}
		q.push(t, fmt.Sprint("g", i%5), some...)
	}
	var mu sync.Mutex
	seen := map[string]int{}
	var group sync.WaitGroup
	for range holders {
		group.Go(func() {
			for {
				leases, _, err := q.Lease(within(t), state.Want{Max: 7, For: time.Hour})
				if err != nil {
					t.Error(err)
					return
				}
				if len(leases) == 0 {
					return
				}
				for _, l := range leases {
					mu.Lock()
					seen[string(l.Body)]++
					mu.Unlock()
					if err := q.Done(within(t), l); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	group.Wait()
	if len(seen) != entries {
		t.Errorf("%d entries of %d", len(seen), entries)
	}
	for body, times := range seen {
		if times != 1 {
			t.Errorf("entry %s was leased %d times", body, times)
		}
	}
}

func readyTells(t *testing.T, q queueTest) {
	ctx, cancel := context.WithCancel(t.Context())
	hints, err := q.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	q.push(t, "a", "1")
	hear(t, hints, "a")
	l := q.lease(t, state.Want{Max: 1})[0]
	if err := q.Retry(within(t), l); err != nil {
		t.Fatal(err)
	}
	hear(t, hints, "a")
	if err := q.Bury(within(t), q.lease(t, state.Want{Max: 1})[0]); err != nil {
		t.Fatal(err)
	}
	if err := q.Replay(within(t), "a", l.ID); err != nil {
		t.Fatal(err)
	}
	hear(t, hints, "a")
	cancel()
	for range hints { // ends once the channel is closed
	}
}

func queueRefuses(t *testing.T, q queueTest) {
	item, big := state.Item{Body: []byte("1")}, make([]byte, state.MaxBody)
	pushes := []struct {
		group string
		items []state.Item
	}{
		{"", []state.Item{item}},
		{"a\x00", []state.Item{item}},
		{"a", nil},
		{"a", make([]state.Item, state.MaxItems+1)},
		{"a", []state.Item{item, {Body: make([]byte, state.MaxBody+1)}}},
		{"a", []state.Item{{Body: big}, {Body: big}, item}},
		{"a", []state.Item{{Once: "x"}}},
		{"a", []state.Item{{Once: strings.Repeat("x", state.MaxOnce+1), OnceFor: time.Hour}}},
	}
	for i, p := range pushes {
		_, err := q.Push(within(t), p.group, p.items...)
		wantError(t, fmt.Sprint("push ", i), err, state.ErrInvalid)
	}
	for _, want := range []state.Want{{}, {Max: 1}, {For: time.Hour}, {Max: 1, PerGroup: -1, For: time.Hour}, {Max: 1, For: -1}} {
		_, _, err := q.Lease(within(t), want)
		wantError(t, fmt.Sprintf("%+v", want), err, state.ErrInvalid)
	}
	q.push(t, "a", "1")
	l := q.lease(t, state.Want{Max: 1})[0]
	_, err := q.Extend(within(t), l, 0)
	wantError(t, "Extend by 0", err, state.ErrInvalid)
	l.Note = make([]byte, state.MaxNote+1)
	wantError(t, "a long note", q.Retry(within(t), l), state.ErrInvalid)
	wantError(t, "a long note", q.Bury(within(t), l), state.ErrInvalid)
	if _, _, err := q.Entries(within(t), "a", false, "not hex", 1); err == nil {
		t.Error("a page after nonsense")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = q.Push(ctx, "a", item)
	wantError(t, "cancelled Push", err, context.Canceled)
	if stats, err := q.Groups(within(t), "", 9); err != nil || len(stats) != 1 || stats[0].Waiting != 1 {
		t.Errorf("the refused left %+v, %v", stats, err)
	}
	l.Note = bytes.Repeat([]byte{0}, state.MaxNote)
	if err := q.Retry(within(t), l); err != nil {
		t.Error(err)
	}
}
