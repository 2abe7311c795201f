package socket

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/authorizer"
	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/usageplan"
)

// A Client is what is known of a client besides its request.
type Client struct {
	SourceIP string
	// Trusted: see apigateway.Socket.AppendConnect.
	Trusted bool
}

// A Refusal says that a client may not connect, or that a post is refused.
type Refusal struct {
	Status int
	Body   []byte
	Reason error // for the log
}

func (r *Refusal) Error() string { return r.Reason.Error() }
func (r *Refusal) Unwrap() error { return r.Reason }

// Reasons of refusals.
var (
	errRequest = errors.New("the request is not a WebSocket handshake of version 13 by HTTP/1.1")
	errFull    = errors.New("there are as many sockets as there may be")
	errRate    = errors.New("the request is above the rate of its throttle")
	errRefused = errors.New("the function of $connect does not let the client connect")
)

// IsUpgrade reports whether a request asks for a WebSocket.
func IsUpgrade(r *http.Request) bool {
	return hasToken(r.Header["Connection"], "upgrade") && hasToken(r.Header["Upgrade"], "websocket") ||
		r.Method == http.MethodConnect && r.Header.Get(":protocol") == "websocket"
}

func hasToken(lines []string, token string) bool {
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// isHandshake reports whether the library will accept a request, so that $connect is not asked in
// vain.
func isHandshake(r *http.Request) bool {
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(r.Header.Get("Sec-WebSocket-Key")))
	return r.ProtoMajor == 1 && r.ProtoMinor >= 1 && r.Method == http.MethodGet && err == nil && len(key) == 16 &&
		len(r.Header["Sec-Websocket-Key"]) == 1 && r.Header.Get("Sec-WebSocket-Version") == "13"
}

