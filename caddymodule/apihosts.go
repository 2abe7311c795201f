package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	lru "github.com/hashicorp/golang-lru/v2"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv2"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

func init() {
	caddy.RegisterModule(APIs{})
}

// APIs answers for the APIs that AWS's API made: the first label of a request's host is the
// API's ID, or the host is a custom domain name that AWS's API made, too. An unknown ID is
// answered as on AWS. Requests for other hosts go to the next handler, and are forbidden if there
// is none, as on AWS. A site with hearth_lambda_api does the same; APIs is for a site of its own.
type APIs struct {
	hosts *apiHosts
}

// CaddyModule returns the Caddy module information.
func (APIs) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.hearth_apis",
		New: func() caddy.Module { return new(APIs) },
	}
}

// Provision gets the APIs.
func (a *APIs) Provision(ctx caddy.Context) error {
	module, err := ctx.App("hearth")
	if err != nil {
		return err
	}
	app := module.(*App)
	if app.APIURL == "" {
		return errors.New(`apis: say in the hearth global option which addresses they have: api_url https://*.execute-api.us-east-1.example.com`)
	}
	if _, err := app.setup.Verifier(); err != nil { // routes of type AWS_IAM need it later
		return err
	}
	a.hosts, err = newAPIHosts(ctx, app)
	return err
}

// Cleanup ends what answers for the APIs.
func (a *APIs) Cleanup() error {
	a.hosts.close()
	return nil
}

// ServeHTTP answers by the API whose ID is in the request's host.
func (a *APIs) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if answered, err := a.hosts.serve(w, r); answered {
		return err
	}
	if answered, err := a.hosts.serveDomain(w, r); answered {
		return err
	}
	watcher := &answerWatcher{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}}
	if err := next.ServeHTTP(watcher, r); err != nil || watcher.answered || r.Context().Value(refusedByName{}) != nil {
		return err
	}
	// Caddy would answer with an empty 200, also at a domain name that was deleted.
	return refuseAPI(w, r, gateway.REST.Denied(http.StatusForbidden), errNoHost)
}

// apiHosts serve the APIs that AWS's API made, by their hosts.
type apiHosts struct {
	app   *App
	log   *zap.Logger
	proxy *apiProxy
	known *lru.Cache[stagePlace, *apiServer]
	// sockets answer for WebSocket APIs.
	sockets *socketHosts
	ended   sync.WaitGroup // of servers that are no longer used

	mu     sync.Mutex // held while a server is made
	closed bool       // guarded by mu
}

// A stageName names a stage of an API.
type stageName struct{ api, stage string }

// A stagePlace is a stage where requests find it: below a path, which is a base path if it is
// mapped.
type stagePlace struct {
	stageName
	path   string
	mapped bool
}

// maxKnownStages bounds the memory for servers of stages.
const maxKnownStages = 4096

func newAPIHosts(ctx caddy.Context, app *App) (*apiHosts, error) {
	log := ctx.Logger()
	sockets, err := app.socketHosts()
	if err != nil {
		return nil, err
	}
	h := &apiHosts{app: app, log: log, sockets: sockets}
	if h.proxy, err = newAPIProxy(ctx, app); err != nil {
		return nil, err
	}
	h.known, err = lru.NewWithEvict(maxKnownStages, func(_ stagePlace, s *apiServer) {
		h.ended.Go(func() {
			if err := s.release(); err != nil {
				log.Error("an authorizer did not end", zap.Error(err))
			}
		})
	})
	return h, err
}

// close ends the servers and waits for them.
func (h *apiHosts) close() {
	if h == nil || h.known == nil {
		return
	}
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.known.Purge()
	h.ended.Wait()
	if err := h.proxy.close(); err != nil {
		h.log.Error("the proxy of APIs did not end", zap.Error(err))
	}
}

