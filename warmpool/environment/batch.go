package environment

import (
	"os"
	"runtime"
	"slices"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

// crowd is how many calls are in flight on the node when frames go into a pipe together. With
// fewer, a frame that waits for others makes a call longer.
const crowd = 8

// batchMost is how many frames go into the pipe by one write.
const batchMost = 8

// A batch gathers short frames of calls that begin at about the same time. With many calls in
// flight, to write each frame by itself is the dearest thing that the gateway does for a warm
// call: the runtime, which is faster than the gateway, sleeps before each, and is woken for each.
type batch struct {
	// fits says that a packet is a page, and that the pipe takes all frames that are written ahead:
	// a writer never waits.
	fits bool

	seqs    []uint32 // of the calls
	packets []byte   // their frames
}

// init is told how many bytes the pipe takes.
func (b *batch) init(pipe int) {
	b.fits = pipe >= MaxAhead*runtimes.PacketSize && os.Getpagesize() == runtimes.PacketSize
}

func (b *batch) add(c *Call) {
	b.packets = runtimes.AppendPacket(b.packets, c.Frame)
	b.seqs = append(b.seqs, c.seq)
}

func (b *batch) reset() { b.seqs, b.packets = b.seqs[:0], b.packets[:0] }

// crowded reports whether the frame of c is to wait for others.
func (e *Environment) crowded(c *Call) bool {
	return e.batch.fits && e.spec.Busy != nil && e.spec.Busy.Load() >= crowd && e.spec.Init.Concurrency <= 1 && c.Short()
}

// send writes the frame of c, at once or with those of the calls that begin while the goroutines
// that are ready now have their turn. It needs order, which it lets go while it waits for them.
func (e *Environment) send(c *Call) {
	if !e.crowded(c) {
		e.flush()
		if err := e.write(c.Frame); err != nil {
			e.markUnsent(c.seq)
		}
		return
	}
	e.batch.add(c)
	switch len(e.batch.seqs) {
	case batchMost:
		e.flush()
	case 1: // the first sees to the others
		e.order.Unlock()
		runtime.Gosched()
		e.order.Lock()
		e.flush()
	}
}

// flush writes the frames of the batch. It needs order.
func (e *Environment) flush() {
	if len(e.batch.seqs) == 0 {
		return
	}
	if n, err := e.writeAs(true, e.batch.packets); err != nil {
		e.markUnsent(e.batch.seqs[n/runtimes.PacketSize:]...) // those before may have run
	}
	e.batch.reset()
}

// markUnsent notes that frames did not go into the pipe: the process has ended. The end of the
// channel says how. The mark is there before order is unlocked, which collapse waits for.
func (e *Environment) markUnsent(seqs ...uint32) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, seq := range seqs {
		if i := e.find(seq); i >= 0 { // else a runtime has answered what it has not read
			e.calls[i].unsent = true
		}
	}
}

// takeBatch empties the batch and returns the sequence numbers of its calls.
func (e *Environment) takeBatch() []uint32 {
	e.order.Lock()
	defer e.order.Unlock()
	taken := slices.Clone(e.batch.seqs)
	e.batch.reset()
	return taken
}
