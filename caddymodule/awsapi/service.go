package awsapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/awsapi/foreign"
	"github.com/hearthfn/hearth/caddymodule/awsapi/model"
	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
	"github.com/hearthfn/hearth/warmpool/bodies"
	"github.com/hearthfn/hearth/warmpool/flood"
	"github.com/hearthfn/hearth/warmpool/function"
)

// A Service answers the calls of one AWS service.
type Service struct {
	Model      *model.Model
	Operations map[string]Operation
	// Unsupported says of an operation that is not in Operations why it is not, as the end of
	// a sentence.
	Unsupported func(operation string) string
	// Exception makes the exception of an error that the client is to blame for; nil for
	// other errors.
	Exception func(err error) *Exception
	// Invalid is the name of the exception for requests that the model does not allow.
	Invalid string
	// Violation is the name if a member violates the model. Default: Invalid.
	Violation string
	// MaxBody is the largest body, in bytes.
	MaxBody int64
}

// An Operation answers a request. What it returns is the answer's body, nil for none.
type Operation func(r *Request) (any, error)

// A Request is a call of an operation.
type Request struct {
	*http.Request
	model.Route

	body []byte
}

// Read checks the request, and puts its members into the struct that in points to. Fields
// whose member is not given stay as they are.
func (r *Request) Read(in any) error { return r.Route.Read(r.Request, r.body, in) }

// Answer makes an operation of a function of its input.
func Answer[In, Out any](run func(ctx context.Context, in *In) (Out, error)) Operation {
	return func(r *Request) (any, error) {
		in := new(In)
		if err := r.Read(in); err != nil {
			return nil, err
		}
		return run(r.Context(), in)
	}
}

// A Raw is an answer that is no JSON of the operation's output.
type Raw struct {
	ContentType string
	Body        []byte
}

// None is the answer of an operation that has none.
type None struct{}

// An Endpoint answers the calls of several services.
type Endpoint struct {
	Services []*Service
	Verifier *sigv4.Verifier
	Account  function.Account
	Bodies   *bodies.Budget // the memory for bodies that wait; nil: they are not bounded
	Refusals *flood.Gate    // bounds what failed requests write to the log
	Log      *zap.Logger
}

// Serve answers a request that one of the services has an operation for, and reports whether
// it is one.
func (e *Endpoint) Serve(w http.ResponseWriter, r *http.Request) bool {
	service, route := e.find(r)
	if service == nil {
		return false
	}
	id := function.NewRequestID()
	w.Header()["X-Amzn-Requestid"] = []string{id}
	out, err := e.run(service, w, r, route)
	if err != nil {
		e.refuse(service, w, r, err)
		return true
	}
	service.write(w, route.Status, out)
	return true
}

// find finds the service and the operation of a call.
func (e *Endpoint) find(r *http.Request) (*Service, model.Route) {
	target := r.Header.Get("X-Amz-Target")
	scope := foreign.Service(r)
	for _, s := range e.Services {
		if s.Model.Protocol == "json" {
			prefix, name, found := strings.Cut(target, ".")
			if found && prefix == s.Model.TargetPrefix {
				if route, ok := s.Model.Operation(name); ok {
					return s, route
				}
			}
			continue
		}
		// Services may share a scope, as those of API Gateway do.
		if scope != s.Model.Scope {
			continue
		}
		if route, _ := s.Model.Match(r.Method, r.URL); route.Operation != nil {
			return s, route
		}
	}
	return nil, model.Route{}
}

func (e *Endpoint) run(s *Service, w http.ResponseWriter, r *http.Request, route model.Route) (any, error) {
	var share bodies.Share
	defer share.End()
	body, key, err := e.authorize(s, w, r, &share)
	if err != nil {
		return nil, err
	}
	if key.ReadOnly && !readOnly(route.Name) {
		return nil, &Exception{Name: "AccessDeniedException", Status: http.StatusForbidden, Message: "User: arn:aws:iam::" + e.Account.ID +
			":user/" + key.ID + " is not authorized to perform: " + s.Model.Scope + ":" + route.Name + " because its access key is read-only"}
	}
	run := s.Operations[route.Name]
	if run == nil {
		return nil, &Exception{Name: s.Invalid, Message: "operation " + route.Name + " is not supported: " + s.Unsupported(route.Name)}
	}
	return run(&Request{Request: r, Route: route, body: body})
}

// How quickly a body must come, in bytes per second, to keep its memory when there is none
// left; see bodies.Intake.
const slowest = 16 << 10

// authorize verifies a request's signature and reads its body.
func (e *Endpoint) authorize(s *Service, w http.ResponseWriter, r *http.Request, share *bodies.Share) ([]byte, *sigv4.Key, error) {
	check, err := e.Verifier.Begin(r, s.Model.Scope)
	if err != nil {
		return nil, nil, err
	}
	intake := bodies.Intake{Most: s.MaxBody, Weight: 6, Budget: e.Bodies, Rate: slowest}
	if check.Proven() {
		intake.Rate = 0
	}
	body, err := intake.Read(w, r, nil, share)
	if err != nil {
		return nil, nil, s.unread(err)
	}
	key, err := check.Finish(body)
	return body, key, err
}

// readOnly reports whether an operation changes nothing.
func readOnly(operation string) bool {
	for _, verb := range []string{"Get", "List", "Describe", "Export"} {
		if strings.HasPrefix(operation, verb) {
			return true
		}
	}
	return false
}

// contentType is that of the service's answers.
func (s *Service) contentType() string {
	if s.Model.Protocol == "json" {
		return "application/x-amz-json-" + s.Model.JSONVersion
	}
	return "application/json"
}

func (s *Service) write(w http.ResponseWriter, status int, out any) {
	if _, empty := out.(None); empty {
		out = nil
	}
	if out == nil && s.Model.Protocol != "json" {
		w.WriteHeader(status)
		return
	}
	body, contentType := []byte("{}"), s.contentType()
	if raw, ok := out.(*Raw); ok {
		body, contentType = raw.Body, raw.ContentType
	} else if out != nil {
		var err error
		if body, err = json.Marshal(out); err != nil {
			panic(err) // outputs are plain structs
		}
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone
}
