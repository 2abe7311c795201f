package logs

import (
	"bytes"
	"time"
)

// A Capture logs what a process writes to its stdout and stderr behind the
// runtime's back: each line is an event. It is used by one goroutine at a time.
type Capture struct {
	stream *Stream
	rest   []byte // of a line whose end has not been written yet
}

// Capture returns the capture of a stream's process.
func (st *Stream) Capture() *Capture { return &Capture{stream: st} }

// Add logs the lines in data that are whole, for an invocation or for none (""),
// and keeps the rest for the next call. A line over MaxLine becomes several events
// before its end is there.
func (c *Capture) Add(t time.Time, requestID string, data []byte) {
	for {
		i := bytes.IndexByte(data, '\n')
		if i < 0 {
			break
		}
		line := data[:i]
		if len(c.rest) > 0 {
			c.rest = append(c.rest, line...)
			line = c.rest
		}
		c.stream.Line(t, requestID, line)
		c.rest, data = c.rest[:0], data[i+1:]
	}
	c.rest = append(c.rest, data...)
	for len(c.rest) > MaxLine {
		n := cut(c.rest)
		c.stream.Line(t, requestID, c.rest[:n])
		c.rest = append(c.rest[:0], c.rest[n:]...)
	}
}

// End logs a line whose end has not been written: its invocation is over.
func (c *Capture) End(t time.Time, requestID string) {
	if len(c.rest) == 0 {
		return
	}
	c.stream.Line(t, requestID, c.rest)
	c.rest = c.rest[:0]
	if cap(c.rest) > MaxLine/4 {
		c.rest = nil // one long line is no reason to keep so much
	}
}
