package usageplan

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hearthfn/hearth/warmpool/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counters are state.Counters that can be away.
type counters struct {
	mu    sync.Mutex
	units map[string]int64
	draws int
	away  bool
}

func (c *counters) Draw(_ context.Context, d state.Draw) (got, total int64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.draws++
	if err := state.CheckDraw(d); err != nil || c.away {
		return 0, 0, errors.Join(err, state.ErrUnavailable)
	}
	got = d.Change(c.units[d.Name])
	c.units[d.Name] += got
	return got, c.units[d.Name], nil
}

func (c *counters) set(away bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = away
}

func (c *counters) total(name string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.units[name]
}

type clock struct{ atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(0, c.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.Add(int64(d)) }

var start = time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC) // a Sunday

const secret = "0123456789abcdef0123"

func newPlan(t *testing.T, c Config, k *counters) (*Plan, *clock) {
	t.Helper()
	now := new(clock)
	now.Store(start.UnixNano())
	c.ID, c.Counters, c.Now = "partners", k, now.now
	if c.Keys == nil {
		c.Keys = []Key{{ID: "acme", Value: secret}}
	}
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p, now
}

func newCounters() *counters { return &counters{units: make(map[string]int64)} }

const today = "usage/partners/acme/2026-11-29"

func TestAClientIsFoundByItsKeyAlone(t *testing.T) {
	p, _ := newPlan(t, Config{Keys: []Key{{ID: "a", Value: secret}, {ID: "b", Value: secret + "b"}}}, newCounters())
	for value, want := range map[string]string{secret: "a", secret + "b": "b", "": "", secret[1:]: "", secret + "c": "", strings.Repeat("x", 1<<20): ""} {
		if c := p.Find(value); (c == nil) != (want == "") || c != nil && c.ID != want {
			t.Errorf("%.30q: %+v, want %q", value, c, want)
		}
	}
	if err := p.Find(secret).Allow(""); err != nil {
		t.Error(err)
	}
	other, _ := newPlan(t, Config{Keys: []Key{{ID: "c", Value: secret + "c"}, {ID: "d", Value: secret + "b"}}}, newCounters())
	if one, two, found := p.Shares(other); one != "b" || two != "d" || !found {
		t.Errorf("%q %q %v", one, two, found)
	}
}

