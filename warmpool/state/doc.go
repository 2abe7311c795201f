// Package state is what survives a restart: the contract of the durable state of
// the house. Its interfaces are the specification, one for each consumer. Package
// statetest holds the stores to them.
//
//	function registry   asynchronous invoker      quotas, pollers      cluster
//	       |                 |          |                 |               |
//	    Records            Queue     Backlog            Slots           Nodes
//	       |                 |          |                 |               |
//	       +--------+--------+----------+--------+--------+               |
//	                |                            |                        |
//	            boltstore                    redisstore ------------------+
//	       one file, one node          several nodes; one hash tag
//	                                   an owner or group, one Lua
//	                                   script a call
//
// redisstore implements all of them. boltstore has no Nodes: its node is alone.
//
// Both fit one contract because a change touches one owner, one group or one name: on a
// cluster one server decides it in one atomic step. No transaction stays open. Whatever
// is handed out has a token that grows, which fences off those who lost it. Watch and
// Ready are hints, after which the receiver reads.
package state
