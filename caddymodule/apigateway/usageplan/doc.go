// Package usageplan bounds what the owner of an API key may ask of an API, as API Gateway's
// usage plans do: a rate, and a quota for each day, week or month.
//
//	API key ---> Plan.Find ---> Client.Allow ---> token bucket of this node, then
//	                                              quota: units that this node has drawn
//	                                                 |  when half of them are used up
//	                                                 v
//	                                              state.Counters, of all nodes
//
// A node draws a block of units at a time, so that a request mostly asks no other machine. The
// fewer units are left, the smaller the blocks are; the last ones are drawn one by one. Units
// that a node has drawn and not used are given back at its end. A node that dies loses them: a
// client may get a little less than its quota then, and never more.
//
// While the counters cannot be reached, requests go on. They are counted, and drawn later.
package usageplan
