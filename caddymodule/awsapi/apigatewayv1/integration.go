package apigatewayv1

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv2"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

// An Integration is what answers the requests of a method.
// https://docs.aws.amazon.com/apigateway/latest/api/API_Integration.html
type Integration struct {
	CacheKeyParameters   []string                        `json:"cacheKeyParameters"`
	CacheNamespace       string                          `json:"cacheNamespace"`
	ConnectionType       string                          `json:"connectionType,omitempty"`
	ContentHandling      string                          `json:"contentHandling,omitempty"` // of MOCK
	HttpMethod           string                          `json:"httpMethod,omitempty"`
	IntegrationResponses map[string]*IntegrationResponse `json:"integrationResponses,omitempty"`
	PassthroughBehavior  string                          `json:"passthroughBehavior"`
	RequestParameters    map[string]string               `json:"requestParameters,omitempty"`
	RequestTemplates     map[string]string               `json:"requestTemplates,omitempty"`
	ResponseTransferMode string                          `json:"responseTransferMode,omitempty"`
	TimeoutInMillis      int                             `json:"timeoutInMillis"`
	Type                 string                          `json:"type"`
	Uri                  string                          `json:"uri,omitempty"`
}

// An IntegrationResponse is how an integration's answer becomes one of the method.
type IntegrationResponse struct {
	ResponseParameters map[string]string `json:"responseParameters,omitempty"`
	ResponseTemplates  map[string]string `json:"responseTemplates,omitempty"`
	SelectionPattern   string            `json:"selectionPattern,omitempty"`
	StatusCode         string            `json:"statusCode"`
}

// Limits of AWS, in milliseconds.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
const (
	minTimeout     = 50
	defaultTimeout = 29000
	maxTimeout     = 300000
	maxStream      = 900000 // of an integration that streams
)

// Why members of integrations are refused.
const (
	noCredentials = "functions are called by their policy, see AddPermission"
	noCache       = "answers are not cached here"
	noVPC         = "there are no VPC links here"
	noTLS         = "the certificate is checked for the host of the URI"
	noConversion  = "bodies are text or base64 by their content type, see binaryMediaTypes"
)

// toText is the contentHandling that osls gives to each OPTIONS that answers CORS. MOCK reads no
// body, so it changes nothing there.
const toText = "CONVERT_TO_TEXT"

type integrationInput struct {
	patches
	Integration
	RestApiId, ResourceId         string
	ConnectionId, Credentials     string
	IntegrationTarget, StatusCode string
	HttpMethod                    string // of the method
	IntegrationHttpMethod         string
	TlsConfig                     map[string]any

	// of responses of integrations
	ResponseParameters, ResponseTemplates map[string]string
	SelectionPattern                      string
}

func (in *integrationInput) checkMore() error {
	for _, member := range []struct {
		name   string
		given  bool
		reason string
	}{
		{"connectionId", in.ConnectionId != "", noVPC},
		{"integrationTarget", in.IntegrationTarget != "", noVPC},
		{"credentials", in.Credentials != "", noCredentials},
		{"tlsConfig", len(in.TlsConfig) > 0, noTLS},
	} {
		if member.given {
			return invalid("%s is not supported: %s", member.name, member.reason)
		}
	}
	return nil
}

