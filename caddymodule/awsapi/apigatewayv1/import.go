package apigatewayv1

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/openapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv2"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

// importInput is what both imports have. The other parameters of the query are read there.
type importInput struct {
	RestApiId, Mode string
	Body            []byte
	FailOnWarnings  bool // there are no warnings: what is not understood is refused
}

// readImport reads an import: the document, with the paths as they are to be.
func readImport(r *awsapi.Request) (*importInput, *openapi.Document, error) {
	in := new(importInput)
	if err := r.Read(in); err != nil {
		return nil, nil, err
	}
	d, err := openapi.Parse(in.Body)
	if err != nil {
		return nil, nil, invalid("Invalid OpenAPI input: %v", err)
	}
	if d.Cors != nil {
		return nil, nil, invalid("x-amazon-apigateway-cors is only for HTTP APIs: REST APIs answer preflights by OPTIONS methods")
	}
	for name, values := range r.URL.Query() {
		value := values[len(values)-1]
		switch {
		case name == "mode" || name == "failonwarnings", name == "endpointConfigurationTypes":
		case name == "basepath" && value == "prepend":
			for n := range d.Operations {
				d.Operations[n].Path = d.BasePath + d.Operations[n].Path
			}
		case name == "basepath" && value == "ignore":
		default:
			return nil, nil, invalid("The parameter %.40s=%.40s is not supported", name, value)
		}
	}
	return in, d, nil
}

// describe gives an API what a document says of it.
func (a *RestAPI) describe(d *openapi.Document) error {
	a.Name, a.Description, a.Version = cmp.Or(d.Title, a.Name), cmp.Or(d.Description, a.Description), cmp.Or(d.Version, a.Version)
	a.ApiKeySource = strings.ToUpper(cmp.Or(d.KeySource, a.ApiKeySource))
	if d.BinaryTypes != nil {
		a.BinaryMediaTypes = d.BinaryTypes
	}
	a.DisableExecuteApiEndpoint = a.DisableExecuteApiEndpoint || d.DisableEndpoint
	return a.check()
}

func (s *service) importRestAPI(r *awsapi.Request) (any, error) {
	_, d, err := readImport(r)
	if err != nil {
		return nil, err
	}
	a := new(RestAPI)
	if types := r.URL.Query().Get("endpointConfigurationTypes"); types != "" {
		a.EndpointConfiguration = &endpoint{Types: strings.Split(types, ",")}
	}
	if err := s.prepare(a, d); err != nil {
		return nil, err
	}
	return a, s.Store.Change(r.Context(), apigatewayv2.Owner(a.Id), func(e *document.Edit) error {
		if err := errors.Join(e.Put(docRestAPI, a), e.Put(docResource+a.RootResourceId, &Resource{Id: a.RootResourceId, Path: "/"})); err != nil {
			return err
		}
		return s.importInto(e, a, d)
	})
}

// prepare makes a new API that has the description of a document.
func (s *service) prepare(a *RestAPI, d *openapi.Document) error {
	if s.Endpoint("") == "" {
		return invalid("APIs are not supported: this server has no address for them. Set the global option api_url, e.g. api_url https://*.execute-api.%s.example.com", s.Account.Region)
	}
	a.Id, a.RootResourceId, a.CreatedDate = apigatewayv2.NewID(10), apigatewayv2.NewID(10), s.now()
	return a.describe(d)
}

// putRestAPI merges a document into an API, or has it in place of what the API has. Stages
// and deployments stay.
func (s *service) putRestAPI(r *awsapi.Request) (any, error) {
	in, d, err := readImport(r)
	if err != nil {
		return nil, err
	}
	a := new(RestAPI)
	return a, s.change(r.Context(), in.RestApiId, func(e *document.Edit) error {
		*a = RestAPI{}
		if err := e.Get(docRestAPI, a); err != nil {
			return err
		}
		if err := a.describe(d); err != nil {
			return err
		}
		if in.Mode == "overwrite" {
			if err := clearMethods(e, a); err != nil {
				return err
			}
		}
		if err := e.Put(docRestAPI, a); err != nil {
			return err
		}
		if err := s.importInto(e, a, d); err != nil || in.Mode != "overwrite" {
			return err
		}
		return dropUnused(e, a)
	})
}

// clearMethods removes the methods and all that they name. The resources stay for now: those
// that are there again keep their IDs.
func clearMethods(e *document.Edit, a *RestAPI) error {
	resources, err := document.All[Resource](&e.Set, docResource)
	if err != nil {
		return err
	}
	for _, r := range resources {
		r.ResourceMethods = nil
		if err := e.Put(docResource+r.Id, r); err != nil {
			return err
		}
	}
	for _, kind := range []string{docAuthorizer, docModel, docValidator, docResponse} {
		for _, name := range e.Names(kind) {
			e.Delete(name)
		}
	}
	return nil
}

