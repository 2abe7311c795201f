package apigatewayv1

import (
	"maps"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/apigateway/openapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi"
)

type exportInput struct{ Accepts, ExportType, RestApiId, StageName string }

// getExport writes what a stage serves as an OpenAPI or Swagger document.
func (s *service) getExport(r *awsapi.Request) (any, error) {
	in := new(exportInput)
	if err := r.Read(in); err != nil {
		return nil, err
	}
	f := openapi.Format{Swagger2: in.ExportType == "swagger", YAML: strings.Contains(in.Accepts, "yaml"), Plain: true}
	if in.ExportType != "oas30" && in.ExportType != "swagger" {
		return nil, invalid("Invalid export type %.20q: oas30 or swagger is expected", in.ExportType)
	}
	for name, values := range r.URL.Query() {
		switch value := values[len(values)-1]; {
		case name == "extensions" && (value == "integrations" || value == "apigateway" || value == "authorizers"):
			f.Plain = f.Plain && value == "authorizers"
		case name == "extensions" && value == "none":
		default:
			return nil, invalid("The parameter %.40s=%.40s is not supported", name, value)
		}
	}
	set, err := s.read(r.Context(), in.RestApiId)
	if err != nil {
		return nil, err
	}
	a, err := find[RestAPI](set, docRestAPI, "API")
	if err != nil {
		return nil, err
	}
	g, err := find[Stage](set, docStage+in.StageName, "stage")
	if err != nil {
		return nil, err
	}
	of, err := find[snapshot](set, docSnapshot+g.DeploymentId, "Deployment")
	if err != nil {
		return nil, err
	}
	d, err := of.document(a, f)
	if err != nil {
		return nil, err
	}
	body, err := d.Encode(f)
	if f.YAML {
		return &awsapi.Raw{ContentType: "application/yaml", Body: body}, err
	}
	return &awsapi.Raw{ContentType: "application/json", Body: body}, err
}

// keyScheme is the name of the security scheme of methods with apiKeyRequired.
const keyScheme = "api_key"

// document is an API as importInto reads it.
func (of *snapshot) document(a *RestAPI, f openapi.Format) (*openapi.Document, error) {
	d := &openapi.Document{Title: a.Name, Description: a.Description, Version: a.Version, BinaryTypes: of.BinaryMediaTypes, Schemes: make(map[string]*openapi.Scheme)}
	validators, err := of.exportParts(d, f)
	if err != nil {
		return nil, err
	}
	names := make(map[string]string) // of authorizers by their IDs
	for _, by := range of.Authorizers {
		names[by.Id] = by.Name
		d.Schemes[by.Name] = &openapi.Scheme{Type: "apiKey", Name: "Authorization", In: "header", AuthType: "custom", Authorizer: &openapi.Authorizer{
			Type: strings.ToLower(by.Type), URI: by.AuthorizerUri, IdentitySource: by.IdentitySource, Expression: by.IdentityValidationExpression, TTL: by.AuthorizerResultTtlInSeconds,
		}}
	}
	for _, r := range of.Resources {
		for name, m := range r.ResourceMethods {
			o := openapi.Operation{Path: r.Path, Method: name, OperationID: m.OperationName, Parameters: m.RequestParameters, Responses: make(map[string][]string)}
			o.Validator, o.Models, o.ResponseModels = validators[m.RequestValidatorId], m.RequestModels, make(map[string]map[string]string)
			switch {
			case m.AuthorizationType == typeIAM:
				o.AuthType = typeIAM
			case m.AuthorizationType == typeCustom:
				o.Security = []map[string][]string{{names[m.AuthorizerId]: {}}}
			case m.ApiKeyRequired:
				d.Schemes[keyScheme] = &openapi.Scheme{Type: "apiKey", Name: "x-api-key", In: "header"}
				o.Security = []map[string][]string{{keyScheme: {}}}
			}
			for status, response := range m.MethodResponses {
				headers := []string{}
				for _, full := range slices.Sorted(maps.Keys(response.ResponseParameters)) {
					headers = append(headers, strings.TrimPrefix(full, responseHeader))
				}
				o.Responses[status], o.ResponseModels[status] = headers, response.ResponseModels
			}
			if m.MethodIntegration != nil {
				o.Integration = m.MethodIntegration.document()
			}
			d.Operations = append(d.Operations, o)
		}
	}
	return d, nil
}

// document is an integration as integrationOf reads it.
func (to *Integration) document() *openapi.Integration {
	out := &openapi.Integration{
		Type: strings.ToLower(to.Type), URI: to.Uri, HTTPMethod: to.HttpMethod, Passthrough: strings.ToLower(to.PassthroughBehavior), Timeout: to.TimeoutInMillis,
		RequestParameters: to.RequestParameters, RequestTemplates: to.RequestTemplates,
	}
	for status, x := range to.IntegrationResponses {
		r := &openapi.IntegrationResponse{Parameters: x.ResponseParameters, Templates: x.ResponseTemplates}
		r.SetStatus(status)
		if out.Responses == nil {
			out.Responses = make(map[string]*openapi.IntegrationResponse)
		}
		pattern := x.SelectionPattern
		if pattern == "" {
			pattern = "default"
		}
		out.Responses[pattern] = r
	}
	return out
}
