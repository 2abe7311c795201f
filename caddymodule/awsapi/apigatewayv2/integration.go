package apigatewayv2

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

// An Integration is what answers the requests of routes.
// https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-integrations.html
type Integration struct {
	ApiGatewayManaged    bool   `json:"apiGatewayManaged,omitempty"`
	ConnectionType       string `json:"connectionType"`
	CredentialsArn       string `json:"credentialsArn,omitempty"`
	Description          string `json:"description,omitempty"`
	IntegrationId        string `json:"integrationId"`
	IntegrationMethod    string `json:"integrationMethod,omitempty"`
	IntegrationType      string `json:"integrationType"`
	IntegrationUri       string `json:"integrationUri,omitempty"`
	PassthroughBehavior  string `json:"passthroughBehavior,omitempty"`
	PayloadFormatVersion string `json:"payloadFormatVersion"`
	TimeoutInMillis      int    `json:"timeoutInMillis"`
	// RequestParameters map parameters, and ResponseParameters do by the status of the answer.
	RequestParameters  map[string]string            `json:"requestParameters,omitempty"`
	ResponseParameters map[string]map[string]string `json:"responseParameters,omitempty"`
}

// integrationMore are members of integrations that are refused.
type integrationMore struct {
	ConnectionId, ContentHandlingStrategy, IntegrationSubtype string
	TemplateSelectionExpression                               string

	RequestTemplates, TlsConfig map[string]any
}

func (m *integrationMore) check() error {
	for _, member := range []struct {
		name   string
		given  bool
		reason string
	}{
		{"connectionId", m.ConnectionId != "", "there are no VPC links here"},
		{"integrationSubtype", m.IntegrationSubtype != "", "only functions and HTTP servers can be called"},
		{"contentHandlingStrategy", m.ContentHandlingStrategy != "", "binary messages are given in base64"},
		{"templateSelectionExpression", m.TemplateSelectionExpression != "", "AWS_PROXY has no templates"},
		{"requestTemplates", len(m.RequestTemplates) > 0, "AWS_PROXY has no templates"},
		{"tlsConfig", len(m.TlsConfig) > 0, "the certificate is checked for the host of the URI"},
	} {
		if member.given {
			return invalid("%s is not supported: %s", member.name, member.reason)
		}
	}
	return nil
}

// Limits of AWS. https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
const (
	maxIntegrations = 300
	maxTimeout      = 30000 // milliseconds
)

// checkIntegration sets defaults and checks an integration of an API.
func (s *service) checkIntegration(p gateway.Protocol, to *Integration) error {
	to.ConnectionType = cmp.Or(to.ConnectionType, "INTERNET")
	to.PayloadFormatVersion = cmp.Or(to.PayloadFormatVersion, "1.0")
	switch {
	case to.ConnectionType != "INTERNET":
		return invalid("connectionType %s is not supported: there are no VPC links here", to.ConnectionType)
	case to.CredentialsArn != "":
		return invalid("credentialsArn is not supported: functions are called by their policy, see AddPermission")
	case to.PayloadFormatVersion != "1.0" && to.PayloadFormatVersion != "2.0":
		return invalid("payloadFormatVersion must be 1.0 or 2.0")
	case p == gateway.WebSocket:
		return s.checkSocketIntegration(to)
	case to.PassthroughBehavior != "":
		return invalid("passthroughBehavior is not supported: it is only for WebSocket APIs")
	}
	to.TimeoutInMillis = cmp.Or(to.TimeoutInMillis, maxTimeout)
	if err := to.checkParameters(); err != nil {
		return err
	}
	switch gateway.IntegrationType(to.IntegrationType) {
	case gateway.Lambda:
		return s.checkFunction(to)
	case gateway.HTTPProxy:
		if to.PayloadFormatVersion != "1.0" {
			return invalid("payloadFormatVersion of HTTP_PROXY is 1.0")
		}
		if to.IntegrationMethod != "ANY" && !slices.Contains(gateway.Methods, to.IntegrationMethod) {
			return invalid("integrationMethod %.20q of HTTP_PROXY must be ANY or one of %s", to.IntegrationMethod, strings.Join(gateway.Methods, ", "))
		}
		uri, _ := gateway.WithVariables(to.IntegrationUri, nil)
		if _, err := gateway.ParseTarget(uri, nil); err != nil {
			return invalid("Invalid HTTP endpoint specified for URI: %v", err)
		}
		return nil
	}
	return invalid("integrationType %s is not supported: AWS_PROXY calls a function, HTTP_PROXY a server", to.IntegrationType)
}

// reserved are headers that no parameter mapping has; a trailing * stands for the rest of a name.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html
var reserved = []string{
	"access-control-*", "apigw-*", "authorization", "connection", "content-encoding", "content-length", "content-location", "forwarded",
	"keep-alive", "origin", "proxy-authenticate", "proxy-authorization", "te", "trailers", "transfer-encoding", "upgrade", "x-amz-*", "x-amzn-*",
	"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "via",
}

