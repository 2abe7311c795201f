package iam

import (
	"context"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

type tag struct{ Key, Value string }

// maxTags is AWS's limit.
const maxTags = 50

// merge is tags with those of more, in the order of their keys, which are not distinguished
// by case.
func merge(tags, more []tag) ([]tag, error) {
	out := slices.Clone(tags)
	seen := make(map[string]bool)
	for _, t := range more {
		key := strings.ToLower(t.Key)
		switch {
		case strings.HasPrefix(key, "aws:"):
			return nil, &awsapi.Exception{Name: "InvalidInput", Message: "Tag keys that begin with aws: are reserved for system tags"}
		case seen[key]:
			return nil, &awsapi.Exception{Name: "InvalidInput", Message: "Duplicate tag keys found. Please note that Tag keys are case insensitive."}
		}
		seen[key] = true
		out = append(without(out, t.Key), t)
	}
	if len(out) > maxTags {
		return nil, exceeded("The number of tags has reached the maximum limit.")
	}
	slices.SortFunc(out, func(x, y tag) int { return strings.Compare(x.Key, y.Key) })
	return out, nil
}

// without is tags without that of a key.
func without(tags []tag, key string) []tag {
	return slices.DeleteFunc(tags, func(t tag) bool { return strings.EqualFold(t.Key, key) })
}

func remove(tags []tag, keys []string) []tag {
	for _, key := range keys {
		tags = without(tags, key)
	}
	return tags
}

type tagInput struct {
	RoleName, PolicyArn string
	Tags                []tag
	TagKeys             []string
	paging
}

type tagsOutput struct {
	Tags []tag
	paged
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_TagRole.html
func (s *service) tagRole(ctx context.Context, in *tagInput) (awsapi.None, error) {
	return awsapi.None{}, s.changeRole(ctx, in.RoleName, func(_ *document.Edit, r *role) (err error) {
		r.Tags, err = merge(r.Tags, in.Tags)
		return err
	})
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_UntagRole.html
func (s *service) untagRole(ctx context.Context, in *tagInput) (awsapi.None, error) {
	return awsapi.None{}, s.changeRole(ctx, in.RoleName, func(_ *document.Edit, r *role) error {
		r.Tags = remove(r.Tags, in.TagKeys)
		return nil
	})
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoleTags.html
func (s *service) listRoleTags(ctx context.Context, in *tagInput) (*tagsOutput, error) {
	r, err := s.readRole(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	page, next, err := cut(r.Tags, in.paging)
	return &tagsOutput{page, next}, err
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_TagPolicy.html
func (s *service) tagPolicy(ctx context.Context, in *tagInput) (awsapi.None, error) {
	return awsapi.None{}, s.changePolicy(ctx, in.PolicyArn, func(p *policy) (err error) {
		p.Tags, err = merge(p.Tags, in.Tags)
		return err
	})
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_UntagPolicy.html
func (s *service) untagPolicy(ctx context.Context, in *tagInput) (awsapi.None, error) {
	return awsapi.None{}, s.changePolicy(ctx, in.PolicyArn, func(p *policy) error {
		p.Tags = remove(p.Tags, in.TagKeys)
		return nil
	})
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListPolicyTags.html
func (s *service) listPolicyTags(ctx context.Context, in *tagInput) (*tagsOutput, error) {
	p, err := s.readPolicy(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	page, next, err := cut(p.Tags, in.paging)
	return &tagsOutput{page, next}, err
}
