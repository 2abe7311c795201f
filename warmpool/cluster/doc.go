// Package cluster joins the warm pools of several nodes: it knows which nodes there are
// and for which versions each has idle environments, and it hands calls to a node that
// can run them at once.
//
//	a call finds no idle environment here
//	    | Offers        which nodes have one? (read from the store, cached for a moment)
//	    v
//	POST /invoke  ----TLS, both sides by the cluster's key---->  the other node
//	    |                                                          | still idle? else 409
//	    v                                                          v
//	frames: start, chunk ..., end   <---------------------------  Group.Invoke
//
// A node never hands on a call that was handed to it. Asking a node in vain costs one
// round trip. So a node asks only if the function's cold start is expected to take
// longer, and asks only one node for a call.
//
// If the response to a call that was sent does not arrive whole, the caller gets an
// error. The node does not repeat the call, because it may have run.
//
// # Who may call
//
// All nodes know the cluster's secret. Each derives the same Ed25519 key from it, shows a
// certificate of that key and accepts no other. So the connections are encrypted, and
// only nodes of the cluster can make or accept them.
package cluster
