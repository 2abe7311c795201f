package apigatewayv1

import (
	"context"
	"fmt"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/authorizer"
	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv2"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

// An Authorizer decides who may call a method.
// https://docs.aws.amazon.com/apigateway/latest/api/API_Authorizer.html
type Authorizer struct {
	AuthType                     string `json:"authType"`
	AuthorizerResultTtlInSeconds *int   `json:"authorizerResultTtlInSeconds"`
	AuthorizerUri                string `json:"authorizerUri"`
	Id                           string `json:"id"`
	IdentitySource               string `json:"identitySource,omitempty"`
	IdentityValidationExpression string `json:"identityValidationExpression,omitempty"`
	Name                         string `json:"name"`
	Type                         string `json:"type"`
}

const docAuthorizer = "authorizer/"

// maxAuthorizers is AWS's quota.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
const maxAuthorizers = 10

// What AWS keeps of the answers of functions, in seconds.
const (
	defaultTTL = 300
	maxTTL     = 3600
)

// Types of the authorization of methods.
const (
	typeNone   = "NONE"
	typeCustom = "CUSTOM"
	typeIAM    = "AWS_IAM"
)

// noCognito says why authorizers of user pools are refused.
const noCognito = "there is no Cognito here: tokens of an OpenID Connect issuer are checked by JWT authorizers of HTTP APIs"

// sources are the identity sources, which are joined by commas.
func (a *Authorizer) sources() []string {
	var all []string
	for text := range strings.SplitSeq(a.IdentitySource, ",") {
		if text = strings.TrimSpace(text); text != "" {
			all = append(all, text)
		}
	}
	return all
}

func (a *Authorizer) check(s *service) error {
	a.AuthType = "custom"
	if a.AuthorizerResultTtlInSeconds == nil {
		ttl := defaultTTL
		a.AuthorizerResultTtlInSeconds = &ttl
	}
	sources, token := a.sources(), a.Type == string(gateway.Token)
	switch ttl := *a.AuthorizerResultTtlInSeconds; {
	case a.Name == "" || len(a.Name) > 128:
		return invalid("The name of an authorizer has 1 to 128 characters")
	case a.Type == "COGNITO_USER_POOLS":
		return invalid("The authorizer type COGNITO_USER_POOLS is not supported: %s", noCognito)
	case !token && a.Type != string(gateway.Request):
		return invalid("Invalid authorizer type %.40q: TOKEN and REQUEST are possible", a.Type)
	case ttl < 0 || ttl > maxTTL:
		return invalid("Authorizer result TTL must be 0 to %d seconds", maxTTL)
	case token && len(sources) != 1:
		return invalid("A TOKEN authorizer has one identitySource, e.g. method.request.header.Authorization")
	case !token && ttl > 0 && len(sources) == 0:
		return invalid("Identity source is required when caching is enabled")
	case !token && a.IdentityValidationExpression != "":
		return invalid("identityValidationExpression is only for TOKEN authorizers")
	}
	for _, text := range sources {
		_, err := authorizer.ParseLambdaSource(text)
		if err != nil || strings.HasPrefix(text, "$") || token && !strings.HasPrefix(text, "method.request.header.") {
			return invalid("Invalid identitySource %.128q: method.request.header.NAME is expected, and of REQUEST authorizers method.request.querystring.NAME, context.NAME or stageVariables.NAME", text)
		}
	}
	if a.IdentityValidationExpression != "" {
		if _, err := authorizer.NewExpression(a.IdentityValidationExpression); err != nil {
			return invalid("Invalid identityValidationExpression: %v", err)
		}
	}
	_, _, err := apigatewayv2.FunctionOf(s.Account, a.AuthorizerUri)
	return err
}

// gateway is an authorizer as the data plane knows it.
func (a *Authorizer) gateway() gateway.Authorizer {
	of := gateway.Authorizer{
		ID: a.Id, Type: gateway.AuthorizerType(a.Type), Sources: a.sources(), Payload: apigateway.V1, Expression: a.IdentityValidationExpression,
		TTL: *a.AuthorizerResultTtlInSeconds,
	}
	of.Function, of.Qualifier = apigatewayv2.TargetOf(a.AuthorizerUri)
	return of
}

type authorizerInput struct {
	patches
	paging
	Authorizer
	RestApiId, AuthorizerId string
	AuthorizerCredentials   string
	ProviderARNs            []string
}

func (s *service) createAuthorizer(ctx context.Context, in *authorizerInput) (*Authorizer, error) {
	a := &in.Authorizer
	a.Id = awsapi.ChosenID(ctx, apigatewayv2.NewID(6))
	switch {
	case in.AuthorizerCredentials != "":
		return nil, invalid("authorizerCredentials is not supported: %s", noCredentials)
	case len(in.ProviderARNs) > 0:
		return nil, invalid("providerARNs is not supported: %s", noCognito)
	}
	if err := a.check(s); err != nil {
		return nil, err
	}
	return a, s.change(ctx, in.RestApiId, func(e *document.Edit) error {
		if len(e.Names(docAuthorizer)) >= maxAuthorizers {
			return &awsapi.Exception{Name: "LimitExceededException", Message: "Maximum number of authorizers for this API has been reached"}
		}
		if err := a.alone(&e.Set); err != nil {
			return err
		}
		return e.Put(docAuthorizer+a.Id, a)
	})
}

// alone checks that no other authorizer of the API has the name.
func (a *Authorizer) alone(set *document.Set) error {
	others, err := document.All[Authorizer](set, docAuthorizer)
	if err != nil {
		return err
	}
	for _, other := range others {
		if other.Id != a.Id && other.Name == a.Name {
			return conflicts("Authorizer name must be unique. Authorizer %s already exists in this RestApi.", a.Name)
		}
	}
	return nil
}

func (s *service) getAuthorizer(ctx context.Context, in *authorizerInput) (*Authorizer, error) {
	set, err := s.read(ctx, in.RestApiId)
	if err != nil {
		return nil, err
	}
	return find[Authorizer](set, docAuthorizer+in.AuthorizerId, "Authorizer")
}

func (s *service) getAuthorizers(ctx context.Context, in *authorizerInput) (*list[*Authorizer], error) {
	return all(ctx, s, in.RestApiId, docAuthorizer, func(a *Authorizer) string { return a.Id }, in.paging)
}

func (s *service) updateAuthorizer(ctx context.Context, in *authorizerInput) (a *Authorizer, err error) {
	err = s.change(ctx, in.RestApiId, func(e *document.Edit) (err error) {
		if a, err = find[Authorizer](&e.Set, docAuthorizer+in.AuthorizerId, "Authorizer"); err != nil {
			return err
		}
		can := fields{exact: map[string]field{
			"/name": text(&a.Name), "/type": text(&a.Type), "/authorizerUri": text(&a.AuthorizerUri), "/identitySource": text(&a.IdentitySource),
			"/identityValidationExpression": text(&a.IdentityValidationExpression),
			"/authorizerResultTtlInSeconds": number("authorizerResultTtlInSeconds", a.AuthorizerResultTtlInSeconds),
			"/authorizerCredentials":        off("authorizerCredentials", "", noCredentials),
			"/providerARNs":                 off("providerARNs", "", noCognito),
			"/authType":                     off("authType", "custom", "functions decide"),
		}}
		if err := can.apply(in.PatchOperations); err != nil {
			return err
		}
		if err := a.check(s); err != nil {
			return err
		}
		if err := a.alone(&e.Set); err != nil {
			return err
		}
		return e.Put(docAuthorizer+a.Id, a)
	})
	return a, err
}

func (s *service) deleteAuthorizer(ctx context.Context, in *authorizerInput) (awsapi.None, error) {
	return awsapi.None{}, s.change(ctx, in.RestApiId, func(e *document.Edit) error {
		if !e.Has(docAuthorizer + in.AuthorizerId) {
			return missing("Authorizer")
		}
		resources, err := document.All[Resource](&e.Set, docResource)
		if err != nil {
			return err
		}
		for _, r := range resources {
			for name, m := range r.ResourceMethods {
				if m.AuthorizerId == in.AuthorizerId {
					return conflicts("Cannot delete authorizer '%.20s', is referenced in method: %s %s", in.AuthorizerId, name, r.Path)
				}
			}
		}
		e.Delete(docAuthorizer + in.AuthorizerId)
		return nil
	})
}

// checkAuthorization checks who may call a method.
func (m *Method) checkAuthorization(set *document.Set) error {
	switch m.AuthorizationType {
	case typeNone, typeIAM:
		m.AuthorizerId = "" // as on AWS, what does not fit the type is dropped
		return nil
	case typeCustom:
		if !set.Has(docAuthorizer + m.AuthorizerId) {
			return errNoAuthorizer
		}
		return nil
	case "COGNITO_USER_POOLS":
		return invalid("authorizationType COGNITO_USER_POOLS is not supported: %s", noCognito)
	}
	return invalid("Invalid authorizationType %.40q: NONE, AWS_IAM and CUSTOM are possible", m.AuthorizationType)
}

// authorization says who may call a method. A type that is not known names no authorizer, and
// so nobody may.
func (m *Method) authorization() gateway.Authorization {
	switch m.AuthorizationType {
	case typeNone:
		return gateway.Authorization{}
	case typeIAM:
		return gateway.Authorization{IAM: true}
	case typeCustom:
		return gateway.Authorization{Authorizer: m.AuthorizerId}
	}
	return gateway.Authorization{Authorizer: fmt.Sprintf("of type %.40s", m.AuthorizationType)}
}