// checkParameters checks what an integration maps.
func (to *Integration) checkParameters() error {
	check := func(of map[string]string) error {
		for key := range of {
			_, target, _ := strings.Cut(strings.ToLower(key), ":")
			name, isHeader := strings.CutPrefix(target, "header.")
			if isHeader && slices.ContainsFunc(reserved, func(known string) bool {
				begin, open := strings.CutSuffix(known, "*")
				return known == name || open && strings.HasPrefix(name, begin)
			}) {
				return invalid("Operations on header %.100s are restricted", name)
			}
		}
		return nil
	}
	if err := check(to.RequestParameters); err != nil {
		return err
	}
	for _, of := range to.ResponseParameters {
		if err := check(of); err != nil {
			return err
		}
	}
	// What the data plane makes of it is what counts in the end.
	of := to.gateway()
	of.Requests, of.Answers = to.mappings()
	return about(of.CheckMappings(gateway.HTTP))
}

// about makes the exception of an error, nil for nil.
func about(err error) error {
	if err != nil {
		return invalid("Invalid parameter mapping: %v", err)
	}
	return nil
}

// mappings are the parameters as the data plane knows them.
func (to *Integration) mappings() (requests gateway.Mapping, answers map[string]gateway.Mapping) {
	for status, of := range to.ResponseParameters {
		if answers == nil {
			answers = make(map[string]gateway.Mapping)
		}
		answers[status] = of
	}
	return to.RequestParameters, answers
}

// checkFunction checks an integration that calls a function.
func (s *service) checkFunction(to *Integration) error {
	if to.IntegrationMethod != "" && to.IntegrationMethod != "POST" {
		return invalid("The integrationMethod of a function is POST")
	}
	if Streams(to.IntegrationUri) {
		return invalid("Only REST APIs stream what a function answers by the integrationUri; here functions that stream do")
	}
	_, _, err := s.functionOf(to.IntegrationUri)
	return err
}

// functionOf is the function that a URI names.
func (s *service) functionOf(uri string) (name, qualifier string, err error) {
	return FunctionOf(s.Account, uri)
}

func (s *service) checkIntegrationOf(set *document.Set, to *Integration) error {
	p, err := protocolOf(set)
	if err != nil {
		return err
	}
	return s.checkIntegration(p, to)
}

type createIntegrationInput struct {
	Integration
	integrationMore
	ApiId string
}

func (s *service) createIntegration(ctx context.Context, in *createIntegrationInput) (*Integration, error) {
	to := &in.Integration
	to.IntegrationId = awsapi.ChosenID(ctx, newID(7))
	if err := in.check(); err != nil {
		return nil, err
	}
	return to, s.change(ctx, in.ApiId, func(e *document.Edit) error {
		if err := s.checkIntegrationOf(&e.Set, to); err != nil {
			return err
		}
		if len(e.Names(docIntegration)) >= maxIntegrations {
			return invalid("Maximum number of integrations for this API has been reached: %d", maxIntegrations)
		}
		return e.Put(docIntegration+to.IntegrationId, to)
	})
}

type integrationInput struct {
	paging
	ApiId, IntegrationId string
}

func (s *service) getIntegration(ctx context.Context, in *integrationInput) (*Integration, error) {
	return get[Integration](ctx, s, in.ApiId, docIntegration, in.IntegrationId, "Integration")
}

func (s *service) getIntegrations(ctx context.Context, in *integrationInput) (*list[*Integration], error) {
	return all(ctx, s, in.ApiId, docIntegration, func(i *Integration) string { return i.IntegrationId }, in.paging)
}

func (s *service) updateIntegration(r *awsapi.Request) (any, error) {
	in := new(struct {
		integrationInput
		integrationMore
	})
	if err := r.Read(in); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	var to *Integration
	err := s.change(r.Context(), in.ApiId, func(e *document.Edit) (err error) {
		if to, err = find[Integration](&e.Set, docIntegration, in.IntegrationId, "Integration"); err != nil {
			return err
		}
		if err := r.Read(to); err != nil {
			return err
		}
		if err := s.checkIntegrationOf(&e.Set, to); err != nil {
			return err
		}
		return e.Put(docIntegration+to.IntegrationId, to)
	})
	return to, err
}

func (s *service) deleteIntegration(ctx context.Context, in *integrationInput) (awsapi.None, error) {
	return awsapi.None{}, s.change(ctx, in.ApiId, func(e *document.Edit) error {
		if _, err := find[Integration](&e.Set, docIntegration, in.IntegrationId, "Integration"); err != nil {
			return err
		}
		routes, err := document.All[Route](&e.Set, docRoute)
		if err != nil {
			return err
		}
		for _, r := range routes {
			if r.Target == targetPrefix+in.IntegrationId {
				return conflicts("Cannot delete Integration '%s'. Integration is referenced by route: %s", in.IntegrationId, r.RouteKey)
			}
		}
		e.Delete(docIntegration + in.IntegrationId)
		return nil
	})
}
