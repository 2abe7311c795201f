package lambda

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hearthfn/hearth/warmpool/bodies"
	"github.com/hearthfn/hearth/warmpool/environment"
)

// Limits of requests, in bytes.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const (
	maxInvoke = 6291456  // of a synchronous event
	maxAsync  = 1 << 20  // of an asynchronous one
	maxDeploy = 70167211 // of a request with code in it
	maxOther  = 256 << 10
)

func limitOf(operation string) int64 {
	switch operation {
	case "Invoke", "InvokeWithResponseStream", "InvokeAsync":
		return maxInvoke
	case "CreateFunction", "UpdateFunctionCode", "PublishLayerVersion":
		return maxDeploy
	}
	return maxOther
}

// An exchange is the memory of one request, kept for the next.
type exchange struct {
	call  *environment.Call
	body  []byte
	share bodies.Share // of the memory for bodies
}

func (x *exchange) reset() {
	x.call.Reset()
	x.body = x.body[:0]
	if cap(x.body) > bodies.Small {
		x.body = nil
	}
	x.share.End()
}

// Bodies over largeBody have a memory of their own, which holds largeMB: four of the
// largest at once.
const (
	largeBody = 8 << 20 // bytes, above the largest event
	largeMB   = 4*maxDeploy>>20 + 1
)

// How quickly a body must come, in bytes per second, to keep its memory when there is none
// left. A sender whose signature is good keeps it. One who only knows the ID of a key,
// which is no secret, would else keep others from deploying, by bodies that hardly come.
const (
	slowest      = 16 << 10
	slowestLarge = 512 << 10
)

// largeWait is how long a body waits for room that larger ones have.
const largeWait = time.Minute

// readBody reads the whole body. proven says that the sender's signature is good.
func (a *API) readBody(x *exchange, w http.ResponseWriter, r *http.Request, operation string, limit int64, proven bool) error {
	intake := bodies.Intake{Most: limit, Weight: 6, Budget: a.Bodies, Rate: slowest} // the frame of an invocation is as large
	if r.ContentLength > largeBody || r.ContentLength < 0 && limit > largeBody {
		intake.Weight, intake.Budget, intake.Rate, intake.Wait = 3, a.large, slowestLarge, largeWait
	}
	if proven {
		intake.Rate = 0
	}
	var err error
	x.body, err = intake.Read(w, r, x.body, &x.share)
	switch {
	case err == nil, errors.Is(err, bodies.ErrFull):
		return err
	case errors.Is(err, bodies.ErrTooLarge):
		return tooLarge(operation, limit)
	case errors.Is(err, bodies.ErrSlow):
		return exception("InvalidRequestContentException", "The request body came too slowly.")
	}
	return exception("InvalidRequestContentException", "The request body could not be read.")
}

func tooLarge(operation string, limit int64) error {
	if limit == maxInvoke {
		return exception("RequestTooLargeException", fmt.Sprintf("Request must be smaller than %d bytes for the InvokeFunction operation", limit))
	}
	return exception("RequestEntityTooLargeException", fmt.Sprintf("Request must be smaller than %d bytes for the %s operation", limit, operation))
}
