package apigatewayv2

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
	"github.com/hearthfn/hearth/warmpool/function"
)

// ErrNotFound: there is no such API.
var ErrNotFound = errors.New("no such API")

// maxKnown is how many APIs are kept ready.
const maxKnown = 4096

// APIs are the APIs as the data plane serves them. An API that was read stays ready until it
// changes, here or on another node. While the state cannot be read, what is ready goes on.
type APIs struct {
	store *document.Store
	known *lru.Cache[string, *Served]
	other Reader // of APIs that are no HTTP APIs; nil: there are none

	mu    sync.Mutex
	stale map[string]bool // guarded by mu: the APIs to read again

	stop  context.CancelFunc
	ended chan struct{}
}

// A Served is an API with its stages. It does not change.
type Served struct {
	ID string
	// Protocol is the kind of the API.
	Protocol gateway.Protocol
	// Stages are the stages by name, each as an API of its own with one stage.
	Stages map[string]*gateway.API
	// Disabled says that the API has no address of its own.
	Disabled bool
}

// NewAPIs starts to follow changes, until Close. other reads APIs of other kinds.
func NewAPIs(store *document.Store, other Reader) (*APIs, error) {
	known, err := lru.New[string, *Served](maxKnown)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	changed, err := store.Watch(ctx, ownerAPI)
	if err != nil {
		stop()
		return nil, fmt.Errorf("following changes of APIs: %w", err)
	}
	p := &APIs{store: store, known: known, other: other, stale: make(map[string]bool), stop: stop, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		for owner := range changed {
			p.changed(strings.TrimPrefix(owner, ownerAPI))
		}
	}()
	return p, nil
}

// Close stops to follow changes. The store stays open.
func (p *APIs) Close() {
	p.stop()
	<-p.ended
}

// changed has an API, or all for "", read again when it is asked for.
func (p *APIs) changed(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.stale) > 2*maxKnown { // of APIs that nobody asks for
		clear(p.stale)
		id = ""
	}
	if id != "" {
		p.stale[id] = true
		return
	}
	for _, known := range p.known.Keys() {
		p.stale[known] = true
	}
}

// take reports whether an API must be read again. The caller reads it.
func (p *APIs) take(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	stale := p.stale[id]
	delete(p.stale, id)
	return stale
}

// API is an API by its ID, ErrNotFound if there is none.
func (p *APIs) API(ctx context.Context, id string) (*Served, error) {
	before, known := p.known.Get(id)
	if stale := p.take(id); known && !stale {
		return before, nil
	}
	if !validID(id) {
		return nil, ErrNotFound
	}
	served, err := p.read(ctx, id)
	switch {
	case err == nil:
		p.known.Add(id, served)
		return served, nil
	case errors.Is(err, ErrNotFound):
		p.known.Remove(id)
		return nil, err
	case known:
		p.changed(id) // read it again at the next request
		return before, nil
	}
	return nil, err
}

func (p *APIs) read(ctx context.Context, id string) (*Served, error) {
	set, err := p.store.Read(ctx, ownerAPI+id)
	if err != nil {
		return nil, err
	}
	var a API
	if !set.Has(docAPI) {
		if p.other == nil {
			return nil, ErrNotFound
		}
		return p.other(set, id)
	}
	if err := set.Get(docAPI, &a); err != nil {
		return nil, err
	}
	stages, err := document.All[Stage](set, docStage)
	if err != nil {
		return nil, err
	}
	served := &Served{ID: id, Protocol: gateway.Protocol(a.ProtocolType), Disabled: a.DisableExecuteApiEndpoint, Stages: make(map[string]*gateway.API, len(stages))}
	for _, g := range stages {
		var of snapshot
		if err := set.Get(docSnapshot+g.DeploymentId, &of); err != nil && !errors.Is(err, document.ErrNotFound) {
			return nil, err
		}
		api := of.gateway(&a, g)
		if err := api.Check(); err != nil {
			return nil, fmt.Errorf("API %s, stage %s: %w", id, g.StageName, err)
		}
		served.Stages[g.StageName] = api
	}
	return served, nil
}

