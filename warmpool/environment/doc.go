// Package environment runs one execution environment: a sandboxed runtime
// process and the channel of frames to it.
//
//	          Start                      Invoke (a caller's goroutine)
//	            |                           |
//	Init --> Idle <--> Invoke               | 1. append the call, write its frame
//	  \        |         /                  | 2. take the reader's seat, or park
//	   `--> Shutdown <--'                   | 3. read replies: its own, and those
//	            |                           |    of calls written ahead of it
//	          Gone                          | 4. leave the seat to the last caller
//
// There is no goroutine between the caller and the runtime process. Callers
// write their own frames. One of the waiting callers reads for all of them: it
// has the reader's seat. With one caller, which is the common case, no goroutine
// ever wakes another.
//
// # Frames written ahead
//
// When the pool writes further frames while a call runs, the runtime finds the
// next one at once instead of idling until the gateway has woken up. This is safe
// because reading a frame claims it (package runtimes). The gateway has the
// request pipe's read end as well. When the call in front turns out to be slow, or
// when the process ends, it takes back the frames that the runtime has not read. A
// call taken back returns ErrNotStarted and may run in another environment; it
// certainly has not run.
//
// With many calls in flight on the node, frames of calls that begin at about the same
// time go into the pipe by one write (batch.go).
//
// # Freezing
//
// An environment that has been idle for a moment is frozen, as on Lambda (freezer.go). A
// timer looks whether it is: a warm call only reads a field that its locks guard anyway.
// Both the timer and a call hold the order of frames, so a call either comes before the
// freeze, or thaws before it writes.
//
// # Goroutines
//
// Each environment has two: one waits for the end of the process, one copies
// what the process writes directly to its stdout and stderr. Both end with the
// process. Two timers watch the deadline of the call in front and whether it is idle.
package environment
