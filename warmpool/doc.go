// Package warmpool is the synchronous half of Hearth: it admits an invocation,
// finds or starts an environment for it, runs it there, and keeps the
// environment warm for the next.
//
//	Catalog              functions by name and qualifier; gives each version its Group
//	Pool                 one per node
//	 ├─ Group            one per version of a function: everything that may serve its calls
//	 │   ├─ available    stack of environments with room; the warmest goes out first
//	 │   ├─ waiters      FIFO of callers for whom there is none
//	 │   ├─ crowd        whether one more environment would help
//	 │   └─ pace         whether a call may be written ahead
//	 ├─ quota.Quotas     reserved concurrency, over versions and nodes
//	 ├─ budget, claims   memory, environments and descriptors, and who gets the next room
//	 ├─ turns            which cold starts use a core now
//	 ├─ stems            processes booted ahead of cold starts
//	 └─ janitor          gives up environments that are not worth their memory
//
// The pool decides when an environment starts. A Starter makes it: package launch's
// Launcher, which knows the sandbox, the runtimes, code and logs. The pool knows none of
// them.
//
// # The way of a call (Group.Invoke)
//
//  1. An available environment is taken from the stack.
//  2. Otherwise, when the function's calls are short and starting more
//     environments would not help, the call is written ahead to the environment
//     with the fewest calls (package environment says why that is safe).
//  3. Otherwise the caller waits in the FIFO. A cold start is begun for it when
//     the limits allow and it would help. Whichever comes first, a freed environment
//     or a new one, serves the first waiter.
//  4. A caller that has waited for the function's queue timeout while no cold
//     start is under way is throttled.
//
// # Cold starts
//
// No more cold starts use cores at once than there are cores: a burst of 1,000 calls does
// not start 1,000 processes. A start whose process waits in its init does not count
// (turns.go). The pool does not start an environment that would not help: a function that
// calculates gets environments up to the number of cores, a function that waits gets
// environments for all of its callers (crowd.go).
//
// # Limits
//
// Reserved concurrency bounds the environments of one function. All functions
// together are bounded by the node's concurrency, by its descriptors, and by its memory
// budget, in which an environment counts with its function's memory setting, or while it is
// frozen with what it uses (lend.go). When a start does not fit, the pool gives up idle environments. Environments that are seldom
// used, large and quick to start again go first. The janitor also gives up environments that
// are not worth their memory when nobody needs the room (package keepalive).
//
// The limits are divided fairly. An environment that was used in the last seconds is not
// given up for a function that has more. When nothing is idle, the function claims the next
// room: the functions that have the most give up an environment when its call is over, and
// the room goes to the function that has the least (claims.go).
//
// # Locks
//
// A goroutine takes them in this order, and may leave out any:
//
//  1. Catalog.mu
//  2. following.mu, of a group
//  3. stems.mu
//  4. Pool.mu
//  5. Quotas.mu, then Quota.mu (package quota), neither with a Group.mu
//  6. Group.mu, of one group at a time
//  7. allotment.mu (package quota), Environment.mu
//  8. turns.mu, samples.mu, and the mu of a tally, under which no other is taken
//
// No goroutine waits for a process, a file or the store while it has one of them, with two
// exceptions: a version is resolved under Catalog.mu, and code is watched under following.mu.
//
// # Configuration changes
//
// Groups are reference-counted (Retain, Release), so a group that is in the old
// and in the new configuration lives on with its environments. When the code of
// a function changes, Renew retires its environments: the idle ones at once, the
// others when their calls are over.
package warmpool
