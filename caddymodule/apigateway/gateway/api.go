package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/accesslog"
)

// A Protocol is a kind of API.
type Protocol string

// The kinds of APIs. They differ in how routes are chosen, in events and in errors.
const (
	HTTP      Protocol = "HTTP"
	REST      Protocol = "REST"
	WebSocket Protocol = "WEBSOCKET"
)

// An API is a whole API. The zero values of its fields are AWS's defaults.
type API struct {
	// ID is in the API's address, in events and in ARNs.
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
	// Protocol is HTTP, REST or WebSocket. Default: HTTP.
	Protocol Protocol `json:"protocol,omitempty"`
	Routes   []Route  `json:"routes,omitempty"`
	// Stages are named in events. Default: one stage, with the name of DefaultStage.
	Stages []Stage `json:"stages,omitempty"`
	// Cors says what browsers may do. nil: the integrations say it.
	Cors *Cors `json:"cors,omitempty"`
	// BinaryTypes are content types whose bodies are always base64 in events.
	BinaryTypes []string `json:"binaryTypes,omitempty"`
	// RouteSelection makes the route key of a message; only of a WebSocket API. Default:
	// DefaultSelection.
	RouteSelection string `json:"routeSelection,omitempty"`
	// KeySource says where the API key of a request is. Default: KeyInHeader.
	KeySource KeySource `json:"keySource,omitempty"`
	// Authorizers are those that the API itself has. Routes may name others, which the
	// configuration has.
	Authorizers []Authorizer `json:"authorizers,omitempty"`
	// Models are JSON schemas by name, which validations of routes name; only of a REST API.
	Models map[string]string `json:"models,omitempty"`
	// Responses are what clients get if no integration answers; only of a REST API. Default: those
	// of API Gateway.
	Responses map[ResponseType]Response `json:"responses,omitempty"`
}

// A KeySource is where API keys are.
type KeySource string

// Where API keys are: in the header X-Api-Key, or in what the authorizer answers
// (usageIdentifierKey), so that clients need not know them.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-key-source.html
const (
	KeyInHeader     KeySource = "HEADER"
	KeyByAuthorizer KeySource = "AUTHORIZER"
)

// A Route says which requests it takes and who answers them.
type Route struct {
	// Key is "$default", or a method (or ANY) and a path: "GET /pets/{id}", "ANY /{proxy+}".
	Key         string      `json:"key"`
	Integration Integration `json:"integration"`
	// ResourceID is the resource of a REST API that the route is a method of. "": none.
	ResourceID string `json:"resourceId,omitempty"`
	// Authorization says who may call. Default: everybody.
	Authorization Authorization `json:"authorization,omitzero"`
	// UsagePlans are the names of those whose API keys open the route. Default: it needs no key.
	UsagePlans []string `json:"usagePlans,omitempty"`
	// KeyRequired says that the API keys of the stage's usage plans open the route, which the API
	// itself does not know.
	KeyRequired bool `json:"keyRequired,omitempty"`
	// Throttle bounds the calls of this route. nil: the stage's counts.
	Throttle *Throttle `json:"throttle,omitempty"`
	// Validation says what requests must have. nil: they are not checked.
	Validation *Validation `json:"validation,omitempty"`
	// Responds sends what the function answers to the client; only of a WebSocket API.
	Responds bool `json:"responds,omitempty"`
}

// IntegrationType is how a route's requests are answered.
type IntegrationType string

// The types of integrations.
const (
	Lambda    IntegrationType = "AWS_PROXY"
	HTTPProxy IntegrationType = "HTTP_PROXY"
	Mocked    IntegrationType = "MOCK" // only of REST APIs
	// Mapped calls a function with an event that a template makes, and makes the answer of what the
	// function says; only of REST APIs.
	Mapped IntegrationType = "AWS"
)

