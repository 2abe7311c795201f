package environment

import (
	"errors"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// spinTime is how long a reader asks for the reply again and again before it goes
// to sleep until there is one. It does so only where replies have come within
// that time lately.
const spinTime = 200 * time.Microsecond

// A spinner reads the reply of a short call without sleeping. On an idle machine, waking
// up is most of the cost of a warm call. With the spinner the gateway is still running
// when the runtime answers. It spins only while the call is the only one on the node, and the
// calls before it were as well: then the core has no better use. Of 16 connections one call is in
// flight alone again and again for an instant, and the other callers want the core meanwhile.
//
// All fields but busy belong to the call with the reader's seat.
type spinner struct {
	busy  *atomic.Int32 // calls in flight on the node; nil: never spin
	raw   syscall.RawConn
	poll  func(fd uintptr) bool // made once, not for each call
	into  []byte
	n     int
	until time.Time
	mean  time.Duration // moving average of how long replies have been waited for
	loud  int           // how many calls must still be alone on the node before the next one spins
}

// calm is for how many calls in a row a call must have been alone.
const calm = 16

func (s *spinner) init(raw syscall.RawConn, busy *atomic.Int32) {
	s.raw = raw
	s.poll = s.ask
	s.watch(busy)
}

func (s *spinner) watch(busy *atomic.Int32) {
	if runtime.NumCPU() > 1 { // else the runtime could not run meanwhile
		s.busy = busy
	}
}

// read reads into b what sleep would, which reads and waits as long as it takes.
func (s *spinner) read(b []byte, sleep func([]byte) (int, error)) (int, error) {
	if s.busy == nil {
		return sleep(b)
	}
	if s.busy.Load() != 1 {
		s.loud = calm
		return sleep(b)
	}
	if s.loud > 0 {
		s.loud--
		return sleep(b)
	}
	began := time.Now()
	n, err := 0, error(nil)
	if s.mean < spinTime {
		s.into, s.n, s.until = b, 0, began.Add(spinTime)
		err = s.raw.Read(s.poll)
		s.into, n = nil, s.n
	}
	if n == 0 && err == nil { // nothing yet, or the end of the pipe
		n, err = sleep(b)
	}
	// A single long wait counts for little more than it takes to stop spinning.
	s.mean += (min(time.Since(began), 8*spinTime) - s.mean) / 8
	return n, err
}

// ask is called with the descriptor; it always says that it is done with it.
func (s *spinner) ask(fd uintptr) bool {
	for {
		n, err := unix.Read(int(fd), s.into)
		if n > 0 {
			s.n = n
			return true
		}
		if s.busy.Load() != 1 {
			s.loud = calm
			return true
		}
		if !errors.Is(err, unix.EAGAIN) || time.Now().After(s.until) {
			return true
		}
	}
}
