package apigatewayv1

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv2"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
	"github.com/hearthfn/hearth/caddymodule/awsapi/usage"
)

type planInput struct {
	patches
	paging
	UsagePlanId, KeyId, KeyType, Name, NameQuery, Description string
	ApiStages                                                 []struct {
		ApiId, Stage string
		Throttle     map[string]usage.Throttle
	}
	Quota    *usage.Quota
	Throttle *usage.Throttle
	Tags     map[string]string
}

// checkStages checks the stages that a plan opens. Those from before may be gone by now.
func (s *service) checkStages(ctx context.Context, p *usage.Plan, before []usage.APIStage) error {
	for n, at := range p.ApiStages {
		if slices.ContainsFunc(p.ApiStages[:n], at.Is) {
			return conflicts("Usage Plan has the API stage %.20s:%.128s already", at.ApiId, at.Stage)
		}
		known := slices.ContainsFunc(before, at.Is)
		if known && len(at.Throttle) == 0 {
			continue
		}
		api, err := s.APIs.API(ctx, at.ApiId)
		if known && errors.Is(err, apigatewayv2.ErrNotFound) {
			continue
		}
		if errors.Is(err, apigatewayv2.ErrNotFound) || err == nil && (api.Protocol == gateway.HTTP || api.Stages[at.Stage] == nil) {
			return &awsapi.Exception{Name: notFound, Message: fmt.Sprintf("Invalid API Stage {api: %.20s, stage: %.128s} specified for usageplan %s", at.ApiId, at.Stage, p.Id)}
		}
		if err != nil {
			return err
		}
		if err := checkMethods(at, api.Stages[at.Stage]); err != nil {
			return err
		}
	}
	return nil
}

// checkMethods checks the throttles of methods of a stage.
func checkMethods(at usage.APIStage, stage *gateway.API) error {
	for method, of := range at.Throttle {
		if of.RateLimit < 0 || of.BurstLimit < 0 {
			return invalid("Usage Plan throttle of %.200s needs a rateLimit and a burstLimit of at least 0", method)
		}
		if !slices.ContainsFunc(stage.Routes, func(r gateway.Route) bool { return r.Key == usage.RouteOf(method) }) {
			return invalid("Invalid method %.200s of API stage %.20s:%.128s specified for throttle: /PATH/METHOD of a deployed method is expected", method, at.ApiId, at.Stage)
		}
	}
	return nil
}

// checkPlan checks a plan with its keys.
func checkPlan(set *document.Set, p *usage.Plan) error {
	if p.Name == "" || len(p.Name) > 1024 || len(p.Description) > 1024 {
		return invalid("Usage Plan name cannot be blank, and has 1024 characters at most, as the description")
	}
	if q := p.Quota; q != nil {
		switch {
		case q.Limit < 1:
			return invalid("Usage Plan quota limit must be greater than 0")
		case q.Period != "DAY" && q.Period != "WEEK" && q.Period != "MONTH":
			return invalid("Usage Plan quota period must be DAY, WEEK or MONTH")
		case q.Offset < 0 || int64(q.Offset) >= q.Limit:
			return invalid("Usage Plan quota offset must be at least 0 and less than the limit")
		}
	}
	if t := p.Throttle; t != nil && (t.RateLimit <= 0 || t.BurstLimit < 1) {
		return invalid("Usage Plan throttle needs a rateLimit above 0 and a burstLimit of at least 1")
	}
	keys, err := usage.Keys(set)
	if err != nil {
		return err
	}
	c := p.Config(keys)
	if err := c.Check(); err != nil {
		return invalid("%v", err)
	}
	return apigatewayv2.CheckTags(p.Tags)
}

// shownPlan is a plan as it is answered.
func shownPlan(p *usage.Plan) *usage.Plan {
	shown := *p
	shown.Keys, shown.Begun = nil, 0
	if shown.ApiStages == nil {
		shown.ApiStages = []usage.APIStage{}
	}
	return &shown
}

func (s *service) createPlan(ctx context.Context, in *planInput) (*usage.Plan, error) {
	p := &usage.Plan{Id: awsapi.ChosenID(ctx, apigatewayv2.NewID(6)), Name: in.Name, Description: in.Description, Quota: in.Quota, Throttle: in.Throttle, Tags: in.Tags}
	for _, at := range in.ApiStages {
		p.ApiStages = append(p.ApiStages, usage.APIStage{ApiId: at.ApiId, Stage: at.Stage, Throttle: at.Throttle})
	}
	if p.Quota != nil {
		p.Begun = time.Now().Unix()
	}
	return shownPlan(p), s.Plans.Change(ctx, func(e *document.Edit) error {
		if len(e.Names(usage.DocPlan)) >= usage.MaxPlans {
			return &awsapi.Exception{Name: "LimitExceededException", Message: "Maximum number of usage plans has been reached"}
		}
		if err := checkPlan(&e.Set, p); err != nil {
			return err
		}
		if err := s.checkStages(ctx, p, nil); err != nil {
			return err
		}
		return e.Put(usage.DocPlan+p.Id, p)
	})
}

