package apigatewayv2

import (
	"context"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

// maxTags is AWS's limit.
const maxTags = 50

func checkTags(tags map[string]string) error {
	for key, value := range tags {
		switch {
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return invalid("Tag keys that begin with aws: are reserved")
		case key == "" || len(key) > 128 || len(value) > 256:
			return invalid("The key of a tag has 1 to 128 characters, its value 256 at most")
		}
	}
	if len(tags) > maxTags {
		return invalid("A resource has %d tags at most", maxTags)
	}
	return nil
}

func (s *service) getTags(ctx context.Context, in *TagInput) (*TagsOutput, error) {
	if name, ok := s.TaggedDomain(in.ResourceArn); ok {
		n, err := s.getDomain(ctx, &domainInput{DomainName: name})
		if err != nil {
			return nil, err
		}
		return &TagsOutput{n.Tags}, nil
	}
	apiID, stage, err := s.Tagged(in.ResourceArn, "apis")
	if err != nil {
		return nil, err
	}
	if stage == "" {
		a, err := s.getAPI(ctx, &apiInput{ApiId: apiID})
		if err != nil {
			return nil, err
		}
		return &TagsOutput{a.Tags}, nil
	}
	g, err := s.getStage(ctx, &stageInput{ApiId: apiID, StageName: stage})
	if err != nil {
		return nil, err
	}
	return &TagsOutput{g.Tags}, nil
}

// changeTags changes the tags of an API or a stage. It deploys nothing.
func (s *service) changeTags(ctx context.Context, arn string, change func(tags map[string]string)) error {
	if name, ok := s.TaggedDomain(arn); ok {
		return s.ChangeDomainTags(ctx, name, change)
	}
	apiID, stage, err := s.Tagged(arn, "apis")
	if err != nil {
		return err
	}
	if !validID(apiID) {
		return s.missingAPI(apiID)
	}
	return s.Store.Change(ctx, ownerAPI+apiID, func(e *document.Edit) error {
		var a API
		if !e.Has(docAPI) {
			return s.missingAPI(apiID)
		}
		if stage != "" {
			g, err := find[Stage](&e.Set, docStage, stage, "stage")
			if err != nil {
				return err
			}
			if err := Retag(&g.Tags, change); err != nil {
				return err
			}
			return e.Put(docStage+stage, g)
		}
		if err := e.Get(docAPI, &a); err != nil {
			return err
		}
		if err := Retag(&a.Tags, change); err != nil {
			return err
		}
		return e.Put(docAPI, &a)
	})
}

func (s *service) tagResource(ctx context.Context, in *TagInput) (struct{}, error) {
	return struct{}{}, s.changeTags(ctx, in.ResourceArn, in.Add)
}

func (s *service) untagResource(ctx context.Context, in *TagInput) (awsapi.None, error) {
	return awsapi.None{}, s.changeTags(ctx, in.ResourceArn, in.Remove)
}
