package apigatewayv2

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/openapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

type exportInput struct {
	ApiId, ExportVersion, OutputType, Specification, StageName string
	IncludeExtensions                                          *bool
}

// exportAPI writes an API, or what a stage of it serves, as an OpenAPI document.
func (s *service) exportAPI(ctx context.Context, in *exportInput) (*awsapi.Raw, error) {
	f := openapi.Format{YAML: in.OutputType == "YAML", Plain: in.IncludeExtensions != nil && !*in.IncludeExtensions}
	switch {
	case in.Specification != "OAS30":
		return nil, invalid("Invalid specification %.20q: OAS30 is expected", in.Specification)
	case in.OutputType != "YAML" && in.OutputType != "JSON":
		return nil, invalid("Invalid outputType %.20q: JSON or YAML is expected", in.OutputType)
	case in.ExportVersion != "" && in.ExportVersion != "1.0":
		return nil, invalid("exportVersion %.20q is not supported: 1.0 is", in.ExportVersion)
	}
	set, err := s.read(ctx, in.ApiId)
	if err != nil {
		return nil, err
	}
	a := new(API)
	if err := set.Get(docAPI, a); err != nil {
		return nil, err
	}
	if a.ProtocolType != string(gateway.HTTP) {
		return nil, invalid("Only HTTP APIs are exported")
	}
	of, err := snapshotOf(set, a, in.StageName)
	if err != nil {
		return nil, err
	}
	d, err := of.document(a)
	if err != nil {
		return nil, err
	}
	body, err := d.Encode(f)
	if f.YAML {
		return &awsapi.Raw{ContentType: "application/yaml", Body: body}, err
	}
	return &awsapi.Raw{ContentType: "application/json", Body: body}, err
}

// snapshotOf is what a stage serves, or what the API has now for "".
func snapshotOf(set *document.Set, a *API, stage string) (of *snapshot, err error) {
	of = &snapshot{Cors: a.CorsConfiguration}
	if stage != "" {
		g, err := find[Stage](set, docStage, stage, "stage")
		if err != nil {
			return nil, err
		}
		return find[snapshot](set, docSnapshot, g.DeploymentId, "Deployment")
	}
	if of.Routes, err = document.All[Route](set, docRoute); err != nil {
		return nil, err
	}
	if of.Integrations, err = document.All[Integration](set, docIntegration); err != nil {
		return nil, err
	}
	of.Authorizers, err = document.All[Authorizer](set, docAuthorizer)
	return of, err
}

// document is an API as importInto reads it.
func (of *snapshot) document(a *API) (*openapi.Document, error) {
	d := &openapi.Document{Title: a.Name, Description: a.Description, Version: a.Version, Cors: of.Cors, Schemes: make(map[string]*openapi.Scheme)}
	names := make(map[string]string) // of authorizers by their IDs
	for _, by := range of.Authorizers {
		names[by.AuthorizerId] = by.Name
		d.Schemes[by.Name] = by.scheme()
	}
	integrations := make(map[string]*Integration)
	for _, to := range of.Integrations {
		integrations[targetPrefix+to.IntegrationId] = to
	}
	for _, r := range of.Routes {
		o := openapi.Operation{Path: "$default", Method: "ANY", OperationID: r.OperationName, Parameters: make(map[string]bool)}
		if r.RouteKey != "$default" {
			method, pattern, err := apigateway.ParseKey(r.RouteKey)
			if err != nil {
				return nil, err
			}
			o.Method, o.Path = method, pattern.Path
			for _, name := range pattern.Names() {
				o.Parameters["method.request.path."+name] = true
			}
		}
		switch r.AuthorizationType {
		case typeIAM:
			o.AuthType = typeIAM
		case typeJWT, typeCustom:
			o.Security = []map[string][]string{{names[r.AuthorizerId]: append([]string{}, r.AuthorizationScopes...)}}
		}
		if to := integrations[r.Target]; to != nil {
			o.Integration = &openapi.Integration{
				Type: to.IntegrationType, URI: to.IntegrationUri, HTTPMethod: to.IntegrationMethod, Timeout: to.TimeoutInMillis, ConnectionType: to.ConnectionType,
				RequestParameters: to.RequestParameters,
			}
			for status, of := range to.ResponseParameters {
				data, err := json.Marshal(of)
				if err != nil {
					return nil, err
				}
				if o.Integration.ResponseParameters == nil {
					o.Integration.ResponseParameters = make(map[string]json.RawMessage)
				}
				o.Integration.ResponseParameters[status] = data
			}
			o.Integration.SetPayload(to.PayloadFormatVersion)
		}
		d.Operations = append(d.Operations, o)
	}
	return d, nil
}

// scheme is an authorizer as a document has it.
func (a *Authorizer) scheme() *openapi.Scheme {
	by := &openapi.Authorizer{
		Type: strings.ToLower(a.AuthorizerType), URI: a.AuthorizerUri, IdentitySource: strings.Join(a.IdentitySource, ","),
		Simple: a.EnableSimpleResponses, TTL: a.AuthorizerResultTtlInSeconds,
	}
	by.SetPayload(a.AuthorizerPayloadFormatVersion)
	if a.JwtConfiguration == nil {
		return &openapi.Scheme{Type: "apiKey", Name: "Authorization", In: "header", AuthType: "custom", Authorizer: by}
	}
	by.JWT = &openapi.JWT{Issuer: a.JwtConfiguration.Issuer, Audience: a.JwtConfiguration.Audience}
	return &openapi.Scheme{Type: "oauth2", Authorizer: by}
}
