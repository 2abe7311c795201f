package gateway

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/apigateway/vtl"
)

// A ResponseType is why no integration answers a request.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
type ResponseType string

// The types of gateway responses. Default4XX and Default5XX stand for those that have no
// response of their own.
const (
	AccessDenied                 ResponseType = "ACCESS_DENIED"
	APIConfigurationError        ResponseType = "API_CONFIGURATION_ERROR"
	AuthorizerConfigurationError ResponseType = "AUTHORIZER_CONFIGURATION_ERROR"
	AuthorizerFailure            ResponseType = "AUTHORIZER_FAILURE"
	BadRequestBody               ResponseType = "BAD_REQUEST_BODY"
	BadRequestParameters         ResponseType = "BAD_REQUEST_PARAMETERS"
	Default4XX                   ResponseType = "DEFAULT_4XX"
	Default5XX                   ResponseType = "DEFAULT_5XX"
	ExpiredToken                 ResponseType = "EXPIRED_TOKEN"
	IntegrationFailure           ResponseType = "INTEGRATION_FAILURE"
	IntegrationTimeout           ResponseType = "INTEGRATION_TIMEOUT"
	InvalidAPIKey                ResponseType = "INVALID_API_KEY"
	InvalidSignature             ResponseType = "INVALID_SIGNATURE"
	MissingAuthenticationToken   ResponseType = "MISSING_AUTHENTICATION_TOKEN"
	QuotaExceeded                ResponseType = "QUOTA_EXCEEDED"
	RequestTooLarge              ResponseType = "REQUEST_TOO_LARGE"
	ResourceNotFound             ResponseType = "RESOURCE_NOT_FOUND"
	Throttled                    ResponseType = "THROTTLED"
	Unauthorized                 ResponseType = "UNAUTHORIZED"
	UnsupportedMediaType         ResponseType = "UNSUPPORTED_MEDIA_TYPE"
	WAFFiltered                  ResponseType = "WAF_FILTERED"
)

// ResponseStatuses are the statuses that AWS gives each type. "": that of the error.
var ResponseStatuses = map[ResponseType]string{
	AccessDenied: "403", APIConfigurationError: "500", AuthorizerConfigurationError: "500", AuthorizerFailure: "500",
	BadRequestBody: "400", BadRequestParameters: "400", Default4XX: "", Default5XX: "", ExpiredToken: "403",
	IntegrationFailure: "504", IntegrationTimeout: "504", InvalidAPIKey: "403", InvalidSignature: "403",
	MissingAuthenticationToken: "403", QuotaExceeded: "429", RequestTooLarge: "413", ResourceNotFound: "404",
	Throttled: "429", Unauthorized: "401", UnsupportedMediaType: "415", WAFFiltered: "403",
}

// ClientResponse says whether Default4XX stands for a type; else it is Default5XX.
func (t ResponseType) ClientResponse() bool {
	return t == Default4XX || t != Default5XX && ResponseStatuses[t] < "500"
}

// A Response is what clients get in place of a refusal; only of REST APIs.
type Response struct {
	// Status is that of the answer. 0: that of the refusal.
	Status int `json:"status,omitempty"`
	// Headers are 'text', context.NAME, stageVariables.NAME or method.request.PLACE.NAME, by the
	// name of the header.
	Headers map[string]string `json:"headers,omitempty"`
	// Bodies are texts by content type, in which $context.NAME and $stageVariables.NAME are
	// replaced. Empty: the body is that of the refusal.
	Bodies map[string]string `json:"bodies,omitempty"`
}

// Bounds of gateway responses, in bytes.
const (
	maxResponseBody   = 300 << 10 // of a template, as AWS has it
	maxResponseHeader = 8 << 10   // of a value
	maxResponseMade   = 1 << 20   // of what a template makes
)

// Responses are the gateway responses of an API that are ready to answer.
type Responses struct{ of map[ResponseType]*response }

type response struct {
	status  int
	headers []responseHeader
	types   []string // of bodies, in order
	bodies  map[string][]fragment
}

type responseHeader struct {
	name string
	fragment
}

// A fragment is text, or a variable: context.NAME, stageVariables.NAME, method.request.PLACE.NAME.
type fragment struct {
	text       string
	isVariable bool
}

// NewResponses reads gateway responses, nil if there are none.
func NewResponses(of map[ResponseType]Response) (*Responses, error) {
	if len(of) == 0 {
		return nil, nil
	}
	rs := &Responses{make(map[ResponseType]*response, len(of))}
	for kind, from := range of {
		if _, ok := ResponseStatuses[kind]; !ok {
			return nil, fmt.Errorf("gateway response %.40q is none of API Gateway's", kind)
		}
		r, err := from.read()
		if err != nil {
			return nil, fmt.Errorf("gateway response %s: %w", kind, err)
		}
		rs.of[kind] = r
	}
	return rs, nil
}

