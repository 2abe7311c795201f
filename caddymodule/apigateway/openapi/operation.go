package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxOperations bounds the operations of a document: 300 paths, AWS's quota, with all methods.
const maxOperations = 300 * 8

// An Operation is what an API does for a method of a path.
type Operation struct {
	// Path is as API Gateway has it, /pets/{id}, or $default.
	Path string
	// Method is in capitals, or ANY.
	Method      string
	OperationID string
	// Integration answers. nil: nothing does.
	Integration *Integration
	// Security are the schemes of which one is needed, with scopes. Empty: everybody may call.
	Security []map[string][]string
	// AuthType is what x-amazon-apigateway-auth says: NONE, AWS_IAM. "": nothing.
	AuthType string
	// Parameters are those of the request, as method.request.path.id, and whether they are
	// required.
	Parameters map[string]bool
	// Responses are the headers of responses by their status.
	Responses map[string][]string
	// Validator is the name of what is checked of requests. "": nothing is.
	Validator string
	// Models are the names of models of requests, by content type, and ResponseModels those of
	// responses, by status.
	Models         map[string]string
	ResponseModels map[string]map[string]string
}

// An Integration answers an operation.
type Integration struct {
	// Type is in capitals: AWS_PROXY, HTTP_PROXY, MOCK.
	Type               string                          `json:"type,omitempty"`
	URI                string                          `json:"uri,omitempty"`
	HTTPMethod         string                          `json:"httpMethod,omitempty"`
	Payload            version                         `json:"payloadFormatVersion,omitempty"`
	Passthrough        string                          `json:"passthroughBehavior,omitempty"`
	Timeout            int                             `json:"timeoutInMillis,omitempty"`
	ConnectionType     string                          `json:"connectionType,omitempty"`
	ConnectionID       string                          `json:"connectionId,omitempty"`
	Credentials        string                          `json:"credentials,omitempty"`
	ContentHandling    string                          `json:"contentHandling,omitempty"`
	Subtype            string                          `json:"integrationSubtype,omitempty"`
	CacheNamespace     string                          `json:"cacheNamespace,omitempty"`
	CacheKeys          []string                        `json:"cacheKeyParameters,omitempty"`
	TransferMode       string                          `json:"responseTransferMode,omitempty"`
	RequestParameters  map[string]string               `json:"requestParameters,omitempty"`
	RequestTemplates   map[string]string               `json:"requestTemplates,omitempty"`
	Responses          map[string]*IntegrationResponse `json:"responses,omitempty"`
	TLS                json.RawMessage                 `json:"tlsConfig,omitempty"`
	ResponseParameters map[string]json.RawMessage      `json:"responseParameters,omitempty"`
}

// An IntegrationResponse is how an integration's answer becomes that of the operation. The
// pattern that selects it is its name in Responses, "default" for all others.
type IntegrationResponse struct {
	StatusCode      text              `json:"statusCode,omitempty"`
	Parameters      map[string]string `json:"responseParameters,omitempty"`
	Templates       map[string]string `json:"responseTemplates,omitempty"`
	ContentHandling string            `json:"contentHandling,omitempty"`
}

// text is text, or a number as text.
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(data []byte) error {
	*t = text(bytes.Trim(data, `"`))
	return nil
}

// version is a version of a payload as text, 2.0, which YAML takes for a number.
type version string

// UnmarshalJSON implements json.Unmarshaler.
func (v *version) UnmarshalJSON(data []byte) error {
	if *v = version(bytes.Trim(data, `"`)); *v == "1" || *v == "2" {
		*v += ".0"
	}
	return nil
}

// methods of a path, by their names in documents.
var methods = map[string]string{
	"get": "GET", "head": "HEAD", "post": "POST", "put": "PUT", "patch": "PATCH", "delete": "DELETE", "options": "OPTIONS",
	extension + "any-method": "ANY",
}

// operationExtensions are those of operations that are known.
var operationExtensions = []string{"integration", "auth", "any-method", "request-validator"}

// operation is an operation as it is written.
type operation struct {
	OperationID string
	Parameters  []parameter
	Security    *[]map[string][]string
	Responses   map[string]json.RawMessage
	Integration json.RawMessage        `json:"x-amazon-apigateway-integration"`
	Auth        *struct{ Type string } `json:"x-amazon-apigateway-auth"`
	Validator   *string                `json:"x-amazon-apigateway-request-validator"`
	RequestBody json.RawMessage
	Consumes    []string
	Produces    []string
}

type parameter struct {
	Ref      string `json:"$ref"`
	Name, In string
	Required bool
	Schema   json.RawMessage // of a body of Swagger 2
}

// resolve replaces parameters that are written elsewhere. Those that are not found stay.
func (f *file) resolve(all []parameter) {
	for n := range all {
		if all[n].Ref == "" {
			continue
		}
		var of parameter
		if data, err := f.shared(fmt.Appendf(nil, `{"$ref":%q}`, all[n].Ref), "parameters"); err == nil && json.Unmarshal(data, &of) == nil && of.Ref == "" {
			all[n] = of
		}
	}
}

