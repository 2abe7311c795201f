package statetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hearthfn/hearth/warmpool/state"
)

type slotsTest struct {
	state.Slots
	advance func(time.Duration)
}

// Slots tests the store that open makes, empty for each call. advance is as for
// Queue.
func Slots(t *testing.T, open func(t *testing.T) (store state.Slots, advance func(time.Duration))) {
	tests := []struct {
		name string
		run  func(t *testing.T, s slotsTest)
	}{
		{"GrantsNeverPassTheLimit", grantsKeepTheLimit},
		{"AGrantEndsByItsTime", grantEnds},
		{"ARenewedGrantLastsAndMayShrink", renewedGrantLasts},
		{"TokensGrow", tokensGrow},
		{"OfManyAtOnceNoMoreThanTheLimitHold", manyTakers},
		{"OutsideOfTheContractIsRefused", slotsRefuse},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			store, advance := open(t)
			test.run(t, slotsTest{store, advance})
		})
	}
}

func (s slotsTest) take(t *testing.T, name string, limit, count int, last time.Duration, want int) state.Grant {
	t.Helper()
	g, err := s.Take(within(t), state.Claim{Name: name, Limit: limit, Count: count, For: last})
	if err != nil || g.Count != want {
		t.Fatalf("granted are %d slots, %v; want %d", g.Count, err, want)
	}
	return g
}

func (s slotsTest) wantTaken(t *testing.T, name string, want int) {
	t.Helper()
	if got, err := s.Taken(within(t), name); err != nil || got != want {
		t.Errorf("%d slots of %s are taken, %v; want %d", got, name, err, want)
	}
}

func grantsKeepTheLimit(t *testing.T, s slotsTest) {
	a := s.take(t, "f", 5, 3, time.Hour, 3)
	s.take(t, "f", 5, 3, time.Hour, 2)
	s.take(t, "f", 5, 1, time.Hour, 0)
	s.take(t, "g", 5, 5, time.Hour, 5)
	s.take(t, "f", 2, 1, time.Hour, 0) // a limit that was lowered
	s.take(t, "f", 0, 1, time.Hour, 0)
	s.wantTaken(t, "f", 5)
	if err := s.Return(within(t), a); err != nil {
		t.Fatal(err)
	}
	wantError(t, "Return again", s.Return(within(t), a), state.ErrLeaseLost)
	s.wantTaken(t, "f", 2)
	s.take(t, "f", 5, 9, time.Hour, 3)
	s.wantTaken(t, "nobody", 0)
}

func grantEnds(t *testing.T, s slotsTest) {
	a := s.take(t, "f", 1, 1, moment, 1)
	s.take(t, "f", 1, 1, time.Hour, 0)
	s.advance(moment)
	s.wantTaken(t, "f", 0)
	b := s.take(t, "f", 1, 1, time.Hour, 1)
	_, err := s.Renew(within(t), a, 1, time.Hour)
	wantError(t, "Renew of the ended", err, state.ErrLeaseLost)
	wantError(t, "Return of the ended", s.Return(within(t), a), state.ErrLeaseLost)
	s.wantTaken(t, "f", 1)
	if b.Token <= a.Token {
		t.Errorf("tokens %d, %d do not grow", a.Token, b.Token)
	}
}

func renewedGrantLasts(t *testing.T, s slotsTest) {
	a := s.take(t, "f", 5, 5, moment, 5)
	b, err := s.Renew(within(t), a, 2, time.Hour)
	if err != nil || b.Count != 2 || b.Token != a.Token || !b.Until.After(a.Until) {
		t.Fatalf("%+v, %v", b, err)
	}
	s.advance(moment)
	s.wantTaken(t, "f", 2)
	s.take(t, "f", 5, 5, time.Hour, 3)
	// What was given back is not won again by an old grant.
	if c, err := s.Renew(within(t), a, 5, time.Hour); err != nil || c.Count != 2 {
		t.Errorf("%+v, %v", c, err)
	}
}

func tokensGrow(t *testing.T, s slotsTest) {
	last := int64(0)
	for range 5 {
		g := s.take(t, "f", 1, 1, time.Hour, 1)
		if g.Token <= last {
			t.Fatalf("token %d after %d", g.Token, last)
		}
		last = g.Token
		if err := s.Return(within(t), g); err != nil {
			t.Fatal(err)
		}
	}
}

func manyTakers(t *testing.T, s slotsTest) {
	const limit, takers = 5, 20
	var mu sync.Mutex
	now, most := 0, 0
	count := func(n int) {
		mu.Lock()
		defer mu.Unlock()
		now += n
		most = max(most, now)
	}
	var group sync.WaitGroup
	for range takers {
		group.Go(func() {
			for range 20 {
				g, err := s.Take(within(t), state.Claim{Name: "f", Limit: limit, Count: 2, For: time.Hour})
				if err != nil {
					t.Error(err)
					return
				}
				if g.Count == 0 {
					continue
				}
				count(g.Count)
				count(-g.Count)
				if err := s.Return(within(t), g); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if most > limit || most == 0 {
		t.Errorf("%d slots of %d were held at once", most, limit)
	}
	s.wantTaken(t, "f", 0)
}

func slotsRefuse(t *testing.T, s slotsTest) {
	for _, claim := range []state.Claim{
		{}, {Name: "f", Limit: 1, Count: 1}, {Name: "f", Limit: 1, For: 1}, {Name: "f", Limit: -1, Count: 1, For: 1},
		{Name: "", Limit: 1, Count: 1, For: 1}, {Name: "{f}", Limit: 1, Count: 1, For: 1},
	} {
		_, err := s.Take(within(t), claim)
		wantError(t, fmt.Sprintf("%+v", claim), err, state.ErrInvalid)
	}
	g := s.take(t, "f", 5, 2, time.Hour, 2)
	for _, count := range []int{0, 3} {
		_, err := s.Renew(within(t), g, count, time.Hour)
		wantError(t, fmt.Sprint("Renew to ", count), err, state.ErrInvalid)
	}
	_, err := s.Renew(within(t), g, 1, 0)
	wantError(t, "Renew for no time", err, state.ErrInvalid)
}
