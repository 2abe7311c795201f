package bodies

import (
	"cmp"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
)

// ErrFull says that the bodies that wait have all the memory they may have.
var ErrFull = errors.New("the bodies that wait have all the memory they may have")

const (
	// Small is the size up to which a body is not counted.
	Small = 64 << 10
	// DefaultMB is the budget where none is said.
	DefaultMB = 256
	// LeastMB is the least budget: the largest body of an event and what is made of it fit.
	LeastMB = 24
)

// A Budget is the memory for all bodies of a node. Its methods may be called at the
// same time; a nil Budget bounds nothing.
type Budget struct {
	limit   atomic.Int64
	used    atomic.Int64 // by bodies and garbage
	garbage atomic.Int64 // what bodies have left that the collector has not yet found
	refused atomic.Int64

	collecting sync.Mutex // held during a collection

	mu       sync.Mutex            // guards arrivals, and since, waits and holds of each
	arrivals map[*arrival]struct{} // the large bodies that are being read
}

// New returns a budget of so many MB; 0: the default.
func New(mb int) *Budget {
	b := new(Budget)
	b.Resize(mb)
	return b
}

// Resize changes the budget. Bodies that are there stay.
func (b *Budget) Resize(mb int) { b.limit.Store(int64(cmp.Or(mb, DefaultMB)) << 20) }

// Used is how much the bodies hold that are there now.
func (b *Budget) Used() int64 { return b.used.Load() - b.garbage.Load() }

// reserve takes n bytes for a body, if there is room or another body, a slow one, gives way.
func (b *Budget) reserve(n int64, of *arrival) bool {
	for {
		if b.take(n) {
			return true
		}
		if b.Used()+n <= b.limit.Load() {
			b.collect()
			if b.take(n) {
				return true
			}
		}
		if n > b.limit.Load() || !b.cutSlowest(of) {
			return false
		}
	}
}

func (b *Budget) take(n int64) bool {
	if b.used.Add(n) <= b.limit.Load() {
		return true
	}
	b.used.Add(-n)
	return false
}

// leave ends the use of n bytes that are garbage now. They have room again only when
// they are collected: left to itself, the collector lets garbage grow to several times
// what is live.
func (b *Budget) leave(n int64) {
	if n > 0 && b.garbage.Add(n) > b.limit.Load()/4 && b.collecting.TryLock() {
		b.sweep()
		b.collecting.Unlock()
	}
}

func (b *Budget) collect() {
	b.collecting.Lock()
	defer b.collecting.Unlock()
	b.sweep() // another may have done it meanwhile; then there is little garbage
}

// sweep is called with collecting held.
func (b *Budget) sweep() {
	if n := b.garbage.Load(); n > 0 {
		runtime.GC()
		b.garbage.Add(-n)
		b.used.Add(-n)
	}
}

// A Share is what one request has of a budget. The zero Share has nothing.
type Share struct {
	budget  *Budget
	n       int64
	arrival *arrival // while a large body is read
}

// Hold makes the share n bytes large, if it is smaller.
func (s *Share) Hold(b *Budget, n int) error {
	if b == nil || s.hold(b, n) {
		return nil
	}
	b.refused.Add(1)
	return ErrFull
}

// hold makes the share n bytes large, if there is room.
func (s *Share) hold(b *Budget, n int) bool { return s.grow(b, n, b.reserve) }

// holdNow is hold without making room.
func (s *Share) holdNow(b *Budget, n int) bool {
	return s.grow(b, n, func(n int64, _ *arrival) bool { return b.take(n) })
}

func (s *Share) grow(b *Budget, n int, take func(n int64, of *arrival) bool) bool {
	more := int64(n) - s.n
	if more <= 0 {
		return true
	}
	if !take(more, s.arrival) {
		return false
	}
	s.budget = b
	s.n += more
	return true
}

// Keep makes the share n bytes small, if it is larger. The caller has let go of the
// memory before.
func (s *Share) Keep(n int) {
	if less := s.n - int64(n); less > 0 {
		s.n -= less
		s.budget.leave(less)
	}
}

// End gives the whole share back.
func (s *Share) End() { s.Keep(0) }
