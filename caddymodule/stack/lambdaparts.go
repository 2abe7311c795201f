package stack

import (
	"context"
	"slices"
	"strings"
)

// generated plans a physical ID that nothing needs but the stack.
func generated(w *Work) string { return w.generate(128) }

func lambdaTypes() map[string]*Type {
	all := typedAll(map[string]*spec{
		"AWS::Lambda::Permission": {
			service: "lambda", create: "AddPermission", remove: "RemovePermission", named: "StatementId", longest: 100, parents: []string{"FunctionName"},
			required: []string{"Action", "FunctionName", "Principal"}, foreign: []string{"StatementId", "Qualifier", "RevisionId"},
			after: func(_ context.Context, w *Work, _ map[string]any) error {
				w.Attributes["Id"] = w.ID
				return nil
			},
		},
		"AWS::Lambda::Url": {
			service: "lambda", create: "CreateFunctionUrlConfig", update: "UpdateFunctionUrlConfig", remove: "DeleteFunctionUrlConfig", id: "FunctionArn",
			required: []string{"AuthType", "TargetFunctionArn"}, extra: []string{"TargetFunctionArn"}, foreign: []string{"FunctionName"},
			immutable: []string{"TargetFunctionArn", "Qualifier"}, attributes: map[string]string{"FunctionUrl": "FunctionUrl", "FunctionArn": "FunctionArn"},
			removed: map[string]any{"Cors": map[string]any{}, "InvokeMode": "BUFFERED"},
			ident:   targetOf("TargetFunctionArn"),
			before: func(w *Work, input map[string]any) error {
				input["FunctionName"] = w.New["TargetFunctionArn"]
				return nil
			},
		},
		"AWS::Lambda::EventInvokeConfig": {
			service: "lambda", create: "PutFunctionEventInvokeConfig", update: "PutFunctionEventInvokeConfig", remove: "DeleteFunctionEventInvokeConfig",
			required: []string{"FunctionName", "Qualifier"}, immutable: []string{"FunctionName", "Qualifier"}, ident: targetOf("FunctionName"),
			removed: map[string]any{"MaximumEventAgeInSeconds": nil, "MaximumRetryAttempts": nil, "DestinationConfig": nil}, // Put replaces all
		},
		"AWS::Lambda::EventSourceMapping": {
			service: "lambda", chosen: newUUID, create: "CreateEventSourceMapping", update: "UpdateEventSourceMapping", remove: "DeleteEventSourceMapping", id: "UUID",
			required: []string{"FunctionName"}, tags: tagMap, attributes: map[string]string{"Id": "UUID", "EventSourceMappingArn": "EventSourceMappingArn"},
			immutable: []string{"EventSourceArn", "StartingPosition", "StartingPositionTimestamp", "SelfManagedEventSource", "Topics", "Queues"},
			foreign:   []string{"KMSKeyArn"}, extra: []string{"KmsKeyArn"},
			removed: map[string]any{
				"Enabled": true, "FilterCriteria": map[string]any{"Filters": []any{}}, "DestinationConfig": map[string]any{}, "ScalingConfig": map[string]any{},
				"MaximumBatchingWindowInSeconds": 0, "BisectBatchOnFunctionError": false, "MaximumRetryAttempts": -1, "MaximumRecordAgeInSeconds": -1,
				"TumblingWindowInSeconds": 0, "ParallelizationFactor": 1,
			},
		},
		"AWS::Lambda::LayerVersion": {
			service: "lambda", create: "PublishLayerVersion", remove: "DeleteLayerVersion", id: "LayerVersionArn", required: []string{"Content"},
			attributes: map[string]string{"LayerVersionArn": "LayerVersionArn"}, ident: layerOf("LayerVersionArn"),
			before: func(w *Work, input map[string]any) error {
				if w.text("LayerName") == "" {
					input["LayerName"] = w.generate(140)
				}
				return nil
			},
		},
		"AWS::Lambda::LayerVersionPermission": {
			service: "lambda", create: "AddLayerVersionPermission", remove: "RemoveLayerVersionPermission", named: "StatementId", longest: 100,
			required: []string{"Action", "LayerVersionArn", "Principal"}, extra: []string{"LayerVersionArn"}, foreign: []string{"StatementId", "LayerName", "VersionNumber", "RevisionId"},
			before: func(w *Work, input map[string]any) error {
				for name, v := range layerNamed(w.text("LayerVersionArn")) {
					input[name] = v
				}
				return nil
			},
			ident: func(w *Work, properties map[string]any) map[string]any {
				input := layerNamed(text(properties["LayerVersionArn"]))
				input["StatementId"] = w.ID
				return input
			},
		},
		"AWS::Lambda::CodeSigningConfig": {
			service: "lambda", create: "CreateCodeSigningConfig", update: "UpdateCodeSigningConfig", remove: "DeleteCodeSigningConfig",
			id: "CodeSigningConfig.CodeSigningConfigArn", required: []string{"AllowedPublishers"}, tags: tagMap,
			attributes: map[string]string{"CodeSigningConfigArn": "CodeSigningConfig.CodeSigningConfigArn", "CodeSigningConfigId": "CodeSigningConfig.CodeSigningConfigId"},
		},
	})
	all["AWS::Lambda::EventInvokeConfig"].plan = generated
	all["AWS::Lambda::Function"] = lambdaFunction()
	all["AWS::Lambda::Version"] = lambdaVersion()
	all["AWS::Lambda::Alias"] = lambdaAlias()
	return all
}

