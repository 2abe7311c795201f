package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/authorizer"
	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/trace"
)

// invokeAuthorizer makes what calls the function of an authorizer.
// permitted, if set, says whether it may.
func (a *App) invokeAuthorizer(name, qualifier string, permitted func(ctx context.Context) bool) func(ctx context.Context, event []byte) ([]byte, error) {
	key := a.account().Key(name)
	return func(ctx context.Context, event []byte) ([]byte, error) {
		if permitted != nil && !permitted(ctx) {
			return nil, fmt.Errorf("function %q: %w", name, errNoPermission)
		}
		call := environment.NewCall()
		call.Function, call.Qualifier, call.RequestID = name, qualifier, function.NewRequestID()
		call.TraceID, _ = trace.Next("", key)
		if err := call.Begin(""); err != nil {
			return nil, err
		}
		call.Frame = append(call.Frame, event...)
		if err := a.setup.Runner().Invoke(ctx, call); err != nil {
			return nil, fmt.Errorf("call function %q: %w", name, err)
		}
		if call.Outcome != environment.OutcomeResult {
			return nil, &authorizer.FunctionError{Payload: slices.Clone(call.Payload)}
		}
		return slices.Clone(call.Payload), nil
	}
}

// An authorizing decides whether a request may go on. Its error is an *authorizer.Denial.
type authorizing func(r *http.Request, requestID string) (*authorizer.Grant, error)

// authorizing makes what decides about the requests of a route; nil: everybody may call.
func (s *apiServer) authorizing(app *App, of *gateway.Route, path func(r *http.Request) string) (authorizing, error) {
	name := of.Authorization.Authorizer
	if name == "" {
		return nil, nil
	}
	by := s.own[name]
	if by == nil {
		var err error
		if by, err = app.authorizer(name); err != nil {
			return nil, err
		}
	}
	// Requests that are under way may ask after release has cleared these.
	jwt, lambda := by.jwt, by.lambda
	if jwt != nil {
		return func(r *http.Request, _ string) (*authorizer.Grant, error) {
			return jwt.Authorize(r, of.Authorization.Scopes)
		}, nil
	}
	rest := s.api.Protocol == gateway.REST
	switch {
	case len(of.Authorization.Scopes) > 0:
		return nil, fmt.Errorf("authorizer %q: only authorizers of type jwt know scopes", name)
	case by.Token && !rest:
		return nil, fmt.Errorf("authorizer %q gets the token alone, which is for REST APIs", name)
	}
	stage := &s.api.Stages[0]
	route := &apigateway.Route{
		Payload: apigateway.Payload(by.Payload), Key: of.Key, Stage: stage.Name, StageVariables: stage.Variables,
		AccountID: app.Account, APIID: s.api.ID,
	}
	if rest {
		route.Payload = apigateway.V1
	}
	if err := route.Prepare(); err != nil {
		return nil, err
	}
	return func(r *http.Request, requestID string) (*authorizer.Grant, error) {
		c := apigateway.Context{RequestID: requestID, Time: time.Now(), SourceIP: sourceIP(r), StagePath: s.stagePath, Mapped: s.mapped}
		c.TrustedProxy, _ = caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
		return lambda.Authorize(r, &authorizer.Question{Route: route, Context: &c, Path: path(r), Region: app.Region, REST: rest})
	}, nil
}

// deny refuses a request that an authorizer does not let through.
func (s *apiServer) deny(w http.ResponseWriter, r *http.Request, route *servedRoute, err error) error {
	denial := &authorizer.Denial{Status: http.StatusInternalServerError, Reason: err}
	errors.As(err, &denial)
	if denial.Status >= http.StatusInternalServerError {
		s.refusals.Tell(s.log, zap.ErrorLevel, "authorizer failed", route.of.Authorization.Authorizer, func() []zap.Field {
			return []zap.Field{zap.String("route", route.of.Key), zap.String("authorizer", route.of.Authorization.Authorizer), zap.Error(err)}
		})
	}
	if denial.Challenge != "" {
		w.Header().Set("Www-Authenticate", denial.Challenge)
	}
	if denial.Policy {
		return refuseAPI(w, r, s.api.Protocol.DeniedByPolicy(denial.Explicit), err)
	}
	return refuseAPI(w, r, s.api.Protocol.Denied(denial.Status), err)
}

// provisionOwn makes the authorizers ready that the API itself has. release undoes it, also
// after an error.
func (s *apiServer) provisionOwn(app *App, parts apiParts) (err error) {
	s.own, err = app.authorizersOf(s.api, parts.permission)
	return err
}

// authorizersOf makes the authorizers ready that an API itself has. The caller releases them, also
// after an error. permission is that of apiParts.
func (a *App) authorizersOf(api *gateway.API, permission func(of *gateway.API, name, qualifier, source string) func(context.Context) bool) (map[string]*Authorizer, error) {
	if len(api.Authorizers) == 0 {
		return nil, nil
	}
	own := make(map[string]*Authorizer, len(api.Authorizers))
	for n := range api.Authorizers {
		of := &api.Authorizers[n]
		ttl := caddy.Duration(of.TTL) * caddy.Duration(time.Second)
		by := &Authorizer{
			Type: authorizerLambda, IdentitySource: append([]string{}, of.Sources...), Issuer: of.Issuer, Audience: of.Audience,
			Function: of.Function, Qualifier: of.Qualifier, Payload: string(of.Payload), Token: of.Type == gateway.Token,
			TokenPattern: of.Expression, Cache: &ttl, policiesOnly: !of.Simple,
		}
		switch {
		case of.Type == gateway.JWT:
			by.Type = authorizerJWT
		case permission != nil:
			by.permitted = permission(api, of.Function, of.Qualifier, "authorizers/"+of.ID)
		}
		own[of.ID] = by
		if err := by.provision(a, caddy.NewEmptyReplacer()); err != nil {
			return own, fmt.Errorf("authorizer %q: %w", of.ID, err)
		}
	}
	return own, nil
}

// release ends the authorizers and the metrics of the API. Requests that are under way may still
// use them.
func (s *apiServer) release() error {
	s.releaseMetrics()
	var errs []error
	for _, by := range s.own {
		errs = append(errs, by.release())
	}
	return errors.Join(errs...)
}
