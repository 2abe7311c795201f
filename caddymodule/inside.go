package caddymodule

import (
	"net/http"

	"github.com/hearthfn/hearth/caddymodule/awsapi/foreign"
	"github.com/hearthfn/hearth/warmpool/function"
)

// inside answers the calls of functions that run here: those of AWS's APIs, and nothing else. Sites
// and their handlers are not asked.
type inside struct{ api *LambdaAPI }

// ServeHTTP implements http.Handler.
func (i inside) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !i.api.serveAWS(w, r) {
		foreign.Of(r).Refuse(w, r, function.NewRequestID(), i.api.served)
	}
}
