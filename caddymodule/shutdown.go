package caddymodule

import (
	"context"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// A shutdown ends streams that last for hours when their server shuts down. Caddy waits for every
// request then, without a limit by default, and a reload shuts the servers of the old configuration
// down, too.
type shutdown struct{ begun context.Context }

// newShutdown is called by Provision of a handler: its context knows the server.
func newShutdown(ctx caddy.Context) shutdown {
	begun, begin := context.WithCancel(context.Background())
	if server, is := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); is {
		server.RegisterOnShutdown(begin)
	}
	context.AfterFunc(ctx, begin) // the configuration may never be served
	return shutdown{begun}
}

// bind has the request end when the server shuts down, if it is a stream. The caller calls done.
func (s shutdown) bind(r *http.Request) (bound *http.Request, done func()) {
	if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".StartLiveTail") {
		return r, func() {}
	}
	ctx, cancel := context.WithCancel(r.Context())
	stop := context.AfterFunc(s.begun, cancel)
	return r.WithContext(ctx), func() { stop(); cancel() }
}
