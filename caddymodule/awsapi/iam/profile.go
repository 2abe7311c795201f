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

// A profile is the document of an instance profile. There are no instances here: templates and
// tools make profiles, so they are kept and given back.
type profile struct {
	Path, InstanceProfileName string
	InstanceProfileID         string `json:"InstanceProfileId"`
	CreateDate                time.Time
	Role                      string `json:",omitempty"` // its name; "": none
	Tags                      []tag  `json:",omitempty"`
}

const docProfile = "profile/"

func profileKey(name string) string { return docProfile + strings.ToLower(name) }

// maxProfiles is AWS's quota.
const maxProfiles = 1000

func findProfile(set *document.Set, name string) (*profile, error) {
	p := new(profile)
	err := set.Get(profileKey(name), p)
	if errors.Is(err, document.ErrNotFound) {
		err = missing("Instance Profile %s cannot be found.", name)
	}
	return p, err
}

type shownProfile struct {
	Path, InstanceProfileName string
	InstanceProfileID         string `json:"InstanceProfileId"`
	ARN                       string `json:"Arn"`
	CreateDate                time.Time
	Roles                     []*shownRole
	Tags                      []tag `json:",omitempty"`
}

func (s *service) showProfile(set *document.Set, p *profile, list bool) (*shownProfile, error) {
	out := &shownProfile{
		Path: p.Path, InstanceProfileName: p.InstanceProfileName, InstanceProfileID: p.InstanceProfileID,
		ARN: s.arn("instance-profile" + p.Path + p.InstanceProfileName), CreateDate: p.CreateDate,
	}
	if p.Role != "" {
		r, err := findRole(set, p.Role)
		if err != nil {
			return nil, err
		}
		out.Roles = []*shownRole{s.show(r, true)}
	}
	if !list {
		out.Tags = p.Tags
	}
	return out, nil
}

type createProfileInput struct {
	InstanceProfileName, Path string
	Tags                      []tag
}

