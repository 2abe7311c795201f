package caddymodule

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/metrics"
	"github.com/hearthfn/hearth/caddymodule/apigateway/usageplan"
	"github.com/hearthfn/hearth/warmpool/bodies"
	"github.com/hearthfn/hearth/warmpool/flood"
	"github.com/hearthfn/hearth/warmpool/function"
)

// An apiServer answers the requests of one stage of an API.
type apiServer struct {
	api     *gateway.API
	table   *gateway.Table
	account string
	// stagePath is the stage as paths begin with it, e.g. "/prod"; "": they have no stage.
	stagePath string
	mapped    bool                   // stagePath is the base path of a custom domain name
	routes    []servedRoute          // by the index in the table
	own       map[string]*Authorizer // of the API, by their IDs
	access    *accessLog             // nil: there is none
	responses *gateway.Responses     // nil: those of API Gateway
	metrics   *metrics.APIs
	unmatched *metrics.Route // of requests that no route takes

	bodies   *bodies.Budget // the memory for bodies that wait
	log      *zap.Logger
	refusals *flood.Gate // bounds the log messages about authorizers that fail
}

// A servedRoute is a route of an API and what it needs to answer.
type servedRoute struct {
	of        *gateway.Route
	authorize authorizing // nil: everybody may call
	signed    signing     // nil: requests need no signature
	plans     []*usageplan.Plan
	keyed     planFinder    // nil: plans are those of the route
	id        string        // by which usage plans know it
	bucket    *rate.Limiter // nil: there is no limit
	function  *responder    // nil: handler answers
	handler   caddyhttp.Handler
	pattern   apigateway.Pattern
	// timeout is how long the function may take; 0: as long as it may run.
	timeout time.Duration
	// permitted, if set, says whether the function's policy lets the API call it.
	permitted func(ctx context.Context) bool
	validator *gateway.Validator // nil: requests are not checked
	mapping   *apiMapping        // nil: requests and answers go through as they are
	metrics   *metrics.Route
}

// Errors of requests that no integration gets. Error routes (handle_errors) find them.
var (
	errNoRoute      = errors.New("no route of the API takes the request")
	errNoPermission = errors.New("the policy of the function does not let the API call it: see AddPermission")

	errDots     = errors.New("the path has a segment . or ..: a server behind a route could take it for the path of another route")
	errOverRate = errors.New("the request is above the rate of its throttle")
)

// apiParts are what an API has by the way it was made.
type apiParts struct {
	// handler makes the handler of a route that has no function.
	handler func(s *apiServer, n int) (caddyhttp.Handler, error)
	// permission makes what says whether the policy of a function lets the API call it; see
	// apiHosts.permission. nil: every function does.
	permission func(of *gateway.API, name, qualifier, source string) func(ctx context.Context) bool
	// reveals says that a failing invocation is answered with the function's error.
	reveals bool
}

// newAPIServer makes the server of the first stage of an API that Check has found right.
func newAPIServer(app *App, api *gateway.API, log *zap.Logger, parts apiParts) (*apiServer, error) {
	table, err := gateway.NewTable(api.Protocol, api.Routes)
	if err != nil {
		return nil, err
	}
	s := &apiServer{
		api: api, table: table, account: app.Account, routes: make([]servedRoute, len(api.Routes)),
		bodies: app.engine.Bodies(), log: log.With(zap.String("api", api.ID)), refusals: app.setup.Refusals(),
	}
	if s.access, err = newAccessLog(&api.Stages[0], s.log); err != nil {
		return nil, err
	}
	if s.responses, err = gateway.NewResponses(api.Responses); err != nil {
		return nil, err
	}
	s.retainMetrics(app.setup.APIMetrics())
	if err := s.provisionOwn(app, parts); err != nil {
		return nil, errors.Join(err, s.release())
	}
	if err := s.prepare(app, parts); err != nil {
		return nil, errors.Join(err, s.release())
	}
	return s, nil
}