// Accept asks $connect, and makes the request's connection a socket. An error is a *Refusal, and
// nothing has been answered then. The socket lives on when Accept has returned.
func (h *Hub) Accept(w http.ResponseWriter, r *http.Request, s *Stage, client Client) error {
	c := &conn{hub: h, room: make(chan struct{}), ended: make(chan struct{})}
	c.socket = apigateway.Socket{
		ConnectionID: h.Tag.newID(), ConnectedAt: time.Now(), APIID: s.API.ID, Stage: s.Name(),
		// The request's own memory must go when the request does.
		Domain: strings.Clone(r.Host), SourceIP: strings.Clone(client.SourceIP), UserAgent: strings.Clone(r.UserAgent()),
	}
	c.stage.Store(s)
	if !isHandshake(r) {
		return c.refusal(http.StatusBadRequest, "Bad Request", newRequestID(), errRequest)
	}
	if !h.enter() {
		return c.refusal(http.StatusServiceUnavailable, "Service Unavailable", newRequestID(), errFull)
	}
	answer := make(http.Header)
	if err := c.connect(r, s, client, answer); err != nil {
		h.leave()
		return err
	}
	var protocols []string
	if chosen := answer.Get("Sec-WebSocket-Protocol"); chosen != "" {
		protocols = []string{chosen}
	}
	taken := &takeover{ResponseWriter: w}
	ws, err := websocket.Accept(taken, r, &websocket.AcceptOptions{
		Subprotocols: protocols,
		// $connect decides who may connect, as on AWS; it has the header Origin.
		InsecureSkipVerify: true,
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil { // the client is gone; the library has answered
		go func() {
			defer h.leave()
			c.disconnect(ending{1006, closedAbnormally})
		}()
		return nil
	}
	ws.SetReadLimit(-1) // the guard limits
	c.ws, c.guard = ws, taken.guard
	c.sent.Store(time.Now().UnixMilli())
	h.add(c)
	go c.serve()
	return nil
}

// connect asks the route $connect. header gets the headers of its answer.
func (c *conn) connect(r *http.Request, s *Stage, client Client, header http.Header) error {
	route := s.routes[gateway.ConnectRoute]
	id := newRequestID()
	moment := apigateway.SocketMoment{RouteKey: gateway.ConnectRoute, RequestID: id, Time: time.Now(), Variables: s.variables}
	if s.Authorize != nil {
		if err := s.Authorize(r, &c.socket, func(arn string) []byte {
			return c.socket.AppendAuthorizer(nil, r, client.Trusted, arn, &moment)
		}); err != nil {
			return c.deny(s, id, err)
		}
	}
	if route == nil {
		if s.bucket != nil && !s.bucket.Allow() {
			return c.refusal(http.StatusTooManyRequests, "Too Many Requests", id, errRate)
		}
		return nil
	}
	if route.isOver() {
		return c.refusal(http.StatusTooManyRequests, "Too Many Requests", id, errRate)
	}
	status := 0
	err := s.run(r.Context(), route, r.Header.Get("X-Amzn-Trace-Id"), func(dst []byte) []byte {
		return c.socket.AppendConnect(dst, r, client.Trusted, &moment)
	}, func(payload []byte) (err error) {
		status, _, err = s.decode(payload, header)
		return err
	})
	switch {
	case err != nil && r.Context().Err() != nil && errors.Is(err, context.Canceled):
		return c.refusal(499, "Client Closed Request", id, err)
	case err != nil:
		s.tell(route, c.socket.ConnectionID, err)
		status, message := told(err)
		return c.refusal(status, message, id, err)
	case status < 200 || status > 299:
		return c.refusal(status, messageOf(status), id, errRefused)
	}
	return nil
}

// deny refuses a client that the authorizer does not let through.
func (c *conn) deny(s *Stage, requestID string, err error) *Refusal {
	status := http.StatusInternalServerError
	if denial := new(authorizer.Denial); errors.As(err, &denial) {
		status = denial.Status
	}
	if status >= http.StatusInternalServerError {
		s.Refusals.Tell(s.Log, zap.ErrorLevel, "authorizer failed", gateway.ConnectRoute, func() []zap.Field {
			return []zap.Field{zap.String("route", gateway.ConnectRoute), zap.Error(err)}
		})
	}
	message := messageOf(status)
	if errors.Is(err, usageplan.ErrExhausted) {
		message = gateway.WebSocket.Exhausted().Message
	}
	return c.refusal(status, message, requestID, err)
}

// messageOf is what a client is told with the status of $connect.
func messageOf(status int) string {
	if status >= http.StatusInternalServerError {
		return "Internal server error"
	}
	return http.StatusText(status)
}

// refusal has the error as the client of an API gets it.
func (c *conn) refusal(status int, message, requestID string, reason error) *Refusal {
	return &Refusal{status, apigateway.AppendSocketError(nil, message, c.socket.ConnectionID, requestID), reason}
}

// A takeover gives the library a guard as the connection, with small buffers: net/http's have
// 8 KB, which most sockets do not need most of the time.
type takeover struct {
	http.ResponseWriter
	guard *guard
}

// Sizes of the buffers of a socket, in bytes. Longer reads and writes go past them.
const (
	readBuffer  = 512
	writeBuffer = 1 << 10
)

// Hijack implements http.Hijacker.
func (t *takeover) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	raw, buffered, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	g := &guard{Conn: raw}
	g.read.Store(time.Now().UnixMilli())
	if n := buffered.Reader.Buffered(); n > 0 {
		early, err := buffered.Reader.Peek(n)
		if err != nil {
			return nil, nil, errors.Join(err, raw.Close())
		}
		g.early = bytes.NewReader(bytes.Clone(early))
	}
	t.guard = g
	return g, bufio.NewReadWriter(bufio.NewReaderSize(g, readBuffer), bufio.NewWriterSize(g, writeBuffer)), nil
}

// Unwrap is for http.ResponseController.
func (t *takeover) Unwrap() http.ResponseWriter { return t.ResponseWriter }