func TestNoMoreThanTheQuotaIsAllowedOverAllNodes(t *testing.T) {
	k := newCounters()
	var plans []*Plan
	for range 3 {
		p, _ := newPlan(t, Config{Quota: 5000, Period: Day}, k)
		plans = append(plans, p)
	}
	var allowed atomic.Int64
	var all sync.WaitGroup
	for n := range 12 {
		all.Go(func() {
			c := plans[n%3].Find(secret)
			for range 1000 {
				switch err := c.Allow(""); {
				case err == nil:
					allowed.Add(1)
				case !errors.Is(err, ErrExhausted):
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if n := allowed.Load(); n > 5000 || n < 4990 { // the rest may be with another node
		t.Errorf("%d requests are allowed", n)
	}
	k.mu.Lock()
	if k.draws > 3000 {
		t.Errorf("%d draws", k.draws)
	}
	k.mu.Unlock()
}

func TestTheQuotaOfASmallPlanIsExact(t *testing.T) {
	k := newCounters()
	p, now := newPlan(t, Config{Quota: 3, Period: Day}, k)
	c := p.Find(secret)
	for range 3 {
		if err := c.Allow(""); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		if err := c.Allow(""); !errors.Is(err, ErrExhausted) {
			t.Fatal(err)
		}
	}
	if k.draws > 5 {
		t.Errorf("%d draws while nothing is left", k.draws)
	}
	now.advance(14 * time.Hour) // midnight
	if err := c.Allow(""); err != nil {
		t.Errorf("in the next period: %v", err)
	}
}

func TestOneDrawServesManyRequests(t *testing.T) {
	k := newCounters()
	p, _ := newPlan(t, Config{Quota: 1_000_000, Period: Month}, k)
	c := p.Find(secret)
	for range 20_000 {
		if err := c.Allow(""); err != nil {
			t.Fatal(err)
		}
	}
	p.Close()
	if got := k.total("usage/partners/acme/2026-11-01"); got != 20_000 || k.draws > 100 {
		t.Errorf("%d are counted after Close, by %d draws", got, k.draws)
	}
}

func TestRequestsGoOnWhileTheCountersAreAway(t *testing.T) {
	k := newCounters()
	p, now := newPlan(t, Config{Quota: 100, Period: Day}, k)
	c := p.Find(secret)
	k.set(true)
	for range 10 {
		if err := c.Allow(""); err != nil {
			t.Fatal(err)
		}
	}
	k.set(false)
	now.advance(drawPause)
	if err := c.Allow(""); err != nil {
		t.Fatal(err)
	}
	p.Close()
	if got := k.total(today); got != 11 {
		t.Errorf("%d are counted, want 11", got)
	}
}

func TestTheRateIsThatOfEachClient(t *testing.T) {
	p, _ := newPlan(t, Config{Rate: 0.001, Burst: 2, Keys: []Key{{ID: "a", Value: secret}, {ID: "b", Value: secret + "b"}}}, newCounters())
	a, b := p.Find(secret), p.Find(secret+"b")
	for n, test := range []struct {
		client *Client
		want   error
	}{{a, nil}, {a, nil}, {a, ErrThrottled}, {b, nil}, {a, ErrThrottled}} {
		if err := test.client.Allow(""); !errors.Is(err, test.want) {
			t.Errorf("%d: %v, want %v", n, err, test.want)
		}
	}
}

func TestPeriodsBeginAsOnAWS(t *testing.T) {
	for _, test := range []struct {
		period Period
		at     string
		begin  string
		end    string
	}{
		{Day, "2026-02-28T23:59:59Z", "2026-02-28", "2026-03-01"},
		{Day, "2026-03-01T00:30:00+01:00", "2026-02-28", "2026-03-01"},
		{Week, "2026-12-05T23:59:59Z", "2026-11-29", "2026-12-06"},
		{Week, "2026-11-29T00:00:00Z", "2026-11-29", "2026-12-06"},
		{Month, "2026-12-31T12:00:00Z", "2026-12-01", "2027-01-01"},
	} {
		at, err := time.Parse(time.RFC3339, test.at)
		if err != nil {
			t.Fatal(err)
		}
		begin, end := test.period.at(at)
		if got := begin.Format(time.DateOnly) + " " + end.Format(time.DateOnly); got != test.begin+" "+test.end {
			t.Errorf("%s at %s: %s", test.period, test.at, got)
		}
	}
}

func TestPlansThatCannotWorkAreRefused(t *testing.T) {
	key := Key{ID: "a", Value: secret}
	for _, test := range []struct {
		config Config
		want   string
	}{
		{Config{Rate: -1}, "less than 0"},
		{Config{Burst: 1}, "burst without a rate"},
		{Config{Quota: -1, Period: Day}, "quota -1"},
		{Config{Quota: 1, Period: "YEAR"}, "period"},
		{Config{Keys: []Key{key, key}}, `key "a" is there twice`},
		{Config{Keys: []Key{key, {ID: "b", Value: secret}}}, `"a" and "b" have the same value`},
		{Config{Keys: []Key{{ID: "a", Value: "short"}}}, "has 5 bytes"},
		{Config{Keys: []Key{{Value: secret}}}, "without an ID"},
	} {
		_, err := New(test.config)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%+v: %v, want %q", test.config, err, test.want)
		}
	}
}

func BenchmarkAllow(b *testing.B) {
	p, err := New(Config{ID: "p", Rate: 1e9, Burst: 1e9, Quota: state.MaxLimit, Period: Day, Keys: []Key{{ID: "a", Value: secret}}, Counters: newCounters()})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Find(secret).Allow(""); err != nil {
			b.Fatal(err)
		}
	}
}

func TestARouteHasABucketOfItsOwn(t *testing.T) {
	own := RouteID("api", "live", "GET /pets")
	p, err := New(Config{
		ID: "p", Rate: 0.001, Burst: 2, Routes: map[string]Bucket{own: {Rate: 0.001, Burst: 1}}, Keys: []Key{{ID: "k", Value: strings.Repeat("v", MinValue)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	c := p.Find(strings.Repeat("v", MinValue))
	for n, test := range []struct {
		route string
		want  error
	}{{own, nil}, {own, ErrThrottled}, {"other", nil}, {"", nil}, {"other", ErrThrottled}} {
		if err := c.Allow(test.route); !errors.Is(err, test.want) {
			t.Errorf("%d: %v, want %v", n, err, test.want)
		}
	}
	if _, err := New(Config{ID: "p", Routes: map[string]Bucket{own: {Rate: -1}}}); err == nil {
		t.Error("a rate below 0 is taken")
	}
}

func TestAnOffsetLessensTheQuotaOfTheFirstPeriod(t *testing.T) {
	k := &counters{units: make(map[string]int64)}
	p, now := newPlan(t, Config{Quota: 5, Period: Week, Offset: 3, Begun: start.Add(time.Hour)}, k)
	defer p.Close()
	allowed := func() (n int) {
		for range 8 {
			if p.Find(secret).Allow("") == nil {
				n++
			}
			now.advance(2 * drawPause)
		}
		return n
	}
	if n := allowed(); n != 2 {
		t.Errorf("%d requests in the first week, want 2", n)
	}
	now.advance(7 * 24 * time.Hour)
	if n := allowed(); n != 5 {
		t.Errorf("%d requests in the second week, want 5", n)
	}
	if _, err := New(Config{Quota: 5, Period: Week, Offset: 6}); err == nil {
		t.Error("an offset above the quota is taken")
	}
}