func (from *Response) read() (*response, error) {
	r := &response{status: from.Status, bodies: make(map[string][]fragment, len(from.Bodies)), types: slices.Sorted(maps.Keys(from.Bodies))}
	if s := from.Status; s != 0 && (s < 200 || s > 599) {
		return nil, fmt.Errorf("status %d: 200 to 599 are possible", s)
	}
	for _, name := range slices.Sorted(maps.Keys(from.Headers)) {
		f, err := headerFragment(from.Headers[name])
		if err != nil {
			return nil, fmt.Errorf("header %.100s: %w", name, err)
		}
		r.headers = append(r.headers, responseHeader{name, f})
	}
	for kind, text := range from.Bodies {
		if len(text) > maxResponseBody {
			return nil, fmt.Errorf("the template has %d bytes, %d at most", len(text), maxResponseBody)
		}
		var err error
		if r.bodies[kind], err = fragments(text); err != nil {
			return nil, fmt.Errorf("template %.100s: %w", kind, err)
		}
	}
	return r, nil
}

// headerFragment reads the value of a header.
func headerFragment(value string) (fragment, error) {
	if len(value) > maxResponseHeader {
		return fragment{}, fmt.Errorf("it has more than %d bytes", maxResponseHeader)
	}
	if inner, quoted := strings.CutPrefix(value, "'"); quoted && strings.HasSuffix(inner, "'") {
		return fragment{text: strings.TrimSuffix(inner, "'")}, nil
	}
	return fragment{value, true}, checkVariable(value)
}

// checkVariable checks that a variable is one that there is.
func checkVariable(name string) error {
	for _, known := range []string{"stageVariables.", "method.request.header.", "method.request.querystring.", "method.request.path."} {
		if rest, found := strings.CutPrefix(name, known); found && rest != "" {
			return nil
		}
	}
	rest, found := strings.CutPrefix(name, "context.")
	if found && (strings.HasPrefix(rest, "authorizer.") || slices.Contains(responseContexts, rest)) {
		return nil
	}
	return fmt.Errorf("%.100q is not supported: write 'text', context.NAME, stageVariables.NAME or method.request.PLACE.NAME", name)
}

// responseContexts are the variables of $context in gateway responses.
var responseContexts = append([]string{
	"error.message", "error.messageString", "error.responseType", "error.validationErrorString", "extendedRequestId", "requestTime",
	"requestTimeEpoch", "resourceId", "identity.apiKey", "identity.apiKeyId", "identity.caller", "identity.user", "identity.userArn",
	"identity.accountId", "identity.accessKey",
}, vtl.Contexts...)

// variable is a variable in a template of a gateway response, which has no other language.
var variable = regexp.MustCompile(`\$(?:\{((?:context|stageVariables|method\.request)\.[^{}]*)\}|((?:context|stageVariables|method\.request)(?:\.[A-Za-z0-9_-]+)+))`)

// fragments reads a template.
func fragments(text string) (all []fragment, err error) {
	at := 0
	for _, m := range variable.FindAllStringSubmatchIndex(text, -1) {
		name := text[max(m[2], m[4]):max(m[3], m[5])]
		if err := checkVariable(name); err != nil {
			return nil, err
		}
		if m[0] > at {
			all = append(all, fragment{text: text[at:m[0]]})
		}
		all = append(all, fragment{name, true})
		at = m[1]
	}
	if at < len(text) {
		all = append(all, fragment{text: text[at:]})
	}
	return all, nil
}

// ErrResponse says that a template makes too much.
var ErrResponse = errors.New("the gateway response is larger than 1 MB")

// Answer is what a client gets in place of a refusal, nil if the API does not say so. value is
// that of a variable. accept is the request's header.
func (rs *Responses) Answer(refusal Refusal, accept string, value func(name string) string) (*Answer, error) {
	r := rs.response(refusal)
	if r == nil {
		return nil, nil
	}
	a := &Answer{Status: r.status, Header: make(http.Header), Body: refusal.Body()}
	if a.Status == 0 {
		a.Status = refusal.Status
	}
	a.Header.Set("Content-Type", jsonType)
	if len(r.types) > 0 {
		kind := r.types[0]
		if r.bodies[jsonType] != nil {
			kind = jsonType
		}
		for wanted := range strings.SplitSeq(accept, ",") {
			if wanted = mediaType(wanted); r.bodies[wanted] != nil {
				kind = wanted
				break
			}
		}
		a.Header.Set("Content-Type", kind)
		a.Body = nil
		for _, f := range r.bodies[kind] {
			if a.Body = append(a.Body, f.value(value)...); len(a.Body) > maxResponseMade {
				return nil, ErrResponse
			}
		}
	}
	for _, h := range r.headers {
		a.Header.Set(h.name, h.value(value))
	}
	return a, nil
}

func (f *fragment) value(of func(name string) string) string {
	if f.isVariable {
		return of(f.text)
	}
	return f.text
}

// response is that of a refusal, nil if there is none.
func (rs *Responses) response(refusal Refusal) *response {
	if rs == nil {
		return nil
	}
	if r := rs.of[refusal.Response]; r != nil {
		return r
	}
	if refusal.Status >= http.StatusInternalServerError {
		return rs.of[Default5XX]
	}
	return rs.of[Default4XX]
}