// gateway is a stage as the data plane knows it. A route without a target is left out: AWS
// answers as if it was not there. A $connect that asks who the client is stays, and nobody
// connects by it: without it the API would be open.
func (of *snapshot) gateway(a *API, g *Stage) *gateway.API {
	api := &gateway.API{ID: a.ApiId, Name: a.Name, Protocol: gateway.Protocol(a.ProtocolType), Cors: of.Cors, RouteSelection: of.Selection}
	api.Stages = []gateway.Stage{{Name: g.StageName, Variables: g.StageVariables, Throttle: g.DefaultRouteSettings.throttle(), AccessLog: g.AccessLogSettings.gateway()}}
	integrations := make(map[string]*Integration, len(of.Integrations))
	for _, to := range of.Integrations {
		integrations[targetPrefix+to.IntegrationId] = to
	}
	for _, r := range of.Routes {
		served := gateway.Route{
			Key: r.RouteKey, Authorization: r.authorization(), Throttle: g.RouteSettings[r.RouteKey].throttle(),
			KeyRequired: r.ApiKeyRequired, Responds: slices.Contains(of.Responding, r.RouteId),
		}
		switch to := integrations[r.Target]; {
		case to != nil:
			served.Integration = to.served(api.Protocol, r.RouteKey, g.StageVariables)
		case r.RouteKey == gateway.ConnectRoute && r.closes():
			served.Integration.Broken = "the route has no target"
		default:
			continue
		}
		api.Routes = append(api.Routes, served)
	}
	for _, a := range of.Authorizers {
		api.Authorizers = append(api.Authorizers, a.gateway())
	}
	return api
}

// closes reports whether a route is not for everybody.
func (r *Route) closes() bool { return r.AuthorizationType != "NONE" || r.ApiKeyRequired }

// authorization says who may call a route. A type that is not known names no authorizer, and so
// nobody may.
func (r *Route) authorization() gateway.Authorization {
	switch r.AuthorizationType {
	case "NONE":
		return gateway.Authorization{}
	case typeIAM:
		return gateway.Authorization{IAM: true}
	case typeJWT, typeCustom:
		return gateway.Authorization{Authorizer: r.AuthorizerId, Scopes: r.AuthorizationScopes}
	}
	return gateway.Authorization{Authorizer: "of type " + r.AuthorizationType}
}

// gateway is an authorizer that was checked when it was set.
func (a *Authorizer) gateway() gateway.Authorizer {
	of := gateway.Authorizer{ID: a.AuthorizerId, Type: gateway.AuthorizerType(a.AuthorizerType), Sources: a.IdentitySource}
	if a.JwtConfiguration != nil {
		of.Issuer, of.Audience = a.JwtConfiguration.Issuer, a.JwtConfiguration.Audience
		return of
	}
	of.Function, of.Qualifier = targetOf(a.AuthorizerUri)
	// Those of WebSocket APIs have no format; what they answer is that of 1.0.
	of.Payload, of.Simple = apigateway.Payload(cmp.Or(a.AuthorizerPayloadFormatVersion, "1.0")), a.EnableSimpleResponses
	if a.AuthorizerResultTtlInSeconds != nil {
		of.TTL = *a.AuthorizerResultTtlInSeconds
	}
	return of
}

func (g *RouteSettings) throttle() *gateway.Throttle {
	if g == nil || g.ThrottlingRateLimit == nil || g.ThrottlingBurstLimit == nil {
		return nil
	}
	return &gateway.Throttle{Rate: *g.ThrottlingRateLimit, Burst: *g.ThrottlingBurstLimit}
}

// served is an integration as a stage serves it.
func (to *Integration) served(p gateway.Protocol, key string, variables map[string]string) gateway.Integration {
	if variables == nil {
		variables = make(map[string]string)
	}
	uri, err := gateway.WithVariables(to.IntegrationUri, variables)
	with := *to
	with.IntegrationUri = uri
	of := with.gateway()
	of.Requests, of.Answers = to.mappings()
	if gateway.HasVariables(to.IntegrationUri) && p != gateway.WebSocket {
		of.Resolve(p, key, err)
	}
	return of
}

// gateway is an integration that was checked when it was set.
func (to *Integration) gateway() gateway.Integration {
	if gateway.IntegrationType(to.IntegrationType) == gateway.HTTPProxy {
		of := gateway.Integration{Type: gateway.HTTPProxy, URI: to.IntegrationUri, Timeout: to.TimeoutInMillis}
		if to.IntegrationMethod != "ANY" {
			of.Method = to.IntegrationMethod
		}
		return of
	}
	name, qualifier := targetOf(to.IntegrationUri)
	return gateway.Integration{
		Type: gateway.Lambda, Function: name, Qualifier: qualifier, Payload: apigateway.Payload(to.PayloadFormatVersion), Timeout: to.TimeoutInMillis,
	}
}

// targetOf is the function of a URI that functionOf has checked.
func targetOf(uri string) (name, qualifier string) {
	_, arn, found := strings.Cut(uri, "/functions/")
	if !found {
		arn = uri
	}
	_, arn, _ = strings.Cut(strings.TrimSuffix(strings.TrimSuffix(arn, "/invocations"), streamEnd), ":function:")
	name, qualifier, found = strings.Cut(arn, ":")
	if !found {
		qualifier = function.Latest
	}
	return name, qualifier
}
