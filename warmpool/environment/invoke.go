package environment

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hearthfn/hearth/warmpool/logs"
	"github.com/hearthfn/hearth/warmpool/runtimes"
)

// Invoke runs c and returns when it is over. Nil means that c has an outcome; a
// failure of the function is an outcome too. ErrNotStarted means that c has not
// run. There is no context: an invocation that has begun runs to its end or its
// timeout even when nobody waits for it any more, as on Lambda.
func (e *Environment) Invoke(c *Call) error {
	if c.Tail {
		tail := e.spec.Log.Tail(c.RequestID)
		defer func() { c.LogTail = tail.Close() }()
	}
	e.order.Lock()
	now := time.Now()
	e.mu.Lock()
	if e.state != StateIdle && e.state != StateInvoke {
		e.mu.Unlock()
		e.order.Unlock()
		return ErrNotStarted
	}
	front := len(e.calls) == 0
	if !front && (e.large || !c.Short() || e.output.used.Load()) && e.spec.Init.Concurrency <= 1 {
		e.mu.Unlock()
		e.order.Unlock()
		return ErrNotStarted
	}
	if front {
		e.large = !c.Short()
		if e.large && e.spec.Init.Concurrency <= 1 {
			e.stuck.Store(true) // nothing can be written behind a stream
		}
		if err := transition(&e.state, StateInvoke); err != nil {
			panic(err) // no call in flight means Idle
		}
	}
	e.seq++
	c.seq = e.seq
	deadline := now.Add(c.Timeout)
	c.deadline = deadline
	e.calls = append(e.calls, c)
	e.watch.arm(now, deadline, len(e.calls) > 1)
	if front || e.spec.Init.Concurrency > 1 {
		e.begin(c, now)
	}
	e.mu.Unlock()

	runtimes.FinishInvoke(c.Frame, c.seq, float64(deadline.UnixMicro())/1000)
	if e.frozen {
		e.thaw()
	}
	e.send(c)
	e.order.Unlock()
	if c.seq == 1 {
		e.sampleFirst()
	}
	return e.await(c)
}

// await returns when c is over, either as the reader or when the reader wakes it.
func (e *Environment) await(c *Call) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for !c.done {
		if !e.reading && (e.turn == nil || e.turn == c) {
			e.reading, e.reader, e.turn = true, c, nil
			e.read(c)
			e.reading, e.reader = false, nil
			e.passSeat()
			continue
		}
		c.waiting = true
		e.mu.Unlock()
		<-c.wake
		e.mu.Lock()
		c.waiting = false
	}
	if e.reaped && len(e.calls) == 0 && !e.reading {
		e.collapse() // the reaper has left it to the last call
	}
	return c.err
}

// passSeat wakes the next reader. The last call in the queue keeps the seat longest. A
// call whose goroutine is not parked yet finds the empty seat by itself. A call that still
// writes its frame cannot take the seat, because the runtime may not read on until
// somebody reads from it.
func (e *Environment) passSeat() {
	if e.turn != nil {
		if e.turn.waiting {
			e.turn.signal()
		}
		return
	}
	for i := len(e.calls) - 1; i >= 0; i-- {
		if e.calls[i].waiting {
			e.calls[i].signal()
			return
		}
	}
}

// read has the reader's seat and mu, which it lets go while it waits. It
// returns when c is done or when it is another call's turn.
func (e *Environment) read(c *Call) {
	for {
		err := e.handle(c)
		if err == nil {
			if c.done || e.turn != nil {
				return
			}
			e.mu.Unlock()
			err = e.fill()
			e.mu.Lock()
			if errors.Is(err, os.ErrDeadlineExceeded) && e.rouse() {
				continue
			}
		}
		if err != nil {
			if errors.Is(err, runtimes.ErrProtocol) && e.cause == nil {
				e.cause = err
			}
			e.toShutdown()
			e.collapse()
			return
		}
	}
}

// handle deals with all whole frames in buf. It needs the seat and mu.
func (e *Environment) handle(c *Call) error {
	var now time.Time
	drained := false
	for e.turn == nil {
		begin := e.start
		head, payload, err := e.nextFrame()
		if err == errIncomplete {
			return nil
		}
		if err != nil {
			return err
		}
		if now.IsZero() {
			now = time.Now()
		}
		i := e.find(head.Seq)
		if i < 0 {
			if head.Kind == runtimes.KindLog {
				e.logLate(now, head, payload)
				continue
			}
			return fmt.Errorf("%w: %s for invocation %d, which is not in flight", runtimes.ErrProtocol, head.Kind, head.Seq)
		}
		k := e.calls[i]
		e.begin(k, now)
		switch head.Kind {
		case runtimes.KindLog:
			e.spec.Log.Line(now, k.RequestID, payload)
		case runtimes.KindResult, runtimes.KindError, runtimes.KindStreamEnd:
			if !drained && (len(e.calls) == 1 || e.spec.Init.Concurrency <= 1) {
				e.output.drain(now) // of answers that came together, nobody can tell whose it is
				drained = true
			}
			e.finish(i, head, payload, now)
			if k != c {
				k.signal()
			}
		case runtimes.KindStreamStart, runtimes.KindStreamChunk:
			if k != c && k.Stream != nil {
				// Only the goroutine of k may write to its client: its turn.
				e.start, e.turn = begin, k
				return nil
			}
			e.mu.Unlock()
			k.stream(head.Kind, payload)
			e.mu.Lock()
		default:
			return fmt.Errorf("%w: %s during an invocation", runtimes.ErrProtocol, head.Kind)
		}
	}
	return nil
}

