package stack

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Types of Application Auto Scaling.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_ApplicationAutoScaling.html

const scalingService = "application-autoscaling"

func scalingTypes() map[string]*Type {
	return map[string]*Type{
		"AWS::ApplicationAutoScaling::ScalableTarget": scalableTarget(),
		"AWS::ApplicationAutoScaling::ScalingPolicy":  scalingPolicy(),
	}
}

var targetNames = []string{"ResourceId", "ScalableDimension", "ServiceNamespace"}

// some are those of properties that have the names, with numbers as numbers.
func some(properties map[string]any, names ...string) map[string]any {
	input := make(map[string]any)
	for _, name := range names {
		if v, given := properties[name]; given {
			input[name] = v
		}
	}
	return input
}

// numbers makes whole numbers of properties that may be texts.
func numbers(input map[string]any, names ...string) error {
	for _, name := range names {
		if v, given := input[name]; given {
			n, err := whole(v)
			if err != nil {
				return fmt.Errorf("#/%s: %w", name, err)
			}
			input[name] = n
		}
	}
	return nil
}

func scalableTarget() *Type {
	register := func(ctx context.Context, w *Work) error {
		input := some(w.New, slices.Concat(targetNames, []string{"MinCapacity", "MaxCapacity", "SuspendedState"})...)
		if err := numbers(input, "MinCapacity", "MaxCapacity"); err != nil {
			return err
		}
		if _, err := w.call(ctx, scalingService, "RegisterScalableTarget", input); err != nil {
			return err
		}
		w.Attributes["Id"] = w.ID
		return scheduled(ctx, w)
	}
	return &Type{
		Name: "AWS::ApplicationAutoScaling::ScalableTarget", required: append([]string{"MaxCapacity", "MinCapacity"}, targetNames...),
		check: only(slices.Concat(targetNames, []string{"MinCapacity", "MaxCapacity", "SuspendedState", "ScheduledActions", "RoleARN"})...),
		plan: func(w *Work) string {
			return w.text("ResourceId") + "|" + w.text("ScalableDimension") + "|" + w.text("ServiceNamespace")
		},
		create: register, update: register, replaces: func(w *Work) bool { return w.differs(targetNames...) },
		remove: func(ctx context.Context, w *Work) error {
			_, err := w.call(ctx, scalingService, "DeregisterScalableTarget", some(w.Old, targetNames...))
			if isNotFound(err) {
				return nil
			}
			return err
		},
	}
}

// scheduled makes the scheduled actions of a target those of its properties.
func scheduled(ctx context.Context, w *Work) error {
	actions := func(properties map[string]any) map[string]map[string]any {
		all := make(map[string]map[string]any)
		for _, one := range listOf(properties["ScheduledActions"]) {
			if of, ok := one.(map[string]any); ok {
				all[text(of["ScheduledActionName"])] = of
			}
		}
		return all
	}
	now := actions(w.New)
	for name := range actions(w.Old) {
		if _, still := now[name]; still {
			continue
		}
		input := some(w.New, targetNames...)
		input["ScheduledActionName"] = name
		if _, err := w.call(ctx, scalingService, "DeleteScheduledAction", input); err != nil && !isNotFound(err) {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		input := some(w.New, targetNames...)
		maps.Copy(input, now[name])
		if action, ok := input["ScalableTargetAction"].(map[string]any); ok {
			action = maps.Clone(action)
			if err := numbers(action, "MinCapacity", "MaxCapacity"); err != nil {
				return err
			}
			input["ScalableTargetAction"] = action
		}
		if _, err := w.call(ctx, scalingService, "PutScheduledAction", input); err != nil {
			return err
		}
	}
	return nil
}

func scalingPolicy() *Type {
	of := func(w *Work, properties map[string]any) map[string]any {
		input := some(properties, slices.Concat(targetNames, []string{"PolicyName"})...)
		if target := scaledBy(text(properties["ScalingTargetId"])); target != nil {
			maps.Copy(input, target)
		}
		return input
	}
	put := func(ctx context.Context, w *Work) error {
		input := of(w, w.New)
		maps.Copy(input, some(w.New, "PolicyType", "TargetTrackingScalingPolicyConfiguration", "StepScalingPolicyConfiguration"))
		out, err := w.call(ctx, scalingService, "PutScalingPolicy", input)
		if err != nil {
			return err
		}
		w.ID = text(value(out, "PolicyARN"))
		w.Attributes["Arn"] = w.ID
		return nil
	}
	return &Type{
		Name: "AWS::ApplicationAutoScaling::ScalingPolicy", required: []string{"PolicyName", "PolicyType"},
		check:  only(slices.Concat(targetNames, []string{"PolicyName", "PolicyType", "ScalingTargetId", "TargetTrackingScalingPolicyConfiguration", "StepScalingPolicyConfiguration"})...),
		create: put, update: put, replaces: func(w *Work) bool {
			return w.differs(slices.Concat(targetNames, []string{"PolicyName", "ScalingTargetId"})...)
		},
		remove: func(ctx context.Context, w *Work) error {
			_, err := w.call(ctx, scalingService, "DeleteScalingPolicy", of(w, w.Old))
			if isNotFound(err) {
				return nil
			}
			return err
		},
	}
}

// scaledBy is the target that a physical ID of a scalable target names; nil for none.
func scaledBy(id string) map[string]any {
	parts := strings.Split(id, "|")
	if len(parts) != 3 {
		return nil
	}
	return map[string]any{"ResourceId": parts[0], "ScalableDimension": parts[1], "ServiceNamespace": parts[2]}
}
