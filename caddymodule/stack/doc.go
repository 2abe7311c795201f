// Package stack works on the stacks of CloudFormation: it makes, changes and removes what their
// templates say, by the same calls that clients make.
//
//	Create, Update, Delete, Execute            what is asked is checked, and written down
//	     |
//	    run                                    one for a stack, under a lease of the state
//	     |   phase: forward | undo | take down | clean up
//	     |
//	    walk --> step                          each resource after those it needs, in parallel
//	               |
//	              Type --> caller --> services handlers, in this process, with an identity
//
// The record of a stack says which phase it is in, those of its resources what each step has
// done. A step writes the physical ID that it is about to use before it makes anything. So a run
// that begins after a crash goes on from the records: what is done stays, what was begun is
// removed and done again. An update keeps what was before in the record of each resource, until
// the end of the operation: a rollback changes it back, or forgets the new and keeps the old.
//
// A Type is a table for most families: package model has the members of each call, so it knows
// the properties too. What a service does not have is refused before anything is made.
package stack
