package quota

import (
	"slices"
	"sync"
	"sync/atomic"
)

// A Quota counts the invocations of one function over all of its versions, because its
// reserved concurrency bounds them together.
type Quota struct {
	name     string
	here     *allotment // this node's part of it; nil: no other node has the function
	inFlight atomic.Int64
	peak     atomic.Int64 // the most of inFlight since TakePeak
	several  atomic.Bool  // there are several versions

	mu       sync.Mutex // guards versions
	versions []Version
}

// A Version is one version of a function, with callers who wait. Both methods are called
// without a lock of this package, so that a version may enter under its own lock.
type Version interface {
	Waiting() int // how many callers wait
	Serve()       // lets waiting callers enter while there is room
}

// Enter counts one more invocation, unless there are limit already. slotted reports that it
// has one of the slots of the allotment.
func (q *Quota) Enter(limit *int) (entered, slotted bool) {
	if limit == nil {
		q.crest(q.inFlight.Add(1))
		return true, false
	}
	if q.here != nil {
		if !q.here.enter(*limit) {
			return false, false
		}
		q.crest(q.inFlight.Add(1))
		return true, true
	}
	for {
		n := q.inFlight.Load()
		if n >= int64(*limit) {
			return false, false
		}
		if q.inFlight.CompareAndSwap(n, n+1) {
			q.crest(n + 1)
			return true, false
		}
	}
}

// Room reports whether Enter would succeed.
func (q *Quota) Room(limit int) bool {
	if q.here != nil {
		q.here.mu.Lock()
		defer q.here.mu.Unlock()
		return q.here.inFlight < min(q.here.usable, limit)
	}
	return q.inFlight.Load() < int64(limit)
}

// Leave undoes Enter.
func (q *Quota) Leave(slotted bool) {
	q.inFlight.Add(-1)
	if slotted {
		q.here.leave()
	}
}

// crest notes how many are counted.
func (q *Quota) crest(n int64) {
	for {
		most := q.peak.Load()
		if n <= most || q.peak.CompareAndSwap(most, n) {
			return
		}
	}
}

// TakePeak is how many invocations were counted at once at most since the last TakePeak.
func (q *Quota) TakePeak() int {
	now := q.inFlight.Load()
	return int(max(q.peak.Swap(now), now))
}

// InFlight is how many invocations are counted.
func (q *Quota) InFlight() int { return int(q.inFlight.Load()) }

// waiting is how many callers wait, of all versions.
func (q *Quota) waiting() (n int) {
	q.mu.Lock()
	versions := slices.Clone(q.versions)
	q.mu.Unlock()
	for _, v := range versions {
		n += v.Waiting()
	}
	return n
}

// WakeOthers gives room to the waiting callers of other versions than v, or of all versions
// if v is nil.
func (q *Quota) WakeOthers(v Version) {
	if v != nil && !q.several.Load() {
		return
	}
	q.mu.Lock()
	others := slices.Clone(q.versions)
	q.mu.Unlock()
	for _, other := range others {
		if other != v {
			other.Serve()
		}
	}
}
