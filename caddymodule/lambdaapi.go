package caddymodule

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hearthfn/hearth/caddymodule/lambdaapi"
	"github.com/hearthfn/hearth/caddymodule/lambdaapi/foreign"
	"github.com/hearthfn/hearth/caddymodule/lambdaapi/logsapi"
	"github.com/hearthfn/hearth/invoker/pull"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

func init() {
	caddy.RegisterModule(LambdaAPI{})
}

// LambdaAPI answers the REST API of AWS Lambda, and what clients need of that of
// CloudWatch Logs, so that the aws command, AWS's SDKs and the tools built on them
// work with this server by its address. Requests are signed with the access keys of
// the hearth app. What is not for these APIs goes to the next handler; a call of another
// service of AWS's that no handler answers is refused by name.
type LambdaAPI struct {
	app *App
	api *lambdaapi.API
}

// CaddyModule returns the Caddy module information.
func (LambdaAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.hearth_lambda_api",
		New: func() caddy.Module { return new(LambdaAPI) },
	}
}

// Provision makes the API.
func (l *LambdaAPI) Provision(ctx caddy.Context) error {
	module, err := ctx.App("hearth")
	if err != nil {
		return err
	}
	l.app = module.(*App)
	a := l.app
	if err := a.checkAdminOfAPI(); err != nil {
		return err
	}
	verifier, err := a.verifier()
	if err != nil {
		return err
	}
	config := lambdaapi.Config{
		Registry: a.registry, Code: a.machinery.engine.archives, Invoker: a.catalog, Verifier: verifier, Account: a.account(),
		Check: a.machinery.launcher.Check, RuntimeVersion: a.machinery.launcher.RuntimeVersion, URL: a.functionURL, LinkKey: a.linkKey(), Concurrency: a.concurrency(),
		Bodies: a.machinery.bodies,
		Logs:   logsapi.New(a.machinery.engine.logs, a.account(), a.log), Log: ctx.Logger(),
	}
	config.Mapping, config.Ignore = pull.Check, a.Ignore
	config.Source = func(ctx context.Context, m *registry.Mapping) error {
		return pull.Exists(ctx, puller{a.machinery.engine}, m)
	}
	config.Queue, config.Destination = a.machinery.engine, a.services.check
	if a.services.s3 != nil { // not an interface that holds nil
		config.Bucket = a.services.s3
	}
	l.api = lambdaapi.New(config)
	a.hasAPI = true
	return nil
}

// ServeHTTP answers requests of the APIs and passes the others on.
func (l *LambdaAPI) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if l.api.Serve(w, r) {
		return nil
	}
	if !foreign.Is(r) {
		return next.ServeHTTP(w, r)
	}
	seen := &seenWriter{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}}
	if err := next.ServeHTTP(seen, r); err != nil || seen.answered {
		return err
	}
	// Caddy would answer with an empty 200, which a client takes for success.
	foreign.Of(r).Refuse(w, newRequestID())
	return nil
}

// A seenWriter sees whether anybody answers.
type seenWriter struct {
	*caddyhttp.ResponseWriterWrapper
	answered bool
}

func (w *seenWriter) WriteHeader(status int) {
	w.answered = true
	w.ResponseWriterWrapper.WriteHeader(status)
}

func (w *seenWriter) Write(body []byte) (int, error) {
	w.answered = true
	return w.ResponseWriterWrapper.Write(body)
}

func (w *seenWriter) ReadFrom(r io.Reader) (int64, error) {
	w.answered = true
	return w.ResponseWriterWrapper.ReadFrom(r)
}

// Hijack is for handlers that take the whole connection.
func (w *seenWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.answered = true
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// FlushError sends what there is, the header at least.
func (w *seenWriter) FlushError() error {
	w.answered = true
	return http.NewResponseController(w.ResponseWriter).Flush()
}

var (
	_ caddy.Provisioner           = (*LambdaAPI)(nil)
	_ caddyhttp.MiddlewareHandler = (*LambdaAPI)(nil)
)
