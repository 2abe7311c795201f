package apigatewayv1

import (
	"cmp"
	"context"
	"crypto/rand"
	"regexp"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/apigateway/usageplan"
	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv2"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
	"github.com/hearthfn/hearth/caddymodule/awsapi/usage"
)

type keyInput struct {
	patches
	paging
	ApiKey, CustomerId, Description, Name, NameQuery, Value string
	Enabled, IncludeValue, IncludeValues                    bool
	GenerateDistinctId                                      *bool
	StageKeys                                               []stageKey
	Tags                                                    map[string]string
}

// A stageKey names a stage. The CDK and SAM give stages to every key. They are kept, and say nothing:
// a key is good for the stages of its usage plans.
// https://docs.aws.amazon.com/apigateway/latest/api/API_CreateApiKey.html
type stageKey struct{ RestApiId, StageName string }

// maxStageKeys bounds those of a key. AWS has no quota of its own for them.
const maxStageKeys = 100

// stagesOf are stages as a key shows them.
func stagesOf(given []stageKey) ([]string, error) {
	all := []string{}
	for _, k := range given {
		if k.RestApiId == "" || k.StageName == "" || len(k.RestApiId)+len(k.StageName) > 256 || len(all) == maxStageKeys {
			return nil, invalid("stageKeys have a restApiId and a stageName each, and are %d at most", maxStageKeys)
		}
		all = append(all, k.RestApiId+"/"+k.StageName)
	}
	return all, nil
}

// keyValue is what a value may have.
var keyValue = regexp.MustCompile(`^[!-~]{20,128}$`)

func checkKey(set *document.Set, k *usage.Key) error {
	if k.StageKeys == nil {
		k.StageKeys = []string{}
	}
	if !keyValue.MatchString(k.Value) {
		return invalid("API Key value should be %d to %d characters without spaces", usageplan.MinValue, usageplan.MaxValue)
	}
	if len(k.Name) > 1024 || len(k.Description) > 1024 || len(k.CustomerId) > 1024 {
		return invalid("The name, the description and the customerId of a key have 1024 characters at most")
	}
	others, err := usage.Keys(set)
	if err != nil {
		return err
	}
	for _, other := range others {
		if other.Id != k.Id && other.Value == k.Value { // both are of whoever holds an access key
			return conflicts("API Key already exists")
		}
	}
	return apigatewayv2.CheckTags(k.Tags)
}

// shownKey is a key without its value, unless that is asked for.
func shownKey(k *usage.Key, value bool) *usage.Key {
	shown := *k
	if !value {
		shown.Value = ""
	}
	return &shown
}

func (s *service) createKey(ctx context.Context, in *keyInput) (*usage.Key, error) {
	if in.GenerateDistinctId != nil && !*in.GenerateDistinctId {
		return nil, invalid("generateDistinctId false is not supported: the ID of a key is never its value")
	}
	stages, err := stagesOf(in.StageKeys)
	if err != nil {
		return nil, err
	}
	k := &usage.Key{
		Id: awsapi.ChosenID(ctx, apigatewayv2.NewID(10)), Name: in.Name, Description: in.Description, CustomerId: in.CustomerId, Enabled: in.Enabled, Tags: in.Tags, StageKeys: stages,
		Value: cmp.Or(in.Value, rand.Text()+rand.Text()[:14]), CreatedDate: s.now(), LastUpdatedDate: s.now(),
	}
	return k, s.Plans.Change(ctx, func(e *document.Edit) error {
		if len(e.Names(usage.DocKey)) >= usage.MaxKeys {
			return &awsapi.Exception{Name: "LimitExceededException", Message: "Maximum number of API keys has been reached"}
		}
		if err := checkKey(&e.Set, k); err != nil {
			return err
		}
		return e.Put(usage.DocKey+k.Id, k)
	})
}

func (s *service) getKey(ctx context.Context, in *keyInput) (*usage.Key, error) {
	set, err := s.Plans.Read(ctx)
	if err != nil {
		return nil, err
	}
	k, err := find[usage.Key](set, usage.DocKey+in.ApiKey, "API Key")
	if err != nil {
		return nil, err
	}
	return shownKey(k, in.IncludeValue), nil
}

func (s *service) getKeys(ctx context.Context, in *keyInput) (*list[*usage.Key], error) {
	set, err := s.Plans.Read(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := document.All[usage.Key](set, usage.DocKey)
	if err != nil {
		return nil, err
	}
	var found []*usage.Key
	for _, k := range keys {
		if strings.HasPrefix(k.Name, in.NameQuery) && (in.CustomerId == "" || k.CustomerId == in.CustomerId) {
			found = append(found, shownKey(k, in.IncludeValues))
		}
	}
	return pageOf(found, func(k *usage.Key) string { return k.Id }, in.paging)
}

func (s *service) updateKey(ctx context.Context, in *keyInput) (*usage.Key, error) {
	var k *usage.Key
	err := s.Plans.Change(ctx, func(e *document.Edit) (err error) {
		if k, err = find[usage.Key](&e.Set, usage.DocKey+in.ApiKey, "API Key"); err != nil {
			return err
		}
		can := fields{exact: map[string]field{
			"/name": text(&k.Name), "/description": text(&k.Description), "/customerId": text(&k.CustomerId), "/enabled": flag("enabled", &k.Enabled),
			"/stages": off("stages", "", "add the key to a usage plan"),
		}}
		if err := can.apply(in.PatchOperations); err != nil {
			return err
		}
		if err := checkKey(&e.Set, k); err != nil {
			return err
		}
		k.LastUpdatedDate = s.now()
		return e.Put(usage.DocKey+k.Id, k)
	})
	if err != nil {
		return nil, err
	}
	return shownKey(k, false), nil
}

// deleteKey removes a key, also from the plans that have it.
func (s *service) deleteKey(ctx context.Context, in *keyInput) (awsapi.None, error) {
	return awsapi.None{}, s.Plans.Change(ctx, func(e *document.Edit) error {
		if !e.Has(usage.DocKey + in.ApiKey) {
			return missing("API Key")
		}
		plans, err := document.All[usage.Plan](&e.Set, usage.DocPlan)
		if err != nil {
			return err
		}
		for _, p := range plans {
			if n := slices.Index(p.Keys, in.ApiKey); n >= 0 {
				p.Keys = slices.Delete(p.Keys, n, n+1)
				if err := e.Put(usage.DocPlan+p.Id, p); err != nil {
					return err
				}
			}
		}
		e.Delete(usage.DocKey + in.ApiKey)
		return nil
	})
}
