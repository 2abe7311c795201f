package apigatewayv1

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv2"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

// A RestAPI is a REST API.
// https://docs.aws.amazon.com/apigateway/latest/api/API_RestApi.html
type RestAPI struct {
	ApiKeySource              string            `json:"apiKeySource"`
	BinaryMediaTypes          []string          `json:"binaryMediaTypes,omitempty"`
	CreatedDate               int64             `json:"createdDate"`
	Description               string            `json:"description,omitempty"`
	DisableExecuteApiEndpoint bool              `json:"disableExecuteApiEndpoint"`
	EndpointConfiguration     *endpoint         `json:"endpointConfiguration"`
	Id                        string            `json:"id"`
	Name                      string            `json:"name"`
	RootResourceId            string            `json:"rootResourceId"`
	Tags                      map[string]string `json:"tags,omitempty"`
	Version                   string            `json:"version,omitempty"`
}

// An endpoint says how an API is reached. All kinds are the same here: the addresses of
// api_url.
type endpoint struct {
	IpAddressType  string   `json:"ipAddressType"`
	Types          []string `json:"types"`
	VpcEndpointIds []string `json:"vpcEndpointIds,omitempty"`
}

// restAPIMore are members of APIs that are refused.
type restAPIMore struct {
	CloneFrom, EndpointAccessMode, Policy, SecurityPolicy string
	MinimumCompressionSize                                *int
}

// Why members of APIs are refused.
const (
	noPolicy      = "this server has no resource policies: who may call is Caddy's to say, e.g. by remote_ip"
	noCompression = "Caddy compresses, by the directive encode"
	noTLSPolicy   = "Caddy has TLS, by the directive tls"
)

func (m *restAPIMore) check() error {
	switch {
	case m.CloneFrom != "":
		return invalid("cloneFrom is not supported: create the resources")
	case m.Policy != "":
		return invalid("policy is not supported: %s", noPolicy)
	case m.MinimumCompressionSize != nil:
		return invalid("minimumCompressionSize is not supported: %s", noCompression)
	case m.SecurityPolicy != "" || m.EndpointAccessMode != "":
		return invalid("securityPolicy and endpointAccessMode are not supported: %s", noTLSPolicy)
	}
	return nil
}

// maxBinaryTypes bounds BinaryMediaTypes.
const maxBinaryTypes = 100

func (a *RestAPI) check() error {
	a.ApiKeySource = cmp.Or(a.ApiKeySource, "HEADER")
	if a.EndpointConfiguration == nil {
		a.EndpointConfiguration = new(endpoint)
	}
	at := a.EndpointConfiguration
	at.IpAddressType = cmp.Or(at.IpAddressType, "ipv4")
	if len(at.Types) == 0 {
		at.Types = []string{"EDGE"}
	}
	switch {
	case strings.TrimSpace(a.Name) == "":
		return invalid("API name cannot be empty")
	case len(a.Name) > 1024 || len(a.Description) > 1024 || len(a.Version) > 128:
		return invalid("The name or the description of an API has 1024 characters at most, its version 128")
	case a.ApiKeySource != string(gateway.KeyInHeader) && a.ApiKeySource != string(gateway.KeyByAuthorizer):
		return invalid("Invalid apiKeySource %.20q: HEADER and AUTHORIZER are possible", a.ApiKeySource)
	case len(at.Types) > 1:
		return invalid("Cannot create an api with multiple Endpoint Types.")
	case at.Types[0] == "PRIVATE" || len(at.VpcEndpointIds) > 0:
		return invalid("An endpointConfiguration other than one of EDGE or REGIONAL is not supported: there are no VPCs here")
	case at.IpAddressType != "ipv4":
		return invalid("ipAddressType %s is not supported: the addresses of this server's sites count", at.IpAddressType)
	case len(a.BinaryMediaTypes) > maxBinaryTypes:
		return invalid("An API has %d binary media types at most", maxBinaryTypes)
	}
	return apigatewayv2.CheckTags(a.Tags)
}

type createRestAPIInput struct {
	RestAPI
	restAPIMore
	Description *string
}

