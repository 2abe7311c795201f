// Package socket keeps the connections of WebSocket APIs: it asks $connect, routes messages to
// functions, sends what functions answer and what others post, and tells $disconnect.
//
//	Hub.Accept --> $connect --> 101 --> one goroutine reads the socket
//	                                      | message --> Selection.Key --> the function of the route
//	                                      v
//	@connections --> Hub.Post, Get, Delete  the end --> $disconnect
//
// A Hub outlives a reload of the configuration, and so do its sockets. A Stage is what one
// configuration says about a stage of an API. Each message asks the newest configuration for
// its stage (Follow), so sockets that are open follow a reload. The sockets of a stage that is
// gone are closed with 1001 when the configuration that had it is (Follower.End).
//
// # Bounds
//
// An idle socket has one goroutine and about a kilobyte of buffers. The messages of a socket
// run beside each other, maxRunning at most; then nobody reads it, so its sender waits. At most
// maxWaiting messages to a client wait; more are refused. A client that does not take a message
// within ten seconds is closed. Frames over 32 KB and messages over 128 KB end the socket with
// 1009 before they are read.
//
// # Connection IDs
//
// A connection ID has four bytes that are the same for all sockets of a Hub (see Tag) and seven
// that are random. So a node of a cluster knows by the ID who has the socket, and no store has
// to be asked, told, or cleaned when a node dies.
package socket
