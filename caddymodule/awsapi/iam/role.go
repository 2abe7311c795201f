package iam

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

// A role is the document of a role.
type role struct {
	Path, RoleName     string
	RoleID             string `json:"RoleId"`
	CreateDate         time.Time
	Trust              string // AssumeRolePolicyDocument
	Description        string `json:",omitempty"`
	MaxSessionDuration int
	Boundary           string            `json:",omitempty"` // ARN of a policy
	Inline             map[string]string `json:",omitempty"` // documents by name
	Attached           []string          `json:",omitempty"` // ARNs of policies, sorted
	Tags               []tag             `json:",omitempty"`
}

func roleKey(name string) string { return docRole + strings.ToLower(name) }

func findRole(set *document.Set, name string) (*role, error) {
	r := new(role)
	err := set.Get(roleKey(name), r)
	if errors.Is(err, document.ErrNotFound) {
		err = missing("The role with name %s cannot be found.", name)
	}
	return r, err
}

func (s *service) readRole(ctx context.Context, name string) (*role, error) {
	set, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	return findRole(set, name)
}

// A boundary is the policy that bounds what a role's policies allow.
type boundary struct {
	PermissionsBoundaryType string
	PermissionsBoundaryArn  string
}

// A shownRole is a role as answers have it.
type shownRole struct {
	Path, RoleName           string
	RoleID                   string `json:"RoleId"`
	ARN                      string `json:"Arn"`
	CreateDate               time.Time
	AssumeRolePolicyDocument string
	Description              string `json:",omitempty"`
	MaxSessionDuration       int
	PermissionsBoundary      *boundary
	Tags                     []tag `json:",omitempty"`
}

// show leaves out what lists leave out.
func (s *service) show(r *role, list bool) *shownRole {
	out := &shownRole{
		Path: r.Path, RoleName: r.RoleName, RoleID: r.RoleID, ARN: s.arn("role" + r.Path + r.RoleName), CreateDate: r.CreateDate,
		AssumeRolePolicyDocument: escape(r.Trust), Description: r.Description, MaxSessionDuration: r.MaxSessionDuration,
	}
	if list {
		return out
	}
	out.Tags = r.Tags
	if r.Boundary != "" {
		out.PermissionsBoundary = &boundary{"Policy", r.Boundary}
	}
	return out
}

// escape writes a policy as answers have it, after RFC 3986.
func escape(policy string) string { return strings.ReplaceAll(url.QueryEscape(policy), "+", "%20") }

type createRoleInput struct {
	Path, RoleName           string
	AssumeRolePolicyDocument string
	Description              string
	MaxSessionDuration       int
	PermissionsBoundary      string
	Tags                     []tag
}

