package caddymodule

import (
	"errors"
	"net"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/vtl"
)

// mock makes what answers the requests of a route by its MOCK integration. It reads no body.
func (s *apiServer) mock(route *servedRoute) (caddyhttp.Handler, error) {
	mocker, err := gateway.NewMocker(route.of.Integration.Mock, false)
	return caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error { return s.answer(w, r, route, mocker) }), err
}

func (s *apiServer) answer(w http.ResponseWriter, r *http.Request, route *servedRoute, mocker *gateway.Mocker) error {
	answer, err := mocker.Answer(r.Header.Get("Content-Type"), s.input(w, r, route))
	if err != nil {
		return s.failTemplate(w, r, route, err)
	}
	return writeAnswer(w, answer)
}

// authorizedKey is of what the authorizer says of the caller, as JSON, in the context of a request
// that templates may read.
type authorizedKey struct{}

// input is what the templates of a route read.
func (s *apiServer) input(w http.ResponseWriter, r *http.Request, route *servedRoute) *vtl.Input {
	in := &vtl.Input{
		Path: make(map[string]string), Query: r.URL.Query(), Header: r.Header,
		// Every request of an API has an ID.
		Context: s.context(r, route, w.Header().Get("X-Amzn-Requestid")), StageVariables: s.api.Stages[0].Variables,
	}
	in.Authorizer, _ = r.Context().Value(authorizedKey{}).([]byte)
	for _, p := range route.pattern.Match(nil, s.path(r)) {
		in.Path[p.Name] = apigateway.Unescape(p.Value)
	}
	return in
}

// failTemplate refuses a request whose templates made no answer.
func (s *apiServer) failTemplate(w http.ResponseWriter, r *http.Request, route *servedRoute, err error) error {
	if errors.Is(err, gateway.ErrMediaType) {
		refusal := s.api.Protocol.Failed(http.StatusUnsupportedMediaType, "")
		return answerRefusal(w, r, refusal, refusal.Body(), err)
	}
	s.refusals.Tell(s.log, zap.ErrorLevel, "templates of the integration failed", route.of.Key, func() []zap.Field {
		return []zap.Field{zap.String("route", route.of.Key), zap.String("request_id", w.Header().Get("X-Amzn-Requestid")), zap.Error(err)}
	})
	refusal := s.api.Protocol.Failed(http.StatusInternalServerError, "")
	if errors.Is(err, gateway.ErrNoResponse) {
		refusal = s.api.Protocol.Misconfigured()
	}
	return answerRefusal(w, r, refusal, refusal.Body(), err)
}

func writeAnswer(w http.ResponseWriter, answer *gateway.Answer) error {
	header := w.Header()
	for name, values := range answer.Header {
		header[name] = values
	}
	w.WriteHeader(answer.Status)
	_, _ = w.Write(answer.Body) // the client may be gone
	return nil
}

// context has the variables that mapping templates may read.
func (s *apiServer) context(r *http.Request, route *servedRoute, requestID string) map[string]string {
	domain := r.Host
	if host, _, err := net.SplitHostPort(domain); err == nil {
		domain = host
	}
	prefix, _, _ := strings.Cut(domain, ".")
	return map[string]string{
		"accountId": s.account, "apiId": s.api.ID, "domainName": r.Host, "domainPrefix": prefix, "httpMethod": r.Method,
		"path": r.URL.EscapedPath(), "protocol": r.Proto, "requestId": requestID, "resourcePath": route.pattern.Path,
		"stage": s.api.Stages[0].Name, "identity.sourceIp": sourceIP(r), "identity.userAgent": r.UserAgent(),
	}
}
