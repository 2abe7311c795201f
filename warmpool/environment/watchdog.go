package environment

import (
	"time"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

// patience is how long the call in front may take before the frames written
// behind it are taken back: between one and two times this.
const patience = 2 * time.Millisecond

// A watchdog is one timer per environment instead of one per call: it fires at
// the earliest time at which something can be wrong, and looks. All fields are
// guarded by the environment's mu.
type watchdog struct {
	timer *time.Timer
	at    time.Time // when the timer fires; zero: not armed
	front uint32    // the call in front when it last looked
}

func (w *watchdog) init(e *Environment) {
	w.timer = time.AfterFunc(time.Hour, e.look)
	w.timer.Stop()
}

func (w *watchdog) stop() { w.timer.Stop() }

// arm makes sure that the timer fires by at, or within patience when calls wait
// behind another.
func (w *watchdog) arm(now, at time.Time, queued bool) {
	if soon := now.Add(patience); queued && soon.Before(at) {
		at = soon
	}
	// A timer that fires too early only checks and continues, so a call that is over does
	// not have to stop it.
	if w.at.IsZero() || at.Before(w.at) {
		w.at = at
		w.timer.Reset(at.Sub(now))
	}
}

// look runs when the timer fires.
func (e *Environment) look() {
	e.mu.Lock()
	e.watch.at = time.Time{}
	if e.state != StateInvoke || len(e.calls) == 0 {
		e.mu.Unlock()
		return
	}
	now := time.Now()
	earliest := e.calls[0]
	for _, c := range e.calls[1:] {
		if e.spec.Init.Concurrency > 1 && c.deadline.Before(earliest.deadline) {
			earliest = c
		}
	}
	if !now.Before(earliest.deadline) {
		e.mu.Unlock()
		e.kill(errTimeout)
		return
	}
	queued := e.spec.Init.Concurrency <= 1 && len(e.calls) > 1
	slow := queued && e.watch.front == e.calls[0].seq
	e.watch.front = e.calls[0].seq
	e.watch.arm(now, earliest.deadline, queued && !slow)
	if slow {
		e.stuck.Store(true)
	}
	e.mu.Unlock()
	if slow {
		e.takeBack()
	}
}

// takeBack reads the frames that the runtime has not read, and gives their calls
// back to the callers, with those that are not in the pipe yet. The pipe holds packets, so what
// it reads is whole.
func (e *Environment) takeBack() {
	taken := e.drain()
	if e.batch.fits { // else whoever has order may wait for room in the pipe
		taken = append(taken, e.takeBatch()...)
		taken = append(taken, e.drain()...) // what was on its way when the first read ended
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, seq := range taken {
		if i := e.find(seq); i >= 0 {
			e.returnCall(i)
		}
	}
	if !e.reading {
		e.passSeat() // it may have been meant for one who is gone now
	}
}

// returnCall ends calls[i] as not started. It needs mu.
func (e *Environment) returnCall(i int) {
	c := e.calls[i]
	e.remove(i)
	if e.turn == c {
		e.turn = nil // a runtime that answers what it has not read
	}
	c.err, c.done = ErrNotStarted, true
	c.signal()
	if e.reader == c {
		// It sits and waits for bytes, which may be long in coming.
		_ = e.out.SetReadDeadline(time.Unix(1, 0))
	}
}

// rouse undoes the deadline by which returnCall has roused the reader. It
// reports false when the process has ended: then the deadline is the end's.
func (e *Environment) rouse() bool {
	select {
	case <-e.proc.Done():
		return false
	default:
	}
	_ = e.out.SetReadDeadline(time.Time{})
	select {
	case <-e.proc.Done(): // reap may have set its deadline just before
		_ = e.out.SetReadDeadline(time.Now().Add(endGrace))
	default:
	}
	return true
}

// drain empties the request pipe and returns the sequence numbers of the frames
// in it. A frame that was written as a stream counts only if none of it had been
// read: what is left of one begins in the middle of its text, which is UTF-8 and
// has no Magic in it.
func (e *Environment) drain() []uint32 {
	var taken []uint32
	raw, err := e.unread.SyscallConn()
	if err != nil {
		return nil
	}
	buf := make([]byte, runtimes.PacketSize)
	for {
		n, err := readNow(raw, buf)
		if n < runtimes.HeadSize || err != nil {
			return taken
		}
		rest := buf[:n]
		for len(rest) >= runtimes.HeadSize && rest[0] == runtimes.Magic && runtimes.Kind(rest[1]) == runtimes.KindInvoke {
			taken = append(taken, runtimes.InvokeSeq(rest))
			rest = rest[min(len(rest), runtimes.InvokeSize(rest)):] // in a stream the next may follow
		}
	}
}
