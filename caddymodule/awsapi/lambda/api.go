package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/awsapi/access"
	"github.com/hearthfn/hearth/caddymodule/awsapi/autoscaling"
	"github.com/hearthfn/hearth/caddymodule/awsapi/logs"
	"github.com/hearthfn/hearth/caddymodule/awsapi/model"
	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
	"github.com/hearthfn/hearth/invoker"
	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/bodies"
	"github.com/hearthfn/hearth/warmpool/code"
	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/flood"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// An Invoker runs functions. *warmpool.Catalog is one.
type Invoker interface {
	warmpool.Runner
	// Refresh is called after a version, an alias or the function has changed or
	// gone. When it returns, no new call runs what was there before.
	Refresh(ctx context.Context, name, qualifier string) error
	// Initialize has an environment of the call's function ready, and runs nothing in it.
	Initialize(ctx context.Context, call *environment.Call) error
	// Initialized is how many environments of a qualifier are ready on this node. failed
	// is why the last start failed, an *environment.InitError if the function's code is to
	// blame; nil if it succeeded.
	Initialized(ctx context.Context, name, qualifier string) (n int, failed, err error)
}

// A Queue keeps asynchronous invocations.
type Queue interface {
	// Push returns nil when the events will be delivered, whatever happens to this
	// process. invoker.ErrFull says that as many wait as may.
	Push(ctx context.Context, events ...*invoker.Message) error
}

// A Bucket reads objects of an S3-compatible store.
type Bucket interface {
	// Open returns the bytes of an object; version may be "". The error is *S3Error
	// when the store refuses.
	Open(ctx context.Context, bucket, key, version string) (io.ReadCloser, error)
}

// An S3Error is a store's refusal.
type S3Error struct {
	Code, Message string // e.g. NoSuchKey
}

func (e *S3Error) Error() string { return e.Code + ": " + e.Message }

// Config of an API. All fields but Queue, Bucket, Logs and Bodies are required.
type Config struct {
	Registry *registry.Registry
	Code     *code.Store
	Invoker  Invoker
	Verifier *sigv4.Verifier
	Account  function.Account
	// Check says whether a function can run on this node: the runtime is known.
	Check func(ctx context.Context, f *function.Function) error
	// RuntimeVersion tells which program serves a runtime on this node, e.g. nodejs-22.23.5,
	// and, in a sentence, that it is of another version than the runtime names.
	RuntimeVersion func(runtime string) (version, warning string)
	// URL is the address of the function URL of an ID, with a slash at the end. "" says
	// that this server has no function URLs.
	URL func(id string) string
	// Access says what roles may do, and Role finds a role by its ARN, nil if there is none.
	Access *access.Authority
	Role   func(ctx context.Context, arn string) (*access.Grant, error)

	// LinkKey signs the addresses that code is downloaded from. All nodes have the
	// same.
	LinkKey []byte
	// Concurrency is how many invocations run at once at most, in all.
	Concurrency int

	// Mapping says whether this server can poll for an event source mapping, and fills
	// in the defaults of its source. nil: mappings are refused.
	Mapping func(m *registry.Mapping) error

	// Source returns an error in AWS's words if the source of a new mapping does not exist. It
	// returns nil if the source does not answer now. nil: sources are not checked.
	Source func(ctx context.Context, m *registry.Mapping) error

	// Destination says whether this server can deliver to a destination or dead-letter
	// queue that is no function. nil: it delivers to none.
	Destination func(arn string) error

	Queue  Queue     // nil: asynchronous invocations are refused
	Bucket Bucket    // nil: code in a bucket is refused
	Logs   *logs.API // nil: calls of CloudWatch Logs are passed on

	// Scaling answers calls of Application Auto Scaling. nil: they are passed on.
	Scaling *autoscaling.API

	// Ignore are the settings of functions that are kept and given back though nothing
	// acts on them; see CheckIgnore. Without it they are refused.
	Ignore []string

	// Refusals bounds what requests write to the log that fail for the server's reasons.
	Refusals *flood.Gate

	// Bodies is the memory for bodies that wait; nil: they are not bounded.
	Bodies *bodies.Budget

	Log *zap.Logger
}

