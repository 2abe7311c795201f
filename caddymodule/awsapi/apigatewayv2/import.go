package apigatewayv2

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/openapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

type importInput struct {
	ApiId, Basepath, Body string
	FailOnWarnings        bool // there are no warnings: what is not understood is refused
}

// document reads what is imported.
func (in *importInput) document() (*openapi.Document, error) {
	d, err := openapi.Parse([]byte(in.Body))
	switch {
	case err != nil:
		return nil, invalid("Invalid OpenAPI document: %v", err)
	case d.Swagger2:
		return nil, invalid("Swagger 2 is not supported for HTTP APIs: OpenAPI 3 is")
	case d.RESTOnly() != "":
		return nil, invalid("%s only for REST APIs", d.RESTOnly())
	case len(d.BinaryTypes) > 0 || d.KeySource != "":
		return nil, invalid("x-amazon-apigateway-binary-media-types and x-amazon-apigateway-api-key-source are only for REST APIs")
	}
	if in.Basepath == "prepend" {
		for n := range d.Operations {
			if path := &d.Operations[n].Path; *path != "$default" {
				*path = d.BasePath + *path
			}
		}
	} else if in.Basepath != "" && in.Basepath != "ignore" {
		return nil, invalid("basepath %.20q is not supported: ignore and prepend are", in.Basepath)
	}
	return d, nil
}

// describe gives an API what a document says of it.
func (a *API) describe(d *openapi.Document) error {
	a.Name, a.Description, a.Version = d.Title, d.Description, d.Version
	a.ProtocolType, a.CorsConfiguration, a.DisableExecuteApiEndpoint = string(gateway.HTTP), d.Cors, d.DisableEndpoint
	return a.check()
}

func (s *service) importAPI(ctx context.Context, in *importInput) (*API, error) {
	d, err := in.document()
	if err != nil {
		return nil, err
	}
	if s.Endpoint("") == "" {
		return nil, invalid("APIs are not supported: this server has no address for them. Set the global option api_url")
	}
	a := &API{ApiId: awsapi.ChosenID(ctx, newID(10)), CreatedDate: s.now()}
	if err := a.describe(d); err != nil {
		return nil, err
	}
	err = s.Store.Change(ctx, ownerAPI+a.ApiId, func(e *document.Edit) error {
		if err := e.Put(docAPI, a); err != nil {
			return err
		}
		return s.importInto(e, d)
	})
	return s.shown(a), err
}

// reimportAPI replaces what an API has by what a document says. Its stages stay.
func (s *service) reimportAPI(ctx context.Context, in *importInput) (*API, error) {
	d, err := in.document()
	if err != nil {
		return nil, err
	}
	a := new(API)
	err = s.change(ctx, in.ApiId, func(e *document.Edit) error {
		*a = API{}
		if err := e.Get(docAPI, a); err != nil {
			return err
		}
		if a.ProtocolType != string(gateway.HTTP) {
			return invalid("Only HTTP APIs are imported")
		}
		if err := a.describe(d); err != nil {
			return err
		}
		for _, kind := range []string{docRoute, docIntegration, docAuthorizer} {
			for _, name := range e.Names(kind) {
				e.Delete(name)
			}
		}
		if err := e.Put(docAPI, a); err != nil {
			return err
		}
		return s.importInto(e, d)
	})
	return s.shown(a), err
}

// importInto makes the authorizers, integrations and routes of a document.
func (s *service) importInto(e *document.Edit, d *openapi.Document) error {
	authorizers := make(map[string]*Authorizer)
	for name, scheme := range d.Schemes {
		if scheme.Authorizer == nil {
			continue
		}
		a := authorizerOf(name, scheme.Authorizer)
		if err := a.check(s, gateway.HTTP); err != nil {
			return err
		}
		authorizers[name] = a
		if err := e.Put(docAuthorizer+a.AuthorizerId, a); err != nil {
			return err
		}
	}
	if len(authorizers) > maxAuthorizers {
		return invalid("Maximum number of authorizers for this API has been reached: %d", maxAuthorizers)
	}
	if len(d.Operations) > maxRoutes {
		return invalid("Maximum number of routes for this API has been reached: %d", maxRoutes)
	}
	integrations := make(map[string]string) // their IDs, by what they are
	for n := range d.Operations {
		o := &d.Operations[n]
		route := &Route{RouteId: newID(7), RouteKey: o.Method + " " + o.Path, OperationName: o.OperationID}
		if o.Path == "$default" {
			route.RouteKey = o.Path
		}
		if err := route.secure(d, o, authorizers); err != nil {
			return err
		}
		if o.Integration != nil {
			id, err := s.importIntegration(e, o.Integration, integrations)
			if err != nil {
				return err
			}
			route.Target = targetPrefix + id
		}
		if err := s.checkRoute(&e.Set, route); err != nil {
			return err
		}
		if err := e.Put(docRoute+route.RouteId, route); err != nil {
			return err
		}
	}
	return nil
}

