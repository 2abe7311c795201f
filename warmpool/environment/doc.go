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
// write their own frames, and one of those who wait reads for all: it has the
// reader's seat. With one caller, which is the common case, no goroutine ever
// wakes another.
//
// # Frames written ahead
//
// When the pool writes further frames while a call runs, the runtime finds the
// next one at once instead of idling until the gateway has woken up. What makes
// this safe is that reading a frame is the claim on it (package runtimes): the
// gateway holds the request pipe's read end as well, and takes back what the
// runtime has not read when the call in front turns out to be slow, or when the
// process ends. A call taken back returns ErrNotStarted and may be given to
// another environment; it certainly has not run.
//
// # Goroutines
//
// Each environment has two: one waits for the end of the process, one copies
// what the process writes to its stdout and stderr directly. Both end with the
// process. A timer watches the deadline of the call in front.
package environment