type roleOutput struct{ Role *shownRole }

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
func (s *service) createRole(ctx context.Context, in *createRoleInput) (*roleOutput, error) {
	if err := checkTrust(in.AssumeRolePolicyDocument); err != nil {
		return nil, err
	}
	tags, err := merge(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	r := &role{
		Path: in.Path, RoleName: in.RoleName, RoleID: newID("AROA"), CreateDate: s.now(), Trust: in.AssumeRolePolicyDocument,
		Description: in.Description, MaxSessionDuration: in.MaxSessionDuration, Boundary: in.PermissionsBoundary, Tags: tags,
	}
	if r.Path == "" {
		r.Path = "/"
	}
	if r.MaxSessionDuration == 0 {
		r.MaxSessionDuration = 3600
	}
	err = s.change(ctx, func(e *document.Edit) error {
		switch {
		case e.Has(roleKey(in.RoleName)):
			return exists("Role with name %s already exists.", in.RoleName)
		case len(e.Names(docRole)) >= maxRoles:
			return exceeded("Cannot exceed quota for RolesPerAccount: %d", maxRoles)
		case r.Boundary != "" && !s.attachable(&e.Set, r.Boundary):
			return missing("Scope ARN: %s does not exist or is not attachable.", r.Boundary)
		}
		return e.Put(roleKey(in.RoleName), r)
	})
	if err != nil {
		return nil, err
	}
	return &roleOutput{s.show(r, false)}, nil
}

type roleInput struct{ RoleName string }

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRole.html
func (s *service) getRole(ctx context.Context, in *roleInput) (*roleOutput, error) {
	r, err := s.readRole(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	return &roleOutput{s.show(r, false)}, nil
}

type listRolesInput struct {
	PathPrefix string
	paging
}

type rolesOutput struct {
	Roles []*shownRole
	paged
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html
func (s *service) listRoles(ctx context.Context, in *listRolesInput) (*rolesOutput, error) {
	set, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	roles, err := document.All[role](set, docRole)
	if err != nil {
		return nil, err
	}
	roles = slices.DeleteFunc(roles, func(r *role) bool { return !strings.HasPrefix(r.Path, in.PathPrefix) })
	page, next := pageOf(roles, func(r *role) string { return strings.ToLower(r.RoleName) }, in.paging)
	out := &rolesOutput{paged: next}
	for _, r := range page {
		out.Roles = append(out.Roles, s.show(r, true))
	}
	return out, nil
}

// changeRole changes a role.
func (s *service) changeRole(ctx context.Context, name string, change func(e *document.Edit, r *role) error) error {
	return s.change(ctx, func(e *document.Edit) error {
		r, err := findRole(&e.Set, name)
		if err != nil {
			return err
		}
		if err := change(e, r); err != nil {
			return err
		}
		return e.Put(roleKey(name), r)
	})
}

type updateRoleInput struct {
	RoleName           string
	Description        *string
	MaxSessionDuration int
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateRole.html
func (s *service) updateRole(ctx context.Context, in *updateRoleInput) (*struct{}, error) {
	return &struct{}{}, s.changeRole(ctx, in.RoleName, func(_ *document.Edit, r *role) error {
		if in.Description != nil {
			r.Description = *in.Description
		}
		if in.MaxSessionDuration != 0 {
			r.MaxSessionDuration = in.MaxSessionDuration
		}
		return nil
	})
}

type roleDescriptionInput struct{ RoleName, Description string }

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateRoleDescription.html
func (s *service) updateRoleDescription(ctx context.Context, in *roleDescriptionInput) (*roleOutput, error) {
	var out roleOutput
	return &out, s.changeRole(ctx, in.RoleName, func(_ *document.Edit, r *role) error {
		r.Description = in.Description
		out.Role = s.show(r, false)
		return nil
	})
}

type trustInput struct{ RoleName, PolicyDocument string }

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAssumeRolePolicy.html
func (s *service) updateAssumeRolePolicy(ctx context.Context, in *trustInput) (awsapi.None, error) {
	return awsapi.None{}, s.changeRole(ctx, in.RoleName, func(_ *document.Edit, r *role) error {
		r.Trust = in.PolicyDocument
		return checkTrust(r.Trust)
	})
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRole.html
func (s *service) deleteRole(ctx context.Context, in *roleInput) (awsapi.None, error) {
	return awsapi.None{}, s.change(ctx, func(e *document.Edit) error {
		r, err := findRole(&e.Set, in.RoleName)
		switch {
		case err != nil:
			return err
		case len(r.Attached) > 0:
			return inUse("Cannot delete entity, must detach all policies first.")
		case len(r.Inline) > 0:
			return inUse("Cannot delete entity, must delete policies first.")
		}
		profiles, err := document.All[profile](&e.Set, docProfile)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(profiles, func(p *profile) bool { return p.Role == r.RoleName }) {
			return inUse("Cannot delete entity, must remove roles from instance profile first.")
		}
		e.Delete(roleKey(in.RoleName))
		return nil
	})
}

type boundaryInput struct{ RoleName, PermissionsBoundary string }

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePermissionsBoundary.html
func (s *service) putBoundary(ctx context.Context, in *boundaryInput) (awsapi.None, error) {
	return awsapi.None{}, s.changeRole(ctx, in.RoleName, func(e *document.Edit, r *role) error {
		if !s.attachable(&e.Set, in.PermissionsBoundary) {
			return missing("Scope ARN: %s does not exist or is not attachable.", in.PermissionsBoundary)
		}
		r.Boundary = in.PermissionsBoundary
		return nil
	})
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRolePermissionsBoundary.html
func (s *service) deleteBoundary(ctx context.Context, in *roleInput) (awsapi.None, error) {
	return awsapi.None{}, s.changeRole(ctx, in.RoleName, func(_ *document.Edit, r *role) error {
		if r.Boundary == "" {
			return missing("The role %s does not have a permissions boundary.", in.RoleName)
		}
		r.Boundary = ""
		return nil
	})
}