// An API answers the Lambda API.
type API struct {
	Config
	model   *model.Model
	calls   sync.Pool
	ignored ignored
	large   *bodies.Budget // of bodies that are larger than any event
}

// New makes an API.
func New(c Config) *API {
	return &API{Config: c, model: newModel(), large: bodies.New(largeMB), calls: sync.Pool{New: func() any { return &exchange{call: environment.NewCall()} }}}
}

// Model is the model of the API.
func (a *API) Model() *model.Model { return a.model }

// Serve answers a request for this API, and reports whether it is one: its path is one of
// Lambda's, its header names an operation of CloudWatch Logs or Application Auto Scaling, or it fetches code by an
// address that this API gave out. All other requests are for the rest of the site.
func (a *API) Serve(w http.ResponseWriter, r *http.Request) bool {
	var route model.Route
	if !a.isLogs(r) && !a.isScaling(r) && !isLink(r) {
		var known bool
		if route, known = a.model.Match(r.Method, r.URL); !known {
			return false
		}
	}
	a.answer(w, r, route)
	return true
}

// ServeHTTP answers a request, whichever it is.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	route, _ := a.model.Match(r.Method, r.URL)
	a.answer(w, r, route)
}

func isLink(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, linkPath) }

func (a *API) isLogs(r *http.Request) bool {
	return a.Logs != nil && hasTarget(r, logs.TargetPrefix)
}

func (a *API) isScaling(r *http.Request) bool {
	return a.Scaling != nil && hasTarget(r, autoscaling.TargetPrefix)
}

// hasTarget reports whether a request is one of AWS's JSON protocol for a service.
func hasTarget(r *http.Request, prefix string) bool {
	return r.Method == http.MethodPost && r.URL.Path == "/" && strings.HasPrefix(r.Header.Get("X-Amz-Target"), prefix)
}

func (a *API) answer(w http.ResponseWriter, r *http.Request, route model.Route) {
	id := function.NewRequestID()
	w.Header()["X-Amzn-Requestid"] = []string{id}
	var err error
	switch {
	case a.isLogs(r):
		err = a.serveLogs(w, r)
	case a.isScaling(r):
		err = a.serveScaling(w, r)
	case isLink(r):
		err = a.serveLink(w, r)
	default:
		err = a.serve(w, r, route, id)
	}
	if err != nil {
		a.refuse(w, r, err)
	}
}

// A request is what an operation answers.
type request struct {
	*http.Request
	model.Route

	w        http.ResponseWriter
	id       string
	body     []byte
	exchange *exchange

	clientContext string // of an invocation
}

// read puts the members that the request has into the struct that in points to.
func (r *request) read(in any) error { return r.Route.Read(r.Request, r.body, in) }

// An operation answers a request. It returns an error only when it has not
// answered.
type operation func(a *API, r *request) error

// answer makes an operation of a method that returns what is answered as JSON.
func answer[In, Out any](run func(a *API, r *request, in *In) (Out, error)) operation {
	return func(a *API, r *request) error {
		in := new(In)
		if err := r.read(in); err != nil {
			return err
		}
		out, err := run(a, r, in)
		if err != nil {
			return err
		}
		return writeJSON(r.w, r.Status, out)
	}
}

// none is the answer of operations that have none.
type none struct{}

func writeJSON(w http.ResponseWriter, status int, value any) error {
	if _, empty := value.(none); empty {
		w.WriteHeader(status)
		return nil
	}
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone
	return nil
}

