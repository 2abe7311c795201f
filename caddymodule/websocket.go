package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/socket"
	"github.com/hearthfn/hearth/warmpool/function"
)

func init() {
	caddy.RegisterModule(WebSocket{})
}

// WebSocket answers clients that ask for a WebSocket, as a WebSocket API of API Gateway does:
// functions run when clients connect, send messages and disconnect. It answers requests for
// STAGE/@connections/ID too; see Connections. In a Caddyfile it is the directive `websocket`.
// Other requests go to the next handler.
type WebSocket struct {
	// The name of the API, which is its ID in events: letters, digits, hyphens and
	// underscores.
	Name string `json:"name,omitempty"`

	// The stage that events name. Default: prod.
	Stage string `json:"stage,omitempty"`

	// Stage variables of events. Placeholders are replaced when the configuration is loaded.
	StageVariables map[string]string `json:"stage_variables,omitempty"`

	// The route selection expression, which makes the route of a message. Default:
	// $request.body.action.
	Select string `json:"select,omitempty"`

	// The rate of messages, and of clients that connect. Default: no limit.
	Throttle *Throttle `json:"throttle,omitempty"`

	// The routes: $connect, $disconnect, $default, and those that Select makes of messages.
	Routes []SocketRoute `json:"routes,omitempty"`

	app        *App
	stage      *socket.Stage
	management *connections

	authorizers []string // those that there are, while a Caddyfile is read
}

