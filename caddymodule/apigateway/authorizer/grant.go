package authorizer

import (
	"fmt"
	"net/http"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
)

// A Grant lets a request through. The function finds what is known of the caller in
// requestContext.authorizer of the event.
type Grant struct {
	// V2 and V1 are that value as JSON, in the two payload formats of API Gateway.
	V2, V1 []byte
	// UsageKey is the API key that a function gives for the caller. "": it gives none.
	UsageKey string
}

// Of is the value in a payload format, nil if there is no grant.
func (g *Grant) Of(p apigateway.Payload) []byte {
	switch {
	case g == nil:
		return nil
	case p == apigateway.V1:
		return g.V1
	}
	return g.V2
}

// A Denial refuses a request.
type Denial struct {
	// Status is 401 (nothing proves who calls), 403 (the caller may not), 500 (the authorizer
	// failed) or 503 (nothing is known to check by).
	Status int
	// Challenge is the header WWW-Authenticate. "": there is none.
	Challenge string
	// Policy says that the policy of a Lambda authorizer refuses the request, and Explicit that
	// a statement of it denies it.
	Policy, Explicit bool
	// Reason is for the log.
	Reason error
}

func (d *Denial) Error() string { return d.Reason.Error() }
func (d *Denial) Unwrap() error { return d.Reason }

func unauthorized(challenge, format string, args ...any) *Denial {
	return &Denial{Status: http.StatusUnauthorized, Challenge: challenge, Reason: fmt.Errorf(format, args...)}
}
