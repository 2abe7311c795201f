package apigatewayv1

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

// A Method is what a resource does for an HTTP method.
// https://docs.aws.amazon.com/apigateway/latest/api/API_Method.html
type Method struct {
	ApiKeyRequired    bool                       `json:"apiKeyRequired"`
	AuthorizationType string                     `json:"authorizationType"`
	AuthorizerId      string                     `json:"authorizerId,omitempty"`
	HttpMethod        string                     `json:"httpMethod"`
	MethodIntegration *Integration               `json:"methodIntegration,omitempty"`
	MethodResponses   map[string]*MethodResponse `json:"methodResponses,omitempty"`
	OperationName     string                     `json:"operationName,omitempty"`
	RequestModels     map[string]string          `json:"requestModels,omitempty"`
	RequestParameters map[string]bool            `json:"requestParameters,omitempty"`
	// RequestValidatorId names what of a request is checked. "": nothing is.
	RequestValidatorId string `json:"requestValidatorId,omitempty"`
}

// errNoAuthorizer refuses a method whose authorizer is not there.
var errNoAuthorizer = invalid("Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires a valid authorizer.")

// A MethodResponse says what answers of a method may have.
type MethodResponse struct {
	ResponseModels     map[string]string `json:"responseModels,omitempty"`
	ResponseParameters map[string]bool   `json:"responseParameters,omitempty"`
	StatusCode         string            `json:"statusCode"`
}

// Why members of methods are refused.
const (
	noScopes = "only tokens of user pools have scopes, and there is no Cognito here"
)

type methodInput struct {
	patches
	Method
	RestApiId, ResourceId, StatusCode string

	AuthorizationScopes []string

	// of responses of methods
	ResponseModels     map[string]string
	ResponseParameters map[string]bool
}

func (m *Method) check(set *document.Set) error {
	if m.HttpMethod != "ANY" && !slices.Contains(gateway.Methods, m.HttpMethod) {
		return invalid("Invalid HttpMethod specified. Valid options are GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD,ANY")
	}
	m.AuthorizationType = cmp.Or(m.AuthorizationType, typeNone)
	if err := m.checkAuthorization(set); err != nil {
		return err
	}
	seen := make(map[string]bool, len(m.RequestParameters))
	for full := range m.RequestParameters {
		if !isRequestParameter(full) {
			return invalid("Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression specified: %.200s]", full)
		}
		_, name, _ := strings.Cut(strings.TrimPrefix(full, "method.request."), ".")
		if seen[name] {
			return invalid("Parameter names must be unique across querystring, header and path")
		}
		seen[name] = true
	}
	if err := checkModels(set, m.RequestModels); err != nil {
		return err
	}
	return m.checkValidator(set)
}

// isRequestParameter says whether a name is method.request.path.NAME or the like.
func isRequestParameter(name string) bool {
	for _, place := range []string{"path.", "querystring.", "multivaluequerystring.", "header.", "multivalueheader."} {
		if rest, found := strings.CutPrefix(name, "method.request."+place); found {
			return rest != ""
		}
	}
	return false
}

// changeMethod changes a method, nil if there is none. What decide returns is kept; nil removes
// the method.
func (s *service) changeMethod(ctx context.Context, apiID, resourceID, method string, decide func(set *document.Set, r *Resource, m *Method) (*Method, error)) error {
	err := s.change(ctx, apiID, func(e *document.Edit) error {
		r, err := find[Resource](&e.Set, docResource+resourceID, "Resource")
		if err != nil {
			return err
		}
		m, err := decide(&e.Set, r, r.ResourceMethods[method])
		if err != nil {
			return err
		}
		if r.ResourceMethods == nil {
			r.ResourceMethods = make(map[string]*Method)
		}
		if r.ResourceMethods[method] = m; m == nil {
			delete(r.ResourceMethods, method)
		}
		return e.Put(docResource+r.Id, r)
	})
	return s.resourceOf(apiID, err)
}

// resourceOf is an error of a resource. As on AWS, one of an API that is not there is not there
// itself.
func (s *service) resourceOf(apiID string, err error) error {
	if err != nil && err.Error() == s.missingAPI(apiID).Error() {
		return missing("Resource")
	}
	return err
}

// existing has decide called only for a method that there is.
func existing(decide func(set *document.Set, r *Resource, m *Method) error) func(*document.Set, *Resource, *Method) (*Method, error) {
	return func(set *document.Set, r *Resource, m *Method) (*Method, error) {
		if m == nil {
			return nil, missing("Method")
		}
		return m, decide(set, r, m)
	}
}

func (s *service) putMethod(ctx context.Context, in *methodInput) (*Method, error) {
	m := &in.Method
	if len(in.AuthorizationScopes) > 0 {
		return nil, invalid("authorizationScopes are not supported: %s", noScopes)
	}
	return m, s.changeMethod(ctx, in.RestApiId, in.ResourceId, m.HttpMethod, func(set *document.Set, _ *Resource, before *Method) (*Method, error) {
		if before != nil {
			return nil, conflicts("Method already exists for this resource")
		}
		return m, m.check(set)
	})
}

// method reads a method.
func (s *service) method(ctx context.Context, apiID, resourceID, method string) (*Method, error) {
	set, err := s.read(ctx, apiID)
	if err != nil {
		return nil, s.resourceOf(apiID, err)
	}
	r, err := find[Resource](set, docResource+resourceID, "Resource")
	if err != nil {
		return nil, err
	}
	m := r.ResourceMethods[method]
	if m == nil {
		return nil, missing("Method")
	}
	return m, nil
}

