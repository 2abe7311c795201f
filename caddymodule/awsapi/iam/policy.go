package iam

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

// A policy is the document of a managed policy.
type policy struct {
	Path, PolicyName string
	PolicyID         string `json:"PolicyId"`
	ARN              string `json:"Arn"`
	CreateDate       time.Time
	UpdateDate       time.Time
	Description      string    `json:",omitempty"`
	Default          string    // ID of a version
	Last             int       // number of the last version that was made
	Versions         []version // the latest first
	Tags             []tag     `json:",omitempty"`
}

func policyKey(name string) string { return docPolicy + strings.ToLower(name) }

// findPolicy finds a policy of the account or of AWS's own.
func (s *service) findPolicy(set *document.Set, arn string) (*policy, error) {
	if p, found := ofAWS(arn); found {
		return p, nil
	}
	if !strings.HasPrefix(arn, "arn:") {
		return nil, &awsapi.Exception{Name: "InvalidInput", Message: "ARN " + arn + " is not valid."}
	}
	_, name := split(arn)
	p := new(policy)
	err := set.Get(policyKey(name), p)
	if errors.Is(err, document.ErrNotFound) || err == nil && p.ARN != arn {
		err = missing("Policy %s was not found.", arn)
	}
	return p, err
}

func (s *service) readPolicy(ctx context.Context, arn string) (*policy, error) {
	set, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	return s.findPolicy(set, arn)
}

// attachable reports whether there is a policy that can be attached to a role.
func (s *service) attachable(set *document.Set, arn string) bool {
	_, err := s.findPolicy(set, arn)
	return err == nil
}

// A shownPolicy is a policy as answers have it.
type shownPolicy struct {
	PolicyName                    string
	PolicyID                      string `json:"PolicyId,omitempty"` // those of AWS's own are not known
	ARN                           string `json:"Arn"`
	Path                          string
	DefaultVersionID              string `json:"DefaultVersionId"`
	AttachmentCount               int
	PermissionsBoundaryUsageCount int
	IsAttachable                  bool
	Description                   string    `json:",omitempty"`
	CreateDate                    time.Time `json:",omitzero"`
	UpdateDate                    time.Time `json:",omitzero"`
	Tags                          []tag     `json:",omitempty"`
}

func (p *policy) show(roles []*role) *shownPolicy {
	out := &shownPolicy{
		PolicyName: p.PolicyName, PolicyID: p.PolicyID, ARN: p.ARN, Path: p.Path, DefaultVersionID: p.Default, IsAttachable: true,
		Description: p.Description, CreateDate: p.CreateDate, UpdateDate: p.UpdateDate, Tags: p.Tags,
	}
	for _, r := range roles {
		if slices.Contains(r.Attached, p.ARN) {
			out.AttachmentCount++
		}
		if r.Boundary == p.ARN {
			out.PermissionsBoundaryUsageCount++
		}
	}
	return out
}

type createPolicyInput struct {
	PolicyName, Path, PolicyDocument, Description string
	Tags                                          []tag
}