// SocketRoute is one route of a WebSocket API.
type SocketRoute struct {
	// $connect, $disconnect, $default, or what Select makes of a message.
	Route string `json:"route,omitempty"`

	// The function that is called.
	Function string `json:"function,omitempty"`

	// A version or an alias of it. Default: $LATEST.
	Qualifier string `json:"qualifier,omitempty"`

	// Send the body of what the function answers to the client. Default: nothing is sent.
	Respond bool `json:"respond,omitempty"`

	// The authorizer that says who may connect, by its name in the hearth app. Only $connect has
	// one. Default: everybody may.
	Authorizer string `json:"authorizer,omitempty"`

	// Scopes of which a token needs one. Default: it needs none.
	Scopes []string `json:"scopes,omitempty"`

	// The rate of the route's messages, in place of the API's. Default: that of the API.
	Throttle *Throttle `json:"throttle,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (WebSocket) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.hearth_websocket",
		New: func() caddy.Module { return new(WebSocket) },
	}
}

// Provision checks the API and finds its functions.
func (s *WebSocket) Provision(ctx caddy.Context) error {
	module, err := ctx.App("hearth")
	if err != nil {
		return err
	}
	s.app = module.(*App)
	api, err := s.gateway(caddy.NewReplacer())
	if err != nil {
		return fmt.Errorf("websocket %q: %w", s.Name, err)
	}
	for n := range api.Routes {
		to := &api.Routes[n].Integration
		if err := s.app.setup.NamedByRoute(to.Function, to.Qualifier); err != nil {
			return fmt.Errorf("websocket %q: route %q: %w", s.Name, api.Routes[n].Key, err)
		}
	}
	if s.stage, err = s.app.newSocketStage(api, ctx.Logger(), nil, nil); err != nil {
		return fmt.Errorf("websocket %q: %w", s.Name, err)
	}
	if s.management, err = newConnections(s.app, ctx.Logger()); err != nil {
		return err
	}
	return s.app.addSocketStage(s.stage)
}

// ServeHTTP makes a socket of a request that asks for one.
func (s *WebSocket) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	switch {
	case socket.IsUpgrade(r):
		return s.app.acceptSocket(w, r, s.stage)
	case s.management.serve(w, r, nil, r.URL.Path):
		return nil
	}
	return next.ServeHTTP(w, r)
}

// gateway makes the API that API Gateway would know.
func (s *WebSocket) gateway(repl *caddy.Replacer) (*gateway.API, error) {
	if !function.ValidName(s.Name) {
		return nil, errors.New("a name is 1 to 64 letters, digits, hyphens and underscores")
	}
	api := &gateway.API{ID: s.Name, Name: s.Name, Protocol: gateway.WebSocket, RouteSelection: s.Select}
	stage := gateway.Stage{Name: repl.ReplaceKnown(s.Stage, ""), Throttle: s.Throttle.gateway()}
	if stage.Name == "" {
		stage.Name = api.Protocol.DefaultStage()
	}
	if len(s.StageVariables) > 0 {
		stage.Variables = make(map[string]string, len(s.StageVariables))
		for name, value := range s.StageVariables {
			stage.Variables[name] = repl.ReplaceKnown(value, "")
		}
	}
	api.Stages = []gateway.Stage{stage}
	for _, r := range s.Routes {
		api.Routes = append(api.Routes, gateway.Route{
			Key: r.Route, Throttle: r.Throttle.gateway(), Responds: r.Respond,
			Authorization: gateway.Authorization{Authorizer: r.Authorizer, Scopes: r.Scopes},
			Integration:   gateway.Integration{Type: gateway.Lambda, Function: r.Function, Qualifier: r.Qualifier},
		})
	}
	return api, api.Check()
}

// newSocketStage makes what answers the sockets of an API, by the functions of this configuration.
// own are the authorizers that the API itself has; permitted is that of socket.StageConfig.
func (a *App) newSocketStage(api *gateway.API, log *zap.Logger, own map[string]*Authorizer, permitted func(*gateway.Route) func(context.Context) bool) (*socket.Stage, error) {
	authorize, err := a.socketAuthorize(api, own)
	if err != nil {
		return nil, err
	}
	return socket.NewStage(socket.StageConfig{
		API: api, Account: a.account(), Runs: a.setup.Runner(), Permitted: permitted, Authorize: authorize, Refusals: a.setup.Refusals(), Log: log,
	})
}

// addSocketStage makes a stage of the configuration known to sockets. It may be there already,
// the same: a site with several addresses has its handlers more than once.
func (a *App) addSocketStage(s *socket.Stage) error {
	name := stageName{s.API.ID, s.Name()}
	if known := a.sockets[name]; known != nil && !reflect.DeepEqual(known.API, s.API) {
		return fmt.Errorf("websocket %q is there twice, and they differ", name.api)
	}
	if a.sockets == nil {
		a.sockets = make(map[stageName]*socket.Stage)
	}
	a.sockets[name] = s
	return nil
}

// socketNames are the APIs of this configuration that have a stage, in order.
func (a *App) socketNames(stage string) []string {
	var names []string
	for name := range a.sockets {
		if name.stage == stage {
			names = append(names, name.api)
		}
	}
	slices.Sort(names)
	return names
}

// findSocketStage implements socket.Finder by this configuration.
func (a *App) findSocketStage(ctx context.Context, api, stage string) (*socket.Stage, error) {
	if s := a.sockets[stageName{api, stage}]; s != nil {
		return s, nil
	}
	if a.socketsOfAPIs != nil && a.apiDomain != "" {
		return a.socketsOfAPIs.find(ctx, api, stage)
	}
	return nil, socket.ErrNoStage
}

// acceptSocket makes a socket of a request that asks for one.
func (a *App) acceptSocket(w http.ResponseWriter, r *http.Request, s *socket.Stage) error {
	client := socket.Client{SourceIP: sourceIP(r)}
	client.Trusted, _ = caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	return refuseSocket(w, r, a.engine.Sockets().Accept(w, r, s, client))
}

// refuseSocket answers a request that an error of package socket refuses; nil: it was answered.
func refuseSocket(w http.ResponseWriter, r *http.Request, err error) error {
	var refusal *socket.Refusal
	if !errors.As(err, &refusal) {
		return err
	}
	if refusal.Status == http.StatusTooManyRequests || refusal.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	return answerRefusal(w, r, gateway.Refusal{Status: refusal.Status}, refusal.Body, refusal.Reason)
}

// socketsWithin bounds how long a reload or the end of the server waits for sockets to close, and
// for the functions that they have called.
const socketsWithin = 15 * time.Second

// endSockets has sockets follow the configurations that are left.
func (a *App) endSockets() {
	if a.following == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), socketsWithin)
	defer cancel()
	a.following.End(ctx)
}

var (
	_ caddy.Provisioner           = (*WebSocket)(nil)
	_ caddyhttp.MiddlewareHandler = (*WebSocket)(nil)
)
