package lambdaapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
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
	if cap(x.body) > 64<<10 {
		x.body = nil
	}
	x.share.End()
}

// The signature covers the body, so anyone who knows the ID of a key, which is no secret,
// can make the API read a body before it finds the signature wrong. So the API reads few
// large bodies at once, and none slowly.
const (
	largeBody   = 8 << 20 // bytes, above the largest event
	largeBodies = 4       // at once
	readPause   = 30 * time.Second
)

// readLarge waits for its turn to read a body, if that may be large.
func (a *API) readLarge(r *http.Request, limit int64) (done func(), err error) {
	if limit <= largeBody || r.ContentLength >= 0 && r.ContentLength <= largeBody {
		return func() {}, nil
	}
	select {
	case a.large <- struct{}{}:
		return func() { <-a.large }, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// readBody reads the whole body.
func (a *API) readBody(x *exchange, w http.ResponseWriter, r *http.Request, operation string, limit int64) error {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	if r.ContentLength > limit {
		return tooLarge(operation, limit)
	}
	control := http.NewResponseController(w)
	deadlines := r.ContentLength < 0 || r.ContentLength > maxOther // a small one comes with its header, mostly
	if deadlines {
		defer func() { _ = control.SetReadDeadline(time.Time{}) }() // for the next request of the connection
	}
	budget := a.Bodies
	if limit > largeBody {
		budget = nil // few are read at once, see readLarge
	}
	from := http.MaxBytesReader(w, r.Body, limit)
	var body io.Reader = from
	if deadlines {
		body = &prompt{from, control}
	}
	var err error
	x.body, err = bodies.Read(body, x.body, r.ContentLength, limit, budget, &x.share, 6) // the frame of an invocation is as large
	switch {
	case err == nil:
		return nil
	case errors.Is(err, bodies.ErrFull):
		x.body = nil
		x.share.End()
		_, _ = io.Copy(io.Discard, body) // a client that still sends may not see the answer
		return err
	case errors.As(err, new(*http.MaxBytesError)):
		return tooLarge(operation, limit)
	}
	return exception("InvalidRequestContentException", "The request body could not be read.")
}

// A prompt reader waits for the next part of a body as long as readPause.
type prompt struct {
	body    io.Reader
	control *http.ResponseController
}

func (p *prompt) Read(into []byte) (int, error) {
	_ = p.control.SetReadDeadline(time.Now().Add(readPause)) // where the connection knows none there is none
	return p.body.Read(into)
}

func tooLarge(operation string, limit int64) error {
	if limit == maxInvoke {
		return exception("RequestTooLargeException", fmt.Sprintf("Request must be smaller than %d bytes for the InvokeFunction operation", limit))
	}
	return exception("RequestEntityTooLargeException", fmt.Sprintf("Request must be smaller than %d bytes for the %s operation", limit, operation))
}

// newBody makes a body from the bytes that were read of one.
func newBody(data []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(data)) }
