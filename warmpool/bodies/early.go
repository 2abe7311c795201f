package bodies

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"
)

// lingerFor is how long a client may still send that has its answer. Such a client would
// see a broken connection instead of the answer, if the server did not take what it sends.
const lingerFor = 5 * time.Second

// Refuse answers a request whether or not its body was read. The client has the answer at
// once. Then Refuse takes for a while what the client still sends.
func Refuse(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	unread := AnswerEarly(w, r)
	w.Header().Set("Content-Length", strconv.Itoa(len(body))) // the client knows the end before the handler has returned
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone
	// A client that waits to be asked for the body sends none.
	if !unread || r.Header.Get("Expect") != "" || http.NewResponseController(w).Flush() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), lingerFor)
	defer cancel()
	if _, err := io.Copy(io.Discard, r.Body); err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		<-ctx.Done() // the body came too slowly before: nobody reads it any more
	}
}

// AnswerEarly has the client see the answer to a request at once though its body has not
// been read: HTTP/1's server would first wait for up to 256 KB of the rest. Call it before
// the answer. The connection ends after the answer. AnswerEarly reports whether there is
// more to read of the body, for lingerFor.
func AnswerEarly(w http.ResponseWriter, r *http.Request) (unread bool) {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 || r.ProtoMajor != 1 {
		return false // other protocols answer when they like
	}
	w.Header().Set("Connection", "close")
	return http.NewResponseController(w).SetReadDeadline(time.Now().Add(lingerFor)) == nil
}
