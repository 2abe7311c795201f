package environment

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

// exitGrace is how long a process that has closed its channel may take to exit.
const exitGrace = 500 * time.Millisecond

var errTimeout = errors.New("task timed out")

// collapse ends the environment after the channel has: it waits for the process
// to be gone and gives every call in flight its outcome. It needs mu and the
// reader's seat, and lets mu go while it waits.
func (e *Environment) collapse() {
	if e.collapsed {
		return
	}
	e.collapsed = true
	killed := e.cause != nil
	e.mu.Unlock()
	// A process that exits closes its channel a moment before it is gone, and its
	// exit status is wanted. One that has closed its channel itself is of no use.
	grace := exitGrace
	if killed {
		grace = 0
	}
	timer := time.AfterFunc(grace, e.proc.Kill)
	<-e.proc.Done()
	timer.Stop()
	// A call that is being written is in calls already: wait for its writer, which gives
	// up because the reaper closes the pipe.
	e.in.Close()
	unread := append(e.takeBatch(), e.drain()...)
	status, oom := e.proc.Exit()
	e.mu.Lock()

	now := time.Now()
	e.readRest(now)
	e.output.drain(now)
	for _, seq := range unread {
		if i := e.find(seq); i >= 0 {
			e.returnCall(i)
		}
	}
	// If a process ends between two calls, only its log says so.
	silent := e.started && !e.asked && !killed
	for len(e.calls) > 0 {
		c := e.calls[0]
		if c.unsent {
			e.returnCall(0)
			continue
		}
		silent = false
		e.fail(c, now, status, oom)
		e.calls = e.calls[1:]
		c.done = true
		c.signal()
	}
	if silent && e.spec.Log != nil {
		kind, message := exitError(status, oom)
		e.logFault(now, e.last, kind, message)
	}
	close(e.settled)
}

// exitError is how Lambda words that a process has ended.
func exitError(status string, oom bool) (kind, message string) {
	switch {
	case oom:
		return "Runtime.OutOfMemory", "Runtime exited with error: signal: killed"
	case status == "exit status 0":
		return "Runtime.ExitError", "Runtime exited without providing a reason"
	}
	return "Runtime.ExitError", "Runtime exited with error: " + status
}

// logFault logs a fault that the runtime has not reported itself.
func (e *Environment) logFault(now time.Time, requestID, kind, message string) {
	text := "Error: " + message + "\n" + kind
	if requestID != "" {
		text = "RequestId: " + requestID + " " + text
	}
	e.spec.Log.Line(now, requestID, []byte(text))
}

// readRest logs what the process has said and nobody has read: its last words,
// after its last answer. It needs mu and the reader's seat.
func (e *Environment) readRest(now time.Time) {
	if e.spec.Log == nil || errors.Is(e.cause, runtimes.ErrProtocol) {
		return
	}
	for {
		head, payload, err := e.nextFrame()
		switch {
		case err == errIncomplete:
			if !e.fillNow() {
				return
			}
		case err != nil:
			return
		case head.Kind == runtimes.KindLog:
			e.logLate(now, head, payload)
		}
	}
}

// fail gives c the outcome of a process that ended under it, in Lambda's words.
func (e *Environment) fail(c *Call, now time.Time, status string, oom bool) {
	c.Duration = now.Sub(c.deadline.Add(-c.Timeout))
	c.Outcome = OutcomeExit
	e.SampleMemory()
	if oom {
		e.peak.Store(int64(e.spec.Init.MemoryMB) << 20)
	}
	kind, message := exitError(status, oom)
	switch {
	case errors.Is(e.cause, errTimeout) && !now.Before(c.deadline):
		c.Outcome = OutcomeTimeout
		kind, message = "Sandbox.Timedout", fmt.Sprintf("Task timed out after %.2f seconds", c.Timeout.Seconds())
		c.Duration = c.Timeout
	case errors.Is(e.cause, runtimes.ErrProtocol):
		kind, message = "Runtime.ExitError", "Runtime exited with error: "+e.cause.Error()+" (descriptors 3 and 4 belong to the runtime, code must not write there)"
	}
	c.Payload = errorPayload(kind, "RequestId: "+c.RequestID+" Error: "+message)
	e.begin(c, now)
	if c.Outcome == OutcomeTimeout {
		e.spec.Log.Timeout(now, c.RequestID, c.Timeout)
	} else {
		e.logFault(now, c.RequestID, kind, message)
	}
	c.errorType = kind
	e.report(c, now)
}

// readNow reads once without waiting.
func readNow(raw syscall.RawConn, buf []byte) (n int, err error) {
	outer := raw.Read(func(fd uintptr) bool {
		n, err = unix.Read(int(fd), buf)
		return true
	})
	if outer != nil {
		return 0, outer
	}
	return n, err
}
