package events

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
	"github.com/hearthfn/hearth/invoker/pattern"
	"github.com/hearthfn/hearth/invoker/schedule"
)

// States of a rule.
const (
	enabled  = "ENABLED"
	disabled = "DISABLED"
)

// A rule is the document of a rule.
type rule struct {
	Name, Bus          string
	EventPattern       string `json:",omitempty"`
	ScheduleExpression string `json:",omitempty"`
	State              string
	Description        string `json:",omitempty"`
	// Since is when the rule was enabled with this schedule: it has no ticks from before.
	Since   time.Time
	Targets []*Target `json:",omitempty"` // in the order of their IDs
	Tags    []tag     `json:",omitempty"`
}

func ruleKey(on, name string) string { return docRule + on + "/" + name }

func findRule(set *document.Set, on, name string) (*rule, error) {
	if _, err := findBus(set, on); err != nil {
		return nil, err
	}
	r := new(rule)
	err := set.Get(ruleKey(on, name), r)
	if errors.Is(err, document.ErrNotFound) {
		err = missing("Rule %s does not exist on EventBus %s.", name, on)
	}
	return r, err
}

// ruleResource is a rule as its ARN ends.
func ruleResource(on, name string) string {
	if on == defaultBus {
		return "rule/" + name
	}
	return "rule/" + on + "/" + name
}

type putRuleInput struct {
	Name, ScheduleExpression, EventPattern, State, Description, RoleArn, EventBusName string

	Tags []tag
}

type putRuleOutput struct{ RuleArn string }

func (in *putRuleInput) check(on string) error {
	switch {
	case in.EventPattern == "" && in.ScheduleExpression == "":
		return invalid("Parameter(s) EventPattern or ScheduleExpression must be specified.")
	case in.ScheduleExpression != "" && on != defaultBus:
		return invalid("ScheduleExpression is supported only on the default event bus.")
	case in.RoleArn != "":
		return invalid("RoleArn of a rule is not supported: a function's policy says which rule may invoke it.")
	case in.State != "" && in.State != enabled && in.State != disabled:
		return invalid("State %s is not supported: there is no CloudTrail here.", in.State)
	}
	if in.EventPattern != "" {
		if _, err := pattern.Parse([]byte(in.EventPattern)); err != nil {
			return exception("InvalidEventPatternException", "Event pattern is not valid. Reason: %v", err)
		}
	}
	if in.ScheduleExpression != "" {
		if _, err := schedule.Parse(in.ScheduleExpression, time.UTC); err != nil || strings.HasPrefix(in.ScheduleExpression, "at(") {
			return invalid("Parameter ScheduleExpression is not valid.")
		}
	}
	return nil
}

// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
func (s *service) putRule(ctx context.Context, in *putRuleInput) (*putRuleOutput, error) {
	on, err := s.busName(in.EventBusName)
	if err != nil {
		return nil, err
	}
	if err := in.check(on); err != nil {
		return nil, err
	}
	tags, err := merge(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, func(e *document.Edit) error {
		if _, err := findBus(&e.Set, on); err != nil {
			return err
		}
		r := &rule{Name: in.Name, Bus: on, Tags: tags} // the tags of a rule that is there stay
		switch err := e.Get(ruleKey(on, in.Name), r); {
		case errors.Is(err, document.ErrNotFound):
			if len(e.Names(docRule+on+"/")) >= maxRules || len(e.Names(docRule)) >= maxAll {
				return exceeded()
			}
		case err != nil:
			return err
		}
		state := cmp.Or(in.State, enabled)
		if r.ScheduleExpression != in.ScheduleExpression || r.State != state {
			r.Since = s.now()
		}
		r.EventPattern, r.ScheduleExpression, r.State, r.Description = in.EventPattern, in.ScheduleExpression, state, in.Description
		return e.Put(ruleKey(on, r.Name), r)
	})
	return &putRuleOutput{s.arn(ruleResource(on, in.Name))}, err
}

type ruleInput struct {
	Name, EventBusName string
	Force              bool
}

type shownRule struct {
	Name, Arn, State, EventBusName string
	EventPattern                   string `json:",omitempty"`
	ScheduleExpression             string `json:",omitempty"`
	Description                    string `json:",omitempty"`
	CreatedBy                      string `json:",omitempty"`
}

