package socket

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/backoff"
	"github.com/hearthfn/hearth/warmpool/bodies"
)

// A conn is one socket.
type conn struct {
	hub     *Hub
	socket  apigateway.Socket
	stage   atomic.Pointer[Stage] // that the last message had
	ws      *websocket.Conn
	guard   *guard
	sent    atomic.Int64  // when something was sent last, in Unix milliseconds
	waiting atomic.Int32  // messages to the client that wait
	running atomic.Int32  // messages of the client whose functions run
	room    chan struct{} // the reader waits for room among them
	ended   chan struct{} // closed when $disconnect and the functions have run

	goroutines sync.WaitGroup // besides that of serve

	mu   sync.Mutex // guards what follows, and additions to goroutines
	why  *ending    // nil: nobody here has closed the socket
	over bool       // its reading has ended
}

// An ending is why a socket has ended: a status code of RFC 6455, and a reason.
type ending struct {
	code   int
	reason string
}

// Endings that have a reason of their own.
var (
	goingAway = ending{1001, "Going away"} // as AWS says it
	tooBig    = ending{1009, "Message too long"}
	tooSlow   = ending{1008, "Message too slow"}
	badText   = ending{1007, "Invalid payload"}

	protocolError = ending{1002, "Protocol error"}
)

// Reasons that $disconnect is told if the client did not say one.
const (
	noStatus         = "Client-side close frame status not set"
	closedAbnormally = "Connection closed abnormally"
)

// lastActive is when the client sent something last, or took something.
func (c *conn) lastActive() time.Time { return time.UnixMilli(max(c.guard.read.Load(), c.sent.Load())) }

// serve reads the socket until it ends.
func (c *conn) serve() {
	defer c.hub.leave()
	defer close(c.ended)
	defer c.goroutines.Wait()
	var err error
	for err == nil {
		err = c.take()
	}
	c.finish(err)
}

// A buffer is the memory of a message.
type buffer struct {
	data  []byte
	share bodies.Share
}

var buffers = sync.Pool{New: func() any { return &buffer{data: make([]byte, 0, 4<<10)} }}

func (b *buffer) free() {
	if cap(b.data) > bodies.Small {
		b.data = nil
	}
	b.data = b.data[:0]
	b.share.End()
	buffers.Put(b)
}

// take reads a message and has it answered.
func (c *conn) take() error {
	kind, reader, err := c.ws.Reader(context.Background())
	if err != nil {
		return err
	}
	c.hub.received.Add(1)
	b := buffers.Get().(*buffer)
	if err := c.fill(b, reader); err != nil {
		b.free()
		if !errors.Is(err, bodies.ErrFull) {
			return err
		}
		if _, err := io.Copy(io.Discard, reader); err != nil {
			return err
		}
		c.fail("Too Many Requests")
		return nil
	}
	text := kind == websocket.MessageText
	if text && !utf8.Valid(b.data) {
		b.free()
		return errText
	}
	c.begin()
	c.goroutines.Go(func() {
		defer c.finishOne()
		defer b.free()
		c.answer(text, b.data)
	})
	return nil
}

