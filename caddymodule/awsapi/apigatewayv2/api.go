package apigatewayv2

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

// An API is an HTTP API or a WebSocket API.
// https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid.html
type API struct {
	ApiEndpoint               string            `json:"apiEndpoint,omitempty"` // not kept
	ApiId                     string            `json:"apiId"`
	ApiKeySelectionExpression string            `json:"apiKeySelectionExpression"`
	CorsConfiguration         *gateway.Cors     `json:"corsConfiguration,omitempty"`
	CreatedDate               time.Time         `json:"createdDate"`
	Description               string            `json:"description,omitempty"`
	DisableExecuteApiEndpoint bool              `json:"disableExecuteApiEndpoint"`
	DisableSchemaValidation   bool              `json:"disableSchemaValidation,omitempty"`
	IpAddressType             string            `json:"ipAddressType"`
	Name                      string            `json:"name"`
	ProtocolType              string            `json:"protocolType"`
	RouteSelectionExpression  string            `json:"routeSelectionExpression"`
	Tags                      map[string]string `json:"tags"`
	Version                   string            `json:"version,omitempty"`
}

// quick are the members of CreateApi and UpdateApi that make an integration and a route.
type quick struct {
	CredentialsArn, RouteKey, Target string
}

type createAPIInput struct {
	API
	quick
}

// What HTTP APIs always have, and the first WebSocket APIs too.
const (
	keySelection   = "$request.header.x-api-key"
	routeSelection = "$request.method $request.path"
)

func (a *API) check() error {
	socket := a.ProtocolType == string(gateway.WebSocket)
	a.ApiKeySelectionExpression = cmp.Or(a.ApiKeySelectionExpression, keySelection)
	if !socket {
		a.RouteSelectionExpression = cmp.Or(a.RouteSelectionExpression, routeSelection)
	}
	a.IpAddressType = cmp.Or(a.IpAddressType, "ipv4")
	switch {
	case a.ProtocolType != string(gateway.HTTP) && !socket:
		return invalid("protocolType %s is not supported: there are HTTP and WEBSOCKET", a.ProtocolType)
	case a.Name == "":
		return invalid("Name must not be empty")
	case a.ApiKeySelectionExpression != keySelection:
		return invalid("apiKeySelectionExpression %.128s is not supported: it is %s", a.ApiKeySelectionExpression, keySelection)
	case !socket && a.RouteSelectionExpression != routeSelection:
		return invalid("routeSelectionExpression of an HTTP API is %s", routeSelection)
	case a.IpAddressType != "ipv4":
		return invalid("ipAddressType %s is not supported: the addresses of this server's sites count", a.IpAddressType)
	case a.DisableSchemaValidation && !socket:
		return invalid("disableSchemaValidation is only for WebSocket APIs")
	}
	if socket {
		if err := a.checkSocket(); err != nil {
			return err
		}
	}
	if err := a.checkCors(); err != nil {
		return err
	}
	return checkTags(a.Tags)
}

func (a *API) checkCors() error {
	c := a.CorsConfiguration
	if c == nil {
		return nil
	}
	if err := c.Check(); err != nil {
		return invalid("Invalid CORS configuration: %v", err)
	}
	// AWS keeps the headers' names in lower case.
	for n := range c.AllowHeaders {
		c.AllowHeaders[n] = strings.ToLower(c.AllowHeaders[n])
	}
	for n := range c.ExposeHeaders {
		c.ExposeHeaders[n] = strings.ToLower(c.ExposeHeaders[n])
	}
	return nil
}

func (s *service) shown(a *API) *API {
	if a.ApiEndpoint = s.Endpoint(a.ApiId); a.ProtocolType == string(gateway.WebSocket) {
		a.ApiEndpoint = socketEndpoint(a.ApiEndpoint)
	}
	if a.Tags == nil {
		a.Tags = map[string]string{}
	}
	return a
}

func (s *service) createAPI(ctx context.Context, in *createAPIInput) (*API, error) {
	a := &in.API
	if s.Endpoint("") == "" {
		return nil, invalid("APIs are not supported: this server has no address for them. Set the global option api_url, e.g. api_url https://*.execute-api.%s.example.com", s.Account.Region)
	}
	a.ApiId, a.CreatedDate = awsapi.ChosenID(ctx, newID(10)), s.now()
	if err := a.check(); err != nil {
		return nil, err
	}
	if in.Target == "" && (in.RouteKey != "" || in.CredentialsArn != "") {
		return nil, invalid("routeKey and credentialsArn are only for an API with a target")
	}
	if in.Target != "" && a.ProtocolType != string(gateway.HTTP) {
		return nil, invalid("target is only for HTTP APIs")
	}
	err := s.Store.Change(ctx, ownerAPI+a.ApiId, func(e *document.Edit) error {
		if err := e.Put(docAPI, a); err != nil || in.Target == "" {
			return err
		}
		return s.quickCreate(e, a, &in.quick)
	})
	return s.shown(a), err
}

