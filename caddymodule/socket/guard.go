package socket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// Limits of AWS, in bytes.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
const (
	MaxMessage = 128 << 10
	maxFrame   = 32 << 10
)

// errTooBig ends the reading of a socket whose client sent a frame or a message that is too big.
var errTooBig = errors.New("the frame or the message is too big")

// A guard is the connection below a WebSocket. It follows the frames that come in, because the
// library only limits messages, and notes when something came.
type guard struct {
	net.Conn
	early   *bytes.Reader // what came before the connection was taken over; nil: nothing more
	read    atomic.Int64  // when something came last, in Unix milliseconds
	begun   atomic.Int64  // when the message that is coming began, likewise; 0: none is
	head    [10]byte      // of the frame that comes, without its mask
	size    int           // how much of head is there
	left    int64         // of the mask and the payload
	final   bool          // the frame ends its message
	message int64         // bytes of the message so far
	failed  atomic.Bool   // the client has broken the protocol, or a limit of AWS
}

// Read implements net.Conn. It gives nothing more of a client that has failed.
func (g *guard) Read(p []byte) (n int, err error) {
	if g.failed.Load() {
		return 0, errTooBig
	}
	if g.early != nil {
		if n, err = g.early.Read(p); err == io.EOF {
			g.early = nil
		}
	}
	if g.early == nil {
		n, err = g.Conn.Read(p)
	}
	if n > 0 {
		g.read.Store(time.Now().UnixMilli())
		if !g.follow(p[:n]) {
			g.failed.Store(true)
			return 0, errTooBig
		}
	}
	return n, err
}

// follow looks through what came in, and reports whether it is within the limits. A frame has
// two bytes, two or eight more of a long length, four of the mask, and the payload.
// https://www.rfc-editor.org/rfc/rfc6455#section-5.2
func (g *guard) follow(p []byte) bool {
	for len(p) > 0 {
		if g.left > 0 {
			n := min(g.left, int64(len(p)))
			p = p[n:]
			if g.left -= n; g.left == 0 {
				g.endFrame()
			}
			continue
		}
		g.head[g.size] = p[0]
		g.size++
		p = p[1:]
		if g.size < g.headSize() {
			continue
		}
		length := g.length()
		if control := g.head[0]&0x08 != 0; !control {
			if length > maxFrame || g.message+length > MaxMessage {
				return false
			}
			g.message += length
			g.begun.CompareAndSwap(0, g.read.Load())
			g.final = g.head[0]&0x80 != 0
		} else {
			g.final = false
		}
		g.size = 0
		if g.left = length; g.head[1]&0x80 != 0 {
			g.left += 4
		}
		if g.left == 0 {
			g.endFrame()
		}
	}
	return true
}

func (g *guard) endFrame() {
	if g.final {
		g.message = 0
		g.begun.Store(0)
	}
}

// headSize is how long the head is, as far as its first two bytes tell.
func (g *guard) headSize() int {
	if g.size < 2 {
		return 2
	}
	switch g.head[1] & 0x7F {
	case 126:
		return 4
	case 127:
		return 10
	}
	return 2
}

func (g *guard) length() int64 {
	switch n := int64(g.head[1] & 0x7F); n {
	case 126:
		return int64(binary.BigEndian.Uint16(g.head[2:]))
	case 127:
		n := binary.BigEndian.Uint64(g.head[2:])
		return int64(min(n, 1<<62))
	default:
		return n
	}
}

// Close implements net.Conn. If the client has failed, it first reads on for a moment, until the client
// closes: were the connection closed with something unread, the kernel would drop what the
// client has not read, and that is why it is closed.
func (g *guard) Close() error {
	if g.failed.Load() {
		_ = g.SetReadDeadline(time.Now().Add(lingerFor))
		_, _ = io.CopyBuffer(io.Discard, onlyReader{g.Conn}, make([]byte, 4<<10))
	}
	return g.Conn.Close()
}

// onlyReader hides what else a connection can do, so that CopyBuffer uses its buffer.
type onlyReader struct{ io.Reader }
