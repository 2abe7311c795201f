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

// A client that has its answer may still send for lingerMost, and pause for lingerFor. It
// would see a broken connection instead of the answer, if the server did not take what it
// sends.
const (
	lingerFor  = 5 * time.Second
	lingerMost = 30 * time.Second
)

// Refuse answers a request whether or not its body was read. The client has the answer at
// once. Then Refuse takes for a while what the client still sends.
func Refuse(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	unread := AnswerEarly(w, r)
	w.Header().Set("Content-Length", strconv.Itoa(len(body))) // the client knows the end before the handler has returned
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone
	control := http.NewResponseController(w)
	// A client that waits to be asked for the body sends none.
	if !unread || r.Header.Get("Expect") != "" || control.Flush() != nil {
		return
	}
	began := time.Now()
	for {
		if _, err := io.CopyN(io.Discard, r.Body, Small); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				awaitEnd(r.Context(), began.Add(lingerFor)) // nobody reads a body that came too slowly before
			}
			return
		}
		rest := lingerMost - time.Since(began)
		if rest <= 0 || control.SetReadDeadline(time.Now().Add(min(lingerFor, rest))) != nil {
			return
		}
	}
}

func awaitEnd(ctx context.Context, end time.Time) {
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	<-ctx.Done()
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
