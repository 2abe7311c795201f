package apigatewayv2

import (
	"context"
	"fmt"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/apigateway/authorizer"
	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

// An Authorizer decides who may call a route.
// https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-authorizers.html
type Authorizer struct {
	AuthorizerCredentialsArn       string   `json:"authorizerCredentialsArn,omitempty"`
	AuthorizerId                   string   `json:"authorizerId"`
	AuthorizerPayloadFormatVersion string   `json:"authorizerPayloadFormatVersion,omitempty"`
	AuthorizerResultTtlInSeconds   *int     `json:"authorizerResultTtlInSeconds,omitempty"`
	AuthorizerType                 string   `json:"authorizerType"`
	AuthorizerUri                  string   `json:"authorizerUri,omitempty"`
	EnableSimpleResponses          bool     `json:"enableSimpleResponses,omitempty"`
	IdentitySource                 []string `json:"identitySource"`
	IdentityValidationExpression   string   `json:"identityValidationExpression,omitempty"`
	JwtConfiguration               *JWT     `json:"jwtConfiguration,omitempty"`
	Name                           string   `json:"name"`
}

// A JWT says which tokens a JWT authorizer takes.
type JWT struct {
	Audience []string `json:"audience,omitempty"`
	Issuer   string   `json:"issuer,omitempty"`
}

// maxAuthorizers is AWS's quota.
const maxAuthorizers = 10

// Types of the authorization of routes.
const (
	typeJWT    = "JWT"
	typeCustom = "CUSTOM"
	typeIAM    = "AWS_IAM"
)

// What AWS keeps of the answers of functions, in seconds.
const (
	defaultTTL = 300
	maxTTL     = 3600
)

func (a *Authorizer) check(s *service, p gateway.Protocol) error {
	switch {
	case a.Name == "":
		return invalid("Name must not be empty")
	case a.IdentityValidationExpression != "":
		return invalid("identityValidationExpression is not supported: it is only for REST APIs")
	case a.AuthorizerCredentialsArn != "":
		return invalid("authorizerCredentialsArn is not supported: functions are called by their policy, see AddPermission")
	case p == gateway.WebSocket:
		return a.checkSocket(s)
	case a.AuthorizerType == string(gateway.JWT):
		return a.checkJWT()
	}
	return a.checkRequest(s)
}

func (a *Authorizer) checkJWT() error {
	if a.JwtConfiguration == nil || a.JwtConfiguration.Issuer == "" || len(a.JwtConfiguration.Audience) == 0 {
		return invalid("A JWT authorizer needs jwtConfiguration with issuer and audience")
	}
	if len(a.IdentitySource) != 1 {
		return invalid("A JWT authorizer has one identitySource, e.g. $request.header.Authorization")
	}
	if a.AuthorizerUri != "" || a.AuthorizerPayloadFormatVersion != "" || a.EnableSimpleResponses || a.AuthorizerResultTtlInSeconds != nil {
		return invalid("authorizerUri, authorizerPayloadFormatVersion, authorizerResultTtlInSeconds and enableSimpleResponses are only for REQUEST authorizers")
	}
	if _, err := authorizer.ParseSource(a.IdentitySource[0]); err != nil {
		return invalid("Invalid identitySource: %v", err)
	}
	source := authorizer.KeySource{Issuer: a.JwtConfiguration.Issuer}
	if err := source.Check(); err != nil {
		return invalid("Invalid issuer: %v", err)
	}
	return nil
}

func (a *Authorizer) checkRequest(s *service) error {
	switch {
	case a.JwtConfiguration != nil:
		return invalid("jwtConfiguration is only for JWT authorizers")
	case a.AuthorizerPayloadFormatVersion != "1.0" && a.AuthorizerPayloadFormatVersion != "2.0":
		return invalid("authorizerPayloadFormatVersion must be 1.0 or 2.0")
	case a.EnableSimpleResponses && a.AuthorizerPayloadFormatVersion != "2.0":
		return invalid("enableSimpleResponses is only for authorizerPayloadFormatVersion 2.0")
	}
	if a.AuthorizerResultTtlInSeconds == nil {
		ttl := 0
		if len(a.IdentitySource) > 0 {
			ttl = defaultTTL
		}
		a.AuthorizerResultTtlInSeconds = &ttl
	}
	switch ttl := *a.AuthorizerResultTtlInSeconds; {
	case ttl < 0 || ttl > maxTTL:
		return invalid("authorizerResultTtlInSeconds must be 0 to %d", maxTTL)
	case ttl > 0 && len(a.IdentitySource) == 0:
		return invalid("An authorizer whose results are cached needs an identitySource")
	}
	for _, text := range a.IdentitySource {
		if _, err := authorizer.ParseLambdaSource(text); err != nil || !strings.HasPrefix(text, "$") {
			return invalid("Invalid identitySource %.128q: $request.header.NAME, $request.querystring.NAME, $context.NAME or $stageVariables.NAME is expected", text)
		}
	}
	_, _, err := s.functionOf(a.AuthorizerUri)
	return err
}

// checkAuthorization checks who may call a route.
func (s *service) checkAuthorization(set *document.Set, r *Route) error {
	switch r.AuthorizationType {
	case "NONE":
		return nil
	case typeIAM:
		if r.AuthorizerId != "" || len(r.AuthorizationScopes) > 0 {
			return invalid("authorizerId and authorizationScopes are not for the authorizationType AWS_IAM")
		}
		return nil
	case typeJWT, typeCustom:
	default:
		return invalid("Invalid authorizationType %.64q", r.AuthorizationType)
	}
	if r.AuthorizerId == "" {
		return invalid("authorizerId is needed for the authorizationType %s", r.AuthorizationType)
	}
	a, err := find[Authorizer](set, docAuthorizer, r.AuthorizerId, "Authorizer")
	switch {
	case err != nil:
		return err
	case (a.AuthorizerType == string(gateway.JWT)) != (r.AuthorizationType == typeJWT):
		return invalid("An authorizer of type %s is not for the authorizationType %s", a.AuthorizerType, r.AuthorizationType)
	case r.AuthorizationType != typeJWT && len(r.AuthorizationScopes) > 0:
		return invalid("authorizationScopes are only for the authorizationType JWT")
	}
	return nil
}

type createAuthorizerInput struct {
	Authorizer
	ApiId string
}

func (s *service) createAuthorizer(ctx context.Context, in *createAuthorizerInput) (*Authorizer, error) {
	a := &in.Authorizer
	a.AuthorizerId = awsapi.ChosenID(ctx, newID(6))
	return a, s.change(ctx, in.ApiId, func(e *document.Edit) error {
		protocol, err := protocolOf(&e.Set)
		if err != nil {
			return err
		}
		if err := a.check(s, protocol); err != nil {
			return err
		}
		if len(e.Names(docAuthorizer)) >= maxAuthorizers {
			return invalid("Maximum number of authorizers for this API has been reached: %d", maxAuthorizers)
		}
		return e.Put(docAuthorizer+a.AuthorizerId, a)
	})
}

type authorizerInput struct {
	paging
	ApiId, AuthorizerId string
}

func (s *service) getAuthorizer(ctx context.Context, in *authorizerInput) (*Authorizer, error) {
	return get[Authorizer](ctx, s, in.ApiId, docAuthorizer, in.AuthorizerId, "Authorizer")
}

func (s *service) getAuthorizers(ctx context.Context, in *authorizerInput) (*list[*Authorizer], error) {
	return all(ctx, s, in.ApiId, docAuthorizer, func(a *Authorizer) string { return a.AuthorizerId }, in.paging)
}

func (s *service) updateAuthorizer(r *awsapi.Request) (any, error) {
	in := new(authorizerInput)
	if err := r.Read(in); err != nil {
		return nil, err
	}
	var a *Authorizer
	err := s.change(r.Context(), in.ApiId, func(e *document.Edit) (err error) {
		if a, err = find[Authorizer](&e.Set, docAuthorizer, in.AuthorizerId, "Authorizer"); err != nil {
			return err
		}
		before := a.AuthorizerType
		if err := r.Read(a); err != nil {
			return err
		}
		if a.AuthorizerType != before {
			return invalid("The authorizerType of an authorizer cannot be changed")
		}
		protocol, err := protocolOf(&e.Set)
		if err != nil {
			return err
		}
		if err := a.check(s, protocol); err != nil {
			return err
		}
		return e.Put(docAuthorizer+a.AuthorizerId, a)
	})
	return a, err
}

func (s *service) deleteAuthorizer(ctx context.Context, in *authorizerInput) (awsapi.None, error) {
	return awsapi.None{}, s.change(ctx, in.ApiId, func(e *document.Edit) error {
		if _, err := find[Authorizer](&e.Set, docAuthorizer, in.AuthorizerId, "Authorizer"); err != nil {
			return err
		}
		routes, err := document.All[Route](&e.Set, docRoute)
		if err != nil {
			return err
		}
		for _, r := range routes {
			if r.AuthorizerId == in.AuthorizerId {
				return conflicts("Cannot delete authorizer '%s', is referenced in route: %s", fmt.Sprintf("%.64s", in.AuthorizerId), r.RouteKey)
			}
		}
		e.Delete(docAuthorizer + in.AuthorizerId)
		return nil
	})
}

// resetAuthorizersCache has every node forget what authorizers answered: it changes the API, and
// what serves an API keeps nothing over a change.
func (s *service) resetAuthorizersCache(ctx context.Context, in *stageInput) (awsapi.None, error) {
	if _, err := s.getStage(ctx, in); err != nil {
		return awsapi.None{}, err
	}
	defer s.APIs.changed(in.ApiId)
	return awsapi.None{}, s.Store.Change(ctx, ownerAPI+in.ApiId, func(e *document.Edit) error {
		g, err := find[Stage](&e.Set, docStage, in.StageName, "stage")
		if err != nil {
			return err
		}
		return e.Put(docStage+g.StageName, g)
	})
}
