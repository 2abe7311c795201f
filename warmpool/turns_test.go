package warmpool

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Stems are booted only while taken is false.
func TestStartsTakeTheCoresUntilTheyEndOrSeemToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tasks sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		l := newTurns(ctx, &tasks, 2)
		is := func(want bool, when string) {
			t.Helper()
			if l.taken() != want {
				t.Errorf("%s: taken is %t", when, !want)
			}
		}
		is(false, "without a start")
		one := l.enter(&Group{})
		is(false, "one start of two")
		two := l.enter(&Group{})
		is(true, "two starts")
		l.leave(two)
		is(false, "after the second")
		two = l.enter(&Group{})
		<-time.After(permitTime)
		is(false, "with two starts that last")
		three := l.enter(&Group{}) // which takes the permit of one that lasts
		is(false, "with one that is new")
		four := l.enter(&Group{})
		is(true, "with two that are new")
		for _, turn := range []*turn{one, two, three, four} {
			l.leave(turn)
		}
		is(false, "after all")
		cancel()
		tasks.Wait()
	})
}