type policyOutput struct{ Policy *shownPolicy }

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html
func (s *service) createPolicy(ctx context.Context, in *createPolicyInput) (*policyOutput, error) {
	if err := checkManaged(in.PolicyDocument); err != nil {
		return nil, err
	}
	tags, err := merge(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	now := s.now()
	p := &policy{
		Path: in.Path, PolicyName: in.PolicyName, PolicyID: newID("ANPA"), CreateDate: now, UpdateDate: now, Description: in.Description,
		Default: "v1", Last: 1, Versions: []version{{"v1", in.PolicyDocument, now}}, Tags: tags,
	}
	if p.Path == "" {
		p.Path = "/"
	}
	p.ARN = s.arn("policy" + p.Path + p.PolicyName)
	err = s.change(ctx, func(e *document.Edit) error {
		switch {
		case e.Has(policyKey(in.PolicyName)):
			return exists("A policy called %s already exists. Duplicate names are not allowed.", in.PolicyName)
		case len(e.Names(docPolicy)) >= maxPolicies:
			return exceeded("Cannot exceed quota for PoliciesPerAccount: %d", maxPolicies)
		}
		return e.Put(policyKey(in.PolicyName), p)
	})
	if err != nil {
		return nil, err
	}
	return &policyOutput{p.show(nil)}, nil
}

type policyInput struct{ PolicyArn string }

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetPolicy.html
func (s *service) getPolicy(ctx context.Context, in *policyInput) (*policyOutput, error) {
	set, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	p, err := s.findPolicy(set, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	roles, err := document.All[role](set, docRole)
	return &policyOutput{p.show(roles)}, err
}

type listPoliciesInput struct {
	Scope             string
	OnlyAttached      bool
	PathPrefix        string
	PolicyUsageFilter string
	paging
}

type policiesOutput struct {
	Policies []*shownPolicy
	paged
}

// listPolicies lists of AWS's own those whose document is known.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListPolicies.html
func (s *service) listPolicies(ctx context.Context, in *listPoliciesInput) (*policiesOutput, error) {
	set, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	var all []*policy
	if in.Scope != "AWS" {
		if all, err = document.All[policy](set, docPolicy); err != nil {
			return nil, err
		}
	}
	if in.Scope != "Local" {
		for arn := range managed() {
			p, _ := ofAWS(arn)
			all = append(all, p)
		}
	}
	roles, err := document.All[role](set, docRole)
	if err != nil {
		return nil, err
	}
	var shown []*shownPolicy
	for _, p := range all {
		v := p.show(roles)
		v.Tags = nil
		used := v.AttachmentCount
		if in.PolicyUsageFilter == "PermissionsBoundary" {
			used = v.PermissionsBoundaryUsageCount
		}
		if strings.HasPrefix(p.Path, in.PathPrefix) && (used > 0 || !in.OnlyAttached && in.PolicyUsageFilter == "") {
			shown = append(shown, v)
		}
	}
	// A policy of the account may have the name of one of AWS's own.
	key := func(p *shownPolicy) string {
		return strings.ToLower(p.PolicyName) + "/" + p.ARN[:len("arn:aws:iam::aws")]
	}
	slices.SortFunc(shown, func(x, y *shownPolicy) int { return strings.Compare(key(x), key(y)) })
	page, next := pageOf(shown, key, in.paging)
	return &policiesOutput{page, next}, nil
}

type entitiesInput struct {
	PolicyArn, EntityFilter, PathPrefix, PolicyUsageFilter string
	paging
}

type policyRole struct {
	RoleName string
	RoleID   string `json:"RoleId"`
}

type entitiesOutput struct {
	PolicyGroups, PolicyUsers []policyRole // there are none
	PolicyRoles               []policyRole
	paged
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListEntitiesForPolicy.html
func (s *service) listEntities(ctx context.Context, in *entitiesInput) (*entitiesOutput, error) {
	set, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	if _, err = s.findPolicy(set, in.PolicyArn); err != nil {
		return nil, err
	}
	roles, err := document.All[role](set, docRole)
	if err != nil {
		return nil, err
	}
	roles = slices.DeleteFunc(roles, func(r *role) bool {
		attached := slices.Contains(r.Attached, in.PolicyArn) && in.PolicyUsageFilter != "PermissionsBoundary"
		bounds := r.Boundary == in.PolicyArn && in.PolicyUsageFilter != "PermissionsPolicy"
		return !attached && !bounds || in.EntityFilter != "" && in.EntityFilter != "Role" || !strings.HasPrefix(r.Path, in.PathPrefix)
	})
	page, next := pageOf(roles, func(r *role) string { return strings.ToLower(r.RoleName) }, in.paging)
	out := &entitiesOutput{paged: next}
	for _, r := range page {
		out.PolicyRoles = append(out.PolicyRoles, policyRole{r.RoleName, r.RoleID})
	}
	return out, nil
}

// changePolicy changes a policy of the account.
func (s *service) changePolicy(ctx context.Context, arn string, change func(p *policy) error) error {
	return s.change(ctx, func(e *document.Edit) error {
		p, err := s.own(&e.Set, arn)
		if err != nil {
			return err
		}
		if err := change(p); err != nil {
			return err
		}
		return e.Put(policyKey(p.PolicyName), p)
	})
}

// own finds a policy of the account, for a change.
func (s *service) own(set *document.Set, arn string) (*policy, error) {
	if strings.HasPrefix(arn, ownedByAWS) {
		return nil, &awsapi.Exception{Name: "AccessDenied", Status: 403, Message: arn + " is a policy of AWS's own, which nobody can change"}
	}
	return s.findPolicy(set, arn)
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html
func (s *service) deletePolicy(ctx context.Context, in *policyInput) (awsapi.None, error) {
	return awsapi.None{}, s.change(ctx, func(e *document.Edit) error {
		p, err := s.own(&e.Set, in.PolicyArn)
		if err != nil {
			return err
		}
		roles, err := document.All[role](&e.Set, docRole)
		if err != nil {
			return err
		}
		switch v := p.show(roles); {
		case v.AttachmentCount > 0 || v.PermissionsBoundaryUsageCount > 0:
			return inUse("Cannot delete a policy attached to entities.")
		case len(p.Versions) > 1:
			return inUse("This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
		}
		e.Delete(policyKey(p.PolicyName))
		return nil
	})
}