// targetOf names a function by a property, with the property Qualifier.
func targetOf(property string) func(w *Work, properties map[string]any) map[string]any {
	return func(_ *Work, properties map[string]any) map[string]any {
		input := map[string]any{"FunctionName": properties[property]}
		if qualifier := text(properties["Qualifier"]); qualifier != "" {
			input["Qualifier"] = qualifier
		}
		return input
	}
}

func layerOf(string) func(w *Work, properties map[string]any) map[string]any {
	return func(w *Work, _ map[string]any) map[string]any { return layerNamed(w.ID) }
}

// layerNamed is the name and the version of a layer's ARN.
func layerNamed(arn string) map[string]any {
	at := strings.LastIndexByte(arn, ':')
	if at < 0 {
		return map[string]any{"LayerName": arn, "VersionNumber": ""}
	}
	return map[string]any{"LayerName": arn[:at], "VersionNumber": arn[at+1:]}
}

// lambdaVersion is AWS::Lambda::Version. A version does not change.
func lambdaVersion() *Type {
	s := &spec{
		service: "lambda", create: "PublishVersion", remove: "DeleteFunction", id: "FunctionArn", required: []string{"FunctionName"},
		extra: []string{"ProvisionedConcurrencyConfig", "RuntimePolicy"}, foreign: []string{"RevisionId", "PublishTo"},
		attributes: map[string]string{"Version": "Version", "FunctionArn": "FunctionArn"},
		refused:    map[string]string{"RuntimePolicy": "the runtimes are those of this machine", "FunctionScalingConfig": "there are no capacity providers here"},
		ident: func(w *Work, _ map[string]any) map[string]any {
			name, version := qualified(w.ID)
			return map[string]any{"FunctionName": name, "Qualifier": version}
		},
	}
	t := s.typed("AWS::Lambda::Version")
	t.create = func(ctx context.Context, w *Work) error {
		versions, err := versionsOf(ctx, w)
		if err != nil {
			return err
		}
		if err := s.make(ctx, w); err != nil {
			return err
		}
		if version := text(w.Attributes["Version"]); slices.Contains(versions, version) {
			w.ID = "" // it belongs to another resource
			return sentence("A version for this Lambda function exists ( %s ). Modify the function to create a new version.", version)
		}
		return provision(ctx, w)
	}
	t.update = func(ctx context.Context, w *Work) error { return provision(ctx, w) }
	t.replaces = func(w *Work) bool { return w.differs("FunctionName", "Description", "CodeSha256") }
	return t
}