// check sets defaults and checks an integration of a method of a resource.
func (to *Integration) check(s *service, r *Resource) error {
	to.PassthroughBehavior = cmp.Or(to.PassthroughBehavior, "WHEN_NO_MATCH")
	to.TimeoutInMillis = cmp.Or(to.TimeoutInMillis, defaultTimeout)
	to.CacheNamespace = cmp.Or(to.CacheNamespace, r.Id)
	if to.CacheKeyParameters == nil {
		to.CacheKeyParameters = []string{}
	}
	switch {
	case to.ConnectionType != "" && to.ConnectionType != "INTERNET":
		return invalid("connectionType %.20s is not supported: %s", to.ConnectionType, noVPC)
	case len(to.CacheKeyParameters) > 0 || to.CacheNamespace != r.Id:
		return invalid("cacheKeyParameters and cacheNamespace are not supported: %s", noCache)
	case to.ContentHandling != "" && (gateway.IntegrationType(to.Type) != gateway.Mocked || to.ContentHandling != toText):
		return invalid("contentHandling is not supported: %s. MOCK may have %s, which changes nothing", noConversion, toText)
	case to.TimeoutInMillis < minTimeout || to.TimeoutInMillis > maxTimeout && !to.streams() || to.TimeoutInMillis > maxStream:
		return invalid("Timeout should be between %d ms and %d ms, of an integration that streams %d ms", minTimeout, maxTimeout, maxStream)
	case to.PassthroughBehavior != "WHEN_NO_MATCH" && to.PassthroughBehavior != "WHEN_NO_TEMPLATES" && to.PassthroughBehavior != "NEVER":
		return invalid("Invalid passthroughBehavior %.40q", to.PassthroughBehavior)
	case to.ResponseTransferMode != "" && to.ResponseTransferMode != "BUFFERED" && !to.streams():
		return invalid("Invalid responseTransferMode %.20q: BUFFERED and STREAM are possible", to.ResponseTransferMode)
	case to.streams() && gateway.IntegrationType(to.Type) == gateway.Mocked:
		return invalid("responseTransferMode STREAM is for AWS_PROXY and HTTP_PROXY")
	}
	var err error
	switch gateway.IntegrationType(to.Type) {
	case gateway.Lambda:
		err = to.checkFunction(s)
	case gateway.Mapped:
		err = to.checkMapped(s)
	case gateway.Mocked:
		err = to.checkMock()
	case gateway.HTTPProxy:
		err = to.checkHTTP()
	default:
		return invalid("The integration type %.20s is not supported: AWS_PROXY and AWS call a function, HTTP_PROXY a server, MOCK answers by itself", to.Type)
	}
	if err != nil {
		return err
	}
	// What the data plane makes of it is what counts in the end.
	route := gateway.Route{Key: "ANY " + r.Path, Integration: to.served("", nil)}
	api := gateway.API{Protocol: gateway.REST, Routes: []gateway.Route{route}}
	if err := api.Check(); err != nil {
		return invalid("%v", err)
	}
	return nil
}

func (to *Integration) checkFunction(s *service) error {
	if to.HttpMethod != "POST" {
		return invalid("The integration HTTP method of a function is POST")
	}
	if len(to.RequestTemplates) > 0 || len(to.RequestParameters) > 0 {
		return invalid("requestTemplates and requestParameters are not supported of AWS_PROXY: the function gets the request")
	}
	if apigatewayv2.Streams(to.Uri) != to.streams() {
		return invalid("responseTransferMode STREAM has a uri that ends in /response-streaming-invocations, and BUFFERED one that ends in /invocations")
	}
	_, _, err := apigatewayv2.FunctionOf(s.Account, to.Uri)
	return err
}

// checkMapped checks an integration that calls a function with an event that a template makes.
func (to *Integration) checkMapped(s *service) error {
	switch {
	case to.HttpMethod != "POST":
		return invalid("The integration HTTP method of a function is POST")
	case !strings.Contains(to.Uri, ":lambda:path/"):
		return invalid("The integration type AWS is not supported for other services than Lambda: arn:aws:apigateway:%s:lambda:path/2015-03-31/functions/FUNCTION_ARN/invocations is expected", s.Account.Region)
	case len(to.RequestParameters) > 0:
		return invalid("requestParameters are not supported of AWS: the template makes the event")
	case to.streams() || apigatewayv2.Streams(to.Uri):
		return invalid("responseTransferMode STREAM is for AWS_PROXY and HTTP_PROXY")
	}
	_, _, err := apigatewayv2.FunctionOf(s.Account, to.Uri)
	return err
}

