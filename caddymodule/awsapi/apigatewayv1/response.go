package apigatewayv1

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

// A GatewayResponse is what clients get for a type of error.
// https://docs.aws.amazon.com/apigateway/latest/api/API_GatewayResponse.html
type GatewayResponse struct {
	DefaultResponse    bool              `json:"defaultResponse"`
	ResponseParameters map[string]string `json:"responseParameters"`
	ResponseTemplates  map[string]string `json:"responseTemplates"`
	ResponseType       string            `json:"responseType"`
	StatusCode         string            `json:"statusCode,omitempty"`
}

// docResponse begins the names of documents of gateway responses, by their types.
const docResponse = "gatewayresponse/"

// gatewayHeader begins the name of a header of a gateway response.
const gatewayHeader = "gatewayresponse.header."

// usualTemplates are those of a gateway response that has none.
func usualTemplates() map[string]string {
	return map[string]string{"application/json": `{"message":$context.error.messageString}`}
}

type responseInput struct {
	patches
	paging
	RestApiId, ResponseType, StatusCode   string
	ResponseParameters, ResponseTemplates map[string]string
}

// check sets what AWS gives a response that does not say it, and checks the response.
func (g *GatewayResponse) check() error {
	if len(g.ResponseTemplates) == 0 {
		g.ResponseTemplates = usualTemplates()
	}
	if g.ResponseParameters == nil {
		g.ResponseParameters = map[string]string{}
	}
	if g.StatusCode == "" {
		g.StatusCode = gateway.ResponseStatuses[gateway.ResponseType(g.ResponseType)]
	}
	for name := range g.ResponseParameters {
		if rest, found := strings.CutPrefix(name, gatewayHeader); !found || rest == "" || strings.ContainsAny(rest, " :\r\n\t") {
			return invalid("Invalid gateway response parameter %.200q: %sNAME is expected", name, gatewayHeader)
		}
	}
	if _, err := gateway.NewResponses(map[gateway.ResponseType]gateway.Response{gateway.ResponseType(g.ResponseType): g.gateway()}); err != nil {
		return invalid("Invalid gateway response: %v", err)
	}
	return nil
}

// gateway is a response as the data plane knows it. One with AWS's own template has the body of
// the refusal, which differs from it by a space.
func (g *GatewayResponse) gateway() gateway.Response {
	r := gateway.Response{Headers: make(map[string]string, len(g.ResponseParameters))}
	r.Status, _ = strconv.Atoi(g.StatusCode) // the model allows digits alone
	for name, value := range g.ResponseParameters {
		r.Headers[strings.TrimPrefix(name, gatewayHeader)] = value
	}
	if !maps.Equal(g.ResponseTemplates, usualTemplates()) {
		r.Bodies = g.ResponseTemplates
	}
	return r
}

// gatewayResponses are all those of an API, by their types.
func gatewayResponses(set *document.Set) (map[string]*GatewayResponse, error) {
	made, err := document.All[GatewayResponse](set, docResponse)
	if err != nil {
		return nil, err
	}
	all := make(map[string]*GatewayResponse, len(gateway.ResponseStatuses))
	for _, g := range made {
		all[g.ResponseType] = g
	}
	for kind, status := range gateway.ResponseStatuses {
		if all[string(kind)] != nil {
			continue
		}
		g := &GatewayResponse{DefaultResponse: true, ResponseType: string(kind), StatusCode: status, ResponseParameters: map[string]string{}, ResponseTemplates: usualTemplates()}
		by := gateway.Default5XX
		if kind.ClientResponse() {
			by = gateway.Default4XX
		}
		if of := all[string(by)]; of != nil && !of.DefaultResponse {
			g.ResponseParameters, g.ResponseTemplates = of.ResponseParameters, of.ResponseTemplates
			if of.StatusCode != "" {
				g.StatusCode = of.StatusCode
			}
		}
		all[string(kind)] = g
	}
	return all, nil
}