// logLate logs a line of no call in flight: a runtime that runs one at a time says
// it after its last answer and before the next call. It needs mu.
func (e *Environment) logLate(now time.Time, head runtimes.Head, text []byte) {
	requestID := ""
	if head.Seq == e.lastSeq || head.Seq == 0 && e.spec.Init.Concurrency <= 1 {
		requestID = e.last
	}
	e.spec.Log.Line(now, requestID, text)
}

// find returns the index of the call with seq, or -1.
func (e *Environment) find(seq uint32) int {
	for i, c := range e.calls {
		if c.seq == seq {
			return i
		}
	}
	return -1
}

// finish gives calls[i] its outcome. Its output has been drained. It needs mu.
func (e *Environment) finish(i int, head runtimes.Head, payload []byte, now time.Time) {
	c := e.calls[i]
	// The runtime knows best, but it is the function's: not more than is possible.
	c.Duration = min(time.Duration(head.Value)*time.Microsecond, now.Sub(c.deadline.Add(-c.Timeout))+time.Millisecond)
	if head.Kind != runtimes.KindStreamEnd {
		c.Payload = append(c.Payload[:0], payload...)
	}
	switch {
	case head.Kind == runtimes.KindError:
		c.Outcome = OutcomeError
	case c.cut:
		c.Outcome, c.errorType = OutcomeError, "Function.ResponseSizeTooLarge"
		c.Payload = errorPayload(c.errorType, fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", runtimes.MaxResponse))
	}
	e.sampleAfter(c)
	e.report(c, now)
	e.remove(i)
	if i == 0 && len(e.calls) > 0 && e.spec.Init.Concurrency <= 1 {
		e.calls[0].deadline = now.Add(e.calls[0].Timeout)
		e.begin(e.calls[0], now)
	}
	c.done = true
}

// remove takes calls[i] out of flight. It needs mu.
func (e *Environment) remove(i int) {
	copy(e.calls[i:], e.calls[i+1:])
	e.calls[len(e.calls)-1] = nil
	e.calls = e.calls[:len(e.calls)-1]
	if i == 0 && e.stuck.Load() {
		e.stuck.Store(false)
	}
	if e.state != StateInvoke {
		return
	}
	if len(e.calls) == 0 {
		if err := transition(&e.state, StateIdle); err != nil {
			panic(err)
		}
		e.freezer.arm(e.spec.Init.Concurrency)
	}
}

// begin writes the START line of c, once. It needs mu, for the order of lines.
func (e *Environment) begin(c *Call, now time.Time) {
	if !c.begun {
		c.begun = true
		if len(e.calls) <= 1 || e.spec.Init.Concurrency <= 1 {
			e.output.enter(c.RequestID)
		} else {
			e.output.enter("") // of several at once nobody can tell whose a line is
		}
		e.spec.Log.Start(now, c.RequestID, c.Version)
	}
}

// report writes the END and REPORT lines. It needs mu, for their order.
func (e *Environment) report(c *Call, now time.Time) {
	r := logs.Report{
		Duration:        c.Duration,
		MemoryMB:        e.spec.Init.MemoryMB,
		MaxMemoryUsedMB: megabytes(e.peak.Load()),
	}
	if c.seq == 1 {
		r.InitDuration = e.InitDuration
	}
	switch c.Outcome {
	case OutcomeTimeout:
		r.Status = "timeout"
	case OutcomeError, OutcomeExit:
		r.Status, r.ErrorType = "error", c.errorType
	}
	e.last, e.lastSeq = c.RequestID, c.seq
	e.spec.Log.End(now, c.RequestID)
	e.spec.Log.Report(now, c.RequestID, r)
}

func megabytes(size int64) int { return int((size + 1<<20 - 1) >> 20) }

// stream hands a piece of a streamed response on.
func (c *Call) stream(kind runtimes.Kind, payload []byte) {
	c.Streamed = true
	if c.Stream == nil {
		if kind == runtimes.KindStreamChunk && !c.cut {
			if c.cut = len(c.Payload)+len(payload) > runtimes.MaxResponse; !c.cut {
				c.Payload = append(c.Payload, payload...)
			}
		}
		return
	}
	if c.streamErr != nil {
		return
	}
	if kind == runtimes.KindStreamStart {
		c.streamErr = c.Stream.Start(string(payload))
		return
	}
	c.streamErr = c.Stream.Write(payload)
}

// errorPayload is an error as Lambda words it, as JSON.
func errorPayload(kind, message string) []byte {
	payload, err := json.Marshal(struct {
		ErrorType    string `json:"errorType"`
		ErrorMessage string `json:"errorMessage"`
	}{kind, message})
	if err != nil {
		panic(err) // two strings always encode
	}
	return payload
}
