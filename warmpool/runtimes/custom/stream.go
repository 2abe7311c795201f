package custom

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

// streamBuffer is how much of a stream goes into one frame at most, in bytes.
const streamBuffer = 64 << 10

// maxStream is Lambda's limit for a streamed response in bytes.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html
const maxStream = 200 << 20

// stream passes a streamed response on as it comes. An error after its start is in
// the trailers.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming
func (b *Bridge) stream(w http.ResponseWriter, r *http.Request, in *invocation) {
	kind := r.Header.Get("Content-Type")
	if kind == "" {
		kind = "application/octet-stream"
	}
	if err := b.out.write(runtimes.KindStreamStart, in.seq, 0, []byte(kind)); err != nil {
		return
	}
	frame := make([]byte, runtimes.HeadSize+streamBuffer)
	for total := 0; ; {
		n, err := r.Body.Read(frame[runtimes.HeadSize:])
		if total += n; total > maxStream {
			b.fail(in, "Function.ResponseSizeTooLarge", "Response payload size e"+exceeded(maxStream))
			refuse(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "E"+exceeded(maxStream))
			return
		}
		if n > 0 {
			if err := b.out.frame(runtimes.KindStreamChunk, in.seq, 0, frame[:runtimes.HeadSize+n]); err != nil {
				return
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			if b.endStream(in, r.Trailer) == nil {
				accept(w)
			}
			return
		case err != nil:
			b.fail(in, "Runtime.TruncatedResponse", "the runtime broke off its response")
			refuse(w, http.StatusBadRequest, "TruncatedHTTPRequest", "HTTP request detected as truncated")
			return
		}
	}
}

func (b *Bridge) endStream(in *invocation, trailer http.Header) error {
	kind := trailer.Get("Lambda-Runtime-Function-Error-Type")
	if kind == "" {
		return b.answer(in, runtimes.KindStreamEnd, withHead(nil))
	}
	// The clients of AWS send the body in base64.
	body := []byte(trailer.Get("Lambda-Runtime-Function-Error-Body"))
	if decoded, err := base64.StdEncoding.DecodeString(string(body)); err == nil {
		body = decoded
	}
	if !json.Valid(body) {
		body = errorBody(kind, string(body))
	}
	return b.answer(in, runtimes.KindError, withHead(body))
}
