package apigatewayv1

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv2"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

// Served reads a REST API as the data plane serves it. It is an apigatewayv2.Reader.
func Served(set *document.Set, id string) (*apigatewayv2.Served, error) {
	var a RestAPI
	if !set.Has(docRestAPI) {
		return nil, apigatewayv2.ErrNotFound
	}
	if err := set.Get(docRestAPI, &a); err != nil {
		return nil, err
	}
	stages, err := document.All[Stage](set, docStage)
	if err != nil {
		return nil, err
	}
	served := &apigatewayv2.Served{ID: id, Protocol: gateway.REST, Disabled: a.DisableExecuteApiEndpoint, Stages: make(map[string]*gateway.API, len(stages))}
	for _, g := range stages {
		var of snapshot
		if err := set.Get(docSnapshot+g.DeploymentId, &of); err != nil && !errors.Is(err, document.ErrNotFound) {
			return nil, err
		}
		api := of.gateway(&a, g)
		if err := api.Check(); err != nil {
			return nil, fmt.Errorf("API %s, stage %s: %w", id, g.StageName, err)
		}
		served.Stages[g.StageName] = api
	}
	return served, nil
}

// gateway is a stage as the data plane knows it.
func (of *snapshot) gateway(a *RestAPI, g *Stage) *gateway.API {
	api := &gateway.API{ID: a.Id, Name: a.Name, Protocol: gateway.REST, BinaryTypes: of.BinaryMediaTypes, KeySource: gateway.KeySource(of.ApiKeySource)}
	api.Stages = []gateway.Stage{{Name: g.StageName, Variables: g.Variables, Throttle: g.MethodSettings[allMethods].throttle(), AccessLog: g.AccessLogSettings.Gateway()}}
	api.Responses, api.Models = responsesOf(of.Responses), make(map[string]string, len(of.Models)+len(builtinModels))
	for _, m := range append(of.Models, builtinModels...) {
		api.Models[m.Name] = m.Schema
	}
	variables := g.Variables
	if variables == nil {
		variables = make(map[string]string)
	}
	for _, r := range of.Resources {
		for name, m := range r.ResourceMethods {
			if m.MethodIntegration == nil {
				continue // deployments have none
			}
			api.Routes = append(api.Routes, gateway.Route{
				Key: name + " " + r.Path, ResourceID: r.Id, Integration: m.MethodIntegration.served(name+" "+r.Path, variables),
				Authorization: m.authorization(), KeyRequired: m.ApiKeyRequired, Throttle: g.settings(r.Path, name).throttle(),
				Validation: m.validation(of.Validators),
			})
		}
	}
	for _, a := range of.Authorizers {
		api.Authorizers = append(api.Authorizers, a.gateway())
	}
	slices.SortFunc(api.Routes, func(x, y gateway.Route) int { return strings.Compare(x.Key, y.Key) })
	return api
}

// settings are those of a method of a resource, nil if it has none of its own.
func (g *Stage) settings(path, method string) *MethodSetting {
	return g.MethodSettings[strings.ReplaceAll(strings.TrimPrefix(path, "/"), "/", "~1")+"/"+method]
}

func (m *MethodSetting) throttle() *gateway.Throttle {
	if m == nil || m.ThrottlingRateLimit < 0 || m.ThrottlingBurstLimit < 0 {
		return nil
	}
	return &gateway.Throttle{Rate: m.ThrottlingRateLimit, Burst: m.ThrottlingBurstLimit}
}

// mock are the templates of an integration of the type MOCK or AWS.
func (to *Integration) mock() *gateway.Mock {
	mock := &gateway.Mock{Requests: to.RequestTemplates}
	mock.Strict = to.PassthroughBehavior == "NEVER" || to.PassthroughBehavior == "WHEN_NO_TEMPLATES" && len(to.RequestTemplates) > 0
	for _, x := range to.IntegrationResponses {
		status, _ := strconv.Atoi(x.StatusCode) // the model allows digits alone
		response := gateway.MockResponse{Status: status, Pattern: x.SelectionPattern, Bodies: x.ResponseTemplates, Headers: make(map[string]string)}
		for name, value := range x.ResponseParameters {
			response.Headers[strings.TrimPrefix(name, responseHeader)] = value
		}
		mock.Responses = append(mock.Responses, response)
	}
	slices.SortFunc(mock.Responses, func(x, y gateway.MockResponse) int { return x.Status - y.Status })
	return mock
}
