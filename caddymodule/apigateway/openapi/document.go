package openapi

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
)

// A Document is what is read of the description of an API.
type Document struct {
	Title, Description, Version string
	// Swagger2 says that the document is Swagger 2, which only REST APIs take.
	Swagger2 bool
	// BasePath is the path before those of the operations, e.g. /v1. "": there is none.
	BasePath string
	// Operations are in the order of their paths and methods.
	Operations []Operation
	// Schemes are how callers prove who they are, by name. Those that no operation names may
	// be there, too.
	Schemes map[string]*Scheme
	Cors    *gateway.Cors
	// BinaryTypes are content types whose bodies are bytes.
	BinaryTypes []string
	// KeySource is where API keys come from. "": it is not said.
	KeySource string
	// Models are the schemas of the document as they are written, by name. See Schema.
	Models map[string]json.RawMessage
	// Validators are those that operations name. Only REST APIs have them, and Responses.
	Validators map[string]Validator
	Responses  map[string]*GatewayResponse
	// DisableEndpoint says that the API has no address of its own.
	DisableEndpoint bool
}

// A Scheme is how callers prove who they are.
type Scheme struct {
	// Type is apiKey, oauth2, openIdConnect or http.
	Type string `json:"type,omitempty"`
	// Name and In are the place of an API key: X-Api-Key and header.
	Name string `json:"name,omitempty"`
	In   string `json:"in,omitempty"`
	// AuthType is awsSigv4, custom, oauth2 or cognito_user_pools.
	AuthType   string      `json:"x-amazon-apigateway-authtype,omitempty"`
	Authorizer *Authorizer `json:"x-amazon-apigateway-authorizer,omitempty"`
}

// An Authorizer decides who may call.
type Authorizer struct {
	// Type is jwt, request or token, in small letters.
	Type           string   `json:"type,omitempty"`
	URI            string   `json:"authorizerUri,omitempty"`
	Credentials    string   `json:"authorizerCredentials,omitempty"`
	IdentitySource string   `json:"identitySource,omitempty"`
	Expression     string   `json:"identityValidationExpression,omitempty"`
	Payload        version  `json:"authorizerPayloadFormatVersion,omitempty"`
	Simple         bool     `json:"enableSimpleResponses,omitempty"`
	TTL            *int     `json:"authorizerResultTtlInSeconds,omitempty"`
	ProviderARNs   []string `json:"providerARNs,omitempty"`
	JWT            *JWT     `json:"jwtConfiguration,omitempty"`
}

// A JWT says which tokens a JWT authorizer takes.
type JWT struct {
	Issuer   string   `json:"issuer,omitempty"`
	Audience []string `json:"audience,omitempty"`
}

// file is a document as it is written.
type file struct {
	Swagger, OpenAPI string
	Info             struct{ Title, Description, Version string }
	BasePath         string
	Servers          []struct {
		URL       string
		Variables map[string]struct{ Default string }
	}
	Paths               map[string]json.RawMessage
	Security            []map[string][]string
	SecurityDefinitions map[string]*Scheme
	Definitions         map[string]json.RawMessage
	Parameters          map[string]json.RawMessage
	Consumes, Produces  []string
	Components          struct {
		SecuritySchemes map[string]*Scheme
		Schemas         map[string]json.RawMessage
		Parameters      map[string]json.RawMessage
		RequestBodies   map[string]json.RawMessage
		Integrations    map[string]json.RawMessage `json:"x-amazon-apigateway-integrations"`
	}
	Cors        *gateway.Cors `json:"x-amazon-apigateway-cors"`
	BinaryTypes []string      `json:"x-amazon-apigateway-binary-media-types"`
	KeySource   string        `json:"x-amazon-apigateway-api-key-source"`
	Endpoint    *endpoint     `json:"x-amazon-apigateway-endpoint-configuration"`

	Validators map[string]Validator        `json:"x-amazon-apigateway-request-validators"`
	Validator  string                      `json:"x-amazon-apigateway-request-validator"`
	Responses  map[string]*GatewayResponse `json:"x-amazon-apigateway-gateway-responses"`

	models map[string]json.RawMessage
}

