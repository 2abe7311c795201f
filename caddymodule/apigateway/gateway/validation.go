package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/schema"
)

// A Validation says what requests of a route must have; only of REST APIs.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-request-validation.html
type Validation struct {
	// Parameters must be there and not be blank: header.NAME, querystring.NAME or path.NAME.
	Parameters []string `json:"parameters,omitempty"`
	// Models are the names of the models that bodies follow, by content type; $default is for
	// types that have none. A body whose type has no model is not checked.
	Models map[string]string `json:"models,omitempty"`
}

// anyType is the content type of the model for all that have none of their own.
const anyType = "$default"

// An InvalidRequest is a request that does not follow the Validation of its route.
type InvalidRequest struct {
	// Message is for the client.
	Message string
	// Response is the type of the gateway response.
	Response ResponseType
	reason   string
}

func (e *InvalidRequest) Error() string { return strings.TrimSuffix(e.Message+": "+e.reason, ": ") }

// Reason is what is wrong with the body, as AWS's $context.error.validationErrorString.
func (e *InvalidRequest) Reason() string { return e.reason }

// Refusal refuses the request.
func (e *InvalidRequest) Refusal() Refusal {
	return Refusal{Status: http.StatusBadRequest, Message: e.Message, Type: badRequest, Response: e.Response}
}

// A Validator checks requests of a route, for any number of goroutines at once.
type Validator struct {
	parameters []string
	schemas    map[string]*schema.Schema // by content type
}

// validators makes the validators of routes. Routes share the schemas.
type validators struct {
	models map[string]string
	read   map[string]*schema.Schema
}

// NewValidators makes what makes the validators of an API.
func NewValidators(a *API) func(of *Validation) (*Validator, error) {
	v := &validators{models: a.Models, read: make(map[string]*schema.Schema)}
	return v.make
}

func (v *validators) find(name string) (string, bool) {
	text, ok := v.models[name]
	return text, ok
}

// make makes a validator, nil if there is nothing to check.
func (v *validators) make(of *Validation) (*Validator, error) {
	if of == nil || len(of.Parameters) == 0 && len(of.Models) == 0 {
		return nil, nil
	}
	k := &Validator{parameters: slices.Sorted(slices.Values(of.Parameters)), schemas: make(map[string]*schema.Schema, len(of.Models))}
	for _, name := range of.Parameters {
		place, rest, _ := strings.Cut(name, ".")
		if !slices.Contains([]string{"header", "querystring", "path"}, place) || rest == "" {
			return nil, fmt.Errorf("parameter %.100q: header.NAME, querystring.NAME or path.NAME is expected", name)
		}
	}
	for kind, name := range of.Models {
		if v.read[name] == nil {
			read, err := schema.Read(name, v.find)
			if err != nil {
				return nil, fmt.Errorf("model %.100q: %w", name, err)
			}
			v.read[name] = read
		}
		k.schemas[strings.ToLower(kind)] = v.read[name]
	}
	return k, nil
}

// ReadsBody says whether there are bodies to check.
func (k *Validator) ReadsBody() bool { return k != nil && len(k.schemas) > 0 }

// Parameters checks the parameters of a request. path is that of the request, with its
// percent-encoding. The error is an *InvalidRequest.
func (k *Validator) Parameters(r *http.Request, pattern *apigateway.Pattern, path string) error {
	if k == nil || len(k.parameters) == 0 {
		return nil
	}
	var query url.Values
	var inPath []apigateway.Parameter
	var missing []string
	for _, full := range k.parameters {
		place, name, _ := strings.Cut(full, ".")
		var value string
		switch place {
		case "header":
			if value = r.Header.Get(name); strings.EqualFold(name, "Host") {
				value = r.Host
			}
		case "querystring":
			if query == nil {
				query = r.URL.Query()
			}
			value = query.Get(name)
		default:
			if inPath == nil {
				inPath = pattern.Match(nil, path)
			}
			if n := slices.IndexFunc(inPath, func(p apigateway.Parameter) bool { return p.Name == name }); n >= 0 {
				value = inPath[n].Value
			}
		}
		if strings.TrimSpace(value) == "" {
			missing = append(missing, name)
		}
	}
	if missing == nil {
		return nil
	}
	return &InvalidRequest{Message: "Missing required request parameters: [" + strings.Join(missing, ", ") + "]", Response: BadRequestParameters}
}

// Body checks a body. Without a content type it is JSON. The error is an *InvalidRequest.
func (k *Validator) Body(contentType string, body []byte) error {
	if k == nil {
		return nil
	}
	of := k.schemas[mediaType(contentType)]
	if of == nil {
		of = k.schemas[anyType]
	}
	if of == nil {
		return nil
	}
	if err := of.Check(body); err != nil {
		return &InvalidRequest{"Invalid request body", BadRequestBody, "[" + err.Error() + "]"}
	}
	return nil
}

// mediaType is a content type without its parameters.
func mediaType(contentType string) string {
	kind, _, _ := strings.Cut(contentType, ";")
	if kind = strings.ToLower(strings.TrimSpace(kind)); kind == "" {
		return jsonType
	}
	return kind
}

// checkValidations checks what routes validate by, and that its models can be read.
func (a *API) checkValidations() error {
	validator := NewValidators(a)
	for n := range a.Routes {
		r := &a.Routes[n]
		if r.Validation != nil && a.Protocol != REST {
			return fmt.Errorf("route %q: %w", r.Key, errValidation)
		}
		if _, err := validator(r.Validation); err != nil {
			return fmt.Errorf("route %q: %w", r.Key, err)
		}
	}
	return nil
}

var errValidation = errors.New("only REST APIs validate requests")
