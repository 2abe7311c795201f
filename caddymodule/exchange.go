package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"

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

	from caller
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
	x.identity, x.from = nil, caller{}
	x.stream = responseStream{}
}

// weight is what a body's share of the memory is, in thirds: the body, and the event
// with the body in base64.
const weight = 7

// slowest is how quickly bodies come, in bytes per second, that keep their memory when
// there is none left.
const slowest = 16 << 10

// readBody reads the whole body, which may be as large as an event.
func (x *exchange) readBody(w http.ResponseWriter, r *http.Request, budget *bodies.Budget) error {
	intake := bodies.Intake{Most: maxEvent, Weight: weight, Budget: budget, Rate: slowest}
	var err error
	x.body, err = intake.Read(w, r, x.body, &x.share)
	return readError(err)
}

// readError is what is wrong with a body that could not be read.
func readError(err error) error {
	switch {
	case err == nil, errors.Is(err, bodies.ErrFull):
		return err
	case errors.Is(err, bodies.ErrTooLarge):
		return &requestError{http.StatusRequestEntityTooLarge, fmt.Errorf("the body is over %d bytes", maxEvent)}
	case errors.Is(err, bodies.ErrSlow):
		return &requestError{http.StatusRequestTimeout, err}
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
