package lambdaapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

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
	call *environment.Call
	body []byte
}

func (x *exchange) reset() {
	x.call.Reset()
	x.body = x.body[:0]
	if cap(x.body) > 64<<10 {
		x.body = nil
	}
}

// Whoever knows the ID of a key, which is no secret, may have a body read before its
// signature is found to be wrong, for that needs the body. So few large ones are read
// at once, and none slowly.
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
func (x *exchange) readBody(w http.ResponseWriter, r *http.Request, operation string, limit int64) error {
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
	// What the header says may be a lie, but only up to the limit.
	if n := int(r.ContentLength); n > cap(x.body) && n <= 1<<20 {
		x.body = make([]byte, 0, n+1)
	}
	body := http.MaxBytesReader(w, r.Body, limit)
	for {
		if len(x.body) == cap(x.body) {
			x.body = append(x.body, 0)[:len(x.body)]
		}
		if deadlines {
			_ = control.SetReadDeadline(time.Now().Add(readPause)) // where the connection knows none there is none
		}
		n, err := body.Read(x.body[len(x.body):cap(x.body)])
		x.body = x.body[:len(x.body)+n]
		switch {
		case err == io.EOF:
			return nil
		case errors.As(err, new(*http.MaxBytesError)):
			return tooLarge(operation, limit)
		case err != nil:
			return exception("InvalidRequestContentException", "The request body could not be read.")
		}
	}
}

func tooLarge(operation string, limit int64) error {
	if limit == maxInvoke {
		return exception("RequestTooLargeException", fmt.Sprintf("Request must be smaller than %d bytes for the InvokeFunction operation", limit))
	}
	return exception("RequestEntityTooLargeException", fmt.Sprintf("Request must be smaller than %d bytes for the %s operation", limit, operation))
}

// newBody makes a body of what was read of one.
func newBody(data []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(data)) }
