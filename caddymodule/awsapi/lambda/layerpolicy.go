package lambda

import (
	"encoding/json"
	"fmt"

	"github.com/hearthfn/hearth/warmpool/function/registry"
)

type layerPermissionInput struct {
	LayerName                                                  string
	VersionNumber                                              int64
	StatementId, Action, Principal, OrganizationId, RevisionId string
}

func (a *API) missingLayer(err error, name string, version uint64) error {
	return outdated(missing(err, "Layer version "+a.Account.LayerARN(name, version)+" does not exist."), "GetLayerPolicy")
}

// https://docs.aws.amazon.com/lambda/latest/api/API_AddLayerVersionPermission.html
func addLayerVersionPermission(a *API, r *request, in *layerPermissionInput) (*statementOutput, error) {
	name, version, err := a.findLayerVersion(in.LayerName, in.VersionNumber)
	if err != nil {
		return nil, err
	}
	s := registry.Statement{Sid: in.StatementId, Effect: "Allow", Action: in.Action, Resource: a.Account.LayerARN(name, version)}
	if s.Principal, err = principal(in.Principal); err != nil {
		return nil, err
	}
	if in.OrganizationId != "" {
		s.Condition = json.RawMessage(fmt.Sprintf(`{"StringEquals":{"aws:PrincipalOrgID":%q}}`, in.OrganizationId))
	}
	p, err := a.Registry.LayerPolicy(r.Context(), name, version, func(p *registry.Policy) error {
		if err := p.Check(in.RevisionId); err != nil {
			return err
		}
		return addStatement(p, s)
	})
	if err != nil {
		return nil, a.missingLayer(err, name, version)
	}
	text, err := json.Marshal(s)
	return &statementOutput{string(text), p.RevisionID}, err
}

// https://docs.aws.amazon.com/lambda/latest/api/API_GetLayerVersionPolicy.html
func getLayerVersionPolicy(a *API, r *request, in *layerVersionInput) (*policyOutput, error) {
	name, version, err := a.findLayerVersion(in.LayerName, in.VersionNumber)
	if err != nil {
		return nil, err
	}
	l, err := a.Registry.LayerVersion(r.Context(), name, version)
	if err != nil {
		return nil, a.missingLayer(err, name, version)
	}
	if l.Policy == nil {
		return nil, exception("ResourceNotFoundException", "No policy is associated with the given resource.")
	}
	return newPolicyOutput(l.Policy)
}

// https://docs.aws.amazon.com/lambda/latest/api/API_RemoveLayerVersionPermission.html
func removeLayerVersionPermission(a *API, r *request, in *layerPermissionInput) (none, error) {
	name, version, err := a.findLayerVersion(in.LayerName, in.VersionNumber)
	if err != nil {
		return none{}, err
	}
	_, err = a.Registry.LayerPolicy(r.Context(), name, version, func(p *registry.Policy) error {
		if len(p.Statements) == 0 {
			return exception("ResourceNotFoundException", "No policy is associated with the given resource.")
		}
		if err := p.Check(in.RevisionId); err != nil {
			return err
		}
		return removeStatement(p, in.StatementId)
	})
	return none{}, a.missingLayer(err, name, version)
}