// An endpoint says how an API is reached.
type endpoint struct {
	DisableExecuteApiEndpoint bool     `json:"disableExecuteApiEndpoint"`
	VpcEndpointIds            []string `json:"vpcEndpointIds"`
}

// extension begins the names of what API Gateway adds to OpenAPI.
const extension = "x-amazon-apigateway-"

// Extensions of documents that are known. The last one says which version of an export it is.
var extensions = []string{
	"cors", "binary-media-types", "api-key-source", "endpoint-configuration", "importexport-version", "integrations",
	"request-validators", "request-validator", "gateway-responses",
}

// refuse refuses extensions of an object that are not known.
func refuse(object json.RawMessage, where string, known []string) error {
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if rest, found := strings.CutPrefix(name, extension); found && !slices.Contains(known, rest) {
			return fmt.Errorf("%s: %.100s is not supported", where, name)
		}
	}
	return nil
}

// Parse reads a document.
func Parse(data []byte) (*Document, error) {
	text, err := read(data)
	if err != nil {
		return nil, err
	}
	var f file
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("the document is not as OpenAPI has it: %w", err)
	}
	if !strings.HasPrefix(f.OpenAPI, "3.") && f.Swagger != "2.0" {
		return nil, errors.New(`the document is neither OpenAPI 3 ("openapi": "3.0.1") nor Swagger 2 ("swagger": "2.0")`)
	}
	if err := refuse(text, "the document", extensions); err != nil {
		return nil, err
	}
	d := &Document{
		Title: f.Info.Title, Description: f.Info.Description, Version: f.Info.Version, Swagger2: f.Swagger != "",
		Cors: f.Cors, BinaryTypes: f.BinaryTypes, KeySource: f.KeySource, Schemes: f.Components.SecuritySchemes,
		Models: f.Components.Schemas, Validators: f.Validators, Responses: f.Responses,
	}
	if d.Swagger2 {
		d.Schemes, d.Models = f.SecurityDefinitions, f.Definitions
	}
	if d.Models == nil {
		d.Models = make(map[string]json.RawMessage)
	}
	f.models = d.Models // which operations add to
	for kind, r := range d.Responses {
		if r == nil {
			return nil, fmt.Errorf("the gateway response %.64q is empty", kind)
		}
	}
	if f.Endpoint != nil {
		if d.DisableEndpoint = f.Endpoint.DisableExecuteApiEndpoint; len(f.Endpoint.VpcEndpointIds) > 0 {
			return nil, errors.New("vpcEndpointIds are not supported: there are no VPCs here")
		}
	}
	for name, s := range d.Schemes {
		if s == nil {
			return nil, fmt.Errorf("the security scheme %.64q is empty", name)
		}
	}
	if d.BasePath, err = f.basePath(); err != nil {
		return nil, err
	}
	d.Operations, err = f.operations()
	return d, err
}

// basePath is the path before those of the operations.
func (f *file) basePath() (string, error) {
	path := f.BasePath
	if f.Swagger == "" && len(f.Servers) > 0 {
		address := f.Servers[0].URL
		for name, v := range f.Servers[0].Variables {
			address = strings.ReplaceAll(address, "{"+name+"}", strings.TrimPrefix(v.Default, "/"))
		}
		u, err := url.Parse(address)
		if err != nil {
			return "", fmt.Errorf("the server %.100q is no address", address)
		}
		path = u.Path
	}
	if path = strings.TrimSuffix(path, "/"); path != "" && !strings.HasPrefix(path, "/") {
		return "", fmt.Errorf("the base path %.100q does not begin with /", path)
	}
	return path, nil
}

// order is that of operations.
func order(a, b Operation) int {
	return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Method, b.Method))
}
