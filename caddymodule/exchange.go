package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	"github.com/hearthfn/hearth/warmpool/bodies"
	"github.com/hearthfn/hearth/warmpool/environment"
)

// An exchange is what one request needs, kept for the next.
type exchange struct {
	call     *environment.Call
	body     []byte
	share    bodies.Share // of the memory for bodies
	identity *apigateway.Identity
	stream   responseStream
}

// exchanges saves the memory of requests that are over; see BenchmarkInvoke.
var exchanges = sync.Pool{New: func() any { return &exchange{call: environment.NewCall()} }}

func (x *exchange) reset() {
	x.call.Reset()
	x.body = x.body[:0]
	if cap(x.body) > bodies.Small {
		x.body = nil
	}
	x.share.End()
	x.identity = nil
	x.stream = responseStream{}
}

// weight is what a body's share of the memory is, in thirds: the body, and the event
// with the body in base64.
const weight = 7

// readBody reads the whole body, which may be as large as an event.
func (x *exchange) readBody(w http.ResponseWriter, r *http.Request, budget *bodies.Budget) error {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil
	}
	if r.ContentLength > maxEvent {
		return &requestError{http.StatusRequestEntityTooLarge, fmt.Errorf("the body is %d bytes long, %d at most", r.ContentLength, maxEvent)}
	}
	defer limitTime(w, r, maxEvent)()
	body := http.MaxBytesReader(w, r.Body, maxEvent)
	var err error
	x.body, err = bodies.Read(body, x.body, r.ContentLength, maxEvent, budget, &x.share, weight)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, bodies.ErrFull):
		x.body = nil
		x.share.End()
		_, _ = io.Copy(io.Discard, body) // a client that still sends may not see the answer
		return err
	case errors.As(err, new(*http.MaxBytesError)):
		return &requestError{http.StatusRequestEntityTooLarge, fmt.Errorf("the body is over %d bytes", maxEvent)}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &requestError{http.StatusRequestTimeout, errors.New("the body came too slowly")}
	}
	return &requestError{http.StatusBadRequest, fmt.Errorf("read the body: %w", err)}
}

// makeRoom makes room for the event of a large body.
func (x *exchange) makeRoom(i *responder, h http.Header) error {
	size := i.route.EncodedLen(h, x.body)
	if size > maxEvent {
		return &requestError{http.StatusRequestEntityTooLarge, fmt.Errorf("the body is %d bytes long in the event, %d at most", size, maxEvent)}
	}
	size = max(size, len(x.body)+len(x.body)/8) + bodies.Small
	if err := x.share.Hold(i.bodies, cap(x.body)+size); err != nil {
		return err
	}
	x.call.Frame = slices.Grow(x.call.Frame, size)
	return nil
}

// A large body comes within firstPause and as long as it takes at leastRate, or its
// memory would be lost to others.
const (
	firstPause = 30 * time.Second
	leastRate  = 32 << 10 // bytes per second
)

// limitTime limits the time in which a large body must arrive, unless the site sets one.
// The returned function ends the limit.
func limitTime(w http.ResponseWriter, r *http.Request, most int64) (end func()) {
	if r.ContentLength >= 0 && r.ContentLength <= bodies.Small {
		return func() {}
	}
	if server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok && server.ReadTimeout > 0 {
		return func() {}
	}
	length := r.ContentLength
	if length < 0 {
		length = most
	}
	control := http.NewResponseController(w)
	limit := firstPause + time.Duration(cmp.Or(length, 1)/leastRate)*time.Second
	_ = control.SetReadDeadline(time.Now().Add(limit))         // where the connection knows none there is none
	return func() { _ = control.SetReadDeadline(time.Time{}) } // for the next request of the connection
}