// dropUnused removes resources without a method that lead to none.
func dropUnused(e *document.Edit, a *RestAPI) error {
	resources, err := document.All[Resource](&e.Set, docResource)
	if err != nil {
		return err
	}
	parents := make(map[string]string, len(resources))
	for _, r := range resources {
		parents[r.Id] = r.ParentId
	}
	used := map[string]bool{a.RootResourceId: true}
	for _, r := range resources {
		for id := r.Id; len(r.ResourceMethods) > 0 && id != "" && !used[id]; id = parents[id] {
			used[id] = true
		}
	}
	for _, r := range resources {
		if !used[r.Id] {
			e.Delete(docResource + r.Id)
		}
	}
	return nil
}

// importInto makes the authorizers, resources and methods of a document.
func (s *service) importInto(e *document.Edit, a *RestAPI, d *openapi.Document) error {
	authorizers := make(map[string]string) // IDs by the names of their schemes
	for name, scheme := range d.Schemes {
		if scheme.Authorizer == nil {
			continue
		}
		by, err := s.authorizerOf(e, name, scheme.Authorizer)
		if err != nil {
			return err
		}
		authorizers[name] = by.Id
		if err := e.Put(docAuthorizer+by.Id, by); err != nil {
			return err
		}
	}
	if len(e.Names(docAuthorizer)) > maxAuthorizers {
		return &awsapi.Exception{Name: "LimitExceededException", Message: "Maximum number of authorizers for this API has been reached"}
	}
	validators, err := importParts(e, a, d)
	if err != nil {
		return err
	}
	known, err := document.All[Resource](&e.Set, docResource)
	if err != nil {
		return err
	}
	t := &tree{e: e, byPath: make(map[string]*Resource, len(known))}
	for _, r := range known {
		t.byPath[r.Path] = r
	}
	for n := range d.Operations {
		o := &d.Operations[n]
		r, err := t.resource(o.Path)
		if err != nil {
			return err
		}
		m, err := s.methodOf(&e.Set, r, o, d, authorizers, validators)
		if err != nil {
			return about(o.Method+" "+o.Path, err)
		}
		if r.ResourceMethods == nil {
			r.ResourceMethods = make(map[string]*Method)
		}
		r.ResourceMethods[o.Method] = m
		t.changed(r)
	}
	return t.put()
}

// about says what an exception is about.
func about(what string, err error) error {
	var x *awsapi.Exception
	if errors.As(err, &x) {
		return &awsapi.Exception{Name: x.Name, Message: fmt.Sprintf("%.200s: %s", what, x.Message)}
	}
	return err
}

// authorizerOf makes the authorizer of a security scheme, or changes the one of its name.
func (s *service) authorizerOf(e *document.Edit, name string, from *openapi.Authorizer) (*Authorizer, error) {
	others, err := document.All[Authorizer](&e.Set, docAuthorizer)
	if err != nil {
		return nil, err
	}
	a := &Authorizer{Id: apigatewayv2.NewID(6)}
	if n := slices.IndexFunc(others, func(other *Authorizer) bool { return other.Name == name }); n >= 0 {
		a.Id = others[n].Id
	}
	switch {
	case from.Credentials != "":
		return nil, invalid("authorizerCredentials is not supported: %s", noCredentials)
	case len(from.ProviderARNs) > 0:
		return nil, invalid("providerARNs is not supported: %s", noCognito)
	case from.JWT != nil || from.Simple || from.Payload != "" && from.Payload != "1.0":
		return nil, invalid("The authorizer %.64q is one of HTTP APIs", name)
	}
	a.Name, a.Type, a.AuthorizerUri, a.AuthorizerResultTtlInSeconds = name, strings.ToUpper(from.Type), from.URI, from.TTL
	a.IdentitySource, a.IdentityValidationExpression = from.IdentitySource, from.Expression
	if a.Type == "TOKEN" && a.IdentitySource == "" {
		a.IdentitySource = "method.request.header.Authorization"
	}
	return a, a.check(s)
}