func versionsOf(ctx context.Context, w *Work) (versions []string, err error) {
	input := map[string]any{"FunctionName": w.New["FunctionName"]}
	for {
		out, err := w.call(ctx, "lambda", "ListVersionsByFunction", input)
		if err != nil {
			return nil, err
		}
		page, _ := out["Versions"].([]any)
		for _, one := range page {
			if of, ok := one.(map[string]any); ok {
				versions = append(versions, text(of["Version"]))
			}
		}
		next := text(out["NextMarker"])
		if next == "" {
			return versions, nil
		}
		input["Marker"] = next
	}
}

// qualified splits the ARN of a version or an alias.
func qualified(arn string) (function, qualifier string) {
	at := strings.LastIndexByte(arn, ':')
	if at < 0 || strings.Count(arn, ":") < 7 {
		return arn, ""
	}
	return arn[:at], arn[at+1:]
}

// provision does what the property ProvisionedConcurrencyConfig says of a version or an alias.
func provision(ctx context.Context, w *Work) error {
	if !w.differs("ProvisionedConcurrencyConfig") {
		return nil
	}
	name, qualifier := qualified(w.ID)
	input := map[string]any{"FunctionName": name, "Qualifier": qualifier}
	config, given := w.New["ProvisionedConcurrencyConfig"].(map[string]any)
	if !given {
		_, err := w.call(ctx, "lambda", "DeleteProvisionedConcurrencyConfig", input)
		return err
	}
	input["ProvisionedConcurrentExecutions"] = config["ProvisionedConcurrentExecutions"]
	_, err := w.call(ctx, "lambda", "PutProvisionedConcurrencyConfig", input)
	return err
}

// lambdaAlias is AWS::Lambda::Alias.
func lambdaAlias() *Type {
	s := &spec{
		service: "lambda", create: "CreateAlias", update: "UpdateAlias", remove: "DeleteAlias", id: "AliasArn",
		required: []string{"FunctionName", "FunctionVersion", "Name"}, immutable: []string{"FunctionName", "Name"},
		attributes: map[string]string{"AliasArn": "AliasArn"}, extra: []string{"ProvisionedConcurrencyConfig", "RoutingConfig"}, foreign: []string{"RevisionId"},
		ident: func(_ *Work, properties map[string]any) map[string]any {
			return map[string]any{"FunctionName": properties["FunctionName"], "Name": properties["Name"]}
		},
		before: func(w *Work, input map[string]any) error {
			weights := make(map[string]any)
			if config, given := w.New["RoutingConfig"].(map[string]any); given {
				list, _ := config["AdditionalVersionWeights"].([]any)
				for _, one := range list {
					if of, ok := one.(map[string]any); ok {
						weights[text(of["FunctionVersion"])] = of["FunctionWeight"]
					}
				}
			}
			if len(weights) > 0 || w.Old["RoutingConfig"] != nil {
				input["RoutingConfig"] = map[string]any{"AdditionalVersionWeights": weights}
			}
			return nil
		},
	}
	t := s.typed("AWS::Lambda::Alias")
	t.check = func(e *Engine, properties map[string]any) error {
		return s.checkNames(e, without(properties, "RoutingConfig")) // it is a list here, and a map there
	}
	// The ARN says whether there is one, before it is made.
	t.exists = func(ctx context.Context, w *Work) (bool, error) {
		_, err := w.call(ctx, "lambda", "GetAlias", map[string]any{"FunctionName": w.New["FunctionName"], "Name": w.New["Name"]})
		if isNotFound(err) {
			return false, nil
		}
		return err == nil, err
	}
	t.create = func(ctx context.Context, w *Work) error {
		if err := s.make(ctx, w); err != nil {
			return err
		}
		return provision(ctx, w)
	}
	t.update = func(ctx context.Context, w *Work) error {
		if err := s.change(ctx, w); err != nil {
			return err
		}
		return provision(ctx, w)
	}
	return t
}

func without(properties map[string]any, names ...string) map[string]any {
	rest := make(map[string]any, len(properties))
	for name, v := range properties {
		if !slices.Contains(names, name) {
			rest[name] = v
		}
	}
	return rest
}
