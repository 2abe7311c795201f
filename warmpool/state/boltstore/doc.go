// Package boltstore keeps state in one file of one node, by bbolt.
//
//	bucket     key                  value
//	meta       format, opened       8 bytes each
//	records    OWNER 00 NAME        revision, bytes
//	entries    GROUP 00 seq         pushed, body
//	due        GROUP 00 at seq      attempts (4 bytes), note
//	buried     GROUP 00 seq         at, attempts (4 bytes), note
//	once       GROUP 00 ONCE        end, seq
//	once_ends  end GROUP 00 ONCE    nothing
//	counters   NAME                 until (milliseconds), total
//
// Numbers are big-endian, 8 bytes unless it says otherwise, and times are
// nanoseconds since 1970, so that keys sort as numbers and times do. The sequence
// of records counts the revisions of all of them, that of entries the entries.
// An entry that is pushed has its body in entries and its place in due; a retry
// moves the place alone.
//
// Every change goes through one goroutine, which commits all that waits in one
// transaction: while it syncs, the next commit gathers. A change is answered
// after the sync, so a crash at any instant leaves the state before or after a
// commit, and nothing that was answered is lost.
//
//	callers --update--> writes --+
//	                             |  gather <= 256
//	   <---- done, all at once --+-- one commit, one sync
//
// Leases and slots are in memory: the file is locked, so they end with the process
// that holds it. Their tokens begin above those of all processes before, because
// each opening is counted in the file.
package boltstore
