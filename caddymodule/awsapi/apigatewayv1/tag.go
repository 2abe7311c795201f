package apigatewayv1

import (
	"context"
	"maps"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv2"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

type tagInput struct {
	ResourceArn string
	Tags        map[string]string
	TagKeys     []string
}

// tagged is the API, and the stage of it if that is meant, which an ARN names:
// arn:aws:apigateway:REGION::/restapis/ID[/stages/NAME].
func (s *service) tagged(arn string) (apiID, stage string, err error) {
	path, found := strings.CutPrefix(arn, "arn:aws:apigateway:"+s.Account.Region+"::/restapis/")
	apiID, rest, inside := strings.Cut(path, "/")
	if inside {
		stage, inside = strings.CutPrefix(rest, "stages/")
		found = found && inside && stage != ""
	}
	if !found || apiID == "" {
		return "", "", invalid("Invalid resource ARN: arn:aws:apigateway:%s::/restapis/ID or .../restapis/ID/stages/NAME is expected", s.Account.Region)
	}
	return apiID, stage, nil
}

type tagsOutput struct {
	Tags map[string]string `json:"tags"`
}

func (s *service) getTags(ctx context.Context, in *tagInput) (*tagsOutput, error) {
	if name, ok := s.TaggedDomain(in.ResourceArn); ok {
		return s.domainTags(ctx, name)
	}
	apiID, stage, err := s.tagged(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	out := &tagsOutput{map[string]string{}}
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
	apiID, stage, err := s.tagged(arn)
	if err != nil {
		return awsapi.None{}, err
	}
	apply := func(tags *map[string]string) error {
		if *tags == nil {
			*tags = make(map[string]string)
		}
		change(*tags)
		return apigatewayv2.CheckTags(*tags)
	}
	return awsapi.None{}, s.change(ctx, apiID, func(e *document.Edit) error {
		if stage != "" {
			g, err := find[Stage](&e.Set, docStage+stage, "stage")
			if err != nil {
				return err
			}
			if err := apply(&g.Tags); err != nil {
				return err
			}
			return e.Put(docStage+stage, g)
		}
		var a RestAPI
		if err := e.Get(docRestAPI, &a); err != nil {
			return err
		}
		if err := apply(&a.Tags); err != nil {
			return err
		}
		return e.Put(docRestAPI, &a)
	})
}

func (s *service) tagResource(ctx context.Context, in *tagInput) (awsapi.None, error) {
	return s.changeTags(ctx, in.ResourceArn, func(tags map[string]string) { maps.Copy(tags, in.Tags) })
}

func (s *service) untagResource(ctx context.Context, in *tagInput) (awsapi.None, error) {
	return s.changeTags(ctx, in.ResourceArn, func(tags map[string]string) {
		for _, key := range in.TagKeys {
			delete(tags, key)
		}
	})
}
