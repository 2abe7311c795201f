package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/apigateway/vtl"
)

// A Mock answers by itself, as integrations of REST APIs of type MOCK do: a request template
// makes a status, which chooses a response.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-mock-integration.html
type Mock struct {
	// Requests are templates by the content type of the request.
	Requests map[string]string `json:"requests,omitempty"`
	// Strict says that a request whose type has no template is refused with 415.
	Strict    bool           `json:"strict,omitempty"`
	Responses []MockResponse `json:"responses,omitempty"`
}

// A MockResponse is an answer.
type MockResponse struct {
	Status int `json:"status"`
	// Pattern selects the response by the status that the request template makes. The one
	// without a pattern is for all others.
	Pattern string `json:"pattern,omitempty"`
	// Headers are text in single quotes, context.NAME, or stageVariables.NAME, by the name
	// of the header.
	Headers map[string]string `json:"headers,omitempty"`
	// Bodies are templates by content type.
	Bodies map[string]string `json:"bodies,omitempty"`
}

// jsonType is the content type of a request that names none.
const jsonType = "application/json"

// Errors of a Mocker, besides those of templates.
var (
	ErrMediaType = errors.New("no request template of the integration is for the content type")
	errNoStatus  = errors.New("the request template makes no statusCode")
	errNoAnswer  = errors.New("no integration response is for the statusCode")
)

// A Mocker is a Mock that is ready to answer.
type Mocker struct {
	strict    bool
	requests  map[string]*vtl.Template
	responses []mockResponse
}

type mockResponse struct {
	status  int
	pattern *regexp.Regexp
	headers []mockHeader
	types   []string // of bodies, in order
	bodies  map[string]*vtl.Template
}

type mockHeader struct {
	name, text              string
	context, stageVariables string // if the value is one of these
}

// An Answer is what a Mocker says.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// NewMocker reads the templates.
func NewMocker(m *Mock) (*Mocker, error) {
	k := &Mocker{strict: m.Strict}
	var err error
	if k.requests, err = templates(m.Requests); err != nil {
		return nil, fmt.Errorf("request template: %w", err)
	}
	for n := range m.Responses {
		response, err := newMockResponse(&m.Responses[n])
		if err != nil {
			return nil, fmt.Errorf("response %d: %w", m.Responses[n].Status, err)
		}
		k.responses = append(k.responses, *response)
	}
	return k, nil
}

func templates(texts map[string]string) (map[string]*vtl.Template, error) {
	all := make(map[string]*vtl.Template, len(texts))
	for kind, text := range texts {
		template, err := vtl.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kind, err)
		}
		all[kind] = template
	}
	return all, nil
}

func newMockResponse(of *MockResponse) (*mockResponse, error) {
	r := &mockResponse{status: of.Status}
	var err error
	if r.bodies, err = templates(of.Bodies); err != nil {
		return nil, err
	}
	for kind := range r.bodies {
		r.types = append(r.types, kind)
	}
	slices.Sort(r.types)
	if of.Pattern != "" {
		if r.pattern, err = regexp.Compile(`\A(?:` + of.Pattern + `)\z`); err != nil {
			return nil, fmt.Errorf("selection pattern: %w", err)
		}
	}
	for name, value := range of.Headers {
		header := mockHeader{name: name}
		inner, quoted := strings.CutPrefix(value, "'")
		switch {
		case quoted && strings.HasSuffix(inner, "'"):
			header.text = strings.TrimSuffix(inner, "'")
		case strings.HasPrefix(value, "stageVariables."):
			header.stageVariables = strings.TrimPrefix(value, "stageVariables.")
		case strings.HasPrefix(value, "context.") && slices.Contains(vtl.Contexts, strings.TrimPrefix(value, "context.")):
			header.context = strings.TrimPrefix(value, "context.")
		default:
			return nil, fmt.Errorf("header %s: %q is not supported: write 'text', stageVariables.NAME or context.NAME", name, value)
		}
		r.headers = append(r.headers, header)
	}
	return r, nil
}

// statusCode is how request templates name a status. AWS takes JSON whose names have no quotes.
var statusCode = regexp.MustCompile(`^\s*\{\s*["']?statusCode["']?\s*:\s*["']?(\d{3})["']?\s*[,}]`)

// Answer answers a request.
func (k *Mocker) Answer(contentType string, in *vtl.Input) (*Answer, error) {
	template := k.requests[mediaType(contentType)]
	if template == nil {
		if k.strict {
			return nil, ErrMediaType
		}
		return nil, errNoStatus // its body would pass through, which is no mock
	}
	made, err := template.Run(in)
	if err != nil {
		return nil, err
	}
	code := statusCode.FindSubmatch(made.Text)
	if code == nil {
		return nil, errNoStatus
	}
	r := k.response(string(code[1]))
	if r == nil {
		return nil, errNoAnswer
	}
	return r.answer(in, made)
}

// response is the one that a status selects, nil if there is none.
func (k *Mocker) response(status string) *mockResponse {
	var other *mockResponse
	for n := range k.responses {
		r := &k.responses[n]
		if r.pattern == nil {
			other = r
		} else if r.pattern.MatchString(status) {
			return r
		}
	}
	return other
}

// answer makes the answer. The overrides of the request template count, too, and the response
// template's go before them.
func (r *mockResponse) answer(in *vtl.Input, made *vtl.Output) (*Answer, error) {
	a := &Answer{Status: r.status, Header: make(http.Header)}
	for _, h := range r.headers {
		value := h.text
		if h.context != "" {
			value = in.Context[h.context]
		} else if h.stageVariables != "" {
			value = in.StageVariables[h.stageVariables]
		}
		a.Header.Set(h.name, value)
	}
	if a.Header.Get("Content-Type") == "" {
		a.Header.Set("Content-Type", jsonType)
	}
	a.override(made)
	if len(r.types) == 0 {
		return a, nil
	}
	kind := r.types[0]
	if r.bodies[jsonType] != nil {
		kind = jsonType
	}
	body, err := r.bodies[kind].Run(in)
	if err != nil {
		return nil, err
	}
	a.Header.Set("Content-Type", kind)
	a.override(body)
	a.Body = body.Text
	return a, nil
}

func (a *Answer) override(by *vtl.Output) {
	if by.Status != 0 {
		a.Status = by.Status
	}
	for name, value := range by.Header {
		a.Header.Set(name, value)
	}
}

// check reports what is wrong with a mock.
func (m *Mock) check() error {
	if m == nil {
		return errors.New("it says nothing about its answers")
	}
	for n := range m.Responses {
		if s := m.Responses[n].Status; s < 200 || s > 599 {
			return fmt.Errorf("status %s: 200 to 599 are possible", strconv.Itoa(s))
		}
	}
	_, err := NewMocker(m)
	return err
}
