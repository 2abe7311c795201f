package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/environment"
)

func TestWebClientsAreAnsweredAsByAPIGateway(t *testing.T) {
	for _, test := range []struct {
		err     error
		status  int
		message string
	}{
		{&requestError{http.StatusRequestEntityTooLarge, io.EOF}, 413, "Request Too Long"},
		{&requestError{http.StatusBadRequest, io.EOF}, 400, "Bad Request"},
		{&requestError{http.StatusRequestHeaderFieldsTooLarge, io.EOF}, 431, "Request Header Fields Too Large"},
		{&warmpool.ThrottledError{Function: "pets", Reason: warmpool.ReasonReserved}, 429, "Too Many Requests"},
		{&functionError{environment.OutcomeError, []byte("secret")}, 502, "Internal Server Error"},
		{&functionError{environment.OutcomeExit, nil}, 502, "Internal Server Error"},
		{&functionError{environment.OutcomeTimeout, nil}, 504, "Endpoint request timed out"},
		{warmpool.ErrClosed, 503, "Service Unavailable"},
		{context.Canceled, 499, "Client Closed Request"},
		{errors.New("anything else, with a secret"), 502, "Internal Server Error"},
	} {
		for _, err := range []error{test.err, fmt.Errorf("wrapped: %w", test.err)} {
			if status, message := webStatus(err); status != test.status || message != test.message {
				t.Errorf("%v: got %d %q, want %d %q", err, status, message, test.status, test.message)
			}
		}
	}
}

func TestFunctionErrorIsCutForTheLog(t *testing.T) {
	short := &functionError{payload: []byte(`{"errorType":"Error"}`)}
	if short.Error() != `{"errorType":"Error"}` {
		t.Errorf("got %s", short)
	}
	long := &functionError{payload: []byte(strings.Repeat("x", 2<<10+1))}
	if got := long.Error(); len(got) != 2<<10+3 || !strings.HasSuffix(got, "x...") {
		t.Errorf("got %d bytes", len(got))
	}
}
