package apigatewayv2

import (
	"cmp"
	"context"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/apigateway/authorizer"
	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

// What WebSocket APIs have, and HTTP APIs have not.

// protocolOf is the protocol of the API that a set has.
func protocolOf(set *document.Set) (gateway.Protocol, error) {
	var a API
	err := set.Get(docAPI, &a)
	return gateway.Protocol(a.ProtocolType), err
}

// checkSocket checks a WebSocket API.
func (a *API) checkSocket() error {
	if a.RouteSelectionExpression == "" {
		return invalid("routeSelectionExpression is required for WEBSOCKET APIs")
	}
	if _, err := gateway.ParseSelection(a.RouteSelectionExpression); err != nil {
		return invalid("Invalid routeSelectionExpression: %v", err)
	}
	if a.CorsConfiguration != nil {
		return invalid("corsConfiguration is only for HTTP APIs")
	}
	return nil
}

// checkSocketRoute checks a route of a WebSocket API.
func checkSocketRoute(r *Route, others []*Route) error {
	switch {
	case r.ApiKeyRequired && r.RouteKey != gateway.ConnectRoute:
		return invalid("apiKeyRequired is only for the route $connect")
	case r.ApiKeyRequired && r.Target == "":
		return invalid("apiKeyRequired needs a target: a route without an integration is not served, so it would open the API")
	case r.AuthorizationType != "NONE" && r.RouteKey != gateway.ConnectRoute:
		return invalid("authorizationType %.64s is only for the route $connect", r.AuthorizationType)
	case r.AuthorizationType == typeJWT:
		return invalid("authorizationType JWT is not supported for WebSocket APIs")
	case r.RouteResponseSelectionExpression != "" && r.RouteResponseSelectionExpression != responseKey:
		return invalid("routeResponseSelectionExpression is %s", responseKey)
	}
	if err := gateway.CheckSocketKey(r.RouteKey); err != nil {
		return invalid("Invalid route key: %v", err)
	}
	for _, other := range others {
		if other.RouteId != r.RouteId && other.RouteKey == r.RouteKey {
			return conflicts("Route with key %s already exists for this API", r.RouteKey)
		}
	}
	return nil
}

// checkSocket checks an authorizer of a WebSocket API.
func (a *Authorizer) checkSocket(s *service) error {
	switch {
	case a.AuthorizerType != string(gateway.Request):
		return invalid("authorizerType of WebSocket APIs is REQUEST")
	case a.JwtConfiguration != nil, a.AuthorizerPayloadFormatVersion != "", a.EnableSimpleResponses, a.AuthorizerResultTtlInSeconds != nil:
		return invalid("jwtConfiguration, authorizerPayloadFormatVersion, authorizerResultTtlInSeconds and enableSimpleResponses are only for HTTP APIs")
	}
	for _, text := range a.IdentitySource {
		if _, err := authorizer.ParseLambdaSource(text); err != nil || !strings.Contains(text, ".") || text[0] == '$' {
			return invalid("Invalid identitySource %.128q: route.request.header.NAME, route.request.querystring.NAME, context.NAME or stageVariables.NAME is expected", text)
		}
	}
	_, _, err := s.functionOf(a.AuthorizerUri)
	return err
}

// maxSocketTimeout is AWS's, in milliseconds.
const maxSocketTimeout = 29000

// checkSocketIntegration sets defaults and checks an integration of a WebSocket API.
func (s *service) checkSocketIntegration(to *Integration) error {
	to.PassthroughBehavior = cmp.Or(to.PassthroughBehavior, "WHEN_NO_MATCH")
	to.TimeoutInMillis = cmp.Or(to.TimeoutInMillis, maxSocketTimeout)
	switch {
	case to.IntegrationType != string(gateway.Lambda):
		return invalid("integrationType %.64s is not supported for WebSocket APIs: AWS_PROXY calls a function", to.IntegrationType)
	case to.PayloadFormatVersion != "1.0":
		return invalid("payloadFormatVersion of WebSocket APIs is 1.0")
	case to.TimeoutInMillis > maxSocketTimeout:
		return invalid("timeoutInMillis of WebSocket APIs is at most %d", maxSocketTimeout)
	case len(to.RequestParameters)+len(to.ResponseParameters) > 0:
		return invalid("requestParameters and responseParameters are not supported for WebSocket APIs: the function gets the message")
	case to.PassthroughBehavior != "WHEN_NO_MATCH":
		return invalid("passthroughBehavior %.64s is not supported: AWS_PROXY passes all messages", to.PassthroughBehavior)
	}
	return s.checkFunction(to)
}

// A RouteResponse has what a function answers sent to the client.
// https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-routes-routeid-routeresponses.html
type RouteResponse struct {
	RouteResponseId  string `json:"routeResponseId"`
	RouteResponseKey string `json:"routeResponseKey"`
}

// routeResponseMore are members of responses that are refused.
type routeResponseMore struct {
	ModelSelectionExpression string
	ResponseModels           map[string]string
	ResponseParameters       map[string]any
}

// responseKey is the only key of a response.
const responseKey = "$default"

func (r *RouteResponse) check(more *routeResponseMore) error {
	switch {
	case r.RouteResponseKey != responseKey:
		return invalid("routeResponseKey is %s", responseKey)
	case more.ModelSelectionExpression != "", len(more.ResponseModels) > 0:
		return invalid("modelSelectionExpression and responseModels are not supported: this server has no models of WebSocket APIs")
	case len(more.ResponseParameters) > 0:
		return invalid("responseParameters are not supported: messages have none")
	}
	return nil
}

// docResponse begins the names of the responses of a route.
func docResponse(route string) string { return "response/" + route + "/" }

type createRouteResponseInput struct {
	RouteResponse
	routeResponseMore
	ApiId, RouteId string
}

func (s *service) createRouteResponse(ctx context.Context, in *createRouteResponseInput) (*RouteResponse, error) {
	response := &in.RouteResponse
	response.RouteResponseId = awsapi.ChosenID(ctx, newID(7))
	if err := response.check(&in.routeResponseMore); err != nil {
		return nil, err
	}
	return response, s.change(ctx, in.ApiId, func(e *document.Edit) error {
		route, err := find[Route](&e.Set, docRoute, in.RouteId, "Route")
		if err != nil {
			return err
		}
		switch protocol, err := protocolOf(&e.Set); {
		case err != nil:
			return err
		case protocol != gateway.WebSocket:
			return invalid("Route responses are only for WebSocket APIs")
		case route.RouteKey == gateway.ConnectRoute || route.RouteKey == gateway.DisconnectRoute:
			return invalid("Route responses of %s are not supported: only messages are answered", route.RouteKey)
		case len(e.Names(docResponse(in.RouteId))) > 0:
			return conflicts("RouteResponse with key %s already exists for this route", response.RouteResponseKey)
		}
		return e.Put(docResponse(in.RouteId)+response.RouteResponseId, response)
	})
}

type routeResponseInput struct {
	paging
	ApiId, RouteId, RouteResponseId string
}

func (s *service) getRouteResponse(ctx context.Context, in *routeResponseInput) (*RouteResponse, error) {
	return get[RouteResponse](ctx, s, in.ApiId, docResponse(in.RouteId), in.RouteResponseId, "RouteResponse")
}

func (s *service) getRouteResponses(ctx context.Context, in *routeResponseInput) (*list[*RouteResponse], error) {
	if _, err := s.getRoute(ctx, &routeInput{ApiId: in.ApiId, RouteId: in.RouteId}); err != nil {
		return nil, err
	}
	return all(ctx, s, in.ApiId, docResponse(in.RouteId), func(r *RouteResponse) string { return r.RouteResponseId }, in.paging)
}

func (s *service) updateRouteResponse(r *awsapi.Request) (any, error) {
	in := new(struct {
		routeResponseInput
		routeResponseMore
	})
	if err := r.Read(in); err != nil {
		return nil, err
	}
	var response *RouteResponse
	err := s.change(r.Context(), in.ApiId, func(e *document.Edit) (err error) {
		if response, err = find[RouteResponse](&e.Set, docResponse(in.RouteId), in.RouteResponseId, "RouteResponse"); err != nil {
			return err
		}
		if err := r.Read(response); err != nil {
			return err
		}
		if err := response.check(&in.routeResponseMore); err != nil {
			return err
		}
		return e.Put(docResponse(in.RouteId)+response.RouteResponseId, response)
	})
	return response, err
}

func (s *service) deleteRouteResponse(ctx context.Context, in *routeResponseInput) (awsapi.None, error) {
	return awsapi.None{}, s.change(ctx, in.ApiId, func(e *document.Edit) error {
		if _, err := find[RouteResponse](&e.Set, docResponse(in.RouteId), in.RouteResponseId, "RouteResponse"); err != nil {
			return err
		}
		e.Delete(docResponse(in.RouteId) + in.RouteResponseId)
		return nil
	})
}

// responding are the IDs of the routes that have a response.
func responding(set *document.Set) (routes []string) {
	for _, name := range set.Names("response/") {
		id, _, _ := strings.Cut(strings.TrimPrefix(name, "response/"), "/")
		routes = append(routes, id)
	}
	return routes
}

// socketEndpoint is the address of a WebSocket API, by its HTTP address.
func socketEndpoint(address string) string {
	return "ws" + strings.TrimPrefix(address, "http")
}

// checkStageName checks the name of a stage.
func checkStageName(p gateway.Protocol, name string) error {
	if p == gateway.WebSocket && name == "$default" || !stagePattern.MatchString(name) {
		what := "a-zA-Z0-9_-"
		if p != gateway.WebSocket {
			what += " and $default"
		}
		return invalid("Stage name only allows %s", what)
	}
	return nil
}
