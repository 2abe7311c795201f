package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/warmpool/function"
)

func init() {
	caddy.RegisterModule(API{})
}

// API answers requests as an API of API Gateway does: it chooses the route, checks what the
// route asks for, and calls the function or the upstream. In a Caddyfile it is the directive
// `api`. Requests that no route takes are refused; none goes to the next handler.
type API struct {
	// The name of the API, which is its ID in events: letters, digits, hyphens and
	// underscores.
	Name string `json:"name,omitempty"`

	// http or rest: an HTTP API (payload 2.0) or a REST API (payload 1.0). Default: http.
	Protocol string `json:"protocol,omitempty"`

	// The stage that events name. The path does not have it. Default: $default, of a REST
	// API prod.
	Stage string `json:"stage,omitempty"`

	// Stage variables of events. Placeholders are replaced when the configuration is loaded.
	StageVariables map[string]string `json:"stage_variables,omitempty"`

	// What browsers may do from other origins. The gateway answers preflights, and replaces
	// what functions say. Default: functions answer.
	CORS *APICors `json:"cors,omitempty"`

	// A line for each request in Caddy's log, by the logger http.handlers.hearth_api.access:
	// text with $context variables as API Gateway has them. Default: there is none.
	AccessLog string `json:"access_log,omitempty"`

	// Where API keys are: header (X-Api-Key), or authorizer, if the function that decides gives
	// them in usageIdentifierKey. Default: header.
	APIKeySource string `json:"api_key_source,omitempty"`

	// The rate of the API's requests. More are refused with 429. Default: no limit.
	Throttle *Throttle `json:"throttle,omitempty"`

	// Content types whose bodies are always given to functions in base64. Default: every type
	// that is not text, JSON, XML, JavaScript or a form.
	BinaryTypes []string `json:"binary_types,omitempty"`

	// The routes. The most specific one takes a request, whatever their order.
	Routes []APIRoute `json:"routes,omitempty"`

	// Answer a failing invocation with the function's error and its trace, which web clients do
	// not see otherwise. For development only; the Caddyfile has no such option. Default: false.
	RevealErrors bool `json:"reveal_errors,omitempty"`

	server *apiServer
}

// APIRoute is one route of an API. It has either a function or handlers.
type APIRoute struct {
	// The route as API Gateway writes it: "GET /pets/{id}", "ANY /{proxy+}", or "$default",
	// which takes what no other route does.
	Route string `json:"route,omitempty"`

	// The function that answers.
	Function string `json:"function,omitempty"`

	// A version or an alias of it. Default: $LATEST.
	Qualifier string `json:"qualifier,omitempty"`

	// The payload format of the event, 2.0 or 1.0. Default: 2.0, of a REST API 1.0.
	Payload string `json:"payload,omitempty"`

	// How long the function may take for this route. Default: as long as it may run.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// An answer that needs no function, as integrations of the type MOCK give it; only of a REST
	// API.
	Mock *gateway.Mock `json:"mock,omitempty"`

	// Handlers of Caddy that answer in place of a function, mostly a reverse_proxy. They find
	// path parameters in placeholders: {http.hearth.path.id}.
	HandlersRaw []json.RawMessage `json:"handle,omitempty" caddy:"namespace=http.handlers inline_key=handler"`

	// The authorizer that says who may call, by its name in the hearth app. Default: everybody
	// may.
	Authorizer string `json:"authorizer,omitempty"`

	// Scopes of which a token needs one. Default: it needs none.
	Scopes []string `json:"scopes,omitempty"`

	// Requests are signed by an access key, as those to the Lambda API are (SigV4, service
	// execute-api). Default: false.
	IAM bool `json:"iam,omitempty"`

	// The usage plans whose API keys open the route, by their names in the hearth app. A key is
	// in the header X-Api-Key. Default: it needs no key.
	UsagePlans []string `json:"usage_plans,omitempty"`

	// The rate of the route's requests, in place of the API's. Default: that of the API.
	Throttle *Throttle `json:"throttle,omitempty"`
}

