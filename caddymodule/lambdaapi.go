package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hearthfn/hearth/caddymodule/lambdaapi"
	"github.com/hearthfn/hearth/caddymodule/lambdaapi/logsapi"
	"github.com/hearthfn/hearth/invoker/pull"
)

func init() {
	caddy.RegisterModule(LambdaAPI{})
}

// LambdaAPI answers the REST API of AWS Lambda, and what clients need of that of
// CloudWatch Logs, so that the aws command, AWS's SDKs and the tools built on them
// work with this server by its address. Requests are signed with the access keys of
// the hearth app. What is not for these APIs goes to the next handler.
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
		Registry: a.registry, Code: a.node.storage.archives, Invoker: a.catalog, Verifier: verifier, Account: a.account(),
		Check: a.node.launcher.Check, URL: a.functionURL, LinkKey: a.linkKey(), Concurrency: a.concurrency(),
		Logs: logsapi.New(a.node.storage.logs, a.account(), a.log), Log: ctx.Logger(),
	}
	config.Mapping = pull.Check
	config.Queue, config.Destination = a.node.storage, a.services.check
	if a.services.s3 != nil { // not an interface that holds nil
		config.Bucket = a.services.s3
	}
	l.api = lambdaapi.New(config)
	a.hasAPI = true
	return nil
}

// ServeHTTP answers requests of the APIs and passes the others on.
func (l *LambdaAPI) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if !l.api.Handles(r) {
		return next.ServeHTTP(w, r)
	}
	l.api.ServeHTTP(w, r)
	return nil
}

var (
	_ caddy.Provisioner           = (*LambdaAPI)(nil)
	_ caddyhttp.MiddlewareHandler = (*LambdaAPI)(nil)
)
