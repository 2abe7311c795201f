package backoff_test

import (
	"math"
	"testing"
	"time"

	"github.com/hearthfn/hearth/warmpool/backoff"
)

func TestTheWaitDoublesUpToItsMost(t *testing.T) {
	b := backoff.Backoff{First: 250 * time.Millisecond, Most: 1500 * time.Millisecond}
	for failures, want := range map[int]time.Duration{
		0: b.First, 1: b.First, 2: 500 * time.Millisecond, 3: time.Second, 4: b.Most, 5: b.Most, 1000: b.Most, math.MaxInt: b.Most,
	} {
		if got := b.After(failures); got != want {
			t.Errorf("after %d failures the wait is %s, want %s", failures, got, want)
		}
	}
}
