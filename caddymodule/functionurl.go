package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	lru "github.com/hashicorp/golang-lru/v2"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	"github.com/hearthfn/hearth/caddymodule/awsapi/access"
	"github.com/hearthfn/hearth/warmpool/bodies"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

func init() {
	caddy.RegisterModule(FunctionURLs{})
}

// FunctionURLs answers the function URLs that the Lambda API made: the first label
// of a request's host is the URL's ID. An unknown ID is forbidden, as on AWS.
// Requests for other hosts go to the next handler.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
type FunctionURLs struct {
	app *App
	log *zap.Logger
	// known caches the responders of URLs.
	known *lru.Cache[string, *functionURL]
}

// A functionURL answers the requests of one URL.
type functionURL struct {
	of *registry.URL // as it was when this responder was made
	responder
	// permitted, if set, says whether the function's policy opens the URL to everybody.
	permitted func(ctx context.Context) bool
}

// maxKnownURLs bounds the memory for responders.
const maxKnownURLs = 4096

// CaddyModule returns the Caddy module information.
func (FunctionURLs) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.hearth_function_urls",
		New: func() caddy.Module { return new(FunctionURLs) },
	}
}

// Provision gets the functions, and the keys for URLs of AuthType AWS_IAM.
func (f *FunctionURLs) Provision(ctx caddy.Context) error {
	module, err := ctx.App("hearth")
	if err != nil {
		return err
	}
	f.app, f.log = module.(*App), ctx.Logger()
	if f.app.FunctionURL == "" {
		return errors.New(`function_urls: say in the hearth global option which addresses they have: function_url https://*.fn.example.com`)
	}
	f.known, err = lru.New[string, *functionURL](maxKnownURLs)
	return err
}

// ServeHTTP calls the function whose URL has the request's host.
func (f *FunctionURLs) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	id, ok := f.app.functionURLID(r.Host)
	if !ok {
		return next.ServeHTTP(w, r)
	}
	of, err := f.app.setup.Registry().URL(r.Context(), id)
	if errors.Is(err, registry.ErrNotFound) {
		if registry.IsURLID(id) {
			return refuseUnknownURL(w, r)
		}
		return next.ServeHTTP(w, r)
	}
	if err != nil {
		return caddyhttp.Error(http.StatusServiceUnavailable, err)
	}
	u, ok := f.known.Get(id)
	if !ok || u.of != of {
		if u, err = f.prepare(of); err != nil {
			return caddyhttp.Error(http.StatusInternalServerError, err)
		}
		f.known.Add(id, u)
	}
	if of.Cors != nil && answerPreflight(w, r, of.Cors) {
		return nil
	}
	if u.permitted != nil && !u.permitted(r.Context()) {
		return refuseUnknownURL(w, r)
	}
	if of.Cors == nil {
		return u.respond(w, r)
	}
	return u.respond(newCorsWriter(w, corsOfURL(r, of.Cors)), r)
}

// refuseUnknownURL answers as AWS does for a URL that was deleted, never existed, or that the
// function's policy does not open.
func refuseUnknownURL(w http.ResponseWriter, r *http.Request) error {
	body := urlAnswer(http.StatusForbidden, nil, w.Header())
	w.Header().Set("Content-Type", "application/json")
	bodies.Refuse(w, r, http.StatusForbidden, body)
	return nil
}

func (f *FunctionURLs) prepare(of *registry.URL) (*functionURL, error) {
	u := &functionURL{of: of, responder: responder{
		log:    f.log.With(zap.String("function", of.FunctionName)),
		key:    f.app.account().Key(of.FunctionName),
		bodies: f.app.engine.Bodies(), refusals: f.app.setup.Refusals(),
		runs: f.app.setup.Runner(), function: of.FunctionName, qualifier: of.Qualifier, gathers: of.InvokeMode != "RESPONSE_STREAM",
		route: &apigateway.Route{Payload: apigateway.V2, FunctionURL: true, APIID: of.ID, AccountID: "anonymous"},
	}}
	u.asIs = of.InvokeMode == "RESPONSE_STREAM"
	if of.AuthType == "AWS_IAM" {
		u.route.AccountID = f.app.Account
		var err error
		if u.begin, err = f.app.signedFor("lambda", f.app.invokeURL(of)); err != nil {
			return nil, err
		}
	} else if !f.app.setup.Registry().ReadOnly(of.FunctionName) { // the configuration has no policies
		u.permitted = f.app.policy(of.FunctionName, of.Qualifier, (*registry.Policy).AllowsURL)
	}
	return u, u.route.Prepare()
}

// invokeURL is the need of who calls a function URL.
func (a *App) invokeURL(of *registry.URL) func(*http.Request) access.Need {
	qualifier := of.Qualifier
	if qualifier == function.Latest {
		qualifier = ""
	}
	need := access.Need{Action: "lambda:InvokeFunctionUrl", Resources: []string{a.account().ARN(of.FunctionName, qualifier)}}
	return func(*http.Request) access.Need { return need }
}

// checkFunctionURL checks that the option function_url is an address.
func (a *App) checkFunctionURL() error {
	a.FunctionURL = strings.TrimSuffix(caddy.NewReplacer().ReplaceAll(a.FunctionURL, ""), "/")
	if a.FunctionURL == "" {
		return nil
	}
	u, err := url.Parse(a.FunctionURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || !strings.HasPrefix(u.Host, "*.") || strings.Count(u.Host, "*") != 1 || u.Path != "" || u.RawQuery != "" {
		return fmt.Errorf("function_url: %q is not an address such as https://*.fn.example.com", a.FunctionURL)
	}
	a.urlDomain = strings.ToLower(strings.TrimPrefix(u.Hostname(), "*"))
	return nil
}

// functionURL is the address of a function URL, "" if there are none.
func (a *App) functionURL(id string) string {
	if a.FunctionURL == "" {
		return ""
	}
	return strings.Replace(a.FunctionURL, "*", id, 1) + "/"
}

// functionURLID is the ID in the host of a function URL.
func (a *App) functionURLID(host string) (id string, ok bool) {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	id, ok = strings.CutSuffix(strings.ToLower(host), a.urlDomain)
	return id, ok && id != "" && function.ValidName(id)
}

var (
	_ caddy.Provisioner           = (*FunctionURLs)(nil)
	_ caddyhttp.MiddlewareHandler = (*FunctionURLs)(nil)
)