// streams says whether what the integration answers goes out as it comes.
func (to *Integration) streams() bool { return to.ResponseTransferMode == "STREAM" }

func (to *Integration) checkHTTP() error {
	if to.HttpMethod != "ANY" && !slices.Contains(gateway.Methods, to.HttpMethod) {
		return invalid("The integration HTTP method of HTTP_PROXY must be ANY or one of %s", strings.Join(gateway.Methods, ", "))
	}
	if len(to.RequestTemplates) > 0 {
		return invalid("requestTemplates are not supported of HTTP_PROXY: the server gets the request")
	}
	if _, err := to.mapping(); err != nil {
		return err
	}
	return nil
}

// mapping are the headers and the query of RequestParameters as HTTP APIs have them.
func (to *Integration) mapping() (gateway.Mapping, error) {
	m := make(gateway.Mapping)
	for full, value := range to.RequestParameters {
		if strings.HasPrefix(full, integrationPath) && strings.HasPrefix(value, methodPath) {
			continue // which the URI names
		}
		target, found := strings.CutPrefix(full, "integration.request.")
		if place, _, _ := strings.Cut(target, "."); !found || place != "header" && place != "querystring" {
			return nil, invalid("requestParameters %.100q is not supported: there are integration.request.header.NAME, querystring.NAME and path.NAME", full)
		}
		inner, quoted := strings.CutPrefix(value, "'")
		from, isParameter := strings.CutPrefix(value, "method.request.")
		switch {
		case quoted && strings.HasSuffix(inner, "'"):
			if value = strings.TrimSuffix(inner, "'"); strings.Contains(value, "$") {
				return nil, invalid("requestParameters %.100q: a text with $ is not supported", full)
			}
		case isParameter && (strings.HasPrefix(from, "header.") || strings.HasPrefix(from, "querystring.") || strings.HasPrefix(from, "path.")):
			value = "${request." + from + "}"
		case strings.HasPrefix(value, "context.") || strings.HasPrefix(value, "stageVariables."):
			value = "${" + value + "}"
		default:
			return nil, invalid("Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression specified: %.200s]", value)
		}
		m["overwrite:"+target] = value
	}
	return m, nil
}

// What requestParameters map: parameters of the path.
const (
	integrationPath = "integration.request.path."
	methodPath      = "method.request.path."
)

// parameterOf is {name} in the URI of an integration.
var parameterOf = regexp.MustCompile(`\{([^{}]*)\}`)

// http is an integration of the type HTTP_PROXY. Requests go to the URI as it is, with the
// parameters of the method's path in place of those that are mapped to them.
func (to *Integration) http() gateway.Integration {
	of := gateway.Integration{Type: gateway.HTTPProxy, Timeout: to.TimeoutInMillis}
	of.Requests, _ = to.mapping() // which check has found right
	if to.HttpMethod != "ANY" {
		of.Method = to.HttpMethod
	}
	of.URI = parameterOf.ReplaceAllStringFunc(to.Uri, func(part string) string {
		name := part[1 : len(part)-1]
		if from, found := strings.CutPrefix(to.RequestParameters[integrationPath+name], methodPath); found {
			return "{" + from + "}"
		}
		return "{" + integrationPath + name + "}" // which no route has
	})
	if _, rest, _ := strings.Cut(of.URI, "://"); !strings.ContainsAny(rest, "/?") {
		of.URI += "/"
	}
	return of
}

func (to *Integration) checkMock() error {
	switch {
	case to.Uri != "":
		return invalid("uri is not supported of MOCK: it calls nothing")
	case len(to.RequestParameters) > 0:
		return invalid("requestParameters are not supported of MOCK: it calls nothing")
	}
	return nil
}

