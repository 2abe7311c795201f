package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/awsapi/access"
	"github.com/hearthfn/hearth/caddymodule/awsapi/model"
	evaluation "github.com/hearthfn/hearth/caddymodule/awsapi/policy"
	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// permit asks the policies of a role whether it may call an operation of Lambda. The body of an
// invocation is the event.
func (a *API) permit(r *http.Request, key *sigv4.Key, route model.Route, body []byte) error {
	members, err := route.Members(r, body)
	if err != nil {
		return err
	}
	in := &access.Input{JSON: members, HTTP: r}
	invokes := strings.HasPrefix(route.Name, "Invoke")
	needs := a.Access.Lambda(route.Name, in)
	if invokes {
		name, qualifier, err := a.Account.Parse(fmt.Sprint(members["FunctionName"]))
		if err == nil {
			if qualifier == "" {
				qualifier = r.URL.Query().Get("Qualifier")
			}
			if needs[0].Policy, err = a.ownPolicy(r.Context(), name, qualifier); err != nil {
				return err
			}
		}
	}
	return a.denial(a.Access.Check(r.Context(), key, r, needs...))
}

// ownPolicy is the policy of a function, nil if there is none.
func (a *API) ownPolicy(ctx context.Context, name, qualifier string) (*evaluation.Document, error) {
	if a.Registry.ReadOnly(name) {
		return nil, nil
	}
	if qualifier == "" {
		qualifier = function.Latest
	}
	p, err := a.Registry.Policies.Read(ctx, name, qualifier)
	if errors.Is(err, registry.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(struct{ Statement []registry.Statement }{p.Statements})
	if err != nil {
		return nil, err
	}
	return evaluation.Parse(string(text))
}

// permitTarget is permit for a service of the JSON protocol.
func (a *API) permitTarget(r *http.Request, key *sigv4.Key, service, operation string, body []byte) error {
	if key.Role == nil {
		return nil
	}
	members, err := access.Members(body)
	if err != nil {
		return exception("SerializationException", err.Error())
	}
	needs, err := a.Access.Needs(r.Context(), service, operation, &access.Input{JSON: members, HTTP: r})
	if err != nil {
		return err
	}
	return a.denial(a.Access.Check(r.Context(), key, r, needs...))
}

// denial is the exception for what a role may not do.
func (a *API) denial(err error) error {
	var denied *access.Denied
	if errors.As(err, &denied) {
		return exception("AccessDeniedException", denied.Message)
	}
	return err
}

// checkRole refuses a role that does not let Lambda act as it. A role that is not here is taken: its
// functions get no credentials.
func (a *API) checkRole(ctx context.Context, arn *string) error {
	if arn == nil || a.Role == nil || a.Access == nil || a.Access.Off {
		return nil
	}
	g, err := a.Role(ctx, *arn)
	if err != nil || g == nil || access.Trusts(g, "lambda.amazonaws.com") {
		return err
	}
	return invalid("The role defined for the function cannot be assumed by Lambda.")
}
