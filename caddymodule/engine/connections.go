package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/hearthfn/hearth/caddymodule/socket"
	"github.com/hearthfn/hearth/warmpool/bodies"
	"github.com/hearthfn/hearth/warmpool/state"
)

// A Connection names a socket of a WebSocket API, on this node or another.
type Connection struct {
	// API and Stage are those that the socket must have. "": any.
	API, Stage string
	ID         string
}

// ErrConnectionID: it is not a connection ID.
var ErrConnectionID = errors.New("no connection ID")

// What nodes ask each other about sockets. The method is that of @connections.
const (
	pathConnection   = "/connection"
	headerAPI        = "Hearth-Api"
	headerStage      = "Hearth-Stage"
	headerConnection = "Hearth-Connection"
	askConnection    = 20 * time.Second // a client takes a message within 10
	maxInfo          = 16 << 10         // bytes of an answer
)

// Post sends a message to the client of a socket. Errors are those of socket.Hub.Post, and
// ErrConnectionID.
func (e *Engine) Post(ctx context.Context, c Connection, message []byte) error {
	_, err := e.connection(ctx, http.MethodPost, c, message)
	return err
}

// Connection tells about a socket. Errors are those of Post.
func (e *Engine) Connection(ctx context.Context, c Connection) (socket.Info, error) {
	return e.connection(ctx, http.MethodGet, c, nil)
}

// Hangup closes a socket. Errors are those of Post.
func (e *Engine) Hangup(ctx context.Context, c Connection) error {
	_, err := e.connection(ctx, http.MethodDelete, c, nil)
	return err
}

// connection does what a method of @connections says, on the node that the connection ID names.
func (e *Engine) connection(ctx context.Context, method string, c Connection, message []byte) (info socket.Info, err error) {
	tag, ok := socket.TagIn(c.ID)
	if !ok {
		return info, ErrConnectionID
	}
	if tag == e.sockets.Tag {
		return e.localConnection(method, c, message)
	}
	others := e.cluster.Load()
	if others == nil {
		return info, socket.ErrGone
	}
	node, ok := others.Find(ctx, func(n state.Node) bool { return socket.TagOf(n.Process) == tag })
	if !ok {
		return info, socket.ErrGone
	}
	ctx, cancel := context.WithTimeout(ctx, askConnection)
	defer cancel()
	header := http.Header{headerAPI: {c.API}, headerStage: {c.Stage}, headerConnection: {c.ID}}
	answer, err := others.Ask(ctx, node, method, pathConnection, header, message)
	if err != nil {
		return info, err
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
		err = json.NewDecoder(io.LimitReader(answer.Body, maxInfo)).Decode(&info)
	case http.StatusGone:
		err = socket.ErrGone
	case http.StatusTooManyRequests:
		err = socket.ErrBusy
	default:
		err = fmt.Errorf("node %s answers %d", node.Name, answer.StatusCode)
	}
	return info, err
}

func (e *Engine) localConnection(method string, c Connection, message []byte) (info socket.Info, err error) {
	switch method {
	case http.MethodPost:
		err = e.sockets.Post(c.API, c.Stage, c.ID, message)
	case http.MethodDelete:
		err = e.sockets.Hangup(c.API, c.Stage, c.ID)
	default:
		info, err = e.sockets.Info(c.API, c.Stage, c.ID)
	}
	return info, err
}

// serveNode answers what other nodes ask.
func (e *Engine) serveNode(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case pathConnection:
		e.serveConnection(w, r)
	case pathEnvironment:
		e.serveEnvironment(w, r)
	case pathMetrics:
		e.serveMetrics(w, r)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// readQuestion reads what another node asks, most bytes of it. If it cannot, it answers why, and ok is
// false.
func (e *Engine) readQuestion(w http.ResponseWriter, r *http.Request, most int64, share *bodies.Share) (question []byte, ok bool) {
	question, err := bodies.Intake{Most: most, Weight: 3, Budget: e.bodies}.Read(w, r, nil, share)
	if err == nil {
		return question, true
	}
	status := http.StatusBadRequest
	if errors.Is(err, bodies.ErrFull) {
		status = http.StatusTooManyRequests
	}
	w.WriteHeader(status)
	return nil, false
}

// serveConnection answers what connection asks another node.
func (e *Engine) serveConnection(w http.ResponseWriter, r *http.Request) {
	var share bodies.Share
	defer share.End()
	message, ok := e.readQuestion(w, r, socket.MaxMessage, &share)
	if !ok {
		return
	}
	info, err := e.localConnection(r.Method, Connection{
		r.Header.Get(headerAPI), r.Header.Get(headerStage), r.Header.Get(headerConnection),
	}, message)
	switch {
	case errors.Is(err, socket.ErrGone):
		w.WriteHeader(http.StatusGone)
	case err != nil:
		w.WriteHeader(http.StatusTooManyRequests)
	default:
		_ = json.NewEncoder(w).Encode(info) // the other node may be gone
	}
}
