package iam

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

// Quotas of a role, in characters that are no white space, and in policies.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const (
	maxInline   = 10240
	maxAttached = 20 // AWS has 10, and more for who asks
)

type rolePolicyInput struct{ RoleName, PolicyName, PolicyDocument string }

type rolePolicyOutput struct{ RoleName, PolicyName, PolicyDocument string }

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html
func (s *service) putRolePolicy(ctx context.Context, in *rolePolicyInput) (awsapi.None, error) {
	if err := checkPolicy(in.PolicyDocument); err != nil {
		return awsapi.None{}, err
	}
	return awsapi.None{}, s.changeRole(ctx, in.RoleName, func(_ *document.Edit, r *role) error {
		if r.Inline == nil {
			r.Inline = make(map[string]string)
		}
		r.Inline[in.PolicyName] = in.PolicyDocument
		total := 0
		for _, text := range r.Inline {
			total += length(text)
		}
		if total > maxInline {
			return exceeded("Maximum policy size of %d bytes exceeded for role %s", maxInline, in.RoleName)
		}
		return nil
	})
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRolePolicy.html
func (s *service) getRolePolicy(ctx context.Context, in *rolePolicyInput) (*rolePolicyOutput, error) {
	r, err := s.readRole(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	text, found := r.Inline[in.PolicyName]
	if !found {
		return nil, missing("The role policy with name %s cannot be found.", in.PolicyName)
	}
	return &rolePolicyOutput{r.RoleName, in.PolicyName, escape(text)}, nil
}

type inRoleInput struct {
	RoleName, PathPrefix string
	paging
}

type rolePoliciesOutput struct {
	PolicyNames []string
	paged
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRolePolicies.html
func (s *service) listRolePolicies(ctx context.Context, in *inRoleInput) (*rolePoliciesOutput, error) {
	r, err := s.readRole(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	page, next := pageOf(slices.Sorted(maps.Keys(r.Inline)), func(name string) string { return name }, in.paging)
	return &rolePoliciesOutput{page, next}, nil
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRolePolicy.html
func (s *service) deleteRolePolicy(ctx context.Context, in *rolePolicyInput) (awsapi.None, error) {
	return awsapi.None{}, s.changeRole(ctx, in.RoleName, func(_ *document.Edit, r *role) error {
		if _, found := r.Inline[in.PolicyName]; !found {
			return missing("The role policy with name %s cannot be found.", in.PolicyName)
		}
		delete(r.Inline, in.PolicyName)
		return nil
	})
}

type attachInput struct{ RoleName, PolicyArn string }

// attachRolePolicy does nothing if the policy is attached already, as AWS.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachRolePolicy.html
func (s *service) attachRolePolicy(ctx context.Context, in *attachInput) (awsapi.None, error) {
	return awsapi.None{}, s.changeRole(ctx, in.RoleName, func(e *document.Edit, r *role) error {
		if !s.attachable(&e.Set, in.PolicyArn) {
			return missing("Policy %s does not exist or is not attachable.", in.PolicyArn)
		}
		at, found := slices.BinarySearch(r.Attached, in.PolicyArn)
		switch {
		case found:
			return nil
		case len(r.Attached) >= maxAttached:
			return exceeded("Cannot exceed quota for PoliciesPerRole: %d", maxAttached)
		}
		r.Attached = slices.Insert(r.Attached, at, in.PolicyArn)
		return nil
	})
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_DetachRolePolicy.html
func (s *service) detachRolePolicy(ctx context.Context, in *attachInput) (awsapi.None, error) {
	return awsapi.None{}, s.changeRole(ctx, in.RoleName, func(_ *document.Edit, r *role) error {
		at, found := slices.BinarySearch(r.Attached, in.PolicyArn)
		if !found {
			return missing("Policy %s was not found.", in.PolicyArn)
		}
		r.Attached = slices.Delete(r.Attached, at, at+1)
		return nil
	})
}

type attachedPolicy struct{ PolicyName, PolicyArn string }

type attachedOutput struct {
	AttachedPolicies []attachedPolicy
	paged
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAttachedRolePolicies.html
func (s *service) listAttachedRolePolicies(ctx context.Context, in *inRoleInput) (*attachedOutput, error) {
	r, err := s.readRole(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	var all []attachedPolicy
	for _, arn := range r.Attached {
		if path, name := split(arn); strings.HasPrefix(path, in.PathPrefix) {
			all = append(all, attachedPolicy{name, arn})
		}
	}
	page, next, err := cut(all, in.paging)
	return &attachedOutput{page, next}, err
}
