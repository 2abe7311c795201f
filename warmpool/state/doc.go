// Package state is the contract of the durable state: everything that survives a restart.
// Its interfaces are the specification, one for each consumer. Package statetest tests the
// stores against it.
//
//	function registry   asynchronous invoker   quotas, pollers   usage plans   cluster
//	       |                 |          |             |               |           |
//	    Records            Queue     Backlog        Slots         Counters      Nodes
//	       |                 |          |             |               |           |
//	       +--------+--------+----------+--------+----+---------------+           |
//	                |                            |                                |
//	            boltstore                    redisstore --------------------------+
//	       one file, one node          several nodes; one hash tag
//	                                   an owner or group, one Lua
//	                                   script a call
//
// redisstore implements all of them. boltstore has no Nodes: its node is alone.
//
// Both fit one contract because a change touches one owner, one group or one name: on a
// cluster one server decides it in one atomic step. No transaction stays open. Each lease and
// grant has a token that grows, so that writes under a lost one can be refused. Watch and
// Ready send hints. After a hint the receiver reads.
package state