func (s *service) createRestAPI(ctx context.Context, in *createRestAPIInput) (*RestAPI, error) {
	a := &in.RestAPI
	if in.Description != nil {
		if a.Description = *in.Description; a.Description == "" {
			return nil, invalid("Description cannot be an empty string")
		}
	}
	if a.EndpointConfiguration != nil && a.EndpointConfiguration.Types != nil && len(a.EndpointConfiguration.Types) == 0 {
		return nil, invalid("REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.")
	}
	if s.Endpoint("") == "" {
		return nil, invalid("APIs are not supported: this server has no address for them. Set the global option api_url, e.g. api_url https://*.execute-api.%s.example.com", s.Account.Region)
	}
	if err := in.restAPIMore.check(); err != nil {
		return nil, err
	}
	a.Id, a.RootResourceId, a.CreatedDate = awsapi.ChosenID(ctx, apigatewayv2.NewID(10)), apigatewayv2.NewID(10), s.now()
	if err := a.check(); err != nil {
		return nil, err
	}
	return a, s.Store.Change(ctx, apigatewayv2.Owner(a.Id), func(e *document.Edit) error {
		return errors.Join(e.Put(docRestAPI, a), e.Put(docResource+a.RootResourceId, &Resource{Id: a.RootResourceId, Path: "/"}))
	})
}

type apiInput struct {
	patches
	paging
	RestApiId string
}

func (s *service) getRestAPI(ctx context.Context, in *apiInput) (*RestAPI, error) {
	set, err := s.read(ctx, in.RestApiId)
	if err != nil {
		return nil, err
	}
	return find[RestAPI](set, docRestAPI, "API")
}

func (s *service) getRestAPIs(ctx context.Context, in *apiInput) (*list[*RestAPI], error) {
	owners, err := s.Store.Owners(ctx, apigatewayv2.Owner(""))
	if err != nil {
		return nil, err
	}
	// Owners are APIs of both kinds, so the page is of what is read.
	apis := []*RestAPI{}
	for _, owner := range owners {
		a, err := s.getRestAPI(ctx, &apiInput{RestApiId: strings.TrimPrefix(owner, apigatewayv2.Owner(""))})
		if isMissing(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		apis = append(apis, a)
	}
	return pageOf(apis, func(a *RestAPI) string { return a.Id }, in.paging)
}

func (s *service) updateRestAPI(ctx context.Context, in *apiInput) (*RestAPI, error) {
	a := new(RestAPI)
	return a, s.change(ctx, in.RestApiId, func(e *document.Edit) error {
		*a = RestAPI{}
		if err := e.Get(docRestAPI, a); err != nil {
			return err
		}
		can := fields{
			exact: map[string]field{
				"/name": text(&a.Name), "/description": text(&a.Description), "/version": text(&a.Version), "/apiKeySource": text(&a.ApiKeySource),
				"/disableExecuteApiEndpoint":           flag("disableExecuteApiEndpoint", &a.DisableExecuteApiEndpoint),
				"/endpointConfiguration/ipAddressType": text(&a.EndpointConfiguration.IpAddressType),
				"/policy":                              off("policy", "", noPolicy),
				"/minimumCompressionSize":              off("minimumCompressionSize", "", noCompression),
				"/securityPolicy":                      off("securityPolicy", "", noTLSPolicy),
			},
			prefix: map[string]func(string) field{
				"/binaryMediaTypes/": member(&a.BinaryMediaTypes),
				"/endpointConfiguration/types/": func(string) field {
					return func(value string, _ bool) error {
						a.EndpointConfiguration.Types = []string{value}
						return nil
					}
				},
			},
		}
		if err := can.apply(in.PatchOperations); err != nil {
			return err
		}
		if t := a.EndpointConfiguration.Types[0]; !slices.Contains([]string{"EDGE", "REGIONAL", "PRIVATE"}, t) {
			return invalid("Invalid endpoint type %.20q", t)
		}
		if err := a.check(); err != nil {
			return err
		}
		return e.Put(docRestAPI, a)
	})
}

func (s *service) deleteRestAPI(ctx context.Context, in *apiInput) (awsapi.None, error) {
	if _, err := s.read(ctx, in.RestApiId); err != nil {
		return awsapi.None{}, err
	}
	if names, err := s.Domains.Mapped(ctx, in.RestApiId); err != nil || len(names) > 0 {
		return awsapi.None{}, cmp.Or(err, invalid("Deleting RestApi %s failed. Please remove all base path mappings related to the RestApi in your domains: %s.", in.RestApiId, strings.Join(names, ", ")))
	}
	defer s.APIs.Changed(in.RestApiId)
	return awsapi.None{}, s.Store.Remove(ctx, apigatewayv2.Owner(in.RestApiId), docRestAPI)
}

// isMissing reports whether an error is the exception for what is not there.
func isMissing(err error) bool { return apigatewayv2.IsMissing(err) }
