package stack

import (
	"context"
	"maps"
	"slices"
)

// Types of CloudWatch Logs.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_Logs.html

func logsTypes() map[string]*Type {
	return map[string]*Type{"AWS::Logs::LogGroup": logGroup(), "AWS::Logs::SubscriptionFilter": subscriptionFilter()}
}

// only refuses properties that are not named.
func only(names ...string) func(e *Engine, properties map[string]any) error {
	return func(_ *Engine, properties map[string]any) error {
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			if !slices.Contains(names, name) {
				return unsupportedProperty(name)
			}
		}
		return nil
	}
}

func logGroup() *Type {
	return &Type{
		Name:  "AWS::Logs::LogGroup",
		check: only("LogGroupName", "RetentionInDays", "LogGroupClass", "Tags"), tags: tagList,
		plan: func(w *Work) string {
			if name := w.text("LogGroupName"); name != "" {
				return name
			}
			return w.generate(512)
		},
		exists: func(ctx context.Context, w *Work) (bool, error) {
			out, err := w.call(ctx, "logs", "DescribeLogGroups", map[string]any{"logGroupNamePrefix": w.ID})
			groups, _ := out["logGroups"].([]any)
			return slices.ContainsFunc(groups, func(one any) bool {
				of, ok := one.(map[string]any)
				return ok && of["logGroupName"] == w.ID
			}), err
		},
		create: func(ctx context.Context, w *Work) error {
			w.Attributes["Arn"] = "arn:aws:logs:" + w.engine.account().Region + ":" + w.engine.account().ID + ":log-group:" + w.ID + ":*"
			input := map[string]any{"logGroupName": w.ID}
			if class := w.text("LogGroupClass"); class != "" {
				input["logGroupClass"] = class
			}
			if tags, given := tagsOf(w.New["Tags"]).(map[string]any); given && len(tags) > 0 {
				input["tags"] = tags
			}
			if _, err := w.call(ctx, "logs", "CreateLogGroup", input); err != nil {
				return err
			}
			return retention(ctx, w)
		},
		update: func(ctx context.Context, w *Work) error {
			if w.differs("Tags") {
				if err := retagLogs(ctx, w); err != nil {
					return err
				}
			}
			return retention(ctx, w)
		},
		replaces: func(w *Work) bool { return w.differs("LogGroupName", "LogGroupClass") },
		remove: func(ctx context.Context, w *Work) error {
			_, err := w.call(ctx, "logs", "DeleteLogGroup", map[string]any{"logGroupName": w.ID})
			if isNotFound(err) {
				return nil
			}
			return err
		},
	}
}

func retention(ctx context.Context, w *Work) error {
	if !w.differs("RetentionInDays") {
		return nil
	}
	days, given := w.New["RetentionInDays"]
	if !given {
		_, err := w.call(ctx, "logs", "DeleteRetentionPolicy", map[string]any{"logGroupName": w.ID})
		return err
	}
	n, err := whole(days)
	if err != nil {
		return err
	}
	_, err = w.call(ctx, "logs", "PutRetentionPolicy", map[string]any{"logGroupName": w.ID, "retentionInDays": n})
	return err
}

func retagLogs(ctx context.Context, w *Work) error {
	arn := "arn:aws:logs:" + w.engine.account().Region + ":" + w.engine.account().ID + ":log-group:" + w.ID
	now, _ := tagsOf(w.New["Tags"]).(map[string]any)
	old, _ := tagsOf(w.Old["Tags"]).(map[string]any)
	var gone []string
	for key := range old {
		if _, still := now[key]; !still {
			gone = append(gone, key)
		}
	}
	if len(gone) > 0 {
		if _, err := w.call(ctx, "logs", "UntagResource", map[string]any{"resourceArn": arn, "tagKeys": gone}); err != nil {
			return err
		}
	}
	if len(now) == 0 {
		return nil
	}
	_, err := w.call(ctx, "logs", "TagResource", map[string]any{"resourceArn": arn, "tags": now})
	return err
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-subscriptionfilter.html
func subscriptionFilter() *Type {
	put := func(ctx context.Context, w *Work) error {
		input := map[string]any{"filterName": w.ID}
		for member, property := range map[string]string{"logGroupName": "LogGroupName", "filterPattern": "FilterPattern", "destinationArn": "DestinationArn", "distribution": "Distribution"} {
			if v, given := w.New[property]; given {
				input[member] = v
			}
		}
		_, err := w.call(ctx, "logs", "PutSubscriptionFilter", input)
		return err
	}
	return &Type{
		Name: "AWS::Logs::SubscriptionFilter", required: []string{"DestinationArn", "FilterPattern", "LogGroupName"},
		check: only("DestinationArn", "Distribution", "FilterName", "FilterPattern", "LogGroupName"),
		plan: func(w *Work) string {
			if name := w.text("FilterName"); name != "" {
				return name
			}
			return w.generate(512)
		},
		exists: func(ctx context.Context, w *Work) (bool, error) {
			out, err := w.call(ctx, "logs", "DescribeSubscriptionFilters", map[string]any{"logGroupName": w.text("LogGroupName"), "filterNamePrefix": w.ID})
			if isNotFound(err) {
				return false, nil
			}
			some, _ := out["subscriptionFilters"].([]any)
			return slices.ContainsFunc(some, func(one any) bool {
				of, ok := one.(map[string]any)
				return ok && of["filterName"] == w.ID
			}), err
		},
		create: put, update: put,
		replaces: func(w *Work) bool { return w.differs("FilterName", "LogGroupName") },
		remove: func(ctx context.Context, w *Work) error {
			_, err := w.call(ctx, "logs", "DeleteSubscriptionFilter", map[string]any{"logGroupName": w.Old["LogGroupName"], "filterName": w.ID})
			if isNotFound(err) {
				return nil
			}
			return err
		},
	}
}
