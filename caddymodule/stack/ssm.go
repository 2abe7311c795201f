package stack

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Types of SSM.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_SSM.html

// whole is a whole number, which may be written as text.
func whole(v any) (int64, error) {
	switch n := v.(type) {
	case float64:
		if n == float64(int64(n)) {
			return int64(n), nil
		}
	case string:
		return strconv.ParseInt(n, 10, 64)
	}
	return 0, fmt.Errorf("expected type: Integer, found: %v", v)
}

func ssmTypes() map[string]*Type {
	named := func(w *Work) map[string]any { return map[string]any{"Name": w.ID} }
	put := func(ctx context.Context, w *Work, overwrite bool) error {
		input := named(w)
		input["Overwrite"] = overwrite
		for _, name := range []string{"Type", "Value", "Description", "AllowedPattern", "Tier", "Policies", "DataType"} {
			if v, given := w.New[name]; given {
				input[name] = v
			} else if name == "Description" && w.Old[name] != nil {
				input[name] = ""
			}
		}
		if tags, given := w.New["Tags"].(map[string]any); given && !overwrite {
			list := []any{}
			for key, v := range tags {
				list = append(list, map[string]any{"Key": key, "Value": v})
			}
			input["Tags"] = list
		}
		w.Attributes["Type"], w.Attributes["Value"] = w.text("Type"), w.text("Value")
		_, err := w.call(ctx, "ssm", "PutParameter", input)
		return err
	}
	return map[string]*Type{"AWS::SSM::Parameter": {
		Name: "AWS::SSM::Parameter", tags: tagMap, required: []string{"Type", "Value"},
		check: only("Name", "Type", "Value", "Description", "AllowedPattern", "Tier", "Policies", "DataType", "Tags"),
		plan: func(w *Work) string {
			if name := w.text("Name"); name != "" {
				return name
			}
			return "CFN-" + w.LogicalID + "-" + random(12)
		},
		exists: func(ctx context.Context, w *Work) (bool, error) {
			if strings.HasPrefix(w.ID, "/cdk-bootstrap/") {
				return false, nil // it is there by itself, for whoever does not bootstrap
			}
			_, err := w.call(ctx, "ssm", "GetParameter", named(w))
			if isNotFound(err) {
				return false, nil
			}
			return err == nil, err
		},
		create: func(ctx context.Context, w *Work) error { return put(ctx, w, false) },
		replaces: func(w *Work) bool {
			return w.differs("Name") || w.Old["AllowedPattern"] != nil && w.New["AllowedPattern"] == nil
		},
		update: func(ctx context.Context, w *Work) error {
			if err := put(ctx, w, true); err != nil {
				return err
			}
			return retagSSM(ctx, w)
		},
		remove: func(ctx context.Context, w *Work) error {
			_, err := w.call(ctx, "ssm", "DeleteParameter", named(w))
			if isNotFound(err) {
				return nil
			}
			return err
		},
	}}
}

func retagSSM(ctx context.Context, w *Work) error {
	if !w.differs("Tags") {
		return nil
	}
	now, _ := w.New["Tags"].(map[string]any)
	old, _ := w.Old["Tags"].(map[string]any)
	var gone, all []any
	for key := range old {
		if _, still := now[key]; !still {
			gone = append(gone, key)
		}
	}
	for key, v := range now {
		all = append(all, map[string]any{"Key": key, "Value": v})
	}
	input := map[string]any{"ResourceType": "Parameter", "ResourceId": w.ID}
	if len(gone) > 0 {
		input["TagKeys"] = gone
		if _, err := w.call(ctx, "ssm", "RemoveTagsFromResource", input); err != nil {
			return err
		}
		delete(input, "TagKeys")
	}
	if len(all) == 0 {
		return nil
	}
	input["Tags"] = all
	_, err := w.call(ctx, "ssm", "AddTagsToResource", input)
	return err
}
