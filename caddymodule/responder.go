package caddymodule

import (
	"bytes"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/bodies"
	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/flood"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/runtimes"
	"github.com/hearthfn/hearth/warmpool/trace"
)

// maxEvent is Lambda's limit for a synchronous request in bytes.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxEvent = runtimes.MaxResponse

// A responder answers requests by a function.
type responder struct {
	log *zap.Logger
	// refusals bounds what it logs of requests that were not its function's to answer.
	refusals *flood.Gate
	runs     warmpool.Runner
	// function and qualifier are what runs.
	function, qualifier string
	// gathers says that what the function streams is answered as a whole.
	gathers bool
	route   *apigateway.Route
	key     trace.Key // of the function
	// bodies is the memory for bodies that wait.
	bodies *bodies.Budget
	// protocol is the kind of API that the route is of. "": of none.
	protocol gateway.Protocol
	// asIs says that a response which is not streamed goes out as the JSON that it is,
	// as recorded from function URLs of InvokeMode RESPONSE_STREAM.
	asIs bool
	// reveals says that a failing invocation is answered with the function's error.
	reveals bool
	// begin, if set, checks the sender of a request. The function that it returns gets the
	// body once it is read.
	begin signing
	// validator, if set, checks requests.
	validator *gateway.Validator
	// parameters, if set, are those of the path that the configuration makes.
	parameters func(r *http.Request) []apigateway.Parameter
	// stagePath is the stage as paths begin with it, and mapped says that it is a base path; see
	// apigateway.Context.
	stagePath string
	mapped    bool
}

func (i *responder) respond(w http.ResponseWriter, r *http.Request) error {
	return i.respondTo(w, r, caller{})
}

// respondTo answers a request of a caller.
func (i *responder) respondTo(w http.ResponseWriter, r *http.Request, from caller) error {
	x := exchanges.Get().(*exchange)
	x.from = from
	err := i.serve(w, r, x)
	x.reset()
	exchanges.Put(x)
	return err
}

func (i *responder) serve(w http.ResponseWriter, r *http.Request, x *exchange) error {
	call := x.call
	call.Function, call.Qualifier, call.RequestID = i.function, i.qualifier, x.from.requestID
	if call.RequestID == "" {
		call.RequestID = function.NewRequestID()
		w.Header()["X-Amzn-Requestid"] = []string{call.RequestID}
	}
	if err := i.read(w, r, x); err != nil {
		return i.refuse(w, r, call, err)
	}
	if err := i.encode(r, x); err != nil {
		return i.refuse(w, r, call, err)
	}
	if !i.gathers {
		x.stream = responseStream{w: w, route: i.route}
		call.Stream = &x.stream
	}
	if err := i.runs.Invoke(r.Context(), call); err != nil {
		return i.refuse(w, r, call, err)
	}
	if call.Streamed && call.Stream != nil {
		return i.endStream(w, r, x)
	}
	if call.Outcome != environment.OutcomeResult {
		return i.refuse(w, r, call, &functionError{call.Outcome, call.Payload})
	}
	status, body, err := i.decode(call, w.Header())
	if err != nil {
		clear(w.Header())
		return i.refuse(w, r, call, err)
	}
	w.WriteHeader(status)
	// An error here means that the client is gone; nothing is left to tell it.
	_, _ = w.Write(body)
	return nil
}

// decode reads a whole response, which may be a stream that was gathered.
func (i *responder) decode(call *environment.Call, h http.Header) (status int, body []byte, err error) {
	if call.Streamed {
		// JSON has no NUL bytes.
		if prelude, rest, found := bytes.Cut(call.Payload, []byte(preludeEnd)); found {
			status, err = i.route.DecodePrelude(prelude, h)
			return status, rest, err
		}
	}
	if i.asIs {
		h["Content-Type"] = []string{"application/json"}
		return http.StatusOK, call.Payload, nil
	}
	return i.route.DecodeResponse(call.Payload, h)
}

// read reads the body, and checks whom it is from.
func (i *responder) read(w http.ResponseWriter, r *http.Request, x *exchange) error {
	if i.begin == nil {
		if err := x.readBody(w, r, i.bodies); err != nil || i.validator == nil {
			return err
		}
		return validate(r, i.validator, x.body, &x.share, i.bodies)
	}
	finish, err := i.begin(r)
	if err != nil {
		return err
	}
	if err := x.readBody(w, r, i.bodies); err != nil {
		return err
	}
	x.identity, err = finish(x.body)
	if seen := observationOf(w); seen != nil {
		seen.identity = x.identity
	}
	if err != nil {
		return err
	}
	return validate(r, i.validator, x.body, &x.share, i.bodies)
}

// encode makes the invoke frame with the request as its event.
func (i *responder) encode(r *http.Request, x *exchange) error {
	call := x.call
	// Nobody vouches for a web client's word on what has run before. Lambda looks for no
	// loops through HTTP either.
	call.TraceID, _ = trace.Next(trace.Of(r.Context(), trace.Foreign(r.Header.Get(traceHeader))), i.key)
	if len(r.Header[traceHeader]) == 0 {
		r.Header[traceHeader] = []string{call.TraceID[:trace.RootSize]}
	}
	if err := call.Begin(""); err != nil {
		return &requestError{http.StatusRequestHeaderFieldsTooLarge, err}
	}
	context := apigateway.Context{
		RequestID: call.RequestID, Time: time.Now(), SourceIP: sourceIP(r),
		IAM: x.identity, Authorizer: x.from.authorizer, StagePath: i.stagePath, Mapped: i.mapped,
	}
	if c := x.from.client; c != nil {
		context.APIKey, context.APIKeyID = c.Value, c.ID
	}
	context.TrustedProxy, _ = caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	if i.parameters != nil {
		context.PathParameters = i.parameters(r)
	}
	if len(x.body) > bodies.Small {
		if err := x.makeRoom(i, r.Header); err != nil {
			return err
		}
	}
	var err error
	call.Frame, err = i.route.AppendEvent(call.Frame, r, x.body, &context)
	if err != nil {
		return &requestError{http.StatusBadRequest, err}
	}
	if size := len(call.Event()); size > maxEvent {
		return &requestError{http.StatusRequestEntityTooLarge, fmt.Errorf("the event is %d bytes long, %d at most", size, maxEvent)}
	}
	if len(x.body) > bodies.Small {
		x.body = nil // the event has it
		x.share.Keep(cap(call.Frame))
	}
	return nil
}

// sourceIP is the client's address as Caddy determined it, trusted proxies
// considered.
func sourceIP(r *http.Request) string {
	ip, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	return ip
}

// traceHeader is the trace header's name as keys of http.Header have it.
const traceHeader = "X-Amzn-Trace-Id"
