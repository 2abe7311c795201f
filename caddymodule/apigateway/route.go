package apigateway

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A Payload is a payload format version of API Gateway.
type Payload string

// Payload format versions.
const (
	V2 Payload = "2.0" // HTTP APIs and function URLs
	V1 Payload = "1.0" // REST APIs
)

// A Route is what the events of one route have in common. Set the fields, call
// Prepare, and change nothing after it; a prepared Route may be used by any
// number of goroutines.
type Route struct {
	// Payload is the payload format version. Default: V2.
	Payload Payload

	// Key is the route as API Gateway writes it: "$default", or a method (or ANY)
	// and a path, e.g. "GET /pets/{id}" or "ANY /{proxy+}". Path parameters are
	// taken by it; it does not select requests. Format 1.0 has its path as the
	// resource. Default: "$default", with format 1.0 "ANY /{proxy+}".
	Key string

	// ResourceID is the resource that events of format 1.0 name. Default: none.
	ResourceID string

	// Stage is the stage's name. Default: "$default", with format 1.0 "prod".
	Stage string

	// FunctionURL says that the requests are those of a function URL, not of an HTTP
	// API. Only format 2.0 knows it.
	FunctionURL bool

	// StageVariables are given with each event. Default: none.
	StageVariables map[string]string

	// AccountID is the twelve digits of the account. Default: "000000000000".
	AccountID string

	// APIID is the API's identifier. Default: "hearth".
	APIID string

	// BinaryTypes are content types whose bodies are always given in base64:
	// "image/png", "image/*" or "*/*". Without them a body is text if it is valid
	// UTF-8, has no Content-Encoding and its type is text/*, JSON, XML, JavaScript
	// or a form; everything else is base64.
	BinaryTypes []string

	v1      bool
	pattern Pattern
	binary  []string // BinaryTypes in lower case
	fixed   fixedParts
}

// fixedParts is the JSON that is the same in each event of a route. appendV1 and appendV2
// say where each part goes.
type fixedParts struct {
	head, context, tail, variables string
}

// A Parameter is one path parameter.
type Parameter struct {
	Name, Value string
}

// A Context is the data of an event besides the request itself.
type Context struct {
	RequestID string    // of the invocation
	Time      time.Time // when the request came
	SourceIP  string    // the client's address; also becomes X-Forwarded-For

	// TrustedProxy tells that the request came through a proxy whose
	// X-Forwarded-Proto and X-Forwarded-Port may be believed.
	TrustedProxy bool

	// IAM is the signer of the request, nil if no signature is required.
	IAM *Identity

	// StagePath is the stage as the path begins with it, e.g. "/prod". "": the path has no
	// stage. Path parameters are taken from what follows; "path" of format 1.0 is that too.
	StagePath string

	// Mapped says that StagePath is the base path of a custom domain name. "path" of format
	// 1.0 has that, as on AWS.
	Mapped bool

	// APIKey and APIKeyID are the API key of the request, "" if none is required. Only format
	// 1.0 has them.
	APIKey, APIKeyID string

	// Authorizer is the value of requestContext.authorizer, as JSON. nil: there is none.
	Authorizer []byte

	// PathParameters are given beside those that Route.Key takes from the path,
	// and win over these. Those with an empty value are left out. No name may
	// come twice.
	PathParameters []Parameter
}

// An Identity is the owner of the access key that a request is signed with.
type Identity struct {
	AccessKey, UserID, UserARN string
}

// Prepare checks the Route, sets defaults and makes it ready for use.
func (rt *Route) Prepare() error {
	setDefault(&rt.Payload, V2)
	setDefault(&rt.AccountID, "000000000000")
	setDefault(&rt.APIID, "hearth")
	switch rt.v1 = rt.Payload == V1; {
	case rt.v1:
		if rt.FunctionURL {
			return fmt.Errorf("payload %q: function URLs have 2.0", string(rt.Payload))
		}
		setDefault(&rt.Key, "ANY /{proxy+}")
		setDefault(&rt.Stage, "prod")
	case rt.Payload == V2:
		setDefault(&rt.Key, "$default")
		setDefault(&rt.Stage, "$default")
	default:
		return fmt.Errorf("payload %q: there are 1.0 and 2.0", string(rt.Payload))
	}
	resource, err := rt.parseKey()
	if err != nil {
		return err
	}
	rt.binary = nil
	for _, t := range rt.BinaryTypes {
		if !strings.Contains(t, "/") {
			return fmt.Errorf("binary type %q: write type/subtype, type/* or */*", t)
		}
		rt.binary = append(rt.binary, strings.ToLower(t))
	}
	if rt.v1 {
		rt.prepareV1(resource)
	} else {
		rt.prepareV2()
	}
	return nil
}

func setDefault[T ~string](field *T, value T) {
	if *field == "" {
		*field = value
	}
}

// parseKey sets the pattern, and returns the resource of format 1.0.
func (rt *Route) parseKey() (resource string, err error) {
	if _, rt.pattern, err = ParseKey(rt.Key); err != nil {
		return "", err
	}
	if rt.pattern.Path == "" {
		return rt.Key, nil
	}
	return rt.pattern.Path, nil
}

var errNotPrepared = errors.New("the route is not prepared: call Prepare first")

// AppendEvent appends the event for r, whose whole body is body, to dst. The
// only error is that the Route is not prepared.
//
// The shapes are those of
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
// and https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html (2.0), and
// https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html (1.0).
func (rt *Route) AppendEvent(dst []byte, r *http.Request, body []byte, c *Context) ([]byte, error) {
	if rt.fixed.head == "" {
		return dst, errNotPrepared
	}
	if rt.v1 {
		return rt.appendV1(dst, r, body, c), nil
	}
	return rt.appendV2(dst, r, body, c), nil
}

// variables returns the stage variables as a JSON object, in order of name.
func (rt *Route) variables() string {
	names := make([]string, 0, len(rt.StageVariables))
	for name := range rt.StageVariables {
		names = append(names, name)
	}
	slices.Sort(names)
	dst := []byte{'{'}
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, name)
		dst = append(dst, ':')
		dst = appendString(dst, rt.StageVariables[name])
	}
	return string(append(dst, '}'))
}

// appendPathParameters appends them as a JSON object, and tells whether there
// are any. If there are none, nothing is appended.
func (rt *Route) appendPathParameters(dst []byte, path string, c *Context) (_ []byte, any bool) {
	var taken [8]Parameter
	for _, p := range rt.pattern.Match(taken[:0], path) {
		if has(c.PathParameters, p.Name) {
			continue
		}
		// Recorded from AWS: HTTP APIs decode path parameters, REST APIs do not.
		if !rt.v1 {
			p.Value = unescape(p.Value, false)
		}
		dst, any = appendParameter(dst, p, any), true
	}
	for _, p := range c.PathParameters {
		if p.Value != "" {
			dst, any = appendParameter(dst, p, any), true
		}
	}
	if any {
		dst = append(dst, '}')
	}
	return dst, any
}

func appendParameter(dst []byte, p Parameter, comma bool) []byte {
	separator := byte('{')
	if comma {
		separator = ','
	}
	dst = appendString(append(dst, separator), p.Name)
	return appendString(append(dst, ':'), p.Value)
}

func has(parameters []Parameter, name string) bool {
	return slices.ContainsFunc(parameters, func(p Parameter) bool { return p.Name == name && p.Value != "" })
}
