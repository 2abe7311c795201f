// Package invoker is the asynchronous half of Hearth: what is accepted here is kept
// until a function has had it, whatever happens to this process.
//
//	Invoke with type Event          receive (package push)        pollers
//	            |                          |                  (package pull)
//	            v                          v
//	          Push ---- state.Queue: one group for each function, fsync, then 2xx
//	                          |
//	                        lease            fair over the groups; extended while held
//	                          |
//	                        line             of one group: at most PerFunction at once,
//	                          |              an ordered one one at a time
//	                       Runner            the function's version as it is now
//	            +-------------+-----------------+------------------------+
//	         result      throttled, or       function error         age or retries
//	            |        not to be had            |                  exhausted
//	      on success     held and tried      after 1 and 2 min           |
//	      destination,   again, 1 s to       (Settings)          on failure destination,
//	      Done           5 min: no attempt                       dead-letter queue, Done;
//	                                                             without one: Bury
//
// # What is in a group
//
// An event of a function waits in the group async/FUNCTION. Events that a rule wants
// in order wait in one of the groups async/FUNCTION/NN, by the hash of what they are
// about: such a group is a line with one place at its front. An event of it that is
// to be tried again keeps its place, so that those behind wait; the pause is kept in
// memory and ends early when the process does.
//
// # Destinations
//
// What a destination is to have and does not take is a note of the event, which waits for
// it in its group like any other: the function does not run again, and no other event
// waits for a destination that is away.
//
// # At least once
//
// An event is Done after its function has answered and its destination has it. Who
// dies in between does it again: as on Lambda, functions must bear that.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
package invoker