func (s *service) getMethod(ctx context.Context, in *methodInput) (*Method, error) {
	return s.method(ctx, in.RestApiId, in.ResourceId, in.HttpMethod)
}

func (s *service) updateMethod(ctx context.Context, in *methodInput) (out *Method, err error) {
	err = s.changeMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(set *document.Set, _ *Resource, m *Method) (*Method, error) {
		if out = m; m == nil {
			return nil, missing("Method")
		}
		can := fields{
			exact: map[string]field{
				"/authorizationType": text(&m.AuthorizationType), "/operationName": text(&m.OperationName),
				"/apiKeyRequired":     flag("apiKeyRequired", &m.ApiKeyRequired),
				"/authorizerId":       text(&m.AuthorizerId),
				"/requestValidatorId": text(&m.RequestValidatorId),
			},
			prefix: map[string]func(string) field{
				"/requestParameters/": entry(&m.RequestParameters, asFlag), "/requestModels/": entry(&m.RequestModels, asText),
				"/authorizationScopes": func(string) field { return off("authorizationScopes", "", noScopes) },
			},
			bare: true,
			once: func(patch) error {
				return invalid("Invalid patch operation specified. Must be one of: [replace]")
			},
		}
		if err := can.apply(in.PatchOperations); err != nil {
			return nil, err
		}
		if m.AuthorizerId != "" && !set.Has(docAuthorizer+m.AuthorizerId) {
			return nil, errNoAuthorizer
		}
		return m, m.check(set)
	})
	return out, err
}

func (s *service) deleteMethod(ctx context.Context, in *methodInput) (awsapi.None, error) {
	return awsapi.None{}, s.changeMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(_ *document.Set, _ *Resource, m *Method) (*Method, error) {
		if m == nil {
			return nil, missing("Method")
		}
		return nil, nil
	})
}

func (m *MethodResponse) check(set *document.Set) error {
	for name := range m.ResponseParameters {
		if header, found := strings.CutPrefix(name, responseHeader); !found || header == "" {
			return invalid("Invalid mapping expression specified: %.200s", name)
		}
	}
	return checkModels(set, m.ResponseModels)
}

// responseHeader begins the name of a header of a method's response.
const responseHeader = "method.response.header."

func (s *service) putMethodResponse(ctx context.Context, in *methodInput) (*MethodResponse, error) {
	to := &MethodResponse{StatusCode: in.StatusCode, ResponseModels: in.ResponseModels, ResponseParameters: in.ResponseParameters}
	return to, s.changeMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, existing(func(set *document.Set, _ *Resource, m *Method) error {
		if err := to.check(set); err != nil {
			return err
		}
		if m.MethodResponses[in.StatusCode] != nil {
			return conflicts("Response already exists for this resource")
		}
		if m.MethodResponses == nil {
			m.MethodResponses = make(map[string]*MethodResponse)
		}
		m.MethodResponses[in.StatusCode] = to
		return nil
	}))
}

func (s *service) getMethodResponse(ctx context.Context, in *methodInput) (*MethodResponse, error) {
	m, err := s.getMethod(ctx, in)
	if err != nil {
		return nil, err
	}
	if m.MethodResponses[in.StatusCode] == nil {
		return nil, missing("Response status code")
	}
	return m.MethodResponses[in.StatusCode], nil
}

func (s *service) updateMethodResponse(ctx context.Context, in *methodInput) (to *MethodResponse, err error) {
	err = s.changeMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, existing(func(set *document.Set, _ *Resource, m *Method) error {
		if to = m.MethodResponses[in.StatusCode]; to == nil {
			return missing("Response status code")
		}
		can := fields{bare: true, prefix: map[string]func(string) field{
			"/responseParameters/": entry(&to.ResponseParameters, asFlag), "/responseModels/": entry(&to.ResponseModels, asText),
		}}
		if err := to.has(in.PatchOperations); err != nil {
			return err
		}
		if err := can.apply(in.PatchOperations); err != nil {
			return err
		}
		return to.check(set)
	}))
	return to, err
}

// has checks that patches replace and remove what is there.
func (m *MethodResponse) has(patches []patch) error {
	for _, p := range patches {
		if p.Op == "add" {
			continue
		}
		if name, found := strings.CutPrefix(p.Path, "/responseParameters/"); found {
			if _, there := m.ResponseParameters[unescape.Replace(name)]; !there {
				return &awsapi.Exception{Name: notFound, Message: "Invalid parameter name specified"}
			}
		}
		if name, found := strings.CutPrefix(p.Path, "/responseModels/"); found && m.ResponseModels[unescape.Replace(name)] == "" {
			return &awsapi.Exception{Name: notFound, Message: "Content-Type specified was not found"}
		}
	}
	return nil
}

func (s *service) deleteMethodResponse(ctx context.Context, in *methodInput) (awsapi.None, error) {
	return awsapi.None{}, s.changeMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, existing(func(_ *document.Set, _ *Resource, m *Method) error {
		if m.MethodResponses[in.StatusCode] == nil {
			return missing("Response status code")
		}
		maps.DeleteFunc(m.MethodResponses, func(code string, _ *MethodResponse) bool { return code == in.StatusCode })
		return nil
	}))
}
