package awsapi

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"strings"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/awsapi/access"
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
	// Gzip says that bodies may be compressed.
	Gzip bool
}

// An Operation answers a request. What it returns is the answer's body, nil for none.
type Operation func(r *Request) (any, error)

// A Request is a call of an operation.
type Request struct {
	*http.Request
	model.Route

	// Key is the access key that signed.
	Key *sigv4.Key

	protocol protocol
	body     []byte
	form     url.Values     // of the query protocol
	object   map[string]any // of a body in CBOR
	// probe gets the type that Read is asked for. nil: this is a request.
	probe *reflect.Type
}

// Read checks the request, and puts its members into the struct that in points to. Fields
// whose member is not given stay as they are.
func (r *Request) Read(in any) error {
	if r.probe != nil {
		if in != nil {
			*r.probe = reflect.TypeOf(in).Elem()
		}
		return errProbe
	}
	switch r.protocol {
	case query:
		return r.ReadForm(r.form, in)
	case rpcCBOR:
		return r.ReadObject(r.object, in)
	}
	return r.Route.Read(r.Request, r.body, in)
}

// A Checker is an input that refuses members by itself.
type Checker interface{ Check() error }

// Answer makes an operation of a function of its input.
func Answer[In, Out any](run func(ctx context.Context, in *In) (Out, error)) Operation {
	return func(r *Request) (any, error) {
		in := new(In)
		if err := r.Read(in); err != nil {
			return nil, err
		}
		if c, ok := any(in).(Checker); ok {
			if err := c.Check(); err != nil {
				return nil, err
			}
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
	Access   *access.Authority // what roles may do
	Account  function.Account
	Bodies   *bodies.Budget // the memory for bodies that wait; nil: they are not bounded
	Refusals *flood.Gate    // bounds what failed requests write to the log
	Log      *zap.Logger
}

// Serve answers a request that one of the services has an operation for, and reports whether
// it is one.
func (e *Endpoint) Serve(w http.ResponseWriter, r *http.Request) bool {
	service, route, p := e.find(r)
	if service == nil {
		return false
	}
	id := function.NewRequestID()
	w.Header()["X-Amzn-Requestid"] = []string{id}
	route, out, err := e.run(service, p, w, r, route)
	if err != nil {
		e.refuse(service, p, w, r, err)
		return true
	}
	if p == query {
		p.mark(service, w.Header())
		_, _ = w.Write(service.queryAnswer(route.Name, out, id)) // the client may be gone
		return true
	}
	service.write(p, w, route.Status, out)
	return true
}

func (e *Endpoint) run(s *Service, p protocol, w http.ResponseWriter, r *http.Request, route model.Route) (model.Route, any, error) {
	var share bodies.Share
	defer share.End()
	body, key, err := e.authorize(s, w, r, &share)
	if err != nil {
		return route, nil, err
	}
	if body, err = s.inflate(r, body); err != nil {
		return route, nil, err
	}
	q := &Request{Request: r, Route: route, Key: key, protocol: p, body: body}
	switch p {
	case query:
		q.Route, q.form, err = s.action(r, body)
		route = q.Route
	case rpcCBOR:
		q.object, err = decodeCBOR(body)
	}
	if err != nil {
		return route, nil, err
	}
	if key.ReadOnly && !readOnly(route.Name) {
		return route, nil, &Exception{Name: "AccessDeniedException", Status: http.StatusForbidden, Message: "User: " + key.ARN(e.Account.ID) +
			" is not authorized to perform: " + s.prefix() + ":" + route.Name + " because its access key is read-only"}
	}
	if key.Role != nil {
		if err := e.permit(s, q); err != nil {
			return route, nil, err
		}
	}
	run := s.Operations[route.Name]
	if run == nil {
		return route, nil, &Exception{Name: s.unknown(p), Message: "operation " + route.Name + " is not supported: " + s.Unsupported(route.Name)}
	}
	out, err := run(q)
	return route, out, err
}

// prefix is what the names of the service's actions begin with.
func (s *Service) prefix() string {
	if s.Model.Scope == "monitoring" {
		return "cloudwatch"
	}
	return s.Model.Scope
}

// permit asks the policies of a role whether it may call an operation.
func (e *Endpoint) permit(s *Service, r *Request) (err error) {
	var members map[string]any
	switch r.protocol {
	case query:
		members, err = r.FormMembers(r.form)
	case rpcCBOR:
		members, err = r.ObjectMembers(r.object)
	default:
		members, err = r.Members(r.Request, r.body)
	}
	if err != nil {
		return err
	}
	in := &access.Input{JSON: members, HTTP: r.Request}
	needs, err := e.Access.Needs(r.Context(), s.Model.Scope, r.Name, in)
	if err != nil {
		return err
	}
	return e.Access.Check(r.Context(), r.Key, r.Request, needs...)
}

// unknown is the name of the exception for an operation that is not answered.
func (s *Service) unknown(p protocol) string {
	switch p {
	case query:
		return "InvalidAction"
	case awsJSON, rpcCBOR:
		return "UnknownOperationException"
	}
	return s.Invalid
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

func (s *Service) write(p protocol, w http.ResponseWriter, status int, out any) {
	if _, empty := out.(None); empty {
		out = nil
	}
	if out == nil && p == restJSON {
		w.WriteHeader(status)
		return
	}
	p.mark(s, w.Header())
	body, contentType := []byte("{}"), w.Header().Get("Content-Type")
	if p == rpcCBOR {
		if out == nil {
			out = struct{}{}
		}
		body = encodeCBOR(out)
	} else if raw, ok := out.(*Raw); ok {
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
