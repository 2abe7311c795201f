package keepalive

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// A Clock is the age that evictions have brought a node to. The zero value is
// young. It may be used by several goroutines.
type Clock struct{ age atomic.Uint64 } // bits of a float64

func (c *Clock) now() float64 { return math.Float64frombits(c.age.Load()) }

// Priority is what an environment is worth, from now until it is used again: it is
// compared with those of others, and the lowest goes first. uses is how often its
// function has been used of late (History.Uses), cost how long its start takes.
func (c *Clock) Priority(uses float64, cost time.Duration, memoryMB int) float64 {
	return c.now() + uses*cost.Seconds()/float64(max(1, memoryMB))
}

// Evicted moves the clock on to the priority of what was given up.
func (c *Clock) Evicted(priority float64) {
	for {
		old := c.age.Load()
		if priority <= math.Float64frombits(old) || c.age.CompareAndSwap(old, math.Float64bits(priority)) {
			return
		}
	}
}

const (
	buckets = 17   // of idle times: up to 1 s, 2 s, 4 s ... 18 h, and longer
	enough  = 5    // idle times that a function has shown before they count
	forget  = 1000 // idle times after which old ones count half

	// unknown is how long an environment is kept of a function that has shown little.
	unknown = 6 * time.Minute
	// worth is for how long an environment may be idle to avoid one cold start.
	worth = 20 * time.Minute
	// A window is never shorter than floor, and a fifth longer than its bucket.
	floor  = time.Minute
	margin = 5
)

// A History is what is known of one function. The zero value knows nothing. It is
// its owner's to lock.
type History struct {
	idle [buckets]uint16
	seen uint16
	uses float32
	cost time.Duration // of a start, a moving average
}

// Used notes that an environment was used after it had been idle.
func (h *History) Used(idle time.Duration) {
	bucket := min(bits.Len64(uint64(max(0, idle)/time.Second)), buckets-1)
	h.idle[bucket]++
	h.uses++
	if h.seen++; h.seen == forget {
		h.seen = 0
		for i := range h.idle {
			h.idle[i] /= 2
			h.seen += h.idle[i]
		}
		h.uses /= 2
	}
}

// Started notes a start and how long it took.
func (h *History) Started(took time.Duration) {
	if h.cost == 0 {
		h.cost = took
	} else {
		h.cost += (took - h.cost) / 8
	}
	h.uses++
}

// Missed notes a call that came after the last environment had been given up: idle
// is how long ago that was used. Without it, a function would only ever show the
// idle times that it was kept for.
func (h *History) Missed(idle time.Duration) {
	h.Used(idle)
	h.uses = 1 // uses before do not count any more, as in FaasCache
}

// Uses is how often the function was used, old uses counting less.
func (h *History) Uses() float64 { return float64(h.uses) }

// Cost is how long a start takes.
func (h *History) Cost() time.Duration { return h.cost }

// Window is how long an idle environment is kept when nothing else needs its
// memory, most at the longest: the time that has the best balance of cold starts it
// would have avoided against idle time it would have cost.
func (h *History) Window(most time.Duration) time.Duration {
	if h.seen < enough {
		return min(unknown, most)
	}
	var hits, waited float64 // so far: calls within the window, and seconds kept for them
	best, window := 0.0, min(floor, most)
	total := float64(h.seen)
	for i, n := range h.idle {
		end := time.Second << i
		if i == buckets-1 || end > most {
			break
		}
		hits += float64(n)
		waited += float64(n) * 0.75 * end.Seconds() // the middle of a bucket
		kept := waited + (total-hits)*end.Seconds()
		if value := hits - kept/worth.Seconds(); value > best {
			best, window = value, max(end+end/margin, min(floor, most))
		}
	}
	return min(window, most)
}
