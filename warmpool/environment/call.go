package environment

import (
	"time"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

// An Outcome says how an invocation ended. Every outcome but OutcomeResult is a
// function error to the caller.
type Outcome uint8

const (
	OutcomeResult  Outcome = iota // the handler's result
	OutcomeError                  // the handler failed; the payload is its error
	OutcomeTimeout                // the function's timeout was reached, the process was killed
	OutcomeExit                   // the process ended before it answered
)

var outcomeNames = [...]string{"success", "error", "timeout", "exit"}

func (o Outcome) String() string { return outcomeNames[o] }

// A ResponseStream takes a streamed response. Its methods are called in order
// and never at the same time, on the goroutine that invoked. An error of either
// (the client is gone) stops further calls; the invocation itself runs on, as
// on Lambda.
type ResponseStream interface {
	// Start is called once, before the first Write, with the content type that
	// the function set.
	Start(contentType string) error
	// Write takes a chunk, which is only valid during the call.
	Write(chunk []byte) error
}

// A Call is one invocation: the caller's part of it is filled in before
// Environment.Invoke, the answer is valid after that returned nil. A Call is
// used by one goroutine and may be used again after Reset.
type Call struct {
	// Function and Qualifier say what is called, to a Runner that finds it by them. No
	// qualifier stands for $LATEST.
	Function, Qualifier string

	RequestID     string
	ClientContext string         // JSON; "" for none
	Version       string         // for the START line
	Timeout       time.Duration  // of the function
	TraceID       string         // the trace header
	Runs          int            // how often the function has run before in the chain of requests; see package trace
	Stream        ResponseStream // nil: a streamed response is gathered in Payload
	Tail          bool           // keep the end of what the invocation logs in LogTail

	// Frame is the invoke frame, made by Begin and whatever event was appended to it.
	Frame []byte

	Outcome  Outcome
	Payload  []byte        // the result or the error, as JSON (a streamed one: its bytes)
	Duration time.Duration // of the handler, as the runtime measured it
	Streamed bool          // the response was streamed (to Stream, if there is one)
	LogTail  []byte        // at most logs.MaxTail bytes, if Tail asked for them

	head int // where the event begins in Frame
	seq  uint32
	wake chan struct{} // holds one token: look at the fields below again

	// Guarded by the environment's mu while the call is in flight.
	done     bool
	begun    bool // its START line is written
	unsent   bool // its frame did not go into the pipe whole
	waiting  bool // parked on wake, able to take the reader's seat
	err      error
	deadline time.Time

	errorType string // of an outcome that the gateway found, for the REPORT line
	streamErr error  // only touched by the call's goroutine
	cut       bool   // the stream is longer than Payload may be; touched in the reader's seat
}

// NewCall returns a call that is ready to be filled in.
func NewCall() *Call { return &Call{wake: make(chan struct{}, 1)} }

// Begin begins the frame by what c says. arn is the function's as the caller named it; "" as
// in its init. It fails when all is longer together than a frame takes.
func (c *Call) Begin(arn string) (err error) {
	c.Frame, err = runtimes.BeginInvoke(c.Frame[:0], &runtimes.Invoke{
		RequestID: c.RequestID, TraceID: c.TraceID, InvokedFunctionARN: arn, ClientContext: c.ClientContext,
	})
	c.head = len(c.Frame)
	return err
}

// Event is what has been appended to the frame since Begin.
func (c *Call) Event() []byte { return c.Frame[c.head:] }

// Reset makes c ready for another invocation and keeps its memory, unless that
// has grown beyond what ordinary calls need.
func (c *Call) Reset() {
	const keep = 64 << 10
	frame, payload, wake := c.Frame[:0], c.Payload[:0], c.wake
	if cap(frame) > keep {
		frame = nil
	}
	if cap(payload) > keep {
		payload = nil
	}
	select {
	case <-wake:
	default:
	}
	*c = Call{Frame: frame, Payload: payload, wake: wake}
}

// Again makes a call that has not run ready for another environment.
func (c *Call) Again() {
	select {
	case <-c.wake:
	default:
	}
	c.done, c.begun, c.unsent, c.waiting, c.err = false, false, false, false, nil
}

// Short reports whether the frame may be written ahead: it goes into the pipe
// as one packet, so that it can be taken back whole.
func (c *Call) Short() bool { return len(c.Frame) <= runtimes.PacketSize }

func (c *Call) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}
