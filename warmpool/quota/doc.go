// Package quota bounds how many invocations of a function run at once: its reserved
// concurrency, over all of its versions, and over all nodes that share a store.
//
//	Quotas                 of a node
//	 └─ Quota              of a function: counts what runs, of all versions here
//	     ├─ Version        each has callers who wait, and lets them enter (the pool's groups)
//	     └─ allotment      the slots of this node, where several nodes share them
//
// A node that is alone counts by an atomic integer. With other nodes a call needs a slot
// of the allotment, which takes slots from the store in blocks, renews them while they
// are used, and gives back what is not. A call never waits for the store: it waits in its
// version until Serve is called.
//
// Locks are taken in this order: Quotas.mu, Quota.mu; and a version's own lock before
// allotment.mu. No version is called under a lock of this package.
package quota
