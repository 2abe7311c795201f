package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/authorizer"
	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/usageplan"
	"github.com/hearthfn/hearth/caddymodule/socket"
)

// socketAuthorize makes what decides who may connect to a WebSocket API; nil: everybody may. own
// are the authorizers that the API itself has.
func (a *App) socketAuthorize(api *gateway.API, own map[string]*Authorizer) (socket.Authorize, error) {
	for n := range api.Routes {
		if of := &api.Routes[n]; of.Key == gateway.ConnectRoute {
			authorize, err := a.connectAuthorize(api, of, own)
			if err != nil {
				return nil, fmt.Errorf("route %q: %w", of.Key, err)
			}
			if of.KeyRequired {
				authorize = a.keyedConnect(api, authorize)
			}
			return authorize, nil
		}
	}
	return nil, nil
}

func (a *App) connectAuthorize(api *gateway.API, of *gateway.Route, own map[string]*Authorizer) (socket.Authorize, error) {
	if of.Authorization.IAM {
		return a.signedConnect(api.ID, api.Stages[0].Name)
	}
	name := of.Authorization.Authorizer
	if name == "" {
		return nil, nil
	}
	by := own[name]
	if by == nil {
		var err error
		if by, err = a.authorizer(name); err != nil {
			return nil, err
		}
	}
	if by.jwt != nil {
		return func(r *http.Request, to *apigateway.Socket, _ func(string) []byte) error {
			grant, err := by.jwt.Authorize(r, of.Authorization.Scopes)
			to.Authorizer = grant.Of(apigateway.V1)
			return err
		}, nil
	}
	switch {
	case len(of.Authorization.Scopes) > 0:
		return nil, fmt.Errorf("authorizer %q: only authorizers of type jwt know scopes", name)
	case by.Token:
		return nil, fmt.Errorf("authorizer %q gets the token alone, which is for REST APIs", name)
	}
	stage := &api.Stages[0]
	route := &apigateway.Route{
		Payload: apigateway.Payload(by.Payload), Stage: stage.Name, StageVariables: stage.Variables, AccountID: a.Account, APIID: api.ID,
	}
	if err := route.Prepare(); err != nil {
		return nil, err
	}
	arn := "arn:aws:execute-api:" + a.Region + ":" + a.Account + ":" + api.ID + "/" + stage.Name + "/" + gateway.ConnectRoute
	return func(r *http.Request, to *apigateway.Socket, event func(string) []byte) error {
		c := apigateway.Context{Time: time.Now(), SourceIP: to.SourceIP}
		grant, err := by.lambda.Authorize(r, &authorizer.Question{Route: route, Context: &c, Region: a.Region, ARN: arn, Event: event})
		to.Authorizer = grant.Of(apigateway.V1)
		return err
	}, nil
}

// keyedConnect lets clients connect that have an API key of the stage's usage plans, which counts
// one request for it, after authorize, which may be nil.
func (a *App) keyedConnect(api *gateway.API, authorize socket.Authorize) socket.Authorize {
	stage := api.Stages[0].Name
	plans := a.plansOf(api.ID, stage)
	route := usageplan.RouteID(api.ID, stage, gateway.ConnectRoute)
	return func(r *http.Request, to *apigateway.Socket, event func(string) []byte) error {
		if authorize != nil {
			if err := authorize(r, to, event); err != nil {
				return err
			}
		}
		client, err := findClient(r.Context(), plans, r.Header.Get("X-Api-Key"))
		if err != nil {
			return &authorizer.Denial{Status: http.StatusForbidden, Reason: err}
		}
		if err := client.Allow(route); err != nil {
			return &authorizer.Denial{Status: http.StatusTooManyRequests, Reason: err}
		}
		return nil
	}
}

// signedConnect lets clients connect whose request is signed.
func (a *App) signedConnect(api, stage string) (socket.Authorize, error) {
	begin, err := a.signedFor(executeAPI, a.invokeNeed(api, stage, func(*http.Request) string { return gateway.ConnectRoute }))
	if err != nil {
		return nil, err
	}
	return func(r *http.Request, to *apigateway.Socket, _ func(string) []byte) error {
		finish, err := begin(r)
		if err == nil {
			to.IAM, err = finish(nil)
			to.AccountID = a.Account
		}
		if err != nil {
			return &authorizer.Denial{Status: http.StatusForbidden, Reason: err}
		}
		return nil
	}, nil
}

// releaseAuthorizers ends authorizers that an API had.
func releaseAuthorizers(own map[string]*Authorizer) error {
	var errs []error
	for _, by := range own {
		errs = append(errs, by.release())
	}
	return errors.Join(errs...)
}