func (a *API) serve(w http.ResponseWriter, r *http.Request, route model.Route, id string) error {
	if route.Operation == nil {
		return exception("AccessDeniedException", "Unable to determine service/operation name to be authorized")
	}
	x := a.calls.Get().(*exchange)
	defer func() {
		x.reset()
		a.calls.Put(x)
	}()
	key, err := a.authorize(w, r, x, "lambda", route.Name, limitOf(route.Name))
	if err != nil {
		return err
	}
	if key.ReadOnly && !readOnly(route.Name) {
		return a.forbid(key, "lambda:"+actionOf(route.Name))
	}
	if key.Role != nil {
		if err := a.permit(r, key, route, x.body); err != nil {
			return err
		}
	}
	run := operations[route.Name]
	if run == nil {
		return exception("InvalidParameterValueException", "operation "+route.Name+" is not supported: "+unsupported[route.Name])
	}
	return run(a, &request{Request: r, Route: route, w: w, id: id, body: x.body, exchange: x})
}

// authorize verifies a request's signature and reads its body.
func (a *API) authorize(w http.ResponseWriter, r *http.Request, x *exchange, service, operation string, limit int64) (*sigv4.Key, error) {
	check, err := a.Verifier.Begin(r, service)
	if err != nil {
		return nil, err
	}
	if err := a.readBody(x, w, r, operation, limit, check.Proven()); err != nil {
		return nil, err
	}
	return check.Finish(x.body)
}

// readOnly reports whether an operation changes nothing and runs nothing.
func readOnly(operation string) bool {
	return strings.HasPrefix(operation, "Get") || strings.HasPrefix(operation, "List")
}

// actionOf is what IAM calls an operation.
func actionOf(operation string) string {
	if strings.HasPrefix(operation, "Invoke") {
		return "InvokeFunction"
	}
	return operation
}

func (a *API) forbid(key *sigv4.Key, action string) error {
	return exception("AccessDeniedException", "User: "+key.ARN(a.Account.ID)+
		" is not authorized to perform: "+action+" because its access key is read-only")
}

// serveLogs answers a call of CloudWatch Logs.
func (a *API) serveLogs(w http.ResponseWriter, r *http.Request) error {
	x := a.calls.Get().(*exchange)
	defer func() {
		x.reset()
		a.calls.Put(x)
	}()
	key, err := a.authorize(w, r, x, "logs", strings.TrimPrefix(r.Header.Get("X-Amz-Target"), logs.TargetPrefix), logs.MaxBody(r.Header.Get("X-Amz-Target")))
	if err != nil {
		return err
	}
	target := r.Header.Get("X-Amz-Target")
	if key.ReadOnly && !logs.ReadOnly(target) {
		return a.forbid(key, "logs:"+strings.TrimPrefix(target, logs.TargetPrefix))
	}
	if err := a.permitTarget(r, key, "logs", strings.TrimPrefix(target, logs.TargetPrefix), x.body); err != nil {
		return err
	}
	a.Logs.Serve(w, r, x.body)
	return nil
}

// serveScaling answers a call of Application Auto Scaling.
func (a *API) serveScaling(w http.ResponseWriter, r *http.Request) error {
	x := a.calls.Get().(*exchange)
	defer func() {
		x.reset()
		a.calls.Put(x)
	}()
	name := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), autoscaling.TargetPrefix)
	key, err := a.authorize(w, r, x, autoscaling.Service, name, autoscaling.MaxBody)
	if err != nil {
		return err
	}
	if key.ReadOnly && !autoscaling.ReadOnly(name) {
		return a.forbid(key, autoscaling.Service+":"+name)
	}
	if err := a.permitTarget(r, key, autoscaling.Service, name, x.body); err != nil {
		return err
	}
	a.Scaling.Serve(w, r, name, x.body)
	return nil
}

// refresh makes the pool apply a change. The change itself is stored, so a failure of refresh
// does not fail the call.
func (a *API) refresh(ctx context.Context, name, qualifier string) {
	err := a.Invoker.Refresh(ctx, name, qualifier)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		a.Log.Warn("taking over a changed function failed", zap.String("function", name), zap.String("qualifier", qualifier), zap.Error(err))
	}
}