// An Integration answers the requests of a route.
type Integration struct {
	Type IntegrationType `json:"type"`
	// Function and Qualifier are what a Lambda or Mapped integration calls. Default of Qualifier: $LATEST.
	Function  string `json:"function,omitempty"`
	Qualifier string `json:"qualifier,omitempty"`
	// Payload is the format of the event. Default: 2.0 of an HTTP API, 1.0 of a REST API.
	Payload apigateway.Payload `json:"payload,omitempty"`
	// URI is where an HTTPProxy sends requests: https://HOST[:PORT][/PATH]. {name} in the
	// path is a path parameter. Without a path, that of the request is kept.
	URI string `json:"uri,omitempty"`
	// Method is that of the requests of an HTTPProxy. "": that of the request.
	Method string `json:"method,omitempty"`
	// Timeout is how long the integration may take, in milliseconds. 0: nothing bounds it here.
	Timeout int `json:"timeout,omitempty"`
	// Gathers says that what a function streams is answered as a whole.
	Gathers bool `json:"gathers,omitempty"`
	// Requests change the requests, and Answers the answers by their status.
	Requests Mapping            `json:"requests,omitempty"`
	Answers  map[string]Mapping `json:"answers,omitempty"`
	// Broken says why the integration cannot be asked: requests are answered 500. "": it can.
	Broken string `json:"broken,omitempty"`
	// Mock is how an integration of the type Mocked answers, and how one of the type Mapped makes
	// events and answers.
	Mock *Mock `json:"mock,omitempty"`
}

// An Authorization says who may call a route.
type Authorization struct {
	// Authorizer is the name of the authorizer. "": everybody may call.
	Authorizer string `json:"authorizer,omitempty"`
	// Scopes are those of which a token needs at least one. Only JWT authorizers know them.
	Scopes []string `json:"scopes,omitempty"`
	// IAM says that requests are signed by an access key (SigV4).
	IAM bool `json:"iam,omitempty"`
}

// A Stage is a deployment of an API.
type Stage struct {
	Name string `json:"name"`
	// Variables are stageVariables of the events.
	Variables map[string]string `json:"variables,omitempty"`
	// Throttle bounds the calls of the stage. nil: nothing does.
	Throttle *Throttle `json:"throttle,omitempty"`
	// AccessLog has a line for each request. nil: there is none.
	AccessLog *AccessLog `json:"accessLog,omitempty"`
}

// An AccessLog says what is written of each request.
type AccessLog struct {
	// Format has $context variables; see package accesslog.
	Format string `json:"format"`
	// Destination is the ARN that was asked for. "": none was. It is written with each line.
	Destination string `json:"destination,omitempty"`
}

// A Throttle is a token bucket.
type Throttle struct {
	// Rate is how many requests a second fill the bucket. 0: none, so all are refused once
	// the bucket is empty.
	Rate float64 `json:"rate"`
	// Burst is how many requests the bucket holds.
	Burst int `json:"burst"`
}

// DefaultStage is the name of the stage of an API that has no other.
func (p Protocol) DefaultStage() string {
	if p == HTTP {
		return "$default"
	}
	return "prod"
}

// DefaultPayload is the format of events that an integration does not set.
func (p Protocol) DefaultPayload() apigateway.Payload {
	if p == REST {
		return apigateway.V1
	}
	return apigateway.V2
}

// Methods are those that a route may name, besides ANY.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
var Methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

// anyMethod takes the requests whose method no other route of the path has.
const anyMethod = "ANY"

// Check sets defaults, and reports the first thing that is wrong.
func (a *API) Check() error {
	a.Protocol = cmp.Or(a.Protocol, HTTP)
	if a.Protocol != HTTP && a.Protocol != REST && a.Protocol != WebSocket {
		return fmt.Errorf("protocol %q: there are %s, %s and %s", a.Protocol, HTTP, REST, WebSocket)
	}
	a.KeySource = cmp.Or(a.KeySource, KeyInHeader)
	if a.KeySource != KeyInHeader && a.KeySource != KeyByAuthorizer {
		return fmt.Errorf("API key source %q: there are %s and %s", a.KeySource, KeyInHeader, KeyByAuthorizer)
	}
	if len(a.Stages) == 0 {
		a.Stages = []Stage{{Name: a.Protocol.DefaultStage()}}
	}
	for n := range a.Stages {
		if err := a.Stages[n].check(); err != nil {
			return err
		}
	}
	if a.Protocol == WebSocket {
		return a.checkSocket()
	}
	if a.Cors != nil {
		if err := a.Cors.Check(); err != nil {
			return fmt.Errorf("cors: %w", err)
		}
	}
	for n := range a.Routes {
		r := &a.Routes[n]
		if err := r.check(a.Protocol); err != nil {
			return err
		}
		if a.KeySource == KeyByAuthorizer && len(r.UsagePlans) > 0 && r.Authorization.Authorizer == "" {
			return fmt.Errorf("route %q: the authorizer gives the API key, and the route has none", r.Key)
		}
	}
	if err := a.checkValidations(); err != nil {
		return err
	}
	if a.Protocol != REST && len(a.Responses) > 0 {
		return errors.New("only REST APIs have gateway responses")
	}
	if _, err := NewResponses(a.Responses); err != nil {
		return err
	}
	_, err := NewTable(a.Protocol, a.Routes)
	return err
}