// methodOf makes the method of an operation.
func (s *service) methodOf(set *document.Set, r *Resource, o *openapi.Operation, d *openapi.Document, authorizers map[string]string, validators map[string]*RequestValidator) (*Method, error) {
	m := &Method{HttpMethod: o.Method, OperationName: o.OperationID, RequestParameters: o.Parameters, RequestModels: o.Models}
	if v := validators[o.Validator]; v != nil {
		m.RequestValidatorId = v.Id
	}
	if err := m.secure(o, d, authorizers); err != nil {
		return nil, err
	}
	for status, headers := range o.Responses {
		if status == "default" {
			continue // which says what errors look like
		}
		response := &MethodResponse{StatusCode: status, ResponseModels: o.ResponseModels[status]}
		for _, name := range headers {
			if response.ResponseParameters == nil {
				response.ResponseParameters = make(map[string]bool)
			}
			response.ResponseParameters[responseHeader+name] = false
		}
		if m.MethodResponses == nil {
			m.MethodResponses = make(map[string]*MethodResponse)
		}
		m.MethodResponses[status] = response
	}
	if err := m.check(set); err != nil || o.Integration == nil {
		return m, err
	}
	to, err := integrationOf(o.Integration)
	if err != nil {
		return nil, err
	}
	for _, x := range to.IntegrationResponses {
		if err := x.check(m); err != nil {
			return nil, err
		}
	}
	m.MethodIntegration = to
	return m, to.check(s, r)
}

// secure says who may call the method of an operation. What is not understood is refused: the
// method would be open.
func (m *Method) secure(o *openapi.Operation, d *openapi.Document, authorizers map[string]string) error {
	name, scopes, err := o.Scheme()
	if err != nil {
		return invalid("%v", err)
	}
	if o.AuthType != "" && o.AuthType != typeNone && o.AuthType != typeIAM {
		return invalid("x-amazon-apigateway-auth %.40q is not supported", o.AuthType)
	}
	scheme := d.Schemes[name]
	switch {
	case o.AuthType == typeIAM, scheme != nil && strings.EqualFold(scheme.AuthType, "awsSigv4"):
		m.AuthorizationType = typeIAM
	case name == "":
		m.AuthorizationType = typeNone
	case authorizers[name] != "" && len(scopes) == 0:
		m.AuthorizationType, m.AuthorizerId = typeCustom, authorizers[name]
	case scheme != nil && scheme.Type == "apiKey" && strings.EqualFold(scheme.Name, "x-api-key") && scheme.AuthType == "":
		m.AuthorizationType, m.ApiKeyRequired = typeNone, true
	default:
		return invalid("the security scheme %.64q is not there, has no x-amazon-apigateway-authorizer or has scopes: the method would be open", name)
	}
	return nil
}

// integrationOf makes an integration.
func integrationOf(from *openapi.Integration) (*Integration, error) {
	more := integrationInput{ConnectionId: from.ConnectionID, Credentials: from.Credentials}
	if len(from.TLS) > 0 {
		more.TlsConfig = map[string]any{"tlsConfig": from.TLS}
	}
	if err := more.checkMore(); err != nil {
		return nil, err
	}
	if from.Subtype != "" || len(from.ResponseParameters) > 0 || from.Payload != "" && from.Payload != "1.0" {
		return nil, invalid("integrationSubtype, payloadFormatVersion 2.0 and responseParameters outside of responses are only for HTTP APIs")
	}
	to := &Integration{
		CacheKeyParameters: from.CacheKeys, CacheNamespace: from.CacheNamespace, ConnectionType: from.ConnectionType,
		ContentHandling: from.ContentHandling, HttpMethod: from.HTTPMethod,
		PassthroughBehavior: from.Passthrough, RequestParameters: from.RequestParameters, RequestTemplates: from.RequestTemplates,
		ResponseTransferMode: from.TransferMode, TimeoutInMillis: from.Timeout, Type: from.Type, Uri: from.URI,
	}
	for pattern, r := range from.Responses {
		if r.ContentHandling != "" {
			return nil, invalid("contentHandling is not supported: %s", noConversion)
		}
		x := &IntegrationResponse{StatusCode: string(r.StatusCode), ResponseParameters: r.Parameters, ResponseTemplates: r.Templates}
		if pattern != "default" {
			x.SelectionPattern = pattern
		}
		if to.IntegrationResponses[x.StatusCode] != nil {
			return nil, invalid("Two integration responses have the status code %.10s", x.StatusCode)
		}
		if to.IntegrationResponses == nil {
			to.IntegrationResponses = make(map[string]*IntegrationResponse)
		}
		to.IntegrationResponses[x.StatusCode] = x
	}
	return to, nil
}

// MockOf makes the mock of an integration of the type MOCK. Its errors are exceptions.
func MockOf(from *openapi.Integration) (*gateway.Mock, error) {
	to, err := integrationOf(from)
	if err != nil {
		return nil, err
	}
	if err := to.checkMock(); err != nil {
		return nil, err
	}
	mock := to.mock()
	if _, err := gateway.NewMocker(mock, false); err != nil {
		return nil, invalid("%v", err)
	}
	return mock, nil
}
