package stack

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// Types of EventBridge and its Scheduler.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_Events.html
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_Scheduler.html

func eventTypes() map[string]*Type {
	all := typedAll(map[string]*spec{
		"AWS::Events::EventBus": {
			service: "events", create: "CreateEventBus", remove: "DeleteEventBus", read: "DescribeEventBus", named: "Name", required: []string{"Name"}, tags: tagList,
			attributes: map[string]string{"Arn": "EventBusArn"}, after: func(_ context.Context, w *Work, _ map[string]any) error {
				w.Attributes["Name"] = w.ID
				return nil
			},
		},
		"AWS::Scheduler::ScheduleGroup": {
			service: "scheduler", create: "CreateScheduleGroup", remove: "DeleteScheduleGroup", read: "GetScheduleGroup", named: "Name", longest: 64, tags: tagList,
			attributes: map[string]string{"Arn": "ScheduleGroupArn"}, foreign: []string{"ClientToken"},
		},
		"AWS::Scheduler::Schedule": {
			service: "scheduler", create: "CreateSchedule", update: "UpdateSchedule", remove: "DeleteSchedule", read: "GetSchedule", named: "Name", longest: 64,
			required: []string{"FlexibleTimeWindow", "ScheduleExpression", "Target"}, immutable: []string{"GroupName"}, attributes: map[string]string{"Arn": "ScheduleArn"},
			foreign: []string{"ClientToken"}, ident: func(w *Work, properties map[string]any) map[string]any {
				input := map[string]any{"Name": w.ID}
				if group := text(properties["GroupName"]); group != "" {
					input["GroupName"] = group
				}
				return input
			},
			// Update replaces all.
			removed: map[string]any{"State": nil, "StartDate": nil, "EndDate": nil, "KmsKeyArn": nil, "Description": nil, "ScheduleExpressionTimezone": nil, "ActionAfterCompletion": nil},
		},
	})
	all["AWS::Events::Rule"] = eventRule()
	return all
}

// ruleOf names a rule by its physical ID: NAME, or BUS|NAME.
func ruleOf(id, member string) map[string]any {
	bus, name, found := strings.Cut(id, "|")
	if !found {
		return map[string]any{member: id}
	}
	return map[string]any{member: name, "EventBusName": bus}
}

// eventRule is AWS::Events::Rule: the rule with its targets.
func eventRule() *Type {
	s := &spec{
		service: "events", create: "PutRule", documents: []string{"EventPattern"}, tags: tagList, extra: []string{"Targets", "EventPattern", "EventBusName"},
		attributes: map[string]string{"Arn": "RuleArn"},
	}
	put := func(ctx context.Context, w *Work) error {
		input, err := s.input(w, s.create)
		if err != nil {
			return err
		}
		for name, v := range ruleOf(w.ID, "Name") {
			input[name] = v
		}
		if pattern := w.New["EventPattern"]; pattern != nil {
			if input["EventPattern"], err = jsonText(pattern); err != nil {
				return err
			}
		}
		if w.Old != nil {
			delete(input, "Tags")
		}
		out, err := w.call(ctx, s.service, s.create, input)
		if err != nil {
			return err
		}
		w.Attributes["Arn"] = text(value(out, "RuleArn"))
		return ruleTargets(ctx, w)
	}
	return &Type{
		Name: "AWS::Events::Rule", tags: tagList, create: put,
		check: func(e *Engine, properties map[string]any) error {
			if err := s.checkNames(e, properties); err != nil {
				return err
			}
			shape := s.shape(e, "PutTargets")
			if shape == nil {
				return nil
			}
			return shape.Member("Targets").ShapeOf().Extraneous(properties["Targets"], "#/Targets")
		},
		plan: func(w *Work) string {
			name := w.text("Name")
			if name == "" {
				name = w.generate(64)
			}
			if bus := w.text("EventBusName"); bus != "" && bus != "default" {
				return bus[strings.LastIndexByte(bus, '/')+1:] + "|" + name
			}
			return name
		},
		exists: func(ctx context.Context, w *Work) (bool, error) {
			_, err := w.call(ctx, s.service, "DescribeRule", ruleOf(w.ID, "Name"))
			if isNotFound(err) {
				return false, nil
			}
			return err == nil, err
		},
		update: func(ctx context.Context, w *Work) error {
			if w.differs("Tags") {
				if err := retagEvents(ctx, w); err != nil {
					return err
				}
			}
			return put(ctx, w)
		},
		replaces: func(w *Work) bool { return w.differs("Name", "EventBusName") },
		remove: func(ctx context.Context, w *Work) error {
			w.New = nil
			err := ruleTargets(ctx, w)
			if err == nil {
				_, err = w.call(ctx, s.service, "DeleteRule", ruleOf(w.ID, "Name"))
			}
			if isNotFound(err) {
				return nil
			}
			return err
		},
	}
}

func retagEvents(ctx context.Context, w *Work) error {
	now, _ := tagsOf(w.New["Tags"]).(map[string]any)
	old, _ := tagsOf(w.Old["Tags"]).(map[string]any)
	var gone []any
	for key := range old {
		if _, still := now[key]; !still {
			gone = append(gone, key)
		}
	}
	arn := w.Attributes["Arn"]
	if len(gone) > 0 {
		if _, err := w.call(ctx, "events", "UntagResource", map[string]any{"ResourceARN": arn, "TagKeys": gone}); err != nil {
			return err
		}
	}
	if len(now) == 0 {
		return nil
	}
	_, err := w.call(ctx, "events", "TagResource", map[string]any{"ResourceARN": arn, "Tags": w.New["Tags"]})
	return err
}

// ruleTargets makes the targets of a rule those of its properties.
func ruleTargets(ctx context.Context, w *Work) error {
	ids := func(properties map[string]any) (all []string) {
		for _, one := range listOf(properties["Targets"]) {
			if of, ok := one.(map[string]any); ok {
				all = append(all, text(of["Id"]))
			}
		}
		return all
	}
	var gone []any
	for _, id := range ids(w.Old) {
		if !slices.Contains(ids(w.New), id) {
			gone = append(gone, id)
		}
	}
	if len(gone) > 0 {
		input := ruleOf(w.ID, "Rule")
		input["Ids"] = gone
		if err := entries(w.call(ctx, "events", "RemoveTargets", input)); err != nil {
			return err
		}
	}
	targets := listOf(w.New["Targets"])
	if len(targets) == 0 {
		return nil
	}
	input := ruleOf(w.ID, "Rule")
	input["Targets"] = targets
	return entries(w.call(ctx, "events", "PutTargets", input))
}

// entries is the error of a call that may fail for some of its entries.
func entries(out map[string]any, err error) error {
	if err != nil {
		return err
	}
	for _, one := range listOf(out["FailedEntries"]) {
		if of, ok := one.(map[string]any); ok {
			return errors.New(text(of["TargetId"]) + ": " + text(of["ErrorMessage"]))
		}
	}
	return nil
}
