package stack

import (
	"context"
	"maps"
)

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-kinesis-stream.html
func stream() *Type {
	named := func(w *Work) map[string]any { return map[string]any{"StreamName": w.ID} }
	active := func(ctx context.Context, w *Work) error {
		return settled(ctx, func() (bool, error) {
			out, err := w.call(ctx, "kinesis", "DescribeStreamSummary", named(w))
			w.Attributes["Arn"] = value(out, "StreamDescriptionSummary.StreamARN")
			return text(value(out, "StreamDescriptionSummary.StreamStatus")) == "ACTIVE", err
		})
	}
	// adjust sets what other operations than CreateStream do.
	adjust := func(ctx context.Context, w *Work) error {
		for _, a := range []func(*Work) (string, map[string]any, error){streamRetention, streamEncryption} {
			operation, input, err := a(w)
			if err != nil {
				return err
			}
			if operation == "" {
				continue
			}
			maps.Copy(input, named(w))
			if _, err := w.call(ctx, "kinesis", operation, input); err != nil {
				return err
			}
			if err := active(ctx, w); err != nil {
				return err
			}
		}
		return nil
	}
	return &Type{
		Name: "AWS::Kinesis::Stream", check: of("kinesis", "Name", "ShardCount", "StreamModeDetails", "RetentionPeriodHours", "StreamEncryption"),
		plan: func(w *Work) string {
			if name := w.text("Name"); name != "" {
				return name
			}
			return w.generate(128)
		},
		exists: func(ctx context.Context, w *Work) (bool, error) {
			_, err := w.call(ctx, "kinesis", "DescribeStreamSummary", named(w))
			if isNotFound(err) {
				return false, nil
			}
			return err == nil, err
		},
		create: func(ctx context.Context, w *Work) error {
			input := some(w.New, "ShardCount", "StreamModeDetails")
			if err := numbers(input, "ShardCount"); err != nil {
				return err
			}
			maps.Copy(input, named(w))
			if _, err := w.call(ctx, "kinesis", "CreateStream", input); err != nil {
				return err
			}
			if err := active(ctx, w); err != nil {
				return err
			}
			return adjust(ctx, w)
		},
		update:   adjust,
		replaces: func(w *Work) bool { return w.differs("Name", "ShardCount", "StreamModeDetails") },
		remove: func(ctx context.Context, w *Work) error {
			_, err := w.call(ctx, "kinesis", "DeleteStream", named(w))
			if isNotFound(err) {
				return nil
			}
			return err
		},
	}
}

// A new stream keeps records for a day.
const defaultRetention = 24

// streamRetention is what changes how long a stream keeps records, in hours; "" if it need not change.
func streamRetention(w *Work) (operation string, input map[string]any, err error) {
	hours := func(of map[string]any) (int64, error) {
		set := map[string]any{"RetentionPeriodHours": float64(defaultRetention)}
		maps.Copy(set, some(of, "RetentionPeriodHours"))
		err := numbers(set, "RetentionPeriodHours")
		n, _ := set["RetentionPeriodHours"].(int64)
		return n, err
	}
	to, err := hours(w.New)
	if err != nil {
		return "", nil, err
	}
	from, err := hours(w.Old)
	if err != nil {
		return "", nil, err
	}
	input = map[string]any{"RetentionPeriodHours": to}
	switch {
	case to > from:
		return "IncreaseStreamRetentionPeriod", input, nil
	case to < from:
		return "DecreaseStreamRetentionPeriod", input, nil
	}
	return "", nil, nil
}

// streamEncryption is what begins or ends the encryption of a stream, which the service has to know. The
// CDK asks for it in every stream.
func streamEncryption(w *Work) (operation string, input map[string]any, err error) {
	if !w.differs("StreamEncryption") {
		return "", nil, nil
	}
	if to, given := w.New["StreamEncryption"].(map[string]any); given {
		return "StartStreamEncryption", some(to, "EncryptionType", "KeyId"), nil
	}
	from, _ := w.Old["StreamEncryption"].(map[string]any)
	return "StopStreamEncryption", some(from, "EncryptionType", "KeyId"), nil
}
