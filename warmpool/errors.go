package warmpool

import (
	"errors"
	"fmt"
)

// The Reason that AWS gives with a TooManyRequestsException.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
const (
	ReasonReserved   = "ReservedFunctionConcurrentInvocationLimitExceeded"
	ReasonConcurrent = "ConcurrentInvocationLimitExceeded"
)

// ErrClosed says that the group takes no more calls: the function left the
// configuration or changed, or the node stops.
var ErrClosed = errors.New("function is being removed from this node")

// A ThrottledError says that all environments that the limits allow are busy.
type ThrottledError struct {
	Function string
	Reason   string // ReasonReserved or ReasonConcurrent
	Detail   string // which limit, for the log
	Off      bool   // the reserved concurrency is 0: later calls will fail too
}

func (e *ThrottledError) Error() string {
	return fmt.Sprintf("function %q: throttled: %s", e.Function, e.Detail)
}

// A LoopError says that a function has run too often in one chain of requests, and did not
// run again.
type LoopError struct {
	Function string
	Runs     int // before
}

func (e *LoopError) Error() string {
	return fmt.Sprintf("function %q: recursive loop: it has run %d times in this chain of requests", e.Function, e.Runs)
}

// A StartError says that an environment could not be made, for a reason outside of the
// function: the sandbox, the interpreter, the machine.
type StartError struct {
	Function string
	Err      error
}

func (e *StartError) Error() string {
	return fmt.Sprintf("function %q: start an environment: %v", e.Function, e.Err)
}

func (e *StartError) Unwrap() error { return e.Err }
