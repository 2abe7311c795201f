package caddymodule

import (
	"maps"
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
)

// provisionRoute prepares what all events of the route have in common.
func (i *Invoke) provisionRoute(app *App) error {
	repl := caddy.NewReplacer()
	i.route = &apigateway.Route{
		Payload:     apigateway.Payload(i.Payload),
		Key:         repl.ReplaceKnown(i.Route, ""),
		Stage:       repl.ReplaceKnown(i.Stage, ""),
		AccountID:   app.Account,
		BinaryTypes: slices.Clone(i.BinaryTypes),
	}
	if i.StageVariables != nil {
		i.route.StageVariables = make(map[string]string, len(i.StageVariables))
		for name, value := range i.StageVariables {
			i.route.StageVariables[name] = repl.ReplaceKnown(value, "")
		}
	}
	i.params = nil
	for _, name := range slices.Sorted(maps.Keys(i.PathParameters)) {
		i.params = append(i.params, apigateway.Parameter{Name: name, Value: i.PathParameters[name]})
	}
	if len(i.params) > 0 {
		i.parameters = i.pathParameters
	}
	return i.route.Prepare()
}

// pathParameters replaces the placeholders of the configured path parameters.
func (i *Invoke) pathParameters(r *http.Request) []apigateway.Parameter {
	repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	values := make([]apigateway.Parameter, len(i.params))
	for n, p := range i.params {
		values[n] = apigateway.Parameter{Name: p.Name, Value: repl.ReplaceAll(p.Value, "")}
	}
	return values
}