// serve answers a request whose host is that of an API, and reports whether it is.
func (h *apiHosts) serve(w http.ResponseWriter, r *http.Request) (answered bool, err error) {
	if h.app.apiDomain == "" {
		return false, nil
	}
	id, ok := labelOf(r.Host, h.app.apiDomain)
	if !ok {
		return false, nil
	}
	api, err := h.app.setup.APIs().API(r.Context(), id)
	switch {
	case errors.Is(err, apigatewayv2.ErrNotFound):
		return true, refuseAPI(w, r, gateway.HTTP.NotFound(), fmt.Errorf("API %q: %w", id, err))
	case err != nil:
		return true, caddyhttp.Error(http.StatusServiceUnavailable, err)
	case api.Disabled:
		return true, refuseAPI(w, r, noStage(api.Protocol), errDisabledAPI)
	case api.Protocol == gateway.WebSocket:
		return true, h.sockets.serve(w, r, api)
	}
	r = oneSlash(r)
	of, stagePath := stageOf(api, apigateway.Canonical(r.URL.EscapedPath()))
	if of == nil {
		return true, refuseAPI(w, r, noStage(api.Protocol), errNoStage)
	}
	return true, h.serveBy(w, r, of, stagePath, false)
}

// serveBy answers a request by a stage.
func (h *apiHosts) serveBy(w http.ResponseWriter, r *http.Request, of *gateway.API, stagePath string, mapped bool) error {
	server, err := h.server(of, stagePath, mapped)
	if err != nil {
		return caddyhttp.Error(http.StatusInternalServerError, err)
	}
	return server.serve(w, below(r, stagePath))
}

// below is a request whose path begins with the stage or the base path as it is, also if the
// client wrote it with percent-encoding. Routes and functions would else not find it there, and
// take /%64ev/admin for another path than /dev/admin.
func below(r *http.Request, stagePath string) *http.Request {
	path := r.URL.EscapedPath()
	if strings.HasPrefix(path, stagePath) {
		return r
	}
	u := *r.URL
	u.RawPath = apigateway.Canonical(path)
	same := *r
	same.URL = &u
	return &same
}

// Errors of requests that no API gets.
var (
	errDisabledAPI = errors.New("the API has disableExecuteApiEndpoint")
	errNoStage     = errors.New("the API has no such stage, and no stage $default")
	errNoHost      = errors.New("no API and no domain name has the host of the request")
	errReplaced    = errors.New("the configuration was replaced meanwhile")
)

// noStage refuses a request that no stage takes. Others than HTTP APIs say that it is forbidden.
func noStage(p gateway.Protocol) gateway.Refusal {
	if p != gateway.HTTP {
		return p.Denied(http.StatusForbidden)
	}
	return p.NotFound()
}

// oneSlash is a request whose path begins with one slash, if it has several. Recorded from AWS:
// //dev/pets is /dev/pets.
func oneSlash(r *http.Request) *http.Request {
	path := r.URL.EscapedPath()
	more := len(path) - len(apigateway.OneSlash(path))
	if more == 0 {
		return r
	}
	u := *r.URL
	u.Path = u.Path[more:]
	u.RawPath = path[more:]
	same := *r
	same.URL = &u
	return &same
}

// stageOf is the stage that the first segment of a canonical path names, else the stage $default;
// nil if there is neither.
func stageOf(api *apigatewayv2.Served, path string) (of *gateway.API, stagePath string) {
	name, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if of = api.Stages[name]; of != nil && name != gateway.HTTP.DefaultStage() {
		return of, "/" + name
	}
	return api.Stages[gateway.HTTP.DefaultStage()], ""
}

