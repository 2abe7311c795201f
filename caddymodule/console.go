package caddymodule

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hearthfn/hearth/caddymodule/cli"
	"github.com/hearthfn/hearth/caddymodule/console"
)

func init() {
	caddy.RegisterModule(Console{})
}

// Console serves a web page to see, test, change and watch functions. You sign in with an access
// key of the hearth app. Whatever the page does is a call of AWS's APIs, or of the admin endpoint's
// addresses below /hearth/, with the rights of that key. Requests for other paths go to the next handler.
type Console struct {
	// The path of the page. Default: /.
	Path string `json:"path,omitempty"`

	app      *App
	handler  *console.Handler
	shutdown shutdown
}

// CaddyModule returns the Caddy module information.
func (Console) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.hearth_console", New: func() caddy.Module { return new(Console) }}
}

// Provision makes the handler.
func (c *Console) Provision(ctx caddy.Context) error {
	module, err := ctx.App("hearth")
	if err != nil {
		return err
	}
	c.app = module.(*App)
	if err := c.app.checkAdminOfAPI(); err != nil {
		return err
	}
	keys, err := c.app.setup.Keys()
	if err != nil {
		return err
	}
	c.shutdown = newShutdown(ctx)
	c.Path = "/" + strings.Trim(c.Path, "/") + "/"
	if c.Path == "//" {
		c.Path = "/"
	}
	c.handler = console.New(console.Config{
		Sessions: &c.app.engine.sessions, Keys: keys, Account: c.app.Account, Region: c.app.Region, Version: Version(),
		Call: c.app.setup.ServeCall, Own: consoleAnswers{c.app, answers()}, Samples: func() any { return cli.Samples() },
	})
	return nil
}

// ServeHTTP answers requests for the page and passes the others on.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	path, below := strings.CutPrefix(r.URL.Path, c.Path)
	if !below {
		if r.URL.Path+"/" == c.Path && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			http.Redirect(w, r, c.base(r), http.StatusPermanentRedirect)
			return nil
		}
		return next.ServeHTTP(w, r)
	}
	visit := console.Visit{Base: c.base(r), Path: path, Secure: r.TLS != nil, Client: r.RemoteAddr, Peer: r.RemoteAddr}
	if client, is := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string); is {
		visit.Client = client
	}
	if trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool); trusted && r.Header.Get("X-Forwarded-Proto") == "https" {
		visit.Secure = true
	}
	r, done := c.shutdown.bind(r)
	defer done()
	if c.handler.Serve(w, r, &visit) {
		return nil
	}
	return next.ServeHTTP(w, r)
}

// base is where the browser sees the page: handle_path may have cut a prefix off.
func (c *Console) base(r *http.Request) string {
	if original, is := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); is {
		if prefix, is := strings.CutSuffix(original.URL.Path, r.URL.Path); is {
			return prefix + c.Path
		}
	}
	return c.Path
}

// consoleAnswers are those of the admin endpoint, of the console's own app.
type consoleAnswers struct {
	app *App
	mux *http.ServeMux
}

// ServeHTTP implements http.Handler. Errors are JSON, as those of the admin endpoint.
func (c consoleAnswers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	err := serveAnswers(c.mux, c.app.engine.Engine, w, r)
	if err == nil {
		return
	}
	status := http.StatusInternalServerError
	var known caddy.APIError
	if errors.As(err, &known) && known.HTTPStatus != 0 {
		status = known.HTTPStatus
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()}) // the browser may be gone
}

var (
	_ caddy.Provisioner           = (*Console)(nil)
	_ caddyhttp.MiddlewareHandler = (*Console)(nil)
)