func (s *service) show(r *rule) *shownRule {
	return &shownRule{
		Name: r.Name, Arn: s.arn(ruleResource(r.Bus, r.Name)), State: r.State, EventBusName: r.Bus, EventPattern: r.EventPattern,
		ScheduleExpression: r.ScheduleExpression, Description: r.Description,
	}
}

func (s *service) readRule(ctx context.Context, name, bus string) (*rule, error) {
	on, err := s.busName(bus)
	if err != nil {
		return nil, err
	}
	set, err := s.Store.Read(ctx, owner)
	if err != nil {
		return nil, err
	}
	return findRule(set, on, name)
}

// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DescribeRule.html
func (s *service) describeRule(ctx context.Context, in *ruleInput) (*shownRule, error) {
	r, err := s.readRule(ctx, in.Name, in.EventBusName)
	if err != nil {
		return nil, err
	}
	out := s.show(r)
	out.CreatedBy = s.Account.ID
	return out, nil
}

type listRulesInput struct {
	NamePrefix, EventBusName string
	paging
}

type rulesOutput struct {
	Rules     []*shownRule
	NextToken string `json:",omitempty"`
}

// readRules reads the rules of a bus, in the order of their names.
func (s *service) readRules(ctx context.Context, bus, prefix string) ([]*rule, error) {
	on, err := s.busName(bus)
	if err != nil {
		return nil, err
	}
	set, err := s.Store.Read(ctx, owner)
	if err != nil {
		return nil, err
	}
	if _, err := findBus(set, on); err != nil {
		return nil, err
	}
	return document.All[rule](set, ruleKey(on, prefix))
}

// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListRules.html
func (s *service) listRules(ctx context.Context, in *listRulesInput) (*rulesOutput, error) {
	rules, err := s.readRules(ctx, in.EventBusName, in.NamePrefix)
	if err != nil {
		return nil, err
	}
	page, next := cut(rules, func(r *rule) string { return r.Name }, in.paging)
	out := &rulesOutput{[]*shownRule{}, next}
	for _, r := range page {
		out.Rules = append(out.Rules, s.show(r))
	}
	return out, nil
}

// changeRule changes a rule.
func (s *service) changeRule(ctx context.Context, name, bus string, change func(e *document.Edit, r *rule) error) error {
	on, err := s.busName(bus)
	if err != nil {
		return err
	}
	return s.change(ctx, func(e *document.Edit) error {
		r, err := findRule(&e.Set, on, name)
		if err != nil {
			return err
		}
		if err := change(e, r); err != nil {
			return err
		}
		return e.Put(ruleKey(on, r.Name), r)
	})
}

func (s *service) setState(ctx context.Context, in *ruleInput, state string) (*struct{}, error) {
	return &struct{}{}, s.changeRule(ctx, in.Name, in.EventBusName, func(_ *document.Edit, r *rule) error {
		if r.State != state {
			r.State, r.Since = state, s.now()
		}
		return nil
	})
}

// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_EnableRule.html
func (s *service) enableRule(ctx context.Context, in *ruleInput) (*struct{}, error) {
	return s.setState(ctx, in, enabled)
}

// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DisableRule.html
func (s *service) disableRule(ctx context.Context, in *ruleInput) (*struct{}, error) {
	return s.setState(ctx, in, disabled)
}

// deleteRule answers for a rule that is not there as if it was, as AWS does. Force is for rules
// that services of AWS's made, of which there are none.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DeleteRule.html
func (s *service) deleteRule(ctx context.Context, in *ruleInput) (*struct{}, error) {
	on, err := s.busName(in.EventBusName)
	if err != nil {
		return nil, err
	}
	return &struct{}{}, s.change(ctx, func(e *document.Edit) error {
		if _, err := findBus(&e.Set, on); err != nil {
			return err
		}
		r := new(rule)
		switch err := e.Get(ruleKey(on, in.Name), r); {
		case errors.Is(err, document.ErrNotFound):
			return nil
		case err != nil:
			return err
		case len(r.Targets) > 0:
			return invalid("Rule can't be deleted since it has targets.")
		}
		e.Delete(ruleKey(on, in.Name))
		return nil
	})
}
