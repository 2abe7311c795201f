// Package invoker is the asynchronous half of Hearth: it stores each event that it
// accepts until a function has run it, whatever happens to this process.
//
//	Invoke with type Event          receive (package push)        pollers
//	            |                          |                  (package pull)
//	            v                          v
//	          Push ---- state.Queue: one group for each function, fsync, then 2xx
//	                          |
//	                        lease            fair over the groups; extended while it runs
//	                          |
//	                        line             of one group: at most PerFunction at once,
//	                          |              in an ordered group one at a time
//	                       Runner            the function's version as it is now
//	            +-------------+-----------------+------------------------+
//	         result      throttled, or       function error         age or retries
//	            |        no room to run           |                  exhausted
//	      on success     tried again after   retried after               |
//	      destination,   1 s to 5 min,       1 and 2 min         on failure destination,
//	      Done           not an attempt      (Settings)          dead-letter queue, Done;
//	                                                             without one: Bury
//
// # What is in a group
//
// An event of a function waits in the group async/FUNCTION. Events that a rule wants
// in order wait in one of the groups async/FUNCTION/NN, by the hash of what they are
// about. Such a group is a line with one place at its front. An event that is tried
// again keeps its place in the line, so that the events behind it wait. The pause is
// in memory and ends early if the process ends.
//
// # Destinations
//
// When a destination does not take a record, the invoker writes the record into the
// event's note. The event then waits for the destination in its group like any other:
// the function does not run again, and no other event waits for that destination.
//
// # At least once
//
// An event is Done after its function has answered and its destination has the record.
// If the process dies in between, the event runs again. As on Lambda, functions must
// tolerate that.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
package invoker