// prepare makes the routes ready.
func (s *apiServer) prepare(app *App, parts apiParts) (err error) {
	stage := &s.api.Stages[0]
	bucket := newBucket(stage.Throttle)
	validator := gateway.NewValidators(s.api)
	for n := range s.api.Routes {
		of, route := &s.api.Routes[n], &s.routes[n]
		route.of, route.id = of, usageplan.RouteID(s.api.ID, stage.Name, of.Key)
		if route.authorize, err = s.authorizing(app, of, s.path); err != nil {
			return fmt.Errorf("route %q: %w", of.Key, err)
		}
		if route.plans, err = app.usagePlans(of.UsagePlans); err != nil {
			return fmt.Errorf("route %q: %w", of.Key, err)
		}
		if of.KeyRequired {
			route.keyed = app.plansOf(s.api.ID, stage.Name)
		}
		if of.Authorization.IAM {
			if route.signed, err = app.signedFor(executeAPI, app.invokeNeed(s.api.ID, stage.Name, s.signedPath)); err != nil {
				return err
			}
		}
		if route.bucket = bucket; of.Throttle != nil {
			route.bucket = newBucket(of.Throttle)
		}
		if route.validator, err = validator(of.Validation); err != nil {
			return fmt.Errorf("route %q: %w", of.Key, err)
		}
		if _, route.pattern, err = apigateway.ParseKey(of.Key); err != nil {
			return err
		}
		if route.mapping, err = newAPIMapping(&of.Integration); err != nil {
			return fmt.Errorf("route %q: %w", of.Key, err)
		}
		if of.Integration.Broken != "" {
			continue
		}
		switch of.Integration.Type {
		case gateway.HTTPProxy:
			route.handler, err = parts.handler(s, n)
		case gateway.Mocked:
			route.handler, err = s.mock(route)
		case gateway.Mapped:
			route.handler, err = s.calling(app, route)
			route.timeout = time.Duration(of.Integration.Timeout) * time.Millisecond
			route.permitted = s.permitted(of, parts)
		default:
			if route.function, err = s.responder(app, of, stage, parts.reveals); err == nil {
				route.function.begin, route.function.validator = route.signed, route.validator
			}
			route.timeout = time.Duration(of.Integration.Timeout) * time.Millisecond
			route.permitted = s.permitted(of, parts)
		}
		if err != nil {
			return fmt.Errorf("route %q: %w", of.Key, err)
		}
	}
	return nil
}

// permitted makes what says whether the function of a route may be called; nil: it may.
func (s *apiServer) permitted(of *gateway.Route, parts apiParts) func(ctx context.Context) bool {
	if parts.permission == nil {
		return nil
	}
	to := &of.Integration
	return parts.permission(s.api, to.Function, to.Qualifier, s.api.Stages[0].Name+"/"+sourceOf(of.Key))
}

// path is the path of a request without the stage, with its percent-encoding. Recorded from REST
// APIs: //admin after the stage is /admin, so that it does not pass by the authorizer of that.
func (s *apiServer) path(r *http.Request) string {
	return apigateway.OneSlash(strings.TrimPrefix(r.URL.EscapedPath(), s.stagePath))
}

// signedPath is the method and the path of a request, as policies name it. One slash at the end does
// not count in REST APIs: a policy that closes /admin closes /admin/, too.
func (s *apiServer) signedPath(r *http.Request) string {
	path := s.path(r)
	if s.api.Protocol == gateway.REST && len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	return r.Method + path
}

func newBucket(t *gateway.Throttle) *rate.Limiter {
	if t == nil {
		return nil
	}
	return rate.NewLimiter(rate.Limit(t.Rate), t.Burst)
}

// responder makes what answers a route by its function.
func (s *apiServer) responder(app *App, of *gateway.Route, stage *gateway.Stage, reveals bool) (*responder, error) {
	to := &of.Integration
	i := &responder{
		log: s.log.With(zap.String("route", of.Key), zap.String("function", to.Function)),
		key: app.account().Key(to.Function), bodies: app.engine.Bodies(), refusals: app.setup.Refusals(),
		runs: app.setup.Runner(), function: to.Function, qualifier: cmp.Or(to.Qualifier, function.Latest),
		protocol: s.api.Protocol, gathers: to.Gathers, reveals: reveals,
		route: &apigateway.Route{
			Payload: to.Payload, Key: of.Key, Stage: stage.Name, StageVariables: stage.Variables,
			AccountID: app.Account, APIID: s.api.ID, ResourceID: of.ResourceID, BinaryTypes: s.api.BinaryTypes,
		},
	}
	return i, i.route.Prepare()
}

// serve answers a request by the route that takes it.
func (s *apiServer) serve(w http.ResponseWriter, r *http.Request) error { return s.observe(w, r) }

