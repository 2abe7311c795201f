package apigatewayv1

import (
	"context"
	"maps"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv2"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

func (s *service) getTags(ctx context.Context, in *apigatewayv2.TagInput) (*apigatewayv2.TagsOutput, error) {
	if name, ok := s.TaggedDomain(in.ResourceArn); ok {
		return s.domainTags(ctx, name)
	}
	apiID, stage, err := s.Tagged(in.ResourceArn, "restapis")
	if err != nil {
		return nil, err
	}
	out := &apigatewayv2.TagsOutput{Tags: map[string]string{}}
	if stage == "" {
		a, err := s.getRestAPI(ctx, &apiInput{RestApiId: apiID})
		if err != nil {
			return nil, err
		}
		maps.Copy(out.Tags, a.Tags)
		return out, nil
	}
	g, err := s.getStage(ctx, &stageInput{RestApiId: apiID, StageName: stage})
	if err != nil {
		return nil, err
	}
	maps.Copy(out.Tags, g.Tags)
	return out, nil
}

// changeTags changes the tags of an API or a stage.
func (s *service) changeTags(ctx context.Context, arn string, change func(tags map[string]string)) (awsapi.None, error) {
	if name, ok := s.TaggedDomain(arn); ok {
		return awsapi.None{}, s.ChangeDomainTags(ctx, name, change)
	}
	apiID, stage, err := s.Tagged(arn, "restapis")
	if err != nil {
		return awsapi.None{}, err
	}
	return awsapi.None{}, s.change(ctx, apiID, func(e *document.Edit) error {
		if stage != "" {
			g, err := find[Stage](&e.Set, docStage+stage, "stage")
			if err != nil {
				return err
			}
			if err := apigatewayv2.Retag(&g.Tags, change); err != nil {
				return err
			}
			return e.Put(docStage+stage, g)
		}
		var a RestAPI
		if err := e.Get(docRestAPI, &a); err != nil {
			return err
		}
		if err := apigatewayv2.Retag(&a.Tags, change); err != nil {
			return err
		}
		return e.Put(docRestAPI, &a)
	})
}

func (s *service) tagResource(ctx context.Context, in *apigatewayv2.TagInput) (awsapi.None, error) {
	return s.changeTags(ctx, in.ResourceArn, in.Add)
}

func (s *service) untagResource(ctx context.Context, in *apigatewayv2.TagInput) (awsapi.None, error) {
	return s.changeTags(ctx, in.ResourceArn, in.Remove)
}