// plan reads a plan.
func (s *service) plan(ctx context.Context, id string) (*document.Set, *usage.Plan, error) {
	set, err := s.Plans.Read(ctx)
	if err != nil {
		return nil, nil, err
	}
	p, err := find[usage.Plan](set, usage.DocPlan+id, "Usage Plan ID")
	return set, p, err
}

func (s *service) getPlan(ctx context.Context, in *planInput) (*usage.Plan, error) {
	_, p, err := s.plan(ctx, in.UsagePlanId)
	if err != nil {
		return nil, err
	}
	return shownPlan(p), nil
}

func (s *service) getPlans(ctx context.Context, in *planInput) (*list[*usage.Plan], error) {
	set, err := s.Plans.Read(ctx)
	if err != nil {
		return nil, err
	}
	plans, err := document.All[usage.Plan](set, usage.DocPlan)
	if err != nil {
		return nil, err
	}
	var found []*usage.Plan
	for _, p := range plans {
		if in.KeyId == "" || slices.Contains(p.Keys, in.KeyId) {
			found = append(found, shownPlan(p))
		}
	}
	return pageOf(found, func(p *usage.Plan) string { return p.Id }, in.paging)
}

// changePlan changes a plan.
func (s *service) changePlan(ctx context.Context, id string, change func(set *document.Set, p *usage.Plan) error) (*usage.Plan, error) {
	var p *usage.Plan
	err := s.Plans.Change(ctx, func(e *document.Edit) (err error) {
		if p, err = find[usage.Plan](&e.Set, usage.DocPlan+id, "Usage Plan ID"); err != nil {
			return err
		}
		before, counted := slices.Clone(p.ApiStages), p.Quota != nil
		if err := change(&e.Set, p); err != nil {
			return err
		}
		if p.Quota != nil && !counted {
			p.Begun = time.Now().Unix()
		}
		if err := checkPlan(&e.Set, p); err != nil {
			return err
		}
		if err := s.checkStages(ctx, p, before); err != nil {
			return err
		}
		return e.Put(usage.DocPlan+p.Id, p)
	})
	if err != nil {
		return nil, err
	}
	return shownPlan(p), nil
}

func (s *service) updatePlan(ctx context.Context, in *planInput) (*usage.Plan, error) {
	return s.changePlan(ctx, in.UsagePlanId, func(_ *document.Set, p *usage.Plan) error {
		for _, one := range in.PatchOperations {
			if err := patchPlan(p, one); err != nil {
				return err
			}
		}
		return nil
	})
}

// patchPlan applies one patch. A throttle or a quota comes with its first member.
func patchPlan(p *usage.Plan, one patch) error {
	throttle, quota := p.Throttle, p.Quota
	if strings.HasPrefix(one.Path, "/throttle/") && throttle == nil {
		throttle = new(usage.Throttle)
		p.Throttle = throttle
	}
	if strings.HasPrefix(one.Path, "/quota/") && quota == nil {
		quota = new(usage.Quota)
		p.Quota = quota
	}
	can := fields{
		exact: map[string]field{
			"/name": text(&p.Name), "/description": text(&p.Description), "/productCode": off("productCode", "", "there is no marketplace here"),
			"/apiStages": func(value string, remove bool) error { return patchStage(p, value, remove) },
		},
	}
	if of, found := strings.CutPrefix(one.Path, "/apiStages/"); found {
		return patchMethod(p, of, one)
	}
	if one.Op == "remove" {
		can.exact["/throttle"] = func(string, bool) error { p.Throttle = nil; return nil }
		can.exact["/quota"] = func(string, bool) error { p.Quota = nil; return nil }
	}
	if throttle != nil {
		can.exact["/throttle/burstLimit"] = number("burstLimit", &throttle.BurstLimit)
		can.exact["/throttle/rateLimit"] = func(value string, _ bool) (err error) {
			if throttle.RateLimit, err = strconv.ParseFloat(value, 64); err != nil {
				return invalid("Invalid value '%.20s' of rateLimit: a number is expected", value)
			}
			return nil
		}
	}
	if quota != nil {
		can.exact["/quota/period"], can.exact["/quota/offset"] = text(&quota.Period), number("offset", &quota.Offset)
		can.exact["/quota/limit"] = func(value string, _ bool) (err error) {
			if quota.Limit, err = strconv.ParseInt(value, 10, 64); err != nil {
				return invalid("Invalid value '%.20s' of limit: a whole number is expected", value)
			}
			return nil
		}
	}
	return can.apply([]patch{one})
}

