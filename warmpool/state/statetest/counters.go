package statetest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hearthfn/hearth/warmpool/state"
)

// Counters tests the store that open makes, empty for each call. now is the store's clock,
// advance as for Queue.
func Counters(t *testing.T, open func(t *testing.T) (store state.Counters, now func() time.Time, advance func(time.Duration))) {
	t.Run("DrawsNeverPassTheLimit", func(t *testing.T) {
		s, now, _ := open(t)
		until := now().Add(time.Hour)
		for _, step := range []struct{ count, limit, got, total int64 }{
			{6, 10, 6, 6}, {6, 10, 4, 10}, {1, 10, 0, 10}, {0, 10, 0, 10}, {-3, 10, -3, 7},
			{1, 5, 0, 7}, {-100, 10, -7, 0}, {state.MaxLimit, state.MaxLimit, state.MaxLimit, state.MaxLimit}, {1, state.MaxLimit, 0, state.MaxLimit},
		} {
			got, total, err := s.Draw(within(t), state.Draw{Name: "c", Count: step.count, Limit: step.limit, Until: until})
			if err != nil || got != step.got || total != step.total {
				t.Fatalf("%+v: %d, %d, %v", step, got, total, err)
			}
		}
		if got, _, err := s.Draw(within(t), state.Draw{Name: "d", Count: 1, Limit: 1, Until: until}); got != 1 || err != nil {
			t.Errorf("another counter: %d, %v", got, err)
		}
	})
	t.Run("ACounterIsForgotten", func(t *testing.T) {
		s, now, advance := open(t)
		soon, later := now().Add(moment), now().Add(time.Hour)
		draw := func(name string, until time.Time, want int64) {
			t.Helper()
			if got, _, err := s.Draw(within(t), state.Draw{Name: name, Count: 5, Limit: 5, Until: until}); err != nil || got != want {
				t.Errorf("%s: %d, %v, want %d", name, got, err, want)
			}
		}
		draw("soon", soon, 5)
		draw("later", later, 5)
		advance(moment)
		draw("soon", later, 5)
		draw("new", later, 5)
		draw("later", later, 0)
	})
	t.Run("OfManyAtOnceNoMoreThanTheLimitIsDrawn", func(t *testing.T) {
		s, now, _ := open(t)
		until := now().Add(time.Hour)
		var sum atomic.Int64
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				for range 5 {
					got, _, err := s.Draw(within(t), state.Draw{Name: "c", Count: 3, Limit: 100, Until: until})
					if err != nil {
						t.Error(err)
					}
					sum.Add(got)
				}
			})
		}
		all.Wait()
		if sum.Load() != 100 {
			t.Errorf("%d are drawn of 100", sum.Load())
		}
	})
	t.Run("OutsideOfTheContractIsRefused", func(t *testing.T) {
		s, now, _ := open(t)
		until := now().Add(time.Hour)
		for _, d := range []state.Draw{
			{Name: "", Count: 1, Limit: 1, Until: until}, {Name: "a{b", Count: 1, Limit: 1, Until: until}, {Name: "c", Count: 1, Limit: -1, Until: until},
			{Name: "c", Count: 1, Limit: state.MaxLimit + 1, Until: until}, {Name: "c", Count: 1, Limit: 1},
		} {
			_, _, err := s.Draw(within(t), d)
			wantError(t, "Draw", err, state.ErrInvalid)
		}
	})
}