func (s *service) putIntegration(ctx context.Context, in *integrationInput) (*Integration, error) {
	to := &in.Integration
	to.HttpMethod = in.IntegrationHttpMethod
	if err := in.checkMore(); err != nil {
		return nil, err
	}
	return to, s.changeMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, existing(func(_ *document.Set, r *Resource, m *Method) error {
		if m.MethodIntegration != nil { // as on AWS, its responses stay
			to.IntegrationResponses = m.MethodIntegration.IntegrationResponses
		}
		if err := to.check(s, r); err != nil {
			return err
		}
		m.MethodIntegration = to
		return nil
	}))
}

func (s *service) getIntegration(ctx context.Context, in *integrationInput) (*Integration, error) {
	m, err := s.method(ctx, in.RestApiId, in.ResourceId, in.HttpMethod)
	if err != nil {
		return nil, err
	}
	if m.MethodIntegration == nil {
		return nil, missing("Integration")
	}
	return m.MethodIntegration, nil
}

// changeIntegration changes the integration of a method.
func (s *service) changeIntegration(ctx context.Context, in *integrationInput, change func(r *Resource, m *Method, to *Integration) error) error {
	return s.changeMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, existing(func(_ *document.Set, r *Resource, m *Method) error {
		if m.MethodIntegration == nil {
			return missing("Integration")
		}
		return change(r, m, m.MethodIntegration)
	}))
}

func (s *service) updateIntegration(ctx context.Context, in *integrationInput) (out *Integration, err error) {
	err = s.changeIntegration(ctx, in, func(r *Resource, _ *Method, to *Integration) error {
		out = to
		can := fields{
			exact: map[string]field{
				"/type": text(&to.Type), "/httpMethod": text(&to.HttpMethod), "/uri": text(&to.Uri),
				"/passthroughBehavior": text(&to.PassthroughBehavior), "/connectionType": text(&to.ConnectionType),
				"/timeoutInMillis":      number("timeoutInMillis", &to.TimeoutInMillis),
				"/responseTransferMode": text(&to.ResponseTransferMode),
				"/connectionId":         off("connectionId", "", noVPC), "/integrationTarget": off("integrationTarget", "", noVPC),
				"/contentHandling": text(&to.ContentHandling), "/credentials": off("credentials", "", noCredentials),
				"/cacheNamespace":                     off("cacheNamespace", r.Id, noCache),
				"/tlsConfig/insecureSkipVerification": off("tlsConfig", "false", noTLS),
			},
			prefix: map[string]func(string) field{
				"/requestTemplates/": entry(&to.RequestTemplates, asText), "/requestParameters/": entry(&to.RequestParameters, asText),
				"/cacheKeyParameters/": func(string) field { return off("cacheKeyParameters", "", noCache) },
			},
		}
		if err := can.apply(in.PatchOperations); err != nil {
			return err
		}
		return to.check(s, r)
	})
	return out, err
}

func (s *service) deleteIntegration(ctx context.Context, in *integrationInput) (awsapi.None, error) {
	return awsapi.None{}, s.changeIntegration(ctx, in, func(_ *Resource, m *Method, _ *Integration) error {
		m.MethodIntegration = nil
		return nil
	})
}

// check checks a response of an integration of a method.
func (x *IntegrationResponse) check(m *Method) error {
	if _, err := regexp.Compile(x.SelectionPattern); err != nil {
		return invalid("Invalid selectionPattern: %v", err)
	}
	declared := m.MethodResponses[x.StatusCode]
	if declared == nil {
		declared = new(MethodResponse) // as on AWS, it need not be there
	}
	for name := range x.ResponseParameters {
		if _, ok := declared.ResponseParameters[name]; !ok || !strings.HasPrefix(name, responseHeader) {
			return invalid("Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression parameter specified: %.200s]", name)
		}
	}
	return nil
}

