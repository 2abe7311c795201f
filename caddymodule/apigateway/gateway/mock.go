package gateway

import (
	"bytes"
	"encoding/json"
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

// Prefixes of values of headers that are of what a function answers.
const (
	answeredBody   = "integration.response.body"
	answeredHeader = "integration.response.header."
)

// jsonType is the content type of a request that names none.
const jsonType = "application/json"

// Errors of a Mocker, besides those of templates.
var (
	ErrMediaType = errors.New("no request template of the integration is for the content type")
	errNoStatus  = errors.New("the request template makes no statusCode")
	errNoAnswer  = errors.New("no integration response is for the statusCode")
	errNoEvent   = errors.New("the event of the function is no JSON")
	// ErrNoResponse says that no integration response is for what a function answers.
	ErrNoResponse = errors.New("no integration response is for the answer, and none is the default")
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
	context, stageVariables string        // if the value is one of these
	body                    *vtl.JSONPath // of what a function answers
}

// An Answer is what a Mocker says.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// NewMocker reads the templates. calls says that they are those of a function that is called, and
// not of an integration that answers by itself, without the body of the request.
func NewMocker(m *Mock, calls bool) (*Mocker, error) {
	k := &Mocker{strict: m.Strict}
	var err error
	if k.requests, err = templates(m.Requests, calls); err != nil {
		return nil, fmt.Errorf("request template: %w", err)
	}
	for n := range m.Responses {
		response, err := newMockResponse(&m.Responses[n], calls)
		if err != nil {
			return nil, fmt.Errorf("response %d: %w", m.Responses[n].Status, err)
		}
		k.responses = append(k.responses, *response)
	}
	return k, nil
}

func templates(texts map[string]string, body bool) (map[string]*vtl.Template, error) {
	all := make(map[string]*vtl.Template, len(texts))
	for kind, text := range texts {
		template, err := vtl.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kind, err)
		}
		if template.ReadsBody() && !body {
			return nil, fmt.Errorf("%s: $input.body, $input.json and $input.path are not supported of MOCK: it reads no body", kind)
		}
		all[kind] = template
	}
	return all, nil
}

func newMockResponse(of *MockResponse, calls bool) (*mockResponse, error) {
	r := &mockResponse{status: of.Status}
	var err error
	if r.bodies, err = templates(of.Bodies, calls); err != nil {
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
		path, isBody := strings.CutPrefix(value, answeredBody)
		inner, quoted := strings.CutPrefix(value, "'")
		switch {
		case quoted && strings.HasSuffix(inner, "'"):
			header.text = strings.TrimSuffix(inner, "'")
		case strings.HasPrefix(value, "stageVariables."):
			header.stageVariables = strings.TrimPrefix(value, "stageVariables.")
		case strings.HasPrefix(value, "context.") && slices.Contains(vtl.Contexts, strings.TrimPrefix(value, "context.")):
			header.context = strings.TrimPrefix(value, "context.")
		case isBody && calls:
			path, err := vtl.ParsePath("$" + path)
			if err != nil {
				return nil, fmt.Errorf("header %s: %w", name, err)
			}
			header.body = &path
		case calls && strings.HasPrefix(value, answeredHeader):
			return nil, fmt.Errorf("header %s: %q is not supported: a function answers no headers, write %s.NAME", name, value, answeredBody)
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
	return r.answer(in, made, "")
}

// Event makes the event of a function: what the template for the content type makes, or, without
// one, the body.
func (k *Mocker) Event(contentType string, in *vtl.Input) (event []byte, made *vtl.Output, err error) {
	template := k.requests[mediaType(contentType)]
	switch {
	case template != nil:
		if made, err = template.Run(in); err != nil {
			return nil, nil, err
		}
		event = made.Text
	case k.strict:
		return nil, nil, ErrMediaType
	default:
		event, made = in.Body, new(vtl.Output)
	}
	if len(bytes.TrimSpace(event)) == 0 {
		event = []byte("{}")
	}
	if !json.Valid(event) {
		return nil, nil, errNoEvent
	}
	return event, made, nil
}

// Respond makes the answer of what a function says, which is the body of in. message is that of its
// error, "" if it has none. accept is the header of the request.
func (k *Mocker) Respond(message, accept string, in *vtl.Input, made *vtl.Output) (*Answer, error) {
	r := k.response(message)
	if r == nil {
		return nil, ErrNoResponse
	}
	a, err := r.answer(in, made, accept)
	if err == nil && len(r.types) == 0 {
		a.Body = in.Body
	}
	return a, err
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
func (r *mockResponse) answer(in *vtl.Input, made *vtl.Output, accept string) (*Answer, error) {
	a := &Answer{Status: r.status, Header: make(http.Header)}
	for _, h := range r.headers {
		value := h.text
		if h.context != "" {
			value = in.Context[h.context]
		} else if h.stageVariables != "" {
			value = in.StageVariables[h.stageVariables]
		} else if h.body != nil {
			if len(in.Body) > vtl.MaxBody {
				return nil, vtl.ErrBody
			}
			if value = vtl.Text(h.body.Of(in.Body)); strings.ContainsAny(value, "\r\n") {
				return nil, fmt.Errorf("header %s: a line break in the answer", h.name)
			}
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
	for wanted := range strings.SplitSeq(accept, ",") {
		if wanted = mediaType(wanted); accept != "" && r.bodies[wanted] != nil {
			kind = wanted
			break
		}
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
func (m *Mock) check(calls bool) error {
	if m == nil {
		return errors.New("it says nothing about its answers")
	}
	for n := range m.Responses {
		if s := m.Responses[n].Status; s < 200 || s > 599 {
			return fmt.Errorf("status %s: 200 to 599 are possible", strconv.Itoa(s))
		}
	}
	_, err := NewMocker(m, calls)
	return err
}
