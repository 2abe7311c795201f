// Package bodies bounds the memory that the bodies of requests take while they wait
// on the node, the events that are made of them included.
//
// A body that has no room is refused at once: to wait for room would hold the client's
// connection and help nobody. Small bodies are not counted, they cost a connection
// little more than its own buffers.
package bodies
