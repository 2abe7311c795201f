package stack

import "context"

// Types of CloudWatch.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_CloudWatch.html

// alarmProperties are those that PutMetricAlarm takes, too.
var alarmProperties = []string{
	"AlarmName", "AlarmDescription", "ActionsEnabled", "OKActions", "AlarmActions", "InsufficientDataActions", "MetricName", "Namespace", "Statistic", "ExtendedStatistic",
	"Dimensions", "Period", "Unit", "EvaluationPeriods", "DatapointsToAlarm", "Threshold", "ComparisonOperator", "TreatMissingData", "EvaluateLowSampleCountPercentile", "Metrics", "ThresholdMetricId", "Tags",
}

func cloudWatchTypes() map[string]*Type {
	put := func(ctx context.Context, w *Work) error {
		input := map[string]any{"AlarmName": w.ID}
		for _, name := range alarmProperties[1:] {
			if v, given := w.New[name]; given {
				input[name] = v
			}
		}
		if _, err := w.call(ctx, "cloudwatch", "PutMetricAlarm", input); err != nil {
			return err
		}
		a := w.engine.account()
		w.Attributes["Arn"] = "arn:aws:cloudwatch:" + a.Region + ":" + a.ID + ":alarm:" + w.ID
		return nil
	}
	return map[string]*Type{"AWS::CloudWatch::Alarm": {
		Name: "AWS::CloudWatch::Alarm", tags: tagList, required: []string{"ComparisonOperator", "EvaluationPeriods"},
		check: only(alarmProperties...),
		plan: func(w *Work) string {
			if name := w.text("AlarmName"); name != "" {
				return name
			}
			return w.generate(255)
		},
		exists: func(ctx context.Context, w *Work) (bool, error) {
			out, err := w.call(ctx, "cloudwatch", "DescribeAlarms", map[string]any{"AlarmNames": []any{w.ID}})
			some, _ := out["MetricAlarms"].([]any)
			return len(some) > 0, err
		},
		create: put,
		update: func(ctx context.Context, w *Work) error {
			if err := put(ctx, w); err != nil {
				return err
			}
			return retagAlarm(ctx, w)
		},
		replaces: func(w *Work) bool { return w.differs("AlarmName") },
		remove: func(ctx context.Context, w *Work) error {
			_, err := w.call(ctx, "cloudwatch", "DeleteAlarms", map[string]any{"AlarmNames": []any{w.ID}})
			if isNotFound(err) {
				return nil
			}
			return err
		},
	}}
}

func retagAlarm(ctx context.Context, w *Work) error {
	if !w.differs("Tags") {
		return nil
	}
	now, _ := tagsOf(w.New["Tags"]).(map[string]any)
	old, _ := tagsOf(w.Old["Tags"]).(map[string]any)
	var gone, all []any
	for key := range old {
		if _, still := now[key]; !still {
			gone = append(gone, key)
		}
	}
	for key, v := range now {
		all = append(all, map[string]any{"Key": key, "Value": v})
	}
	if len(gone) > 0 {
		if _, err := w.call(ctx, "cloudwatch", "UntagResource", map[string]any{"ResourceARN": w.Attributes["Arn"], "TagKeys": gone}); err != nil {
			return err
		}
	}
	if len(all) == 0 {
		return nil
	}
	_, err := w.call(ctx, "cloudwatch", "TagResource", map[string]any{"ResourceARN": w.Attributes["Arn"], "Tags": all})
	return err
}
