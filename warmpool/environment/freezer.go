package environment

import "time"

// An environment that has been idle for freezeAfter is frozen, at the latest after twice
// that. If it may not be frozen yet, it is tried again after twice the time, up to
// freezeAtLast. By then it is no reason any more that the runtime works though it has
// answered.
const (
	freezeAfter  = 100 * time.Millisecond
	freezeAtLast = time.Second
)

// A freezer is one timer per environment that looks whether it is idle, instead of one per
// call: it runs on while there are calls. A call that finds the environment frozen thaws it
// before it writes its frame. All fields are guarded by the environment's mu.
type freezer struct {
	timer *time.Timer
	armed bool          // the timer fires
	wait  time.Duration // that it was armed for
	seq   uint32        // the last call when it looked
}

func (f *freezer) init(e *Environment) {
	f.timer = time.AfterFunc(time.Hour, e.freezeIdle)
	f.timer.Stop()
}

func (f *freezer) stop() { f.timer.Stop() }

// arm has an environment that is idle now frozen in time. One that runs several
// invocations at once goes on between them, as on Lambda's managed instances
// (docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-execution-environment.html).
func (f *freezer) arm(concurrency int) {
	if f.armed || concurrency > 1 {
		return
	}
	f.again(freezeAfter)
}

func (f *freezer) again(wait time.Duration) {
	f.armed, f.wait = true, wait
	f.timer.Reset(wait)
}

// freezeIdle runs when the timer fires.
func (e *Environment) freezeIdle() {
	if !e.order.TryLock() { // a frame is being written
		e.mu.Lock()
		e.freezer.again(freezeAfter)
		e.mu.Unlock()
		return
	}
	defer e.order.Unlock()
	e.mu.Lock()
	idle, used := e.state == StateIdle, e.seq != e.freezer.seq
	e.freezer.seq = e.seq
	switch {
	case !idle:
		e.freezer.armed = false // the end of the call arms it
	case used:
		e.freezer.again(freezeAfter)
	}
	last := e.freezer.wait >= freezeAtLast
	e.mu.Unlock()
	if !idle || used {
		return
	}
	// While order is held, no frame is written, so it stays idle unless it is to end.
	e.frozen = (last || !e.proc.Working()) && e.proc.Freeze()
	e.mu.Lock()
	idle = e.state == StateIdle
	switch {
	case !idle:
	case e.frozen:
		e.freezer.armed = false
	default:
		e.freezer.again(min(2*e.freezer.wait, freezeAtLast))
	}
	e.mu.Unlock()
	if !idle {
		_ = e.proc.Thaw() // Shutdown may have come too early to do so; what stands still is killed
	}
}

// thaw needs order.
func (e *Environment) thaw() {
	e.frozen = false
	if err := e.proc.Thaw(); err != nil {
		e.kill(err)
	}
}

// Frozen returns the memory of an environment that is frozen, in bytes. It is false for one that is
// not, or may not be any more, and where the memory is unknown.
func (e *Environment) Frozen() (memory int64, ok bool) {
	if !e.order.TryLock() {
		return 0, false
	}
	defer e.order.Unlock()
	p, known := e.proc.(interface{ CurrentMemory() int64 })
	if !e.frozen || !known {
		return 0, false
	}
	memory = p.CurrentMemory()
	return memory, memory > 0
}
