// Package bodies reads the bodies of requests. It limits the memory that bodies, and the
// events made of them, take while they are on the node, and the time in which they come.
//
//	Intake.Read --> Share of the Budget --> the handler --> Share.End
//	     | ErrTooLarge, ErrSlow, ErrFull, or one of the connection
//	     +--> Refuse
//
// It does not wait for room: that would only hold the client's connection. When a body has
// no room, the slowest of those that come too slowly gives its memory up, or else the new
// body is refused. So a sender who keeps memory must send.
//
// It does not count small bodies, because they cost a connection little more than its own
// buffers.
package bodies
