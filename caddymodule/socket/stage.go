package socket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/flood"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/trace"
)

// StageConfig is what a Stage needs.
type StageConfig struct {
	// API has one stage, and was checked.
	API     *gateway.API
	Account function.Account
	// Runs runs the functions.
	Runs warmpool.Runner
	// Permitted, if set, says whether the policy of a route's function lets the API call it.
	Permitted func(route *gateway.Route) func(ctx context.Context) bool
	// Authorize, if set, makes what decides who may connect; nil: everybody may.
	Authorize Authorize
	Refusals  *flood.Gate // bounds the log messages about functions that fail
	Log       *zap.Logger
}

// Authorize decides whether a client may connect, and puts what it knows of the client into to.
// event makes the event of an authorizer by the ARN that it is asked about. The error is an
// *authorizer.Denial.
type Authorize func(r *http.Request, to *apigateway.Socket, event func(arn string) []byte) error

// A Stage says what answers the sockets of one stage of an API.
type Stage struct {
	StageConfig
	selection *gateway.Selection
	routes    map[string]*route
	bucket    *rate.Limiter // nil: there is no limit
	variables []byte
	decoder   apigateway.Route
}

// A route is a route of a stage and what it needs to run.
type route struct {
	of        *gateway.Route
	key       trace.Key     // of the function
	bucket    *rate.Limiter // nil: there is no limit
	permitted func(ctx context.Context) bool
}

// NewStage makes a stage.
func NewStage(c StageConfig) (*Stage, error) {
	s := &Stage{StageConfig: c, routes: make(map[string]*route, len(c.API.Routes))}
	var err error
	if s.selection, err = gateway.ParseSelection(c.API.RouteSelection); err != nil {
		return nil, err
	}
	s.decoder.Payload = apigateway.V1
	if err := s.decoder.Prepare(); err != nil {
		return nil, err
	}
	stage := &c.API.Stages[0]
	s.bucket, s.variables = newBucket(stage.Throttle), apigateway.SocketVariables(stage.Variables)
	s.Log = s.Log.With(zap.String("api", c.API.ID))
	for n := range c.API.Routes {
		of := &c.API.Routes[n]
		r := &route{of: of, key: c.Account.Key(of.Integration.Function), bucket: s.bucket}
		if of.Throttle != nil {
			r.bucket = newBucket(of.Throttle)
		}
		if c.Permitted != nil {
			r.permitted = c.Permitted(of)
		}
		s.routes[of.Key] = r
	}
	return s, nil
}

func newBucket(t *gateway.Throttle) *rate.Limiter {
	if t == nil {
		return nil
	}
	return rate.NewLimiter(rate.Limit(t.Rate), t.Burst)
}

// Name is the name of the stage.
func (s *Stage) Name() string { return s.API.Stages[0].Name }

// routeOf is the route of a message, nil if none takes it.
func (s *Stage) routeOf(message []byte) *route {
	if key, ok := s.selection.Key(message); ok && key != gateway.ConnectRoute && key != gateway.DisconnectRoute {
		if r := s.routes[key]; r != nil {
			return r
		}
	}
	return s.routes[gateway.DefaultRoute]
}

// isOver takes one from the route's bucket, or reports that it is empty.
func (r *route) isOver() bool { return r.bucket != nil && !r.bucket.Allow() }

// errNoPermission: see AddPermission.
var errNoPermission = errors.New("the policy of the function does not let the API call it: see AddPermission")

// A failure is an outcome of a function that is not its result.
type failure struct {
	outcome environment.Outcome
	payload []byte
}

func (f *failure) Error() string {
	return fmt.Sprintf("the function ended by %s: %.1000s", f.outcome, f.payload)
}

// calls saves the memory of calls that are over.
var calls = sync.Pool{New: func() any { return environment.NewCall() }}

// run calls the function of a route. event appends its event; result gets what it answers,
// which is only valid during the call. header is the trace header of a client.
func (s *Stage) run(ctx context.Context, r *route, header string, event func(dst []byte) []byte, result func(payload []byte) error) error {
	if r.permitted != nil && !r.permitted(ctx) {
		return errNoPermission
	}
	to := &r.of.Integration
	if to.Broken != "" {
		return errors.New(to.Broken)
	}
	if to.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(to.Timeout)*time.Millisecond)
		defer cancel()
	}
	call := calls.Get().(*environment.Call)
	defer func() {
		call.Reset()
		calls.Put(call)
	}()
	call.Function, call.Qualifier, call.RequestID = to.Function, cmp.Or(to.Qualifier, function.Latest), function.NewRequestID()
	call.TraceID, _ = trace.Next(trace.Foreign(header), r.key)
	if err := call.Begin(""); err != nil {
		return err
	}
	call.Frame = event(call.Frame)
	if err := s.Runs.Invoke(ctx, call); err != nil {
		return err
	}
	if call.Outcome != environment.OutcomeResult {
		return &failure{call.Outcome, append([]byte(nil), call.Payload...)}
	}
	return result(call.Payload)
}

// decode reads the answer of a function.
func (s *Stage) decode(payload []byte, h http.Header) (status int, body []byte, err error) {
	return s.decoder.DecodeResponse(payload, h)
}

// told is what a client is told of an error of run.
func told(err error) (status int, message string) {
	var f *failure
	switch {
	case errors.As(err, &f) && f.outcome == environment.OutcomeTimeout, errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout, "Endpoint request timed out"
	case errors.As(err, new(*warmpool.ThrottledError)):
		return http.StatusTooManyRequests, "Too Many Requests"
	}
	return http.StatusBadGateway, "Internal server error"
}

// tell logs an error of run.
func (s *Stage) tell(r *route, connectionID string, err error) {
	s.Refusals.Tell(s.Log, zap.ErrorLevel, "function of a websocket failed", r.of.Key, func() []zap.Field {
		return []zap.Field{
			zap.String("route", r.of.Key), zap.String("function", r.of.Integration.Function),
			zap.String("connection", connectionID), zap.Error(err),
		}
	})
}
