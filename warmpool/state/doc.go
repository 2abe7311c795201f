// Package state is what survives a restart: the contract of the durable records
// of the house. Its interfaces are the specification, one for each
// consumer; a store implements them all, and package statetest holds each store
// to them.
//
//	         Records                 function registry, configuration
//	            |
//	      +-----+------+
//	 boltstore     (a Redis store for several nodes)
//	one file,       one hash tag {owner} for
//	one node        each owner, one Lua script a call
//
// What makes one contract fit both: a call touches one owner, so that on
// a cluster one node decides it in one atomic step; nothing asks for a
// transaction that stays open; and Watch is a hint, after which the receiver
// reads.
package state
