// Package runtimes knows the built-in language runtimes: which interpreter of
// this machine serves "nodejs22.x" or "python3.13", the bootstrap that it runs
// (embedded from the folders below) and the frames that gateway and bootstrap
// exchange.
//
// # Frame channel
//
// A bootstrap is started with two pipes. It reads requests from descriptor 3
// and writes replies to descriptor 4; both are blocking for it.
//
//	gateway                                   bootstrap
//	   | <-------------- booted ---------------- |  a stem: no function yet
//	   | -- init {handler, env, ...} ----------> |  load the handler
//	   | <------------------- log* ------------- |
//	   | <------------ ready | init-error ------ |
//	   | -- invoke seq=1 {meta, event} --------> |
//	   | <------------------- log* seq=1 ------- |
//	   | <------------ result | error seq=1 ---- |
//	   | -- invoke seq=2 ...
//	   | (end of file)                           |  exit 0
//
// A streamed response is stream-start, any number of stream-chunk, and
// stream-end or error in place of the one result frame.
//
// Rules that keep "at most once" true for an invocation:
//
//   - The request pipe is in packet mode (pipe2 with O_DIRECT): one read returns
//     bytes of one frame at most, however many are waiting. A frame of up to
//     PacketSize bytes comes whole in one read; the rest of a longer one is read
//     until its length is reached (by reads that ask for no more than is missing).
//     A packet that went in with others is filled up to PacketSize bytes: what follows
//     the frame in it begins with 0, and means nothing.
//   - Reading a frame is the claim on it. With one invocation at a time a
//     bootstrap never reads the next frame before the reply to the last one is
//     written. The gateway may have written some frames ahead. When the call in front
//     is slow or the process dies, it takes the unread frames back from the same
//     pipe. So either the bootstrap has read a frame and may have run it, or the
//     frame certainly has not run.
//   - Each reply is one write (of one contiguous buffer where it fits).
//
// With Concurrency above 1 the request pipe is a plain stream, in which one read
// may return several frames or a part of one. A bootstrap keeps reading while fewer
// than Concurrency invocations run. Replies come in any order; Seq tells which call
// each answers.
//
// At the end of file on descriptor 3 the bootstrap exits with status 0.
package runtimes