func (s *service) putIntegrationResponse(ctx context.Context, in *integrationInput) (*IntegrationResponse, error) {
	x := &IntegrationResponse{
		StatusCode: in.StatusCode, SelectionPattern: in.SelectionPattern, ResponseParameters: in.ResponseParameters, ResponseTemplates: in.ResponseTemplates,
	}
	if in.ContentHandling != "" {
		return nil, invalid("contentHandling is not supported: %s", noConversion)
	}
	return x, s.changeIntegration(ctx, in, func(r *Resource, m *Method, to *Integration) error {
		if to.IntegrationResponses == nil {
			to.IntegrationResponses = make(map[string]*IntegrationResponse)
		}
		to.IntegrationResponses[in.StatusCode] = x
		if err := x.check(m); err != nil {
			return err
		}
		return to.check(s, r)
	})
}

// response reads a response of an integration.
func (to *Integration) response(code string) (*IntegrationResponse, error) {
	if to.IntegrationResponses[code] == nil {
		return nil, missing("Response status code")
	}
	return to.IntegrationResponses[code], nil
}

func (s *service) getIntegrationResponse(ctx context.Context, in *integrationInput) (*IntegrationResponse, error) {
	to, err := s.getIntegration(ctx, in)
	if err != nil {
		return nil, err
	}
	return to.response(in.StatusCode)
}

func (s *service) updateIntegrationResponse(ctx context.Context, in *integrationInput) (x *IntegrationResponse, err error) {
	err = s.changeIntegration(ctx, in, func(r *Resource, m *Method, to *Integration) (err error) {
		if x, err = to.response(in.StatusCode); err != nil {
			return err
		}
		can := fields{
			exact: map[string]field{"/selectionPattern": text(&x.SelectionPattern), "/contentHandling": off("contentHandling", "", noConversion)},
			prefix: map[string]func(string) field{
				"/responseParameters/": entry(&x.ResponseParameters, asText), "/responseTemplates/": entry(&x.ResponseTemplates, asText),
			},
		}
		if err := can.apply(in.PatchOperations); err != nil {
			return err
		}
		if err := x.check(m); err != nil {
			return err
		}
		return to.check(s, r)
	})
	return x, err
}

func (s *service) deleteIntegrationResponse(ctx context.Context, in *integrationInput) (awsapi.None, error) {
	err := s.changeIntegration(ctx, in, func(_ *Resource, _ *Method, to *Integration) error {
		if _, err := to.response(in.StatusCode); err != nil {
			return err
		}
		delete(to.IntegrationResponses, in.StatusCode)
		return nil
	})
	if err != nil && err.Error() == missing("Method").Error() { // recorded so
		err = missing("Integration")
	}
	return awsapi.None{}, err
}

// served is an integration as a stage serves it; nil stands for variables that are not known yet.
func (to *Integration) served(key string, variables map[string]string) gateway.Integration {
	with := *to
	uri, err := gateway.WithVariables(to.Uri, variables)
	with.Uri = uri
	of := with.gateway()
	if variables != nil && gateway.HasVariables(to.Uri) {
		of.Resolve(gateway.REST, key, err)
	}
	return of
}

// gateway is an integration as the data plane knows it.
func (to *Integration) gateway() gateway.Integration {
	if gateway.IntegrationType(to.Type) == gateway.Mocked {
		return gateway.Integration{Type: gateway.Mocked, Mock: to.mock()}
	}
	if gateway.IntegrationType(to.Type) == gateway.HTTPProxy {
		return to.http()
	}
	name, qualifier := apigatewayv2.TargetOf(to.Uri)
	if gateway.IntegrationType(to.Type) == gateway.Mapped {
		return gateway.Integration{Type: gateway.Mapped, Function: name, Qualifier: qualifier, Timeout: to.TimeoutInMillis, Mock: to.mock()}
	}
	return gateway.Integration{
		Type: gateway.Lambda, Function: name, Qualifier: qualifier, Payload: apigateway.V1, Timeout: to.TimeoutInMillis, Gathers: !to.streams(),
	}
}
