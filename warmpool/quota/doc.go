// Package quota bounds how many invocations of a function run at once by its reserved
// concurrency, over all of its versions and all nodes that use one store.
//
//	Quotas                 of a node
//	 └─ Quota              of a function: counts what runs, of all versions here
//	     ├─ Version        each has callers who wait, and lets them enter (the pool's groups)
//	     └─ allotment      the slots of this node, if there are several nodes
//
// A node that is alone counts by an atomic integer. With other nodes a call needs a slot
// of the allotment, which takes slots from the store in blocks, renews them while they
// are used, and returns unused ones. A call never waits for the store: it waits in its
// version until Serve is called.
//
// Locks are taken in this order: Quotas.mu, Quota.mu; and a version's own lock before
// allotment.mu. No version is called under a lock of this package.
package quota
