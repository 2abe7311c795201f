package invoker_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/hearthfn/hearth/invoker"
	"github.com/hearthfn/hearth/warmpool/state"
)

// A stuckStore does not end events until it may.
type stuckStore struct {
	invoker.Store
	may chan struct{}
}

func (s stuckStore) Done(ctx context.Context, lease state.Lease) error {
	<-s.may
	return s.Store.Done(ctx, lease)
}

func TestNextEventRunsWhileTheEndOfTheLastIsWritten(t *testing.T) {
	for _, test := range []struct {
		order string
		runs  int // before an end is written
	}{{"", 2}, {"object", 1}} {
		synctest.Test(t, func(t *testing.T) {
			may := make(chan struct{})
			w := newWorld(t, func(c *invoker.Config) {
				c.Store, c.Limits = stuckStore{c.Store, may}, invoker.Limits{PerFunction: 1, Concurrency: 1}
			})
			for _, payload := range []string{`{"n":1}`, `{"n":2}`, `{"n":3}`} {
				w.push("f", payload, func(m *invoker.Message) { m.Order = test.order })
			}
			w.start()
			synctest.Wait()
			// As many are leased as twice the concurrency.
			if got := len(w.made()); got != test.runs {
				t.Errorf("order %q: %d events ran, want %d", test.order, got, test.runs)
			}
			close(may)
			synctest.Wait()
			if got := len(w.made()); got != 3 {
				t.Errorf("order %q: %d events ran in the end, want 3", test.order, got)
			}
			w.close()
		})
	}
}
