package caddymodule

import (
	"maps"
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	"github.com/hearthfn/hearth/warmpool/function"
)

func init() {
	caddy.RegisterModule(FunctionHandler{})
}

// FunctionHandler answers requests by a function, as API Gateway's Lambda proxy
// integration or a function URL does. In a Caddyfile it is the directive `function`.
type FunctionHandler struct {
	// The name of the function, which the app hearth or the Lambda API defines.
	Function string `json:"function,omitempty"`

	// A version or an alias of it. Default: $LATEST.
	Qualifier string `json:"qualifier,omitempty"`

	// The payload format of API Gateway: 2.0 (HTTP API, function URL) or 1.0
	// (REST API). Default: 2.0.
	Payload string `json:"payload,omitempty"`

	// The route as API Gateway has it, e.g. "GET /pets/{id}" or "ANY /{proxy+}":
	// the event names it, and its path parameters are taken from the request's
	// path. It does not select requests, the Caddy route does. Default: $default.
	Route string `json:"route,omitempty"`

	// The stage that the event names. Default: $default, for payload 1.0 prod.
	Stage string `json:"stage,omitempty"`

	// Stage variables of the event. Placeholders are replaced when the
	// configuration is loaded.
	StageVariables map[string]string `json:"stage_variables,omitempty"`

	// Path parameters of the event, beside those that Route takes. Values are
	// mostly placeholders, e.g. {http.regexp.id.1}; one that is empty is left out.
	PathParameters map[string]string `json:"path_parameters,omitempty"`

	// Content types whose bodies are always given to the function in base64.
	// Default: every type that is not text, JSON, XML, JavaScript or a form.
	BinaryTypes []string `json:"binary_types,omitempty"`

	// Answer a failing invocation with the function's error and its trace, which web clients do
	// not see otherwise. For development only; the Caddyfile has no such option. Default: false.
	RevealErrors bool `json:"reveal_errors,omitempty"`

	responder
	params []apigateway.Parameter // values with placeholders
}

// CaddyModule returns the Caddy module information.
func (FunctionHandler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.hearth_function",
		New: func() caddy.Module { return new(FunctionHandler) },
	}
}

// Provision finds the function.
func (h *FunctionHandler) Provision(ctx caddy.Context) error {
	h.log = ctx.Logger().With(zap.String("function", h.Function))
	if h.Qualifier == "" {
		h.Qualifier = function.Latest
	}
	module, err := ctx.App("hearth")
	if err != nil {
		return err
	}
	app := module.(*App)
	h.key, h.bodies, h.refusals = app.account().Key(h.Function), app.engine.Bodies(), app.setup.Refusals()
	h.runs, h.function, h.qualifier = app.setup.Runner(), h.Function, h.Qualifier
	if err = app.setup.NamedByRoute(h.Function, h.Qualifier); err != nil {
		return err
	}
	h.reveals = h.RevealErrors
	return h.provisionRoute(app)
}

// ServeHTTP invokes the function with the request as its event, and writes its
// response.
func (h *FunctionHandler) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	return h.respond(w, r)
}

// provisionRoute prepares what all events of the route have in common.
func (h *FunctionHandler) provisionRoute(app *App) error {
	repl := caddy.NewReplacer()
	h.route = &apigateway.Route{
		Payload:     apigateway.Payload(h.Payload),
		Key:         repl.ReplaceKnown(h.Route, ""),
		Stage:       repl.ReplaceKnown(h.Stage, ""),
		AccountID:   app.Account,
		BinaryTypes: slices.Clone(h.BinaryTypes),
	}
	if h.StageVariables != nil {
		h.route.StageVariables = make(map[string]string, len(h.StageVariables))
		for name, value := range h.StageVariables {
			h.route.StageVariables[name] = repl.ReplaceKnown(value, "")
		}
	}
	h.params = nil
	for _, name := range slices.Sorted(maps.Keys(h.PathParameters)) {
		h.params = append(h.params, apigateway.Parameter{Name: name, Value: h.PathParameters[name]})
	}
	if len(h.params) > 0 {
		h.parameters = h.pathParameters
	}
	return h.route.Prepare()
}

// pathParameters replaces the placeholders of the configured path parameters.
func (h *FunctionHandler) pathParameters(r *http.Request) []apigateway.Parameter {
	repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	values := make([]apigateway.Parameter, len(h.params))
	for n, p := range h.params {
		values[n] = apigateway.Parameter{Name: p.Name, Value: repl.ReplaceAll(p.Value, "")}
	}
	return values
}

var (
	_ caddy.Provisioner           = (*FunctionHandler)(nil)
	_ caddyhttp.MiddlewareHandler = (*FunctionHandler)(nil)
)
