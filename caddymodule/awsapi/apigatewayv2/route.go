package apigatewayv2

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

// A Route is a route of an API.
// https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-routes.html
type Route struct {
	ApiGatewayManaged   bool     `json:"apiGatewayManaged,omitempty"`
	ApiKeyRequired      bool     `json:"apiKeyRequired"`
	AuthorizationScopes []string `json:"authorizationScopes,omitempty"`
	AuthorizationType   string   `json:"authorizationType"`
	AuthorizerId        string   `json:"authorizerId,omitempty"`
	OperationName       string   `json:"operationName,omitempty"`
	RouteId             string   `json:"routeId"`
	RouteKey            string   `json:"routeKey"`

	RouteResponseSelectionExpression string `json:"routeResponseSelectionExpression,omitempty"`

	Target string `json:"target,omitempty"`
}

// routeMore are members of routes that are refused.
type routeMore struct {
	ModelSelectionExpression string
	RequestModels            map[string]string
	RequestParameters        map[string]any
}

// targetPrefix begins the Target of a route, before the ID of its integration.
const targetPrefix = "integrations/"

// maxRoutes is AWS's quota.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
const maxRoutes = 300

func (m *routeMore) check() error {
	switch {
	case m.ModelSelectionExpression != "", len(m.RequestModels) > 0:
		return invalid("modelSelectionExpression and requestModels are not supported: only WebSocket APIs have them, and this server does not validate messages")
	case len(m.RequestParameters) > 0:
		return invalid("requestParameters of a route are not supported: only WebSocket APIs have them, and this server does not map parameters")
	}
	return nil
}

// checkRoute checks a route against the other documents of its API.
func (s *service) checkRoute(set *document.Set, r *Route) error {
	r.AuthorizationType = cmp.Or(r.AuthorizationType, "NONE")
	if r.AuthorizationType == "NONE" && (r.AuthorizerId != "" || len(r.AuthorizationScopes) > 0) {
		return invalid("authorizerId and authorizationScopes are only for routes with an authorizationType")
	}
	others, err := document.All[Route](set, docRoute)
	if err != nil {
		return err
	}
	protocol, err := protocolOf(set)
	if err != nil {
		return err
	}
	if protocol == gateway.WebSocket {
		if err = checkSocketRoute(r, others); err == nil {
			err = s.checkAuthorization(set, r)
		}
	} else {
		err = s.checkHTTPRoute(set, r, others)
	}
	if err != nil || r.Target == "" {
		return err
	}
	id, found := strings.CutPrefix(r.Target, targetPrefix)
	if !found {
		return invalid("Invalid target %q: it is integrations/ID", r.Target)
	}
	if !set.Has(docIntegration + id) {
		return missing("Integration", fmt.Sprintf("%.64s", id))
	}
	return nil
}

// checkHTTPRoute checks a route of an HTTP API.
func (s *service) checkHTTPRoute(set *document.Set, r *Route, others []*Route) error {
	if err := gateway.CheckKey(gateway.HTTP, r.RouteKey); err != nil {
		return invalid("Invalid route key: %v", err)
	}
	switch {
	case r.ApiKeyRequired:
		return invalid("apiKeyRequired is not supported for HTTP APIs")
	case r.RouteResponseSelectionExpression != "":
		return invalid("routeResponseSelectionExpression is only for WebSocket APIs")
	}
	if err := s.checkAuthorization(set, r); err != nil {
		return err
	}
	table := gateway.EmptyTable(gateway.HTTP)
	for _, other := range others {
		if other.RouteId == r.RouteId {
			continue
		}
		if other.RouteKey == r.RouteKey {
			return conflicts("Route with key %s already exists for this API", r.RouteKey)
		}
		if err := table.Add(other.RouteKey); err != nil {
			return err
		}
	}
	if err := table.Add(r.RouteKey); err != nil {
		return conflicts("%v", err)
	}
	return nil
}

type createRouteInput struct {
	Route
	routeMore
	ApiId string
}

func (s *service) createRoute(ctx context.Context, in *createRouteInput) (*Route, error) {
	route := &in.Route
	route.RouteId = awsapi.ChosenID(ctx, newID(7))
	if err := in.check(); err != nil {
		return nil, err
	}
	return route, s.change(ctx, in.ApiId, func(e *document.Edit) error {
		if len(e.Names(docRoute)) >= maxRoutes {
			return invalid("Maximum number of routes for this API has been reached: %d", maxRoutes)
		}
		if err := s.checkRoute(&e.Set, route); err != nil {
			return err
		}
		return e.Put(docRoute+route.RouteId, route)
	})
}

type routeInput struct {
	paging
	ApiId, RouteId, RequestParameterKey string
}

func (s *service) getRoute(ctx context.Context, in *routeInput) (*Route, error) {
	return get[Route](ctx, s, in.ApiId, docRoute, in.RouteId, "Route")
}

func (s *service) getRoutes(ctx context.Context, in *routeInput) (*list[*Route], error) {
	return all(ctx, s, in.ApiId, docRoute, func(r *Route) string { return r.RouteId }, in.paging)
}

func (s *service) updateRoute(r *awsapi.Request) (any, error) {
	in := new(struct {
		routeInput
		routeMore
	})
	if err := r.Read(in); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	var route *Route
	err := s.change(r.Context(), in.ApiId, func(e *document.Edit) (err error) {
		if route, err = find[Route](&e.Set, docRoute, in.RouteId, "Route"); err != nil {
			return err
		}
		if err := r.Read(route); err != nil {
			return err
		}
		if route.AuthorizationType == "NONE" || route.AuthorizationType == typeIAM {
			route.AuthorizerId, route.AuthorizationScopes = "", nil
		}
		if err := s.checkRoute(&e.Set, route); err != nil {
			return err
		}
		return e.Put(docRoute+route.RouteId, route)
	})
	return route, err
}

func (s *service) deleteRoute(ctx context.Context, in *routeInput) (awsapi.None, error) {
	return awsapi.None{}, s.change(ctx, in.ApiId, func(e *document.Edit) error {
		if _, err := find[Route](&e.Set, docRoute, in.RouteId, "Route"); err != nil {
			return err
		}
		for _, name := range e.Names(docResponse(in.RouteId)) {
			e.Delete(name)
		}
		e.Delete(docRoute + in.RouteId)
		return nil
	})
}

func (s *service) deleteRouteRequestParameter(ctx context.Context, in *routeInput) (awsapi.None, error) {
	if _, err := s.getRoute(ctx, in); err != nil {
		return awsapi.None{}, err
	}
	return awsapi.None{}, missing("Request Parameter", fmt.Sprintf("%.128s", in.RequestParameterKey))
}