// server is what answers for a stage. It is made anew when the stage has changed.
func (h *apiHosts) server(of *gateway.API, stagePath string, mapped bool) (*apiServer, error) {
	name := stagePlace{stageName{of.ID, of.Stages[0].Name}, stagePath, mapped}
	if known, ok := h.known.Get(name); ok && known.api == of {
		return known, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if known, ok := h.known.Get(name); ok && known.api == of {
		return known, nil
	}
	if h.closed {
		return nil, errReplaced
	}
	server, err := newAPIServer(h.app, of, h.log, apiParts{handler: h.proxy.handler, permission: h.permission})
	if err != nil {
		return nil, err
	}
	server.stagePath, server.mapped = stagePath, mapped
	for n := range server.routes {
		if route := &server.routes[n]; route.function != nil {
			route.function.stagePath, route.function.mapped = stagePath, mapped
		}
	}
	h.known.Remove(name) // which ends the one before; the cache does not do that in Add
	h.known.Add(name, server)
	return server, nil
}

// How long it is known that a function's policy lets an API call it, or does not.
const (
	permittedFor = time.Second
	forbiddenFor = 50 * time.Millisecond
)

// A permission is what a function's policy says, and until when that is believed.
type permission struct {
	allowed bool
	until   time.Time
}

// permission asks the policy of a function whether an API may call it. source is what calls, as
// the end of the ARN after the API. nil: every API may.
func (h *apiHosts) permission(of *gateway.API, name, qualifier, source string) func(ctx context.Context) bool {
	return h.app.apiPermission(of, name, qualifier, source)
}

func (a *App) apiPermission(of *gateway.API, name, qualifier, source string) func(ctx context.Context) bool {
	caller := registry.Caller{Service: "apigateway.amazonaws.com", Account: a.Account, ARN: "arn:aws:execute-api:" + a.Region + ":" +
		a.Account + ":" + of.ID + "/" + source}
	if a.setup.Registry().ReadOnly(name) { // the configuration has no policies
		return nil
	}
	return a.policy(name, qualifier, func(p *registry.Policy) bool { return p.Allows(caller) })
}

// policy asks the policy of a function, and believes for a moment what it says.
func (a *App) policy(name, qualifier string, allows func(p *registry.Policy) bool) func(ctx context.Context) bool {
	functions := a.setup.Registry()
	var last atomic.Pointer[permission]
	return func(ctx context.Context) bool {
		before := last.Load()
		if before != nil && time.Now().Before(before.until) {
			return before.allowed
		}
		policy, err := functions.Policies.Read(ctx, name, qualifier)
		if err != nil && !errors.Is(err, registry.ErrNotFound) {
			return before != nil && before.allowed // the state cannot be read now
		}
		now := permission{allowed: allows(&policy), until: time.Now().Add(forbiddenFor)}
		if now.allowed {
			now.until = time.Now().Add(permittedFor)
		}
		last.Store(&now)
		return now.allowed
	}
}

// sourceOf is a route as the ARN of an invocation ends with it: GET/pets/{id}.
func sourceOf(key string) string {
	method, path, found := strings.Cut(key, " ")
	if method == "ANY" {
		method = "*"
	}
	if !found {
		return key
	}
	return method + path
}

// checkAPIURL checks that the option api_url is an address.
func (a *App) checkAPIURL() error {
	a.APIURL = strings.TrimSuffix(caddy.NewReplacer().ReplaceAll(a.APIURL, ""), "/")
	if a.APIURL == "" {
		return nil
	}
	u, err := url.Parse(a.APIURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || !strings.HasPrefix(u.Host, "*.") || strings.Count(u.Host, "*") != 1 || u.Path != "" || u.RawQuery != "" {
		return fmt.Errorf("api_url: %q is not an address such as https://*.execute-api.us-east-1.example.com", a.APIURL)
	}
	a.apiDomain = strings.ToLower(strings.TrimPrefix(u.Hostname(), "*"))
	return nil
}

// apiURL is the address of an API, "" if there are none.
func (a *App) apiURL(id string) string { return strings.Replace(a.APIURL, "*", id, 1) }

// labelOf is the label that a host has before a domain, which begins with a dot.
func labelOf(host, domain string) (label string, ok bool) {
	host = strings.ToLower(host)
	if colon := strings.LastIndexByte(host, ':'); colon > strings.LastIndexByte(host, ']') {
		host = host[:colon]
	}
	label, ok = strings.CutSuffix(host, domain)
	return label, ok && function.ValidName(label)
}

var (
	_ caddy.Provisioner           = (*APIs)(nil)
	_ caddy.CleanerUpper          = (*APIs)(nil)
	_ caddyhttp.MiddlewareHandler = (*APIs)(nil)
)
