// Package redisstore keeps state in Redis, for several nodes: one server, a replicated
// one behind Sentinel, or a Redis Cluster. It passes the same suite as boltstore.
//
// Everything of one owner, one group or one name has one hash tag, and each change of it
// is one Lua script: one atomic step on one node of a cluster.
//
//	hearth:{OWNER}:v     hash    record name -> REVISION:VALUE
//	hearth:{OWNER}:n     zset    record names, in byte order
//	hearth:{OWNER}:r     number  the last revision, which outlives the records
//	hearth:{owners}      zset    all owners there ever were, in byte order
//
//	hearth:{GROUP}:w     zset    IDs of entries that wait, by At
//	hearth:{GROUP}:d     zset    those of them that are not leased, by At
//	hearth:{GROUP}:l     zset    those that are, by the end of their lease
//	hearth:{GROUP}:x     zset    IDs of buried entries
//	hearth:{GROUP}:m     hash    ID -> AT|PUSHED|ATTEMPTS|TOKEN|NOTE
//	hearth:{GROUP}:b     hash    ID -> body
//	hearth:{GROUP}:s     number  the last ID;  :t  the last token
//	hearth:{GROUP}:o:ONCE        the ID that was pushed under that name, for its time
//	hearth:{groups}:due  zset    groups, by when they may have something to lease
//	hearth:{groups}:gen  hash    group -> how often it got something
//	hearth:{groups}:all  zset    all groups there ever were
//
//	hearth:{NAME}:g      hash    TOKEN -> COUNT|UNTIL;  :k  the last token
//
//	hearth:{NAME}:c      number  a counter, for its time
//
//	hearth:{nodes}:info  hash    node -> JSON;  :until, :mark  see beat
//	hearth:{nodes}:dataset       a random name, given once to all that is kept here
//	hearth:{warm/NAME:VERSION}:ready  hash  process -> idle environments
//
// Times are the server's, in milliseconds: the clocks of nodes do not count.
//
// A group's script and the index of groups are two steps, so the index is a hint. A push writes
// to the index after the group. A lease that finds a group empty removes it from the index,
// unless the group got something meanwhile (gen). Every minute each store checks all groups for
// entries that are missing in the index, because a node died between the steps (repair).
//
// # What survives
//
// Answered changes survive a crash of Redis as far as Redis itself stores them: with
// appendonly yes and appendfsync always all of them, with everysec all but those of the last
// second. Replicas are asynchronous: a failover may lose changes that the old master had not
// sent.
//
// A server that has lost its data (FLUSHALL, a restart without persistence, eviction) has lost
// the name of its data set too. Each heartbeat reads that name. When a store reads another
// name, it logs that, forgets what it remembers of the old data, and tells all watchers that
// anything may have changed. In a Redis Cluster the name is on one of the masters: the loss of
// the data of another master is not noticed.
package redisstore
