// Package bodies limits the memory that request bodies, and the events made of them, take
// while they are on the node.
//
// It refuses a body for which there is no room at once: waiting for room would only hold
// the client's connection. It does not count small bodies, because they cost a
// connection little more than its own buffers.
package bodies
