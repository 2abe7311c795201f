// Package cluster makes the warm pools of several nodes one: who there is, which
// versions each holds idle, and calls handed to a node that can run them at once.
//
//	a call finds no idle environment here
//	    | Offers        which nodes hold one? (asked of the store, kept for a moment)
//	    v
//	POST /invoke  ----TLS, both sides by the cluster's key---->  the other node
//	    |                                                          | still idle? else 409
//	    v                                                          v
//	frames: start, chunk ..., end   <---------------------------  Group.Invoke
//
// A node that was handed a call never hands it on. Whoever is asked in vain costs one
// round trip, so a node is asked only when the function's cold start is expected to
// take longer, and one node for one call.
//
// A call that has been sent and is not answered whole is not made again: it may have
// run. Its caller is told.
//
// # Who may call
//
// All nodes know the cluster's secret. Each derives the same Ed25519 key of it, has a
// certificate of that key and takes no other: the connections are encrypted, and
// nobody else can make or take them.
package cluster
