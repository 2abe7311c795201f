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
	mocker, err := gateway.NewMocker(route.of.Integration.Mock)
	return caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error { return s.answer(w, r, route, mocker) }), err
}

func (s *apiServer) answer(w http.ResponseWriter, r *http.Request, route *servedRoute, mocker *gateway.Mocker) error {
	requestID := w.Header().Get("X-Amzn-Requestid") // which every request of an API has
	in := &vtl.Input{
		Path: make(map[string]string), Query: r.URL.Query(), Header: r.Header,
		Context: s.context(r, route, requestID), StageVariables: s.api.Stages[0].Variables,
	}
	for _, p := range route.pattern.Match(nil, s.path(r)) {
		in.Path[p.Name] = apigateway.Unescape(p.Value)
	}
	answer, err := mocker.Answer(r.Header.Get("Content-Type"), in)
	if errors.Is(err, gateway.ErrMediaType) {
		refusal := s.api.Protocol.Failed(http.StatusUnsupportedMediaType, "")
		return answerRefusal(w, r, refusal, refusal.Body(), err)
	}
	if err != nil {
		s.refusals.Tell(s.log, zap.ErrorLevel, "mock integration failed", route.of.Key, func() []zap.Field {
			return []zap.Field{zap.String("route", route.of.Key), zap.String("request_id", requestID), zap.Error(err)}
		})
		refusal := s.api.Protocol.Failed(http.StatusInternalServerError, "")
		return answerRefusal(w, r, refusal, refusal.Body(), err)
	}
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