func (s *service) putResponse(ctx context.Context, in *responseInput) (*GatewayResponse, error) {
	g := &GatewayResponse{
		ResponseType: in.ResponseType, StatusCode: in.StatusCode, ResponseParameters: in.ResponseParameters, ResponseTemplates: in.ResponseTemplates,
	}
	return g, s.change(ctx, in.RestApiId, func(e *document.Edit) error {
		if err := g.check(); err != nil {
			return err
		}
		return e.Put(docResponse+g.ResponseType, g)
	})
}

func (s *service) getResponse(ctx context.Context, in *responseInput) (*GatewayResponse, error) {
	set, err := s.read(ctx, in.RestApiId)
	if err != nil {
		return nil, err
	}
	all, err := gatewayResponses(set)
	return all[in.ResponseType], err
}

func (s *service) getResponses(ctx context.Context, in *responseInput) (*list[*GatewayResponse], error) {
	set, err := s.read(ctx, in.RestApiId)
	if err != nil {
		return nil, err
	}
	byType, err := gatewayResponses(set)
	if err != nil {
		return nil, err
	}
	var all []*GatewayResponse
	for _, kind := range slices.Sorted(maps.Keys(byType)) {
		all = append(all, byType[kind])
	}
	return pageOf(all, func(g *GatewayResponse) string { return g.ResponseType }, in.paging)
}

func (s *service) updateResponse(ctx context.Context, in *responseInput) (g *GatewayResponse, err error) {
	err = s.change(ctx, in.RestApiId, func(e *document.Edit) error {
		all, err := gatewayResponses(&e.Set)
		if err != nil {
			return err
		}
		g = all[in.ResponseType]
		g.DefaultResponse, g.ResponseParameters, g.ResponseTemplates = false, maps.Clone(g.ResponseParameters), maps.Clone(g.ResponseTemplates)
		for _, p := range in.PatchOperations {
			if err := g.patch(p); err != nil {
				return err
			}
		}
		if err := g.check(); err != nil {
			return err
		}
		return e.Put(docResponse+g.ResponseType, g)
	})
	return g, err
}

// patch applies one operation. Its errors are recorded ones.
func (g *GatewayResponse) patch(p patch) error {
	if p.Path == "" {
		return invalid("Invalid patch path null")
	}
	name, to, member := strings.TrimPrefix(p.Path, "/responseParameters/"), g.ResponseParameters, "responseParameters"
	if rest, found := strings.CutPrefix(p.Path, "/responseTemplates/"); found {
		name, to, member = rest, g.ResponseTemplates, "responseTemplates"
	}
	switch {
	case p.Path == "/statusCode" && p.Op == "replace":
		if n, err := strconv.Atoi(p.Value); err != nil || n < 100 || n > 599 {
			return invalid("Invalid status code %.20q", p.Value)
		}
		g.StatusCode = p.Value
		return nil
	case name == p.Path || name == "" || p.Op != "replace" && p.Op != "add" && p.Op != "remove":
		return invalid("Invalid patch path %.200s", p.Path)
	}
	name = unescape.Replace(name)
	_, there := to[name]
	switch {
	case p.Op != "add" && !there:
		return &awsapi.Exception{Name: notFound, Message: "Invalid parameter name specified"}
	case p.Op == "remove":
		delete(to, name)
	case p.Value == "":
		return invalid("Invalid null or empty value in %s", member)
	default:
		to[name] = p.Value
	}
	return nil
}

func (s *service) deleteResponse(ctx context.Context, in *responseInput) (awsapi.None, error) {
	return awsapi.None{}, s.change(ctx, in.RestApiId, func(e *document.Edit) error {
		if !e.Has(docResponse + in.ResponseType) {
			return &awsapi.Exception{Name: notFound, Message: "Gateway response type not defined on api"}
		}
		e.Delete(docResponse + in.ResponseType)
		return nil
	})
}

// responsesOf are the gateway responses as the data plane knows them.
func responsesOf(all []*GatewayResponse) map[gateway.ResponseType]gateway.Response {
	of := make(map[gateway.ResponseType]gateway.Response, len(all))
	for _, g := range all {
		of[gateway.ResponseType(g.ResponseType)] = g.gateway()
	}
	return of
}
