package custom

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

// streamBuffer is how much of a stream goes into one frame at most.
const streamBuffer = 64 << 10

// stream passes a streamed response on as it comes. An error after its start is in
// the trailers.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming
func (b *Bridge) stream(w http.ResponseWriter, r *http.Request) {
	in := b.claim(w, r, phaseStreaming)
	if in == nil {
		return
	}
	kind := r.Header.Get("Content-Type")
	if kind == "" {
		kind = "application/octet-stream"
	}
	if err := b.out.write(runtimes.KindStreamStart, in.seq, 0, []byte(kind)); err != nil {
		return
	}
	buffer := make([]byte, streamBuffer)
	for {
		n, err := r.Body.Read(buffer)
		if n > 0 {
			if err := b.out.write(runtimes.KindStreamChunk, in.seq, 0, buffer[:n]); err != nil {
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
			_ = b.answer(in, runtimes.KindError, errorBody("Runtime.TruncatedResponse", "the runtime broke off its response"))
			return
		}
	}
}

func (b *Bridge) endStream(in *invocation, trailer http.Header) error {
	kind := trailer.Get("Lambda-Runtime-Function-Error-Type")
	if kind == "" {
		return b.answer(in, runtimes.KindStreamEnd, nil)
	}
	// The clients of AWS send the body in base64.
	body := []byte(trailer.Get("Lambda-Runtime-Function-Error-Body"))
	if decoded, err := base64.StdEncoding.DecodeString(string(body)); err == nil {
		body = decoded
	}
	if !json.Valid(body) {
		body = errorBody(kind, string(body))
	}
	return b.answer(in, runtimes.KindError, body)
}
