package schedule

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/state/boltstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A book notes what is pushed, once for each name.
type book struct {
	mu     sync.Mutex
	kept   []string // TIME FUNCTION
	body   string
	once   map[string]bool
	refuse bool
}

func (b *book) PushTick(_ context.Context, e *Event) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refuse {
		return errors.New("full")
	}
	if b.once == nil {
		b.once = make(map[string]bool)
	}
	if !b.once[e.Once] {
		b.once[e.Once] = true
		b.kept = append(b.kept, time.Now().UTC().Format("15:04:05 ")+e.Function)
		b.body = string(e.Payload)
	}
	return nil
}

func (b *book) want(t *testing.T, want string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if got := strings.Join(b.kept, ", "); got != want {
		t.Errorf("ran: %s\nwant %s", got, want)
	}
	b.kept = nil
}

// take are those that were kept since it was asked last.
func (b *book) take() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	kept := b.kept
	b.kept = nil
	return kept
}

// A clock starts at 2000-01-01 00:00:00 UTC, as synctest does.
type clock struct {
	*book
	t     *testing.T
	store *boltstore.Store
}

func inClock(t *testing.T, test func(t *testing.T, c *clock)) {
	synctest.Test(t, func(t *testing.T) {
		store, err := boltstore.Open(boltstore.Config{Path: filepath.Join(t.TempDir(), "state.db")})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		test(t, &clock{book: &book{}, t: t, store: store})
	})
}

func (c *clock) engine() *Engine {
	return New(Config{Store: c.store, Pusher: c.book, Account: function.DefaultAccount, Log: zap.NewNop()})
}

func (c *clock) schedule(name, text string) Schedule {
	c.t.Helper()
	e, err := Parse(text, time.UTC)
	if err != nil {
		c.t.Fatal(err)
	}
	return Schedule{Name: name, Expression: e, Function: name, Qualifier: "$LATEST", CatchUp: time.Minute}
}

func TestFunctionsRunByTheClock(t *testing.T) {
	inClock(t, func(t *testing.T, c *clock) {
		e := c.engine()
		defer e.Close()
		at := c.schedule("at", "at(2000-01-01T00:03:00)")
		at.Input = []byte(`{"x":1}`)
		off := c.schedule("off", "rate(1 minute)")
		off.Disabled = true
		e.Set(t.Context(), "", []Schedule{c.schedule("rate", "rate(2 minutes)"), at, off})
		time.Sleep(4*time.Minute + time.Second)
		c.want(t, "00:02:00 rate, 00:03:00 at, 00:04:00 rate")
		c.mu.Lock()
		defer c.mu.Unlock()
		if !strings.HasPrefix(c.body, `{"version":"0","id":"`) || !strings.Contains(c.body, `"detail-type":"Scheduled Event","source":"aws.events","account":"000000000000","time":"2000-01-01T00:04:00Z","region":"us-east-1","resources":["arn:aws:events:us-east-1:000000000000:rule/rate"],"detail":{}}`) {
			t.Errorf("the event is %s", c.body)
		}
		if list := e.List(); len(list) != 2 || list[0].Next != nil || list[1].Next.UTC().Format("15:04") != "00:06" {
			t.Errorf("listed are %+v", list)
		}
	})
}

func TestNodesRunATickOnceTogether(t *testing.T) {
	inClock(t, func(t *testing.T, c *clock) {
		for range 3 {
			e := c.engine()
			defer e.Close()
			window := c.schedule("window", "rate(1 hour)")
			window.Window = 10 * time.Minute
			e.Set(t.Context(), "", []Schedule{c.schedule("a", "rate(20 minutes)"), window})
		}
		time.Sleep(61 * time.Minute)
		c.want(t, "00:20:00 a, 00:40:00 a, 01:00:00 a")
		time.Sleep(10 * time.Minute)
		if kept := c.take(); len(kept) != 1 || !strings.HasSuffix(kept[0], "window") {
			t.Errorf("within the window ran %s", kept)
		}
	})
}

func TestMissedTicksAreCaughtUpWith(t *testing.T) {
	inClock(t, func(t *testing.T, c *clock) {
		set := func(e *Engine) {
			day := c.schedule("day", "cron(0 1 * * ? *)")
			day.CatchUp = 2 * time.Hour
			never := c.schedule("never", "cron(0 1 * * ? *)")
			never.CatchUp = 0
			often := c.schedule("often", "rate(5 minutes)")
			often.CatchUp = time.Hour
			e.Set(t.Context(), "", []Schedule{day, never, often, c.schedule("short", "cron(0 1 * * ? *)")})
		}
		e := c.engine()
		set(e)
		time.Sleep(58 * time.Minute)
		c.take()
		e.Close()
		time.Sleep(4*time.Minute + 30*time.Second) // it is 01:02:30
		e = c.engine()
		set(e)
		time.Sleep(time.Second)
		c.want(t, "01:02:30 day, 01:02:30 often")
		// A reload misses nothing, and runs nothing twice; what is new begins.
		time.Sleep(2 * time.Minute)
		e.Set(t.Context(), "", []Schedule{c.schedule("often", "rate(5 minutes)"), c.schedule("new", "cron(4 1 * * ? *)")})
		time.Sleep(time.Minute)
		e.Close()
		c.want(t, "01:05:00 often")
	})
}

func TestTicksAreKeptUntilTheQueueTakesThem(t *testing.T) {
	inClock(t, func(t *testing.T, c *clock) {
		e := c.engine()
		defer e.Close()
		e.Set(t.Context(), "", []Schedule{c.schedule("a", "rate(1 hour)"), c.schedule("b", "rate(1 minute)")})
		time.Sleep(59*time.Minute + 30*time.Second)
		c.mu.Lock()
		c.kept, c.refuse = nil, true
		c.mu.Unlock()
		time.Sleep(2*time.Minute + 39*time.Second)
		e.Set(t.Context(), "", []Schedule{c.schedule("a", "rate(1 hour)"), c.schedule("b", "rate(1 minute)")})
		time.Sleep(time.Second)
		c.mu.Lock()
		c.refuse = false
		c.mu.Unlock()
		time.Sleep(2 * time.Second)
		kept := c.take()
		if got := strings.Join(kept, ", "); !strings.Contains(got, "01:02:1") || !strings.Contains(got, " a") || !strings.Contains(got, " b") || len(kept) != 2 {
			t.Errorf("ran: %s", got)
		}
	})
}

func TestTicksHaveAStartAndAnEnd(t *testing.T) {
	inClock(t, func(t *testing.T, c *clock) {
		e := c.engine()
		defer e.Close()
		s := c.schedule("a", "rate(1 hour)")
		s.Start, s.End = time.Date(2000, 1, 1, 2, 0, 0, 0, time.UTC), time.Date(2000, 1, 1, 3, 30, 0, 0, time.UTC)
		e.Set(t.Context(), "", []Schedule{s})
		time.Sleep(6 * time.Hour)
		c.want(t, "02:00:00 a, 03:00:00 a")
	})
}
