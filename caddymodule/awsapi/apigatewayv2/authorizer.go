package apigatewayv2

import (
	"context"
	"fmt"

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

func (a *Authorizer) check(s *service) error {
	switch {
	case a.Name == "":
		return invalid("Name must not be empty")
	case a.IdentityValidationExpression != "":
		return invalid("identityValidationExpression is not supported for HTTP APIs")
	case a.AuthorizerCredentialsArn != "":
		return invalid("authorizerCredentialsArn is not supported: functions are called by their policy, see AddPermission")
	case a.AuthorizerType == "JWT":
		if a.JwtConfiguration == nil || a.JwtConfiguration.Issuer == "" || len(a.JwtConfiguration.Audience) == 0 {
			return invalid("A JWT authorizer needs jwtConfiguration with issuer and audience")
		}
		if len(a.IdentitySource) != 1 {
			return invalid("A JWT authorizer has one identitySource, e.g. $request.header.Authorization")
		}
		if a.AuthorizerUri != "" || a.AuthorizerPayloadFormatVersion != "" || a.EnableSimpleResponses {
			return invalid("authorizerUri, authorizerPayloadFormatVersion and enableSimpleResponses are only for REQUEST authorizers")
		}
		return nil
	case a.JwtConfiguration != nil:
		return invalid("jwtConfiguration is only for JWT authorizers")
	case a.AuthorizerPayloadFormatVersion != "1.0" && a.AuthorizerPayloadFormatVersion != "2.0":
		return invalid("authorizerPayloadFormatVersion must be 1.0 or 2.0")
	case a.EnableSimpleResponses && a.AuthorizerPayloadFormatVersion != "2.0":
		return invalid("enableSimpleResponses is only for authorizerPayloadFormatVersion 2.0")
	}
	_, _, err := s.functionOf(a.AuthorizerUri)
	return err
}

// checkAuthorization checks who may call a route. The data plane has no authorizers yet. A
// route that asks for one is refused: it would be open.
func (s *service) checkAuthorization(_ *document.Set, r *Route) error {
	if r.AuthorizationType == "NONE" {
		return nil
	}
	return invalid("authorizationType %s is not supported yet: this server would not check who calls the route", r.AuthorizationType)
}

type createAuthorizerInput struct {
	Authorizer
	ApiId string
}

func (s *service) createAuthorizer(ctx context.Context, in *createAuthorizerInput) (*Authorizer, error) {
	a := &in.Authorizer
	a.AuthorizerId = newID(6)
	if err := a.check(s); err != nil {
		return nil, err
	}
	return a, s.change(ctx, in.ApiId, func(e *document.Edit) error {
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
		if err := r.Read(a); err != nil {
			return err
		}
		if err := a.check(s); err != nil {
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
