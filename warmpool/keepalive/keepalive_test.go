package keepalive

import (
	"testing"
	"time"
	"unsafe"
)

func TestBusyCostlyAndSmallEnvironmentsAreWorthMore(t *testing.T) {
	var c Clock
	base := c.Priority(10, 100*time.Millisecond, 128)
	for name, more := range map[string]float64{
		"busier": c.Priority(20, 100*time.Millisecond, 128), "costlier": c.Priority(10, time.Second, 128), "smaller": c.Priority(10, 100*time.Millisecond, 64),
	} {
		if more <= base {
			t.Errorf("%s: %g, base %g", name, more, base)
		}
	}
}

func TestWhatIsNotUsedAges(t *testing.T) {
	var c Clock
	old := c.Priority(100, time.Second, 128)
	for range 1000 { // others come and go
		c.Evicted(c.Priority(1, time.Second, 128))
	}
	if fresh := c.Priority(1, time.Second, 128); fresh <= old {
		t.Errorf("one that was busy long ago, %g, is worth more than one that is used now, %g", old, fresh)
	}
	c.Evicted(0)
	if fresh := c.Priority(1, time.Second, 128); fresh <= old {
		t.Error("the clock went back")
	}
}

func TestWindowFollowsTheIdleTimesOfAFunction(t *testing.T) {
	const most = time.Hour
	for name, test := range map[string]struct {
		idle []time.Duration
		want time.Duration
	}{
		"unknown":          {nil, unknown},
		"little known":     {[]time.Duration{time.Second}, unknown},
		"busy":             {repeat(100*time.Millisecond, 50), time.Minute},
		"every 5 minutes":  {repeat(5*time.Minute, 20), 512 * time.Second * 6 / 5},
		"every 40 minutes": {repeat(40*time.Minute, 20), time.Minute},
		"once a day":       {repeat(24*time.Hour, 20), time.Minute},
		"a rare long gap":  {append(repeat(time.Second, 99), 30*time.Minute), time.Minute},
		"clock went back":  {repeat(-time.Second, 20), time.Minute},
	} {
		var h History
		for _, idle := range test.idle {
			h.Used(idle)
		}
		if got := h.Window(most); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

func repeat(d time.Duration, n int) []time.Duration {
	all := make([]time.Duration, n)
	for i := range all {
		all[i] = d
	}
	return all
}

func TestHistoryForgets(t *testing.T) {
	var h History
	for range 5000 {
		h.Used(20 * time.Minute)
	}
	for range 3 * forget {
		h.Used(time.Second)
	}
	if w := h.Window(time.Hour); w > 5*time.Minute {
		t.Errorf("the window is still %s", w)
	}
	if h.Uses() > 2*forget {
		t.Errorf("%g uses count", h.Uses())
	}
}

func TestHistoryIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(History{}); size > 64 {
		t.Errorf("%d bytes for each function", size)
	}
}

func TestCostIsAnAverage(t *testing.T) {
	var h History
	h.Started(80 * time.Millisecond)
	for range 50 {
		h.Started(4 * time.Millisecond)
	}
	if c := h.Cost(); c < 3*time.Millisecond || c > 6*time.Millisecond {
		t.Errorf("got %s", c)
	}
}

func BenchmarkUsed(b *testing.B) {
	var h History
	b.ReportAllocs()
	for i := range b.N {
		h.Used(time.Duration(i))
	}
}
