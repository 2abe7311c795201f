package apigatewayv2

import (
	"context"
	"maps"
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

type tagInput struct {
	ResourceArn string
	Tags        map[string]string
	TagKeys     []string
}

// tagged is the API, and the stage of it if that is meant, which an ARN names:
// arn:aws:apigateway:REGION::/apis/ID[/stages/NAME].
func (s *service) tagged(arn string) (apiID, stage string, err error) {
	path, found := strings.CutPrefix(arn, "arn:aws:apigateway:"+s.Account.Region+"::/apis/")
	apiID, rest, inside := strings.Cut(path, "/")
	if inside {
		stage, inside = strings.CutPrefix(rest, "stages/")
		found = found && inside && stage != ""
	}
	if !found || apiID == "" {
		return "", "", invalid("Invalid resource ARN: arn:aws:apigateway:%s::/apis/ID or .../apis/ID/stages/NAME is expected", s.Account.Region)
	}
	return apiID, stage, nil
}

type tagsOutput struct {
	Tags map[string]string `json:"tags"`
}

func (s *service) getTags(ctx context.Context, in *tagInput) (*tagsOutput, error) {
	if name, ok := s.TaggedDomain(in.ResourceArn); ok {
		n, err := s.getDomain(ctx, &domainInput{DomainName: name})
		if err != nil {
			return nil, err
		}
		return &tagsOutput{n.Tags}, nil
	}
	apiID, stage, err := s.tagged(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	if stage == "" {
		a, err := s.getAPI(ctx, &apiInput{ApiId: apiID})
		if err != nil {
			return nil, err
		}
		return &tagsOutput{a.Tags}, nil
	}
	g, err := s.getStage(ctx, &stageInput{ApiId: apiID, StageName: stage})
	if err != nil {
		return nil, err
	}
	return &tagsOutput{g.Tags}, nil
}

// changeTags changes the tags of an API or a stage. It deploys nothing.
func (s *service) changeTags(ctx context.Context, arn string, change func(tags map[string]string)) error {
	if name, ok := s.TaggedDomain(arn); ok {
		return s.ChangeDomainTags(ctx, name, change)
	}
	apiID, stage, err := s.tagged(arn)
	if err != nil {
		return err
	}
	if !validID(apiID) {
		return s.missingAPI(apiID)
	}
	apply := func(tags *map[string]string) error {
		if *tags == nil {
			*tags = make(map[string]string)
		}
		change(*tags)
		return checkTags(*tags)
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
			if err := apply(&g.Tags); err != nil {
				return err
			}
			return e.Put(docStage+stage, g)
		}
		if err := e.Get(docAPI, &a); err != nil {
			return err
		}
		if err := apply(&a.Tags); err != nil {
			return err
		}
		return e.Put(docAPI, &a)
	})
}

func (s *service) tagResource(ctx context.Context, in *tagInput) (struct{}, error) {
	return struct{}{}, s.changeTags(ctx, in.ResourceArn, func(tags map[string]string) { maps.Copy(tags, in.Tags) })
}

func (s *service) untagResource(ctx context.Context, in *tagInput) (awsapi.None, error) {
	return awsapi.None{}, s.changeTags(ctx, in.ResourceArn, func(tags map[string]string) {
		for _, key := range in.TagKeys {
			delete(tags, key)
		}
	})
}