type profileOutput struct{ InstanceProfile *shownProfile }

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateInstanceProfile.html
func (s *service) createProfile(ctx context.Context, in *createProfileInput) (*profileOutput, error) {
	tags, err := merge(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	p := &profile{Path: in.Path, InstanceProfileName: in.InstanceProfileName, InstanceProfileID: newID("AIPA"), CreateDate: s.now(), Tags: tags}
	if p.Path == "" {
		p.Path = "/"
	}
	err = s.change(ctx, func(e *document.Edit) error {
		switch {
		case e.Has(profileKey(in.InstanceProfileName)):
			return exists("Instance Profile %s already exists.", in.InstanceProfileName)
		case len(e.Names(docProfile)) >= maxProfiles:
			return exceeded("Cannot exceed quota for InstanceProfilesPerAccount: %d", maxProfiles)
		}
		return e.Put(profileKey(in.InstanceProfileName), p)
	})
	if err != nil {
		return nil, err
	}
	shown, err := s.showProfile(nil, p, false)
	return &profileOutput{shown}, err
}

type profileInput struct {
	InstanceProfileName, RoleName string
	Tags                          []tag
	TagKeys                       []string
	paging
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetInstanceProfile.html
func (s *service) getProfile(ctx context.Context, in *profileInput) (*profileOutput, error) {
	set, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	p, err := findProfile(set, in.InstanceProfileName)
	if err != nil {
		return nil, err
	}
	shown, err := s.showProfile(set, p, false)
	return &profileOutput{shown}, err
}

func (s *service) changeProfile(ctx context.Context, name string, change func(e *document.Edit, p *profile) error) error {
	return s.change(ctx, func(e *document.Edit) error {
		p, err := findProfile(&e.Set, name)
		if err != nil {
			return err
		}
		if err := change(e, p); err != nil {
			return err
		}
		return e.Put(profileKey(name), p)
	})
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_AddRoleToInstanceProfile.html
func (s *service) addRole(ctx context.Context, in *profileInput) (awsapi.None, error) {
	return awsapi.None{}, s.changeProfile(ctx, in.InstanceProfileName, func(e *document.Edit, p *profile) error {
		r, err := findRole(&e.Set, in.RoleName)
		if err != nil {
			return err
		}
		if p.Role != "" {
			return exceeded("Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
		}
		p.Role = r.RoleName
		return nil
	})
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_RemoveRoleFromInstanceProfile.html
func (s *service) removeRole(ctx context.Context, in *profileInput) (awsapi.None, error) {
	return awsapi.None{}, s.changeProfile(ctx, in.InstanceProfileName, func(_ *document.Edit, p *profile) error {
		if !strings.EqualFold(p.Role, in.RoleName) || p.Role == "" {
			return missing("The role with name %s cannot be found.", in.RoleName)
		}
		p.Role = ""
		return nil
	})
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteInstanceProfile.html
func (s *service) deleteProfile(ctx context.Context, in *profileInput) (awsapi.None, error) {
	return awsapi.None{}, s.change(ctx, func(e *document.Edit) error {
		p, err := findProfile(&e.Set, in.InstanceProfileName)
		if err != nil {
			return err
		}
		if p.Role != "" {
			return inUse("Cannot delete entity, must remove roles from instance profile first.")
		}
		e.Delete(profileKey(in.InstanceProfileName))
		return nil
	})
}

type profilesInput struct {
	PathPrefix, RoleName string
	paging
}

type profilesOutput struct {
	InstanceProfiles []*shownProfile
	paged
}

func (s *service) profiles(ctx context.Context, in paging, is func(set *document.Set, p *profile) bool) (*profilesOutput, error) {
	set, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	all, err := document.All[profile](set, docProfile)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(p *profile) bool { return !is(set, p) })
	page, next := pageOf(all, func(p *profile) string { return strings.ToLower(p.InstanceProfileName) }, in)
	out := &profilesOutput{paged: next}
	for _, p := range page {
		shown, err := s.showProfile(set, p, true)
		if err != nil {
			return nil, err
		}
		out.InstanceProfiles = append(out.InstanceProfiles, shown)
	}
	return out, nil
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListInstanceProfiles.html
func (s *service) listProfiles(ctx context.Context, in *profilesInput) (*profilesOutput, error) {
	return s.profiles(ctx, in.paging, func(_ *document.Set, p *profile) bool { return strings.HasPrefix(p.Path, in.PathPrefix) })
}

// listProfilesOf is asked by tools before they delete a role.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListInstanceProfilesForRole.html
func (s *service) listProfilesOf(ctx context.Context, in *profilesInput) (*profilesOutput, error) {
	if _, err := s.readRole(ctx, in.RoleName); err != nil {
		return nil, err
	}
	return s.profiles(ctx, in.paging, func(_ *document.Set, p *profile) bool { return strings.EqualFold(p.Role, in.RoleName) })
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_TagInstanceProfile.html
func (s *service) tagProfile(ctx context.Context, in *profileInput) (awsapi.None, error) {
	return awsapi.None{}, s.changeProfile(ctx, in.InstanceProfileName, func(_ *document.Edit, p *profile) (err error) {
		p.Tags, err = merge(p.Tags, in.Tags)
		return err
	})
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_UntagInstanceProfile.html
func (s *service) untagProfile(ctx context.Context, in *profileInput) (awsapi.None, error) {
	return awsapi.None{}, s.changeProfile(ctx, in.InstanceProfileName, func(_ *document.Edit, p *profile) error {
		p.Tags = remove(p.Tags, in.TagKeys)
		return nil
	})
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListInstanceProfileTags.html
func (s *service) listProfileTags(ctx context.Context, in *profileInput) (*tagsOutput, error) {
	set, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	p, err := findProfile(set, in.InstanceProfileName)
	if err != nil {
		return nil, err
	}
	page, next, err := cut(p.Tags, in.paging)
	return &tagsOutput{page, next}, err
}