// patchMethod changes the throttle of a method of a stage: API:STAGE/throttle/PATH/METHOD, with
// rateLimit or burstLimit behind it, unless it is removed. Tools write the slashes of the path as
// they are, or as ~1.
func patchMethod(p *usage.Plan, path string, one patch) error {
	name, rest, found := strings.Cut(path, "/throttle")
	api, stage, _ := strings.Cut(name, ":")
	n := slices.IndexFunc(p.ApiStages, func(at usage.APIStage) bool { return at.Is(usage.APIStage{ApiId: api, Stage: stage}) })
	if !found || n < 0 {
		return invalid("Invalid patch path %.200s", one.Path)
	}
	at := &p.ApiStages[n]
	at.Throttle = maps.Clone(at.Throttle)
	if rest == "" && one.Op == "remove" {
		at.Throttle = nil
		return nil
	}
	method := "/" + strings.TrimLeft(unescape.Replace(rest), "/")
	if _, there := at.Throttle[method]; one.Op == "remove" && there {
		delete(at.Throttle, method)
		return nil
	}
	slash := strings.LastIndexByte(method, '/')
	method, member := method[:slash], method[slash+1:]
	of := at.Throttle[method]
	var err error
	switch {
	case member == "rateLimit" && one.Op != "remove":
		of.RateLimit, err = strconv.ParseFloat(one.Value, 64)
	case member == "burstLimit" && one.Op != "remove":
		of.BurstLimit, err = strconv.Atoi(one.Value)
	default:
		return invalid("Invalid patch path %.200s", one.Path)
	}
	if err != nil || math.IsNaN(of.RateLimit) {
		return invalid("Invalid value '%.20s' of %s: a number is expected", one.Value, member)
	}
	if at.Throttle == nil {
		at.Throttle = make(map[string]usage.Throttle)
	}
	at.Throttle[method] = of
	return nil
}

// patchStage adds or removes the stage API:STAGE.
func patchStage(p *usage.Plan, value string, remove bool) error {
	api, stage, found := strings.Cut(value, ":")
	at := usage.APIStage{ApiId: api, Stage: stage}
	switch n := slices.IndexFunc(p.ApiStages, at.Is); {
	case !found:
		return invalid("Invalid API Stage specified")
	case remove && n < 0:
		return missing("API Stage")
	case remove:
		p.ApiStages = slices.Delete(p.ApiStages, n, n+1)
	default:
		p.ApiStages = append(p.ApiStages, at)
	}
	return nil
}

func (s *service) deletePlan(ctx context.Context, in *planInput) (awsapi.None, error) {
	return awsapi.None{}, s.Plans.Change(ctx, func(e *document.Edit) error {
		p, err := find[usage.Plan](&e.Set, usage.DocPlan+in.UsagePlanId, "Usage Plan ID")
		if err != nil {
			return err
		}
		if len(p.ApiStages) > 0 {
			return invalid("Cannot delete usage plan: its API stages must be removed first")
		}
		e.Delete(usage.DocPlan + p.Id)
		return nil
	})
}

// A PlanKey is a key of a plan.
// https://docs.aws.amazon.com/apigateway/latest/api/API_UsagePlanKey.html
type PlanKey struct {
	Id    string `json:"id"`
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value string `json:"value,omitempty"`
}

func planKeyOf(set *document.Set, p *usage.Plan, id string) (*PlanKey, error) {
	k, err := find[usage.Key](set, usage.DocKey+id, "API Key")
	if err != nil {
		return nil, err
	}
	if !slices.Contains(p.Keys, id) {
		return nil, missing("Usage Plan Key")
	}
	return &PlanKey{Id: id, Name: k.Name, Type: "API_KEY", Value: k.Value}, nil
}

func (s *service) createPlanKey(ctx context.Context, in *planInput) (out *PlanKey, err error) {
	if in.KeyType != "API_KEY" {
		return nil, invalid("Invalid key type %.20q: API_KEY is expected", in.KeyType)
	}
	_, err = s.changePlan(ctx, in.UsagePlanId, func(set *document.Set, p *usage.Plan) (err error) {
		if slices.Contains(p.Keys, in.KeyId) {
			return conflicts("Usage Plan %s cannot be added because API Key %s is already in it", p.Id, in.KeyId)
		}
		p.Keys = append(p.Keys, in.KeyId)
		out, err = planKeyOf(set, p, in.KeyId)
		return err
	})
	return out, err
}

func (s *service) getPlanKey(ctx context.Context, in *planInput) (*PlanKey, error) {
	set, p, err := s.plan(ctx, in.UsagePlanId)
	if err != nil {
		return nil, err
	}
	return planKeyOf(set, p, in.KeyId)
}

func (s *service) getPlanKeys(ctx context.Context, in *planInput) (*list[*PlanKey], error) {
	set, p, err := s.plan(ctx, in.UsagePlanId)
	if err != nil {
		return nil, err
	}
	var found []*PlanKey
	for _, id := range slices.Sorted(slices.Values(p.Keys)) {
		k, err := planKeyOf(set, p, id)
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(k.Name, in.NameQuery) {
			found = append(found, k)
		}
	}
	return pageOf(found, func(k *PlanKey) string { return k.Id }, in.paging)
}

func (s *service) deletePlanKey(ctx context.Context, in *planInput) (awsapi.None, error) {
	_, err := s.changePlan(ctx, in.UsagePlanId, func(_ *document.Set, p *usage.Plan) error {
		n := slices.Index(p.Keys, in.KeyId)
		if n < 0 {
			return missing("Usage Plan Key")
		}
		p.Keys = slices.Delete(p.Keys, n, n+1)
		return nil
	})
	return awsapi.None{}, err
}
