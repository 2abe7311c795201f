// Package boltstore keeps state in one file of one node, by bbolt.
//
//	meta      format            8 bytes
//	records   OWNER 00 NAME     revision (8 bytes) value
//
// Numbers are big-endian, so that keys sort as numbers do. The sequence of
// records counts the revisions of all of them.
//
// Every change goes through one goroutine, which commits all that waits in one
// transaction: while it syncs, the next commit gathers. A change is answered
// after the sync, so a crash at any instant leaves the state before or after a
// commit, and nothing that was answered is lost.
//
//	callers --update--> writes --+
//	                             |  gather <= 256
//	   <---- done, all at once --+-- one commit, one sync
package boltstore
