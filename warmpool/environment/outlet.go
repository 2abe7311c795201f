package environment

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/logs"
)

// outletBuffer is how much of the output one read takes, in bytes.
const outletBuffer = 4 << 10

// maxDrain is more than a pipe of an unprivileged process can hold, in bytes. A child that
// goes on writing must not keep a call from ending.
const maxDrain = 1 << 20

// An outlet is the end of a pipe that the process writes to behind the runtime's
// back: its stdout and stderr. A goroutine reads it as it fills, so that the log
// follows a call that runs for long. At the end of a call, drain reads what is left
// on the call's own goroutine, so that all of it is in the log before the REPORT
// line. That is one system call when there is nothing.
type outlet struct {
	file *os.File
	raw  syscall.RawConn

	used atomic.Bool // an invocation has written to it

	mu        sync.Mutex    // guards what follows; is taken after the environment's mu
	lines     *logs.Capture // nil: there is no log yet, and nothing is read
	requestID string        // of the invocation that runs, or ran last; "" before the first
	buf       []byte
	left      int              // how much drain may still read
	empty     func(fd uintptr) // drain's, made once
}

func (o *outlet) init(file *os.File) (err error) {
	o.file = file
	o.raw, err = file.SyscallConn()
	o.empty = func(fd uintptr) {
		var err error
		for o.left > 0 && (err == nil || err == unix.EINTR) {
			err = o.take(fd)
		}
	}
	return err
}

// open says where the lines go.
func (o *outlet) open(stream *logs.Stream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lines = stream.Capture()
	o.buf = make([]byte, outletBuffer)
}

var errOutletEnd = errors.New("end of output")

// take reads once and logs the lines. The error is EAGAIN if the pipe is empty. It needs
// mu.
func (o *outlet) take(fd uintptr) error {
	// The descriptor never waits, so the scheduler need not hear of the call: that is
	// half of what it costs.
	n, _, errno := unix.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&o.buf[0])), uintptr(len(o.buf)))
	switch {
	case errno != 0:
		return errno
	case n == 0:
		return errOutletEnd
	}
	o.left -= int(n)
	if o.requestID != "" {
		o.used.Store(true)
	}
	o.lines.Add(time.Now(), o.requestID, o.buf[:n])
	return nil
}

// copy reads until the end of the pipe. It does not hold the lock between two reads or
// while it waits.
func (o *outlet) copy() {
	// An error is the deadline that the end of the process has set.
	_ = o.raw.Read(func(fd uintptr) bool {
		for {
			o.mu.Lock()
			err := o.take(fd)
			o.mu.Unlock()
			if err != nil && err != unix.EINTR {
				return err != unix.EAGAIN
			}
		}
	})
}

// enter says which invocation runs.
func (o *outlet) enter(requestID string) {
	o.mu.Lock()
	o.requestID = requestID
	o.mu.Unlock()
}

// drain logs everything that the process has written by now, including a line without its
// end.
func (o *outlet) drain(now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lines == nil {
		return
	}
	o.left = maxDrain
	_ = o.raw.Control(o.empty) // or it has been read to its end, and is closed
	o.lines.End(now, o.requestID)
}