// APICors says what browsers may do with an API.
type APICors struct {
	// The origins: https://www.example.com, https://*, http://* or *.
	AllowOrigins []string `json:"allow_origins,omitempty"`

	// The methods. Default: GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS.
	AllowMethods []string `json:"allow_methods,omitempty"`

	// The headers that requests may have. Default: Authorization, Content-Type, X-Amz-Date,
	// X-Amz-Security-Token and X-Api-Key.
	AllowHeaders []string `json:"allow_headers,omitempty"`

	// The headers that scripts may read. Default: those that browsers allow anyway.
	ExposeHeaders []string `json:"expose_headers,omitempty"`

	// Let browsers send cookies. Not with the origin *. Default: false.
	AllowCredentials bool `json:"allow_credentials,omitempty"`

	// How long browsers may keep the answer to a preflight, up to 24h. Default: they decide.
	MaxAge caddy.Duration `json:"max_age,omitempty"`
}

// Throttle is a token bucket: the bucket holds as many requests as burst, and is filled by
// rate.
type Throttle struct {
	// Requests per second.
	Rate float64 `json:"rate,omitempty"`

	// How many requests may come at once. Default: as many as one second's, at least 1.
	Burst int `json:"burst,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (API) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.hearth_api",
		New: func() caddy.Module { return new(API) },
	}
}

// Provision checks the API and finds its functions.
func (a *API) Provision(ctx caddy.Context) error {
	module, err := ctx.App("hearth")
	if err != nil {
		return err
	}
	of, err := a.gateway(caddy.NewReplacer())
	if err != nil {
		return fmt.Errorf("api %q: %w", a.Name, err)
	}
	for n := range of.Routes {
		if to := &of.Routes[n].Integration; to.Type == gateway.Lambda {
			if err := module.(*App).setup.NamedByRoute(to.Function, to.Qualifier); err != nil {
				return fmt.Errorf("api %q: route %q: %w", a.Name, of.Routes[n].Key, err)
			}
		}
	}
	a.server, err = newAPIServer(module.(*App), of, ctx.Logger(), apiParts{reveals: a.RevealErrors, handler: func(_ *apiServer, n int) (caddyhttp.Handler, error) {
		routes := caddyhttp.RouteList{{HandlersRaw: a.Routes[n].HandlersRaw}}
		if err := routes.Provision(ctx); err != nil {
			return nil, err
		}
		return routes.Compile(caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })), nil
	}})
	if err != nil {
		return fmt.Errorf("api %q: %w", a.Name, err)
	}
	return nil
}

// Cleanup ends what answers for the API.
func (a *API) Cleanup() error {
	if a.server == nil {
		return nil
	}
	return a.server.release()
}

// ServeHTTP answers a request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	return a.server.serve(w, oneSlash(r))
}

// gateway makes the API that API Gateway would know.
func (a *API) gateway(repl *caddy.Replacer) (*gateway.API, error) {
	if !function.ValidName(a.Name) {
		return nil, errors.New("a name is 1 to 64 letters, digits, hyphens and underscores")
	}
	protocol, err := protocolOf(a.Protocol)
	if err != nil {
		return nil, err
	}
	api := &gateway.API{ID: a.Name, Name: a.Name, Protocol: protocol, BinaryTypes: a.BinaryTypes, Cors: a.CORS.gateway(repl), KeySource: gateway.KeySource(strings.ToUpper(a.APIKeySource))}
	stage := gateway.Stage{Name: repl.ReplaceKnown(a.Stage, ""), Throttle: a.Throttle.gateway()}
	if stage.Name == "" {
		stage.Name = protocol.DefaultStage()
	}
	if a.AccessLog != "" {
		stage.AccessLog = &gateway.AccessLog{Format: a.AccessLog}
	}
	if len(a.StageVariables) > 0 {
		stage.Variables = make(map[string]string, len(a.StageVariables))
		for name, value := range a.StageVariables {
			stage.Variables[name] = repl.ReplaceKnown(value, "")
		}
	}
	api.Stages = []gateway.Stage{stage}
	for n := range a.Routes {
		route, err := a.Routes[n].gateway()
		if err != nil {
			return nil, err
		}
		api.Routes = append(api.Routes, route)
	}
	return api, api.Check()
}

func (r *APIRoute) gateway() (gateway.Route, error) {
	route := gateway.Route{
		Key: r.Route, Throttle: r.Throttle.gateway(), UsagePlans: r.UsagePlans,
		Authorization: gateway.Authorization{Authorizer: r.Authorizer, Scopes: r.Scopes, IAM: r.IAM},
	}
	switch {
	case r.Function != "" && len(r.HandlersRaw) > 0:
		return route, fmt.Errorf("route %q has a function and handlers: one of them answers", r.Route)
	case r.Mock != nil && (r.Function != "" || len(r.HandlersRaw) > 0 || r.Payload != "" || r.Timeout != 0):
		return route, fmt.Errorf("route %q has a mock and something else that answers", r.Route)
	case r.Mock != nil:
		route.Integration = gateway.Integration{Type: gateway.Mocked, Mock: r.Mock}
	case len(r.HandlersRaw) > 0:
		if r.Timeout != 0 {
			return route, fmt.Errorf("route %q: timeout is for functions", r.Route)
		}
		if r.Payload != "" {
			return route, fmt.Errorf("route %q: payload is for functions", r.Route)
		}
		route.Integration = gateway.Integration{Type: gateway.HTTPProxy}
	default:
		route.Integration = gateway.Integration{
			Type: gateway.Lambda, Function: r.Function, Qualifier: r.Qualifier, Payload: apigateway.Payload(r.Payload),
			Timeout: int(time.Duration(r.Timeout).Milliseconds()),
		}
	}
	return route, nil
}

// Protocols of an API as the configuration writes them.
var protocols = map[string]gateway.Protocol{"": gateway.HTTP, "http": gateway.HTTP, "rest": gateway.REST}

func protocolOf(name string) (gateway.Protocol, error) {
	protocol, ok := protocols[name]
	if !ok {
		return "", fmt.Errorf("protocol %q: http or rest", name)
	}
	return protocol, nil
}

// What browsers may send if the configuration does not say it. The headers are those that
// AWS's console suggests.
var usualHeaders = []string{"Authorization", "Content-Type", "X-Amz-Date", "X-Amz-Security-Token", "X-Api-Key"}

func (c *APICors) gateway(repl *caddy.Replacer) *gateway.Cors {
	if c == nil {
		return nil
	}
	cors := &gateway.Cors{
		AllowMethods: c.AllowMethods, AllowHeaders: c.AllowHeaders, ExposeHeaders: c.ExposeHeaders,
		AllowCredentials: c.AllowCredentials, MaxAge: int(c.MaxAge / caddy.Duration(1e9)),
	}
	for _, origin := range c.AllowOrigins {
		cors.AllowOrigins = append(cors.AllowOrigins, repl.ReplaceKnown(origin, ""))
	}
	if len(cors.AllowMethods) == 0 {
		cors.AllowMethods = gateway.Methods
	}
	if len(cors.AllowHeaders) == 0 {
		cors.AllowHeaders = usualHeaders
	}
	return cors
}

func (t *Throttle) gateway() *gateway.Throttle {
	if t == nil {
		return nil
	}
	burst := t.Burst
	if burst == 0 {
		burst = max(1, int(t.Rate))
	}
	return &gateway.Throttle{Rate: t.Rate, Burst: burst}
}

var (
	_ caddy.Provisioner           = (*API)(nil)
	_ caddy.CleanerUpper          = (*API)(nil)
	_ caddyhttp.MiddlewareHandler = (*API)(nil)
)
