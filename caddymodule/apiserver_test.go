package caddymodule

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/apigateway/authorizer"
	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/warmpool/environment"
)

// instant answers every call at once.
type instant struct{}

func (instant) Invoke(_ context.Context, call *environment.Call) error {
	call.Outcome, call.Payload = environment.OutcomeResult, append(call.Payload[:0], `{"statusCode":201,"headers":{"content-type":"text/plain"},"body":"hello"}`...)
	return nil
}

// BenchmarkAPI is what an API costs beside the route of a function alone, with a function that
// takes no time.
func BenchmarkAPI(b *testing.B) {
	const key = "bench-0123456789abcdef"
	a := &App{
		DataDir:     b.TempDir(),
		Functions:   map[string]*Function{"f": {Runtime: "provided.al2023", Handler: "bootstrap", Code: b.TempDir()}},
		Authorizers: map[string]*Authorizer{"members": {Type: authorizerLambda, Function: "f"}},
		UsagePlans:  map[string]*UsagePlan{"partners": {Rate: 1e9, Quota: 1e12, Period: "month", Keys: map[string]string{"bench": key}}},
	}
	none := 0
	a.Sandbox, a.Stems = Sandbox{Mode: "off"}, &none
	ctx, err := caddy.ProvisionContext(&caddy.Config{Admin: &caddy.AdminConfig{Disabled: true}})
	if err != nil {
		b.Fatal(err)
	}
	if err := a.Provision(ctx); err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := a.Cleanup(); err != nil {
			b.Error(err)
		}
	}()
	source, err := authorizer.ParseSource(defaultSource)
	if err != nil {
		b.Fatal(err)
	}
	a.Authorizers["members"].lambda.Close()
	a.Authorizers["members"].lambda, err = authorizer.NewLambda(authorizer.LambdaConfig{
		Simple: true, TTL: time.Hour, Sources: []authorizer.Source{source},
		Invoke: func(context.Context, []byte) ([]byte, error) {
			return []byte(`{"isAuthorized":true,"context":{"role":"member"}}`), nil
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	api := &gateway.API{ID: "shop", Routes: []gateway.Route{
		{Key: "GET /open/{id}", Integration: gateway.Integration{Type: gateway.Lambda, Function: "f"}},
		{Key: "GET /key/{id}", Integration: gateway.Integration{Type: gateway.Lambda, Function: "f"}, UsagePlans: []string{"partners"}},
		{Key: "GET /member/{id}", Integration: gateway.Integration{Type: gateway.Lambda, Function: "f"}, Authorization: gateway.Authorization{Authorizer: "members"}},
	}}
	if err := api.Check(); err != nil {
		b.Fatal(err)
	}
	s, err := newAPIServer(a, api, ctx.Logger(), apiParts{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.release()
	for n := range s.routes {
		s.routes[n].function.runs = instant{}
	}
	for name, target := range map[string]struct {
		path  string
		serve func(http.ResponseWriter, *http.Request) error
	}{"function": {"/open/7", s.routes[0].function.respond}, "open": {"/open/7", s.serve}, "key": {"/key/7", s.serve}, "member": {"/member/7", s.serve}} {
		b.Run(name, func(b *testing.B) {
			r := newRequest("GET", target.path, nil)
			r.Header.Set("X-Api-Key", key)
			r.Header.Set("Authorization", "me")
			w := &discard{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				if err := target.serve(w, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A reload releases authorizers while requests of the old configuration may still come to them.
func TestRequestsAfterAReloadFindTheirAuthorizer(t *testing.T) {
	a := provisioned(t, &App{
		DataDir:     t.TempDir(),
		Functions:   map[string]*Function{"f": {Runtime: "provided.al2023", Handler: "bootstrap", Code: t.TempDir()}},
		Authorizers: map[string]*Authorizer{"members": {Type: authorizerLambda, Function: "f"}},
	})
	defer cleanUp(t, a)
	api := &gateway.API{ID: "shop", Routes: []gateway.Route{{
		Key: "GET /open", Integration: gateway.Integration{Type: gateway.Lambda, Function: "f"}, Authorization: gateway.Authorization{Authorizer: "members"},
	}}}
	if err := api.Check(); err != nil {
		t.Fatal(err)
	}
	s, err := newAPIServer(a, api, zap.NewNop(), apiParts{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.release()
	if err := a.Authorizers["members"].release(); err != nil {
		t.Fatal(err)
	}
	r := newRequest("GET", "/open", nil)
	r.Header.Set("Authorization", "me")
	w := httptest.NewRecorder()
	if err := s.serve(w, r); err != nil || w.Code != http.StatusInternalServerError { // the function has no code
		t.Errorf("%d %s, %v", w.Code, w.Body, err)
	}
}
