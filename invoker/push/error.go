package push

import (
	"errors"
	"net/http"
)

// The errors of a request. Status has the HTTP status of each.
var (
	ErrMalformed    = errors.New("malformed event")
	ErrUnauthorized = errors.New("sender not recognised")
	ErrForbidden    = errors.New("sender not allowed")
	ErrMethod       = errors.New("method not allowed")
	ErrNoFunction   = errors.New("no function for the event")
	ErrTooLarge     = errors.New("too large")
	ErrMediaType    = errors.New("unsupported media type")
	ErrUnavailable  = errors.New("cannot be verified at the moment")
)

// Status is the HTTP status that a sender gets for an error of Decode or Targets.
func Status(err error) int {
	for _, row := range []struct {
		err    error
		status int
	}{
		{ErrMalformed, http.StatusBadRequest},
		{ErrUnauthorized, http.StatusUnauthorized},
		{ErrForbidden, http.StatusForbidden},
		{ErrNoFunction, http.StatusNotFound},
		{ErrMethod, http.StatusMethodNotAllowed},
		{ErrTooLarge, http.StatusRequestEntityTooLarge},
		{ErrMediaType, http.StatusUnsupportedMediaType},
		{ErrUnavailable, http.StatusServiceUnavailable},
	} {
		if errors.Is(err, row.err) {
			return row.status
		}
	}
	return http.StatusInternalServerError
}