// quickCreate makes the integration, the route and the stage of an API that has a target.
func (s *service) quickCreate(e *document.Edit, a *API, q *quick) error {
	to := &Integration{IntegrationId: newID(7), ApiGatewayManaged: true, IntegrationUri: q.Target, CredentialsArn: q.CredentialsArn}
	if strings.HasPrefix(q.Target, "arn:") {
		to.IntegrationType, to.PayloadFormatVersion = string(gateway.Lambda), "2.0"
	} else {
		to.IntegrationType, to.IntegrationMethod, to.PayloadFormatVersion = string(gateway.HTTPProxy), "ANY", "1.0"
	}
	if err := s.checkIntegration(gateway.HTTP, to); err != nil {
		return err
	}
	route := &Route{RouteId: newID(7), ApiGatewayManaged: true, RouteKey: cmp.Or(q.RouteKey, "$default"), Target: targetPrefix + to.IntegrationId}
	if err := e.Put(docIntegration+to.IntegrationId, to); err != nil {
		return err
	}
	if err := s.checkRoute(&e.Set, route); err != nil {
		return err
	}
	stage := &Stage{StageName: "$default", ApiGatewayManaged: true, AutoDeploy: true, CreatedDate: s.now(), LastUpdatedDate: s.now()}
	if err := stage.check(s, &e.Set); err != nil {
		return err
	}
	if err := e.Put(docRoute+route.RouteId, route); err != nil {
		return err
	}
	if err := e.Put(docStage+stage.StageName, stage); err != nil {
		return err
	}
	return s.autoDeploy(e)
}

type apiInput struct {
	paging
	ApiId string
}

func (s *service) getAPI(ctx context.Context, in *apiInput) (*API, error) {
	set, err := s.read(ctx, in.ApiId)
	if err != nil {
		return nil, err
	}
	a := new(API)
	err = set.Get(docAPI, a)
	return s.shown(a), err
}

func (s *service) getAPIs(ctx context.Context, in *apiInput) (*list[*API], error) {
	owners, err := s.Store.Owners(ctx, ownerAPI)
	if err != nil {
		return nil, err
	}
	ids, err := pageOf(owners, func(owner string) string { return owner }, in.paging)
	if err != nil {
		return nil, err
	}
	out := &list[*API]{Items: []*API{}, NextToken: ids.NextToken}
	for _, owner := range ids.Items {
		a, err := s.getAPI(ctx, &apiInput{ApiId: strings.TrimPrefix(owner, ownerAPI)})
		if isMissing(err) {
			continue // it is gone meanwhile, or its removal has not ended
		}
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, a)
	}
	return out, nil
}

func (s *service) updateAPI(r *awsapi.Request) (any, error) {
	in := new(struct {
		apiInput
		quick
	})
	if err := r.Read(in); err != nil {
		return nil, err
	}
	a := new(API)
	err := s.change(r.Context(), in.ApiId, func(e *document.Edit) error {
		*a = API{}
		if err := e.Get(docAPI, a); err != nil {
			return err
		}
		if err := r.Read(a); err != nil {
			return err
		}
		if err := a.check(); err != nil {
			return err
		}
		if err := s.quickUpdate(e, &in.quick); err != nil {
			return err
		}
		return e.Put(docAPI, a)
	})
	return s.shown(a), err
}

// quickUpdate changes what quickCreate made.
func (s *service) quickUpdate(e *document.Edit, q *quick) error {
	if q.Target == "" && q.RouteKey == "" && q.CredentialsArn == "" {
		return nil
	}
	routes, err := document.All[Route](&e.Set, docRoute)
	if err != nil {
		return err
	}
	n := slices.IndexFunc(routes, func(r *Route) bool { return r.ApiGatewayManaged })
	if n < 0 {
		return invalid("routeKey, target and credentialsArn are only for an API that was created with a target")
	}
	route := routes[n]
	to, err := find[Integration](&e.Set, docIntegration, strings.TrimPrefix(route.Target, targetPrefix), "Integration")
	if err != nil {
		return err
	}
	route.RouteKey = cmp.Or(q.RouteKey, route.RouteKey)
	to.IntegrationUri, to.CredentialsArn = cmp.Or(q.Target, to.IntegrationUri), cmp.Or(q.CredentialsArn, to.CredentialsArn)
	if err := s.checkIntegration(gateway.HTTP, to); err != nil {
		return err
	}
	if err := s.checkRoute(&e.Set, route); err != nil {
		return err
	}
	if err := e.Put(docIntegration+to.IntegrationId, to); err != nil {
		return err
	}
	return e.Put(docRoute+route.RouteId, route)
}

func (s *service) deleteAPI(ctx context.Context, in *apiInput) (awsapi.None, error) {
	if _, err := s.read(ctx, in.ApiId); err != nil {
		return awsapi.None{}, err
	}
	if names, err := s.Domains.Mapped(ctx, in.ApiId); err != nil || len(names) > 0 {
		return awsapi.None{}, cmp.Or(err, invalid("Deleting API %s failed. Please remove all API mappings for the API from your custom domain names.", in.ApiId))
	}
	defer s.APIs.changed(in.ApiId)
	return awsapi.None{}, s.Store.Remove(ctx, ownerAPI+in.ApiId, docAPI)
}

func (s *service) deleteCors(ctx context.Context, in *apiInput) (awsapi.None, error) {
	return awsapi.None{}, s.change(ctx, in.ApiId, func(e *document.Edit) error {
		a := new(API)
		if err := e.Get(docAPI, a); err != nil {
			return err
		}
		a.CorsConfiguration = nil
		return e.Put(docAPI, a)
	})
}
