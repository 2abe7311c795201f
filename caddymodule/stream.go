package caddymodule

import (
	"bytes"
	"errors"
	"net/http"
	"time"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	"github.com/hearthfn/hearth/warmpool/environment"
)

// A streamed HTTP response begins with a JSON prelude and eight NUL bytes if its content type
// says so. Otherwise the stream is the body, and the status is 200.
// https://docs.aws.amazon.com/lambda/latest/dg/response-streaming-tutorial.html
const (
	preludeType = "application/vnd.awslambda.http-integration-response"
	preludeEnd  = "\x00\x00\x00\x00\x00\x00\x00\x00"
	maxPrelude  = 64 << 10
)

// chunkTimeout is how long a client may take to read one chunk of at most 1 MB. A client that
// does not read at all must not occupy an environment forever.
const chunkTimeout = 2 * time.Minute

// A responseStream writes a streamed response to the client as it comes.
type responseStream struct {
	w       http.ResponseWriter
	route   *apigateway.Route
	prelude []byte // the part that has come so far; nil: there is none, or it has ended
	begun   bool   // status and header are written
	err     error  // the prelude is malformed
}

// Start implements environment.ResponseStream.
func (s *responseStream) Start(contentType string) error {
	if contentType == preludeType {
		s.prelude = []byte{}
		return nil
	}
	if contentType == "" {
		contentType = "application/octet-stream"
	}
	s.w.Header().Set("Content-Type", contentType)
	s.begin(http.StatusOK)
	return nil
}

// Write implements environment.ResponseStream.
func (s *responseStream) Write(chunk []byte) error {
	if s.prelude != nil {
		var err error
		if chunk, err = s.addPrelude(chunk); err != nil || s.prelude != nil {
			return err
		}
	}
	control := http.NewResponseController(s.w)
	// The environment is busy until the client has taken the chunk. If the connection does not
	// support deadlines, there is no limit.
	_ = control.SetWriteDeadline(time.Now().Add(chunkTimeout))
	if len(chunk) > 0 {
		if _, err := s.w.Write(chunk); err != nil {
			return err
		}
	}
	return control.Flush()
}

// addPrelude gathers the prelude. When the prelude is complete, addPrelude writes status and
// header, and returns the rest of chunk, which is body.
func (s *responseStream) addPrelude(chunk []byte) (rest []byte, err error) {
	s.prelude = append(s.prelude, chunk...)
	prelude, rest, found := bytes.Cut(s.prelude, []byte(preludeEnd))
	switch {
	case found:
		status, err := s.route.DecodePrelude(prelude, s.w.Header())
		if err != nil {
			s.err = err
			return nil, err
		}
		s.prelude = nil
		s.begin(status)
		return rest, nil
	case len(s.prelude) > maxPrelude:
		s.err = errors.New("streamed response: the prelude does not end within 64 KB")
		return nil, s.err
	}
	return nil, nil
}

func (s *responseStream) begin(status int) {
	s.begun = true
	s.w.WriteHeader(status)
}

// endStream handles the end of a streamed response.
func (i *responder) endStream(w http.ResponseWriter, r *http.Request, x *exchange) error {
	s := &x.stream
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // for the next request of the connection
	var err error
	switch {
	case x.call.Outcome != environment.OutcomeResult:
		err = &functionError{x.call.Outcome, x.call.Payload}
	case s.err != nil:
		err = s.err
	case !s.begun:
		err = errors.New("streamed response: it ended within its prelude")
	default:
		return nil
	}
	if !s.begun {
		clear(w.Header())
		return i.refuse(w, r, x.call, err)
	}
	i.logFailure(http.StatusBadGateway, x.call, err)
	// The status has been sent. Only a cut connection can still tell the client that the
	// response is incomplete.
	panic(http.ErrAbortHandler)
}