func (s *Stage) check() error {
	if s.Name == "" || len(s.Name) > 128 || strings.ContainsAny(s.Name, "/ \t\r\n") {
		return fmt.Errorf("stage %q: a name has 1 to 128 characters, no space and no slash", s.Name)
	}
	if s.AccessLog != nil {
		if _, err := accesslog.Parse(s.AccessLog.Format); err != nil {
			return fmt.Errorf("access log: %w", err)
		}
	}
	return s.Throttle.check()
}

func (t *Throttle) check() error {
	if t != nil && (t.Rate < 0 || t.Burst < 0) {
		return fmt.Errorf("throttle %g burst %d: neither is less than 0", t.Rate, t.Burst)
	}
	return nil
}

func (r *Route) check(p Protocol) error {
	if err := CheckKey(p, r.Key); err != nil {
		return err
	}
	if err := r.Throttle.check(); err != nil {
		return fmt.Errorf("route %q: %w", r.Key, err)
	}
	i := &r.Integration
	if err := i.CheckMappings(p); err != nil {
		return fmt.Errorf("route %q: %w", r.Key, err)
	}
	switch {
	case i.Broken != "":
		return r.checkAuthorization()
	case p != REST && (i.Type == Mocked || i.Type == Mapped):
		return fmt.Errorf("route %q: integration type %s: only REST APIs have it", r.Key, i.Type)
	}
	switch i.Type {
	case Lambda:
		if i.Function == "" {
			return fmt.Errorf("route %q: the name of a function is missing", r.Key)
		}
		i.Payload = cmp.Or(i.Payload, p.DefaultPayload())
		if p == REST && i.Payload != apigateway.V1 {
			return fmt.Errorf("route %q: payload %s: REST APIs have 1.0", r.Key, i.Payload)
		}
	case HTTPProxy:
		if i.URI == "" {
			break // the configuration has handlers
		}
		_, pattern, err := apigateway.ParseKey(r.Key)
		if err != nil {
			return err
		}
		if _, err := ParseTarget(i.URI, append([]string{}, pattern.Names()...)); err != nil {
			return fmt.Errorf("route %q: URI %.200q: %w", r.Key, i.URI, err)
		}
	case Mapped:
		if i.Function == "" {
			return fmt.Errorf("route %q: the name of a function is missing", r.Key)
		}
		if err := i.Mock.check(true); err != nil {
			return fmt.Errorf("route %q: %w", r.Key, err)
		}
	case Mocked:
		if err := i.Mock.check(false); err != nil {
			return fmt.Errorf("route %q: mock: %w", r.Key, err)
		}
	default:
		return fmt.Errorf("route %q: integration type %q: there are %s, %s and %s", r.Key, i.Type, Lambda, HTTPProxy, Mocked)
	}
	return r.checkAuthorization()
}

func (r *Route) checkAuthorization() error {
	if len(r.Authorization.Scopes) > 0 && r.Authorization.Authorizer == "" {
		return fmt.Errorf("route %q: scopes without an authorizer that could check them", r.Key)
	}
	if r.Authorization.IAM && r.Authorization.Authorizer != "" {
		return fmt.Errorf("route %q: an authorizer and IAM: one of them checks", r.Key)
	}
	return nil
}

// CheckKey checks a route's key.
func CheckKey(p Protocol, key string) error {
	method, pattern, err := apigateway.ParseKey(key)
	switch {
	case err != nil:
		return err
	case method == "":
		if p == REST {
			return errors.New("route \"$default\": REST APIs have none; write ANY /{proxy+} and ANY /")
		}
	case method != anyMethod && !slices.Contains(Methods, method):
		return fmt.Errorf("route %q: method %s: there are %s and %s", key, method, strings.Join(Methods, ", "), anyMethod)
	case len(pattern.Path) > maxPath:
		return fmt.Errorf("route %q: the path is longer than %d bytes", key[:64]+"...", maxPath)
	}
	return nil
}

// maxPath bounds the path of a route, in bytes.
const maxPath = 4 << 10