// answerTo answers a request whose ResponseWriter is its observation.
func (s *apiServer) answerTo(seen *observation, r *http.Request) error {
	var w http.ResponseWriter = seen
	if cors := s.api.Cors; cors != nil {
		if gateway.IsPreflight(r) {
			cors.Apply(w.Header(), r, true)
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		w = newCorsWriter(w, func(h http.Header) { cors.Apply(h, r, false) })
	}
	path := s.path(r)
	if apigateway.HasDots(path) {
		return refuseAPI(w, r, s.api.Protocol.Invalid(), errDots)
	}
	n, ok := s.table.Find(r.Method, path)
	if !ok {
		return refuseAPI(w, r, s.api.Protocol.NotFound(), errNoRoute)
	}
	route := &s.routes[n]
	seen.route = route
	from := &seen.from
	var given string // the API key that the authorizer gives
	if route.authorize != nil {
		grant, err := route.authorize(r, seen.from.requestID)
		if err != nil {
			return s.deny(w, r, route, err)
		}
		from.authorizer = grant.Of(route.of.Integration.Payload)
		given = grant.UsageKey
		if route.function == nil {
			r = r.WithContext(context.WithValue(r.Context(), authorizedKey{}, grant.Of(apigateway.V1)))
		}
	}
	if len(route.plans) > 0 || route.keyed != nil {
		var err error
		if from.client, err = route.client(r.Context(), s.apiKey(r, given)); err != nil {
			return refuseAPI(w, r, s.api.Protocol.Keyless(), err)
		}
	}
	if route.bucket != nil && !route.bucket.Allow() {
		return refuseAPI(w, r, s.api.Protocol.Throttled(), errOverRate)
	}
	if from.client != nil {
		if err := from.client.Allow(route.id); err != nil {
			return s.refuseClient(w, r, err)
		}
	}
	if err := route.validator.Parameters(r, &route.pattern, path); err != nil {
		refusal, _ := refusalOf(s.api.Protocol, err)
		return refuseAPI(w, r, refusal, err)
	}
	if route.of.Integration.Broken != "" {
		return refuseAPI(w, r, s.api.Protocol.Misconfigured(), errors.New(route.of.Integration.Broken))
	}
	route.setParameters(r, path)
	if route.mapping != nil {
		var err error
		if w, r, err = s.mapParameters(w, r, seen); err != nil {
			return refuseAPI(w, r, s.api.Protocol.Invalid(), err)
		}
	}
	seen.asked = time.Now()
	if route.function != nil {
		return s.call(w, r, route, seen)
	}
	return s.forward(w, r, route)
}

// A caller is what events tell of who sends a request.
type caller struct {
	requestID  string            // of the request; "": the invocation gets one
	authorizer []byte            // what its authorizer says, as JSON; nil: it has none
	client     *usageplan.Client // the owner of its API key; nil: the route needs none
}

// call answers a request by a function.
func (s *apiServer) call(w http.ResponseWriter, r *http.Request, route *servedRoute, seen *observation) error {
	if route.permitted != nil && !route.permitted(r.Context()) {
		return refuseAPI(w, r, s.api.Protocol.Misconfigured(), errNoPermission)
	}
	if route.timeout > 0 {
		ctx, cancel := context.WithTimeout(r.Context(), route.timeout)
		defer cancel()
		r = r.WithContext(ctx)
	}
	return route.function.respondTo(w, r, seen.from)
}

// setParameters sets the placeholders of path parameters, with their percent-encoding.
func (route *servedRoute) setParameters(r *http.Request, path string) {
	var taken [8]apigateway.Parameter
	if route.function != nil {
		return
	}
	repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	for _, p := range route.pattern.Match(taken[:0], path) {
		repl.Set(pathPlaceholder+p.Name, p.Value)
	}
}

// pathPlaceholder begins the names of the placeholders of path parameters.
const pathPlaceholder = "http.hearth.path."

// refuseAPI answers a request that no integration gets.
func refuseAPI(w http.ResponseWriter, r *http.Request, refusal gateway.Refusal, err error) error {
	if header := w.Header(); len(header["X-Amzn-Requestid"]) == 0 {
		header["X-Amzn-Requestid"] = []string{function.NewRequestID()}
	}
	return answerRefusal(w, r, refusal, refusal.Body(), err)
}