// fill reads a message. The memory grows with what has come.
func (c *conn) fill(b *buffer, r io.Reader) error {
	for {
		if len(b.data) == cap(b.data) {
			size := max(4<<10, min(4*cap(b.data), MaxMessage+1))
			if size > bodies.Small {
				// The event has the message in base64 at most.
				if err := b.share.Hold(c.hub.Bodies, size/3*7); err != nil {
					return err
				}
			}
			grown := make([]byte, len(b.data), size)
			copy(grown, b.data)
			b.data = grown
		}
		n, err := r.Read(b.data[len(b.data):cap(b.data)])
		b.data = b.data[:len(b.data)+n]
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// begin waits until one more message of the socket may run.
func (c *conn) begin() {
	if c.running.Add(1) <= maxRunning {
		return
	}
	<-c.room
}

// finishOne ends what begin began.
func (c *conn) finishOne() {
	if c.running.Add(-1) >= maxRunning {
		c.room <- struct{}{}
	}
}

// answer has the function of its route answer a message.
func (c *conn) answer(text bool, message []byte) {
	s, done := c.hub.stageOf(c)
	defer done()
	route := s.routeOf(message)
	switch {
	case route == nil:
		c.fail("Forbidden") // as on AWS
		return
	case route.isOver():
		c.fail("Too Many Requests")
		return
	}
	id := newRequestID()
	moment := apigateway.SocketMoment{RouteKey: route.of.Key, RequestID: id, Time: time.Now(), Variables: s.variables}
	err := s.run(c.hub.ctx, route, "", func(dst []byte) []byte {
		return c.socket.AppendMessage(dst, newRequestID(), text, message, &moment)
	}, func(payload []byte) error {
		_, body, err := s.decode(payload, make(http.Header))
		if err != nil || !route.of.Responds || len(body) == 0 {
			return err
		}
		_ = c.send(body) // the client may be gone
		return nil
	})
	if err != nil {
		s.tell(route, c.socket.ConnectionID, err)
		_, text := told(err)
		_ = c.send(apigateway.AppendSocketError(nil, text, c.socket.ConnectionID, id))
	}
}

// fail tells the client that its message was not answered.
func (c *conn) fail(message string) {
	_ = c.send(apigateway.AppendSocketError(nil, message, c.socket.ConnectionID, newRequestID()))
}

// Errors of messages to clients.
var (
	ErrGone = errors.New("the client is gone")
	ErrBusy = errors.New("as many messages to the client wait as may")
)

// send sends a message: as text, unless it is none.
func (c *conn) send(message []byte) error {
	defer c.waiting.Add(-1)
	if c.waiting.Add(1) > maxWaiting {
		return ErrBusy
	}
	kind := websocket.MessageText
	if !utf8.Valid(message) {
		kind = websocket.MessageBinary
	}
	ctx, cancel := context.WithTimeout(c.hub.ctx, c.hub.Take)
	defer cancel()
	if err := c.ws.Write(ctx, kind, message); err != nil {
		return ErrGone
	}
	c.sent.Store(time.Now().UnixMilli())
	c.hub.sent.Add(1)
	return nil
}

// close closes the socket by a handshake, which takes ten seconds at most. It does not wait.
func (c *conn) close(why ending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why != nil || c.over {
		return
	}
	c.why = &why
	c.goroutines.Go(func() { _ = c.ws.Close(websocket.StatusCode(why.code), why.reason) })
}

// isEnding reports whether the socket is being closed, or has ended.
func (c *conn) isEnding() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.why != nil || c.over
}

// errText ends the reading of a socket whose client sent text that is not UTF-8.
var errText = errors.New("a text message is not UTF-8")

// finish ends a socket whose reading has ended by err.
func (c *conn) finish(err error) {
	c.hub.remove(c)
	c.mu.Lock()
	c.over = true
	ours := c.why
	c.mu.Unlock()
	why := endingOf(err)
	switch {
	case ours != nil:
		why = *ours
	case why == tooBig, why == badText, why == protocolError: // the client is told
		c.guard.failed.Store(true)
		_ = c.ws.Close(websocket.StatusCode(why.code), why.reason)
	}
	_ = c.ws.CloseNow()
	c.disconnect(why)
}

// endingOf is why a socket has ended that its client has ended.
func endingOf(err error) ending {
	var closed websocket.CloseError
	var network net.Error
	switch {
	case errors.Is(err, errTooBig):
		return tooBig
	case errors.Is(err, errText):
		return badText
	case errors.As(err, &closed):
		if closed.Reason == "" && closed.Code == websocket.StatusNoStatusRcvd {
			closed.Reason = noStatus
		}
		return ending{int(closed.Code), closed.Reason}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.As(err, &network):
		return ending{1006, closedAbnormally}
	}
	return protocolError
}

// disconnectTries is how often a throttled call of $disconnect is made again.
const disconnectTries = 5

var again = backoff.Backoff{First: 100 * time.Millisecond, Most: 2 * time.Second}

// disconnect tells the function of $disconnect. Throttled calls are made again.
func (c *conn) disconnect(why ending) {
	h := c.hub
	s, done := h.stageOf(c)
	defer done()
	route := s.routes[gateway.DisconnectRoute]
	if route == nil {
		return
	}
	select {
	case h.disconnects <- struct{}{}:
	case <-h.ctx.Done():
		return
	}
	defer func() { <-h.disconnects }()
	moment := apigateway.SocketMoment{RouteKey: gateway.DisconnectRoute, RequestID: newRequestID(), Time: time.Now(), Variables: s.variables}
	for try := 0; ; try++ {
		err := s.run(h.ctx, route, "", func(dst []byte) []byte {
			return c.socket.AppendDisconnect(dst, why.code, why.reason, &moment)
		}, func([]byte) error { return nil })
		if !errors.As(err, new(*warmpool.ThrottledError)) || try == disconnectTries {
			if err != nil {
				s.tell(route, c.socket.ConnectionID, err)
			}
			return
		}
		select {
		case <-time.After(again.After(try + 1)):
		case <-h.ctx.Done():
			return
		}
	}
}
