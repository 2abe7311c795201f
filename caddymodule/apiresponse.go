package caddymodule

import (
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	"github.com/hearthfn/hearth/warmpool/bodies"
)

// respond answers a request that was refused by the gateway response of its API. It is false if
// the API has none for it.
func (o *observation) respond(w http.ResponseWriter, r *http.Request) bool {
	s := o.server
	if s == nil || s.responses == nil {
		return false
	}
	values := variables{server: s, of: o, request: r, now: time.Now()}
	answer, err := s.responses.Answer(o.refusal, r.Header.Get("Accept"), values.named)
	if err != nil {
		s.refusals.Tell(s.log, zap.ErrorLevel, "gateway response failed", string(o.refusal.Response), func() []zap.Field {
			return []zap.Field{zap.String("response_type", string(o.refusal.Response)), zap.Error(err)}
		})
	}
	if answer == nil {
		return false
	}
	header := w.Header()
	if o.refusal.Type != "" {
		header.Set("X-Amzn-Errortype", o.refusal.Type)
	}
	for name, values := range answer.Header {
		header[name] = values
	}
	bodies.Refuse(w, r, answer.Status, answer.Body)
	return true
}

// named is the value of a variable of a gateway response, or of a parameter mapping.
func (v *variables) named(name string) string {
	if rest, found := strings.CutPrefix(name, "context."); found {
		return string(v.value(nil, rest))
	}
	if rest, found := strings.CutPrefix(name, "stageVariables."); found {
		return v.server.api.Stages[0].Variables[rest]
	}
	place, name, named := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(name, "method."), "request."), ".")
	switch {
	case place == "header":
		return strings.Join(v.request.Header.Values(name), ",")
	case place == "querystring":
		return strings.Join(v.request.URL.Query()[name], ",")
	case !named:
		return apigateway.Unescape(v.server.path(v.request))
	}
	if v.of.route == nil {
		return ""
	}
	for _, p := range v.of.route.pattern.Match(nil, v.server.path(v.request)) {
		if p.Name == name {
			return apigateway.Unescape(p.Value)
		}
	}
	return ""
}