// importIntegration makes an integration, unless there is the same already. It returns its ID.
func (s *service) importIntegration(e *document.Edit, from *openapi.Integration, known map[string]string) (string, error) {
	more := integrationMore{
		ConnectionId: from.ConnectionID, ContentHandlingStrategy: from.ContentHandling, IntegrationSubtype: from.Subtype,
		RequestTemplates: anyOf(from.RequestTemplates),
	}
	if len(from.TLS) > 0 {
		more.TlsConfig = map[string]any{"tlsConfig": from.TLS}
	}
	if err := more.check(); err != nil {
		return "", err
	}
	if len(from.Responses) > 0 || len(from.CacheKeys) > 0 || from.CacheNamespace != "" || from.TransferMode != "" {
		return "", invalid("responses, cacheKeyParameters, cacheNamespace and responseTransferMode of an integration are only for REST APIs")
	}
	to := &Integration{
		IntegrationType: from.Type, IntegrationUri: from.URI, IntegrationMethod: from.HTTPMethod, PayloadFormatVersion: string(from.Payload),
		PassthroughBehavior: from.Passthrough, TimeoutInMillis: from.Timeout, ConnectionType: from.ConnectionType, CredentialsArn: from.Credentials,
		RequestParameters: from.RequestParameters,
	}
	for status, data := range from.ResponseParameters {
		var of map[string]string
		if err := json.Unmarshal(data, &of); err != nil {
			return "", invalid("responseParameters of the status %.20q: %v", status, err)
		}
		if to.ResponseParameters == nil {
			to.ResponseParameters = make(map[string]map[string]string)
		}
		to.ResponseParameters[status] = of
	}
	if err := s.checkIntegrationOf(&e.Set, to); err != nil {
		return "", err
	}
	key, err := json.Marshal(to)
	if err != nil {
		return "", err
	}
	if id := known[string(key)]; id != "" {
		return id, nil
	}
	to.IntegrationId = newID(7)
	known[string(key)] = to.IntegrationId
	return to.IntegrationId, e.Put(docIntegration+to.IntegrationId, to)
}

func anyOf[T any](of map[string]T) map[string]any {
	all := make(map[string]any, len(of))
	for name, value := range of {
		all[name] = value
	}
	return all
}

func authorizerOf(name string, from *openapi.Authorizer) *Authorizer {
	a := &Authorizer{
		AuthorizerId: newID(6), Name: name, AuthorizerType: strings.ToUpper(from.Type), AuthorizerUri: from.URI, AuthorizerCredentialsArn: from.Credentials,
		AuthorizerPayloadFormatVersion: string(from.Payload), EnableSimpleResponses: from.Simple, AuthorizerResultTtlInSeconds: from.TTL,
		IdentityValidationExpression: from.Expression,
	}
	for source := range strings.SplitSeq(from.IdentitySource, ",") {
		if source = strings.TrimSpace(source); source != "" {
			a.IdentitySource = append(a.IdentitySource, source)
		}
	}
	if from.JWT != nil {
		a.JwtConfiguration = &JWT{Issuer: from.JWT.Issuer, Audience: from.JWT.Audience}
	}
	return a
}

// secure says who may call the route of an operation. What is not understood is refused: the
// route would be open.
func (r *Route) secure(d *openapi.Document, o *openapi.Operation, authorizers map[string]*Authorizer) error {
	name, scopes, err := o.Scheme()
	switch {
	case err != nil:
		return invalid("%s %s: %v", o.Method, o.Path, err)
	case o.AuthType != "" && o.AuthType != "NONE" && o.AuthType != typeIAM:
		return invalid("%s %s: x-amazon-apigateway-auth %.40q is not supported", o.Method, o.Path, o.AuthType)
	case o.AuthType == typeIAM:
		r.AuthorizationType = typeIAM
		return nil
	case name == "":
		return nil
	}
	if a := authorizers[name]; a != nil {
		r.AuthorizerId, r.AuthorizationScopes, r.AuthorizationType = a.AuthorizerId, scopes, typeCustom
		if a.AuthorizerType == string(gateway.JWT) {
			r.AuthorizationType = typeJWT
		}
		return nil
	}
	if scheme := d.Schemes[name]; scheme != nil && strings.EqualFold(scheme.AuthType, "awsSigv4") {
		r.AuthorizationType = typeIAM
		return nil
	}
	return invalid("%s %s: the security scheme %.64q is not there or has no x-amazon-apigateway-authorizer: the route would be open", o.Method, o.Path, cmp.Or(name, "{}"))
}
