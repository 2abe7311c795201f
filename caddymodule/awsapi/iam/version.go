package iam

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
)

// A version is a version of a managed policy.
type version struct {
	ID         string // v1
	Document   string // "" if it is not known
	CreateDate time.Time
}

// maxVersions is AWS's limit.
const maxVersions = 5

type shownVersion struct {
	Document         string `json:",omitempty"`
	VersionID        string `json:"VersionId"`
	IsDefaultVersion bool
	CreateDate       time.Time `json:",omitzero"`
}

func (p *policy) at(id string) (int, error) {
	n := slices.IndexFunc(p.Versions, func(v version) bool { return v.ID == id })
	if n < 0 {
		return 0, missing("Policy %s version %s does not exist or is not attachable.", p.ARN, id)
	}
	return n, nil
}

func (p *policy) showVersion(v version) shownVersion {
	return shownVersion{VersionID: v.ID, IsDefaultVersion: v.ID == p.Default, CreateDate: v.CreateDate}
}

type versionInput struct {
	PolicyArn, VersionId, PolicyDocument string
	SetAsDefault                         bool
	paging
}

type versionOutput struct{ PolicyVersion shownVersion }

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicyVersion.html
func (s *service) createVersion(ctx context.Context, in *versionInput) (*versionOutput, error) {
	if err := checkManaged(in.PolicyDocument); err != nil {
		return nil, err
	}
	var out versionOutput
	return &out, s.changePolicy(ctx, in.PolicyArn, func(p *policy) error {
		if len(p.Versions) >= maxVersions {
			return exceeded("A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.", maxVersions)
		}
		p.Last++
		v := version{"v" + strconv.Itoa(p.Last), in.PolicyDocument, s.now()}
		p.Versions = slices.Insert(p.Versions, 0, v)
		if in.SetAsDefault {
			p.Default = v.ID
		}
		p.UpdateDate = v.CreateDate
		out.PolicyVersion = p.showVersion(v)
		return nil
	})
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetPolicyVersion.html
func (s *service) getVersion(ctx context.Context, in *versionInput) (*versionOutput, error) {
	p, err := s.readPolicy(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	n, err := p.at(in.VersionId)
	if err != nil {
		return nil, err
	}
	v := p.Versions[n]
	if v.Document == "" {
		return nil, &awsapi.Exception{Name: "InvalidInput", Message: "This server does not know the document of AWS's policy " + p.ARN + "; it can be attached"}
	}
	shown := p.showVersion(v)
	shown.Document = escape(v.Document)
	return &versionOutput{shown}, nil
}

type versionsOutput struct {
	Versions []shownVersion
	paged
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListPolicyVersions.html
func (s *service) listVersions(ctx context.Context, in *versionInput) (*versionsOutput, error) {
	p, err := s.readPolicy(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	var all []shownVersion
	for _, v := range p.Versions {
		all = append(all, p.showVersion(v))
	}
	page, next, err := cut(all, in.paging)
	return &versionsOutput{page, next}, err
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicyVersion.html
func (s *service) deleteVersion(ctx context.Context, in *versionInput) (awsapi.None, error) {
	return awsapi.None{}, s.changePolicy(ctx, in.PolicyArn, func(p *policy) error {
		n, err := p.at(in.VersionId)
		switch {
		case err != nil:
			return err
		case in.VersionId == p.Default:
			return inUse("Cannot delete the default version of a policy.")
		}
		p.Versions = slices.Delete(p.Versions, n, n+1)
		return nil
	})
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_SetDefaultPolicyVersion.html
func (s *service) setDefaultVersion(ctx context.Context, in *versionInput) (awsapi.None, error) {
	return awsapi.None{}, s.changePolicy(ctx, in.PolicyArn, func(p *policy) error {
		_, err := p.at(in.VersionId)
		p.Default, p.UpdateDate = in.VersionId, s.now()
		return err
	})
}
