// Package state is what survives a restart: the contract of the durable state of
// the house. Its interfaces are the specification, one for each consumer; a store
// implements them all, and package statetest holds each store to them.
//
//	function registry   asynchronous invoker      warm pool, pollers
//	       |                 |          |                 |
//	    Records            Queue     Backlog            Slots
//	       |                 |          |                 |
//	       +--------+--------+----------+--------+--------+
//	                |                            |
//	            boltstore              (Redis, for several nodes)
//	       one file, one node        one hash tag an owner or group,
//	                                  one Lua script a call
//
// What makes one contract fit both: a change touches one owner, one group or one
// name, so that on a cluster one node decides it in one atomic step; nothing asks
// for a transaction that stays open; what is handed out has a token that grows,
// to fence those who lost it; and Watch and Ready are hints, after which the
// receiver reads.
package state