// operations reads the paths.
func (f *file) operations() ([]Operation, error) {
	var all []Operation
	for path, data := range f.Paths {
		if strings.HasPrefix(path, "x-") {
			continue // an extension of others
		}
		var item map[string]json.RawMessage
		if err := json.Unmarshal(data, &item); err != nil {
			return nil, fmt.Errorf("path %.100q: %w", path, err)
		}
		if item["$ref"] != nil {
			return nil, fmt.Errorf("path %.100q: a $ref of a whole path is not supported", path)
		}
		if err := refuse(data, fmt.Sprintf("path %.100q", path), operationExtensions); err != nil {
			return nil, err
		}
		var common []parameter
		if item["parameters"] != nil {
			if err := json.Unmarshal(item["parameters"], &common); err != nil {
				return nil, fmt.Errorf("path %.100q: parameters: %w", path, err)
			}
			f.resolve(common)
		}
		for name, method := range methods {
			if item[name] == nil {
				continue
			}
			o, err := f.operation(path, method, item[name], common)
			if err != nil {
				return nil, fmt.Errorf("%s %.100s: %w", method, path, err)
			}
			if all = append(all, *o); len(all) > maxOperations {
				return nil, fmt.Errorf("there are more than %d operations", maxOperations)
			}
		}
	}
	slices.SortFunc(all, order)
	return all, nil
}

func (f *file) operation(path, method string, data json.RawMessage, common []parameter) (*Operation, error) {
	var from operation
	if err := json.Unmarshal(data, &from); err != nil {
		return nil, err
	}
	if err := refuse(data, "the operation", operationExtensions); err != nil {
		return nil, err
	}
	if path == "/$default" {
		path = "$default"
	}
	o := &Operation{Path: path, Method: method, OperationID: from.OperationID, Security: f.Security}
	if from.Security != nil {
		o.Security = *from.Security
	}
	if from.Auth != nil {
		o.AuthType = strings.ToUpper(from.Auth.Type)
	}
	if o.Validator = f.Validator; from.Validator != nil {
		o.Validator = *from.Validator
	}
	if _, ok := f.Validators[o.Validator]; o.Validator != "" && !ok {
		return nil, fmt.Errorf("the request validator %.64q is not in x-amazon-apigateway-request-validators", o.Validator)
	}
	f.resolve(from.Parameters)
	var err error
	if o.Models, err = f.requestModels(&from, common); err != nil && o.Validator != "" {
		return nil, err // else schemas only describe
	}
	places := map[string]string{"path": "path", "query": "querystring", "header": "header"}
	for _, p := range append(slices.Clip(common), from.Parameters...) {
		if p.Ref != "" && o.Validator != "" {
			return nil, fmt.Errorf("parameters: the $ref %.200q names nothing of the document", p.Ref)
		}
		if place := places[p.In]; place != "" && p.Name != "" {
			if o.Parameters == nil {
				o.Parameters = make(map[string]bool)
			}
			o.Parameters["method.request."+place+"."+p.Name] = p.Required || place == "path"
		}
	}
	for status, data := range from.Responses {
		var r struct {
			Headers map[string]json.RawMessage
			Schema  json.RawMessage
			Content media
		}
		if err := json.Unmarshal(data, &r); err != nil {
			return nil, fmt.Errorf("response %.20s: %w", status, err)
		}
		if o.Responses == nil {
			o.Responses = make(map[string][]string)
		}
		o.Responses[status] = slices.Sorted(maps.Keys(r.Headers))
		if models := f.responseModels(&from, r.Schema, r.Content); models != nil {
			if o.ResponseModels == nil {
				o.ResponseModels = make(map[string]map[string]string)
			}
			o.ResponseModels[status] = models
		}
	}
	o.Integration, err = f.integration(from.Integration)
	return o, err
}

// sharedIntegration begins the $ref of an integration that several operations have.
const sharedIntegration = "#/components/x-amazon-apigateway-integrations/"

// integration reads an integration, nil if there is none.
func (f *file) integration(data json.RawMessage) (*Integration, error) {
	if len(data) == 0 || string(data) == "null" {
		return nil, nil
	}
	var shared struct {
		Ref string `json:"$ref"`
	}
	if err := json.Unmarshal(data, &shared); err != nil {
		return nil, fmt.Errorf("integration: %w", err)
	}
	if shared.Ref != "" {
		name, found := strings.CutPrefix(shared.Ref, sharedIntegration)
		if data = f.Components.Integrations[name]; !found || len(data) == 0 {
			return nil, fmt.Errorf("integration: the $ref %.200q names nothing: %sNAME is expected", shared.Ref, sharedIntegration)
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	to := new(Integration)
	if err := decoder.Decode(to); err != nil {
		return nil, fmt.Errorf("integration: %w", err)
	}
	if to.Type == "" {
		return nil, errors.New("integration: its type is missing")
	}
	to.Type = strings.ToUpper(to.Type)
	to.Passthrough = strings.ToUpper(to.Passthrough)
	for name, r := range to.Responses {
		if r == nil {
			return nil, fmt.Errorf("integration: the response %.40q is empty", name)
		}
	}
	return to, nil
}

// Scheme is the security scheme that an operation needs, with scopes, "" if everybody may call.
// API Gateway knows one of them for each operation, so several are an error.
func (o *Operation) Scheme() (name string, scopes []string, err error) {
	if len(o.Security) == 0 {
		return "", nil, nil
	}
	if len(o.Security) > 1 || len(o.Security[0]) != 1 {
		return "", nil, errors.New("an operation has one security scheme; several, or one that is optional, are not supported")
	}
	for name, scopes = range o.Security[0] {
	}
	return name, scopes, nil
}

// SetPayload sets the version of the payload.
func (i *Integration) SetPayload(v string) { i.Payload = version(v) }

// SetPayload sets the version of the payload.
func (a *Authorizer) SetPayload(v string) { a.Payload = version(v) }

// SetStatus sets the status of the response.
func (r *IntegrationResponse) SetStatus(code string) { r.StatusCode = text(code) }
