package stack

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// restAPI is AWS::ApiGateway::RestApi.
func restAPI() *Type {
	s := &spec{
		service: "apigateway", chosen: newID(10), create: "CreateRestApi", update: "UpdateRestApi", remove: "DeleteRestApi", id: "id", member: "restApiId", tags: tagMap,
		attributes: map[string]string{"RootResourceId": "rootResourceId", "RestApiId": "id"}, documents: []string{"Policy"},
		extra: []string{"Body", "BodyS3Location", "FailOnWarnings", "Mode", "Parameters", "EndpointConfiguration", "Policy"},
		refused: map[string]string{
			"BodyS3Location": "put the definition into the template, by Body and Fn::Transform or aws cloudformation package", "CloneFrom": "name the definition in Body",
		},
		removed: map[string]any{"DisableExecuteApiEndpoint": false, "ApiKeySourceType": "HEADER"},
		patch: map[string]string{
			"Name": "/name", "Description": "/description", "ApiKeySourceType": "/apiKeySource", "DisableExecuteApiEndpoint": "/disableExecuteApiEndpoint",
			"BinaryMediaTypes": "/binaryMediaTypes/+", "MinimumCompressionSize": "/minimumCompressionSize",
		},
		arn: func(w *Work) string { return apiARN(w, "/restapis/"+w.ID) },
		before: func(w *Work, input map[string]any) error {
			for _, name := range []string{"EndpointConfiguration", "Policy"} {
				if v, given := w.New[name]; given {
					input[name] = v
				}
			}
			if v, given := w.New["ApiKeySourceType"]; given {
				input["apiKeySource"] = v
			}
			if w.New["Name"] == nil {
				input["name"] = w.generate(100) // the document has another, which comes after
			}
			if policy, isObject := input["Policy"].(map[string]any); isObject {
				document, err := jsonText(policy)
				input["Policy"] = document
				return err
			}
			return nil
		},
	}
	s.extra = append(s.extra, "ApiKeySourceType")
	t := s.typed("AWS::ApiGateway::RestApi")
	t.create = func(ctx context.Context, w *Work) error {
		if err := s.make(ctx, w); err != nil {
			return err
		}
		return restBody(ctx, s, w)
	}
	t.update = func(ctx context.Context, w *Work) error {
		if w.differs("EndpointConfiguration") {
			if err := endpointTypes(ctx, w); err != nil {
				return err
			}
		}
		if w.differs("Body", "Parameters", "Mode") {
			if err := restBody(ctx, s, w); err != nil {
				return err
			}
		}
		return s.change(ctx, w)
	}
	t.replaces = func(w *Work) bool { return w.Old["Body"] != nil && w.New["Body"] == nil || s.isReplaced(w) }
	return t
}

// restBody imports the definition of a REST API.
func restBody(ctx context.Context, s *spec, w *Work) error {
	if w.New["Body"] == nil {
		return nil
	}
	body, err := jsonText(w.New["Body"])
	if err != nil {
		return err
	}
	input := map[string]any{"restApiId": w.ID, "body": body, "mode": "overwrite"}
	if mode := w.text("Mode"); mode != "" {
		input["mode"] = mode
	}
	if v, given := w.New["FailOnWarnings"]; given {
		input["failOnWarnings"] = v
	}
	if _, err = w.call(ctx, s.service, "PutRestApi", input); err != nil || w.Old != nil {
		return err
	}
	// The document may have another name than the properties, which count.
	if name := w.text("Name"); name != "" {
		_, err = w.call(ctx, s.service, s.update, map[string]any{"restApiId": w.ID, "patchOperations": []any{patchOf("replace", "/name", name)}})
	}
	return err
}

func endpointTypes(ctx context.Context, w *Work) error {
	types := func(properties map[string]any) string {
		config, _ := properties["EndpointConfiguration"].(map[string]any)
		if list := texts(config["Types"]); len(list) > 0 {
			return list[0]
		}
		return "EDGE"
	}
	old, now := types(w.Old), types(w.New)
	if old == now {
		return nil
	}
	_, err := w.call(ctx, "apigateway", "UpdateRestApi", map[string]any{
		"restApiId": w.ID, "patchOperations": []any{patchOf("replace", "/endpointConfiguration/types/"+old, now)},
	})
	return err
}

// restMethod is AWS::ApiGateway::Method: the method with its integration and its responses.
func restMethod() *Type {
	s := ofREST(spec{
		create: "PutMethod", remove: "DeleteMethod", required: []string{"HttpMethod", "ResourceId"}, parents: []string{"ResourceId", "HttpMethod"},
		extra: []string{"Integration", "MethodResponses"},
	})
	s.ident = func(_ *Work, properties map[string]any) map[string]any {
		return map[string]any{"restApiId": properties["RestApiId"], "resourceId": properties["ResourceId"], "httpMethod": properties["HttpMethod"]}
	}
	t := s.typed("AWS::ApiGateway::Method")
	t.check = func(e *Engine, properties map[string]any) error {
		if err := s.checkNames(e, properties); err != nil {
			return err
		}
		return checkMethod(e, s, properties)
	}
	t.plan = func(w *Work) string {
		return w.text("RestApiId") + "|" + w.text("ResourceId") + "|" + w.text("HttpMethod")
	}
	t.exists = func(ctx context.Context, w *Work) (bool, error) {
		_, err := w.call(ctx, s.service, "GetMethod", s.ident(w, w.New))
		if isNotFound(err) {
			return false, nil
		}
		return err == nil, err
	}
	t.create = func(ctx context.Context, w *Work) error { return putMethod(ctx, s, w) }
	// A change is not served before a deployment, so the method may be away for a moment.
	t.update = func(ctx context.Context, w *Work) error {
		if _, err := w.call(ctx, s.service, s.remove, s.ident(w, w.New)); err != nil && !isNotFound(err) {
			return err
		}
		return putMethod(ctx, s, w)
	}
	t.replaces = func(w *Work) bool { return w.differs("RestApiId", "ResourceId", "HttpMethod") }
	return t
}

func checkMethod(e *Engine, s *spec, properties map[string]any) error {
	integration, _ := properties["Integration"].(map[string]any)
	for _, part := range []struct {
		values    []any
		operation string
		at        string
	}{
		{[]any{without(integration, "IntegrationResponses")}, "PutIntegration", "#/Integration"},
		{listOf(integration["IntegrationResponses"]), "PutIntegrationResponse", "#/Integration/IntegrationResponses"},
		{listOf(properties["MethodResponses"]), "PutMethodResponse", "#/MethodResponses"},
	} {
		shape := s.shape(e, part.operation)
		if shape == nil {
			continue
		}
		for _, v := range part.values {
			if err := shape.Extraneous(v, part.at); err != nil {
				return err
			}
		}
	}
	return nil
}

func listOf(v any) []any {
	list, _ := v.([]any)
	return list
}

func putMethod(ctx context.Context, s *spec, w *Work) error {
	input, err := s.input(w, s.create)
	if err != nil {
		return err
	}
	if w.New["AuthorizationType"] == nil {
		input["AuthorizationType"] = "NONE"
	}
	if _, err := w.call(ctx, s.service, s.create, input); err != nil {
		return err
	}
	place := s.ident(w, w.New)
	put := func(operation string, v any) error {
		of, ok := v.(map[string]any)
		if !ok {
			return fmt.Errorf("expected type: JSONObject, found: %v", v)
		}
		input := maps.Clone(of)
		maps.Copy(input, place)
		_, err := w.call(ctx, s.service, operation, input)
		return err
	}
	for _, response := range listOf(w.New["MethodResponses"]) {
		if err := put("PutMethodResponse", response); err != nil {
			return err
		}
	}
	integration, given := w.New["Integration"].(map[string]any)
	if !given {
		return nil
	}
	if err := put("PutIntegration", without(integration, "IntegrationResponses")); err != nil {
		return err
	}
	for _, response := range listOf(integration["IntegrationResponses"]) {
		if err := put("PutIntegrationResponse", response); err != nil {
			return err
		}
	}
	return nil
}

// restStage is AWS::ApiGateway::Stage.
func restStage() *Type {
	s := ofREST(spec{
		create: "CreateStage", update: "UpdateStage", remove: "DeleteStage", named: "StageName", longest: 128, required: []string{"DeploymentId"}, tags: tagMap,
		extra: []string{"MethodSettings", "AccessLogSetting", "CanarySetting", "ClientCertificateId"}, foreign: []string{"CanarySettings"},
		refused: map[string]string{"CanarySetting": "there are no canaries here", "ClientCertificateId": "Caddy has the certificates"},
		removed: map[string]any{"TracingEnabled": false, "CacheClusterEnabled": false},
		patch: map[string]string{
			"DeploymentId": "/deploymentId", "Description": "/description", "Variables": "/variables/*", "TracingEnabled": "/tracingEnabled",
			"CacheClusterEnabled": "/cacheClusterEnabled", "CacheClusterSize": "/cacheClusterSize", "DocumentationVersion": "/documentationVersion",
		},
		arn: func(w *Work) string { return apiARN(w, "/restapis/"+text(w.Old["RestApiId"])+"/stages/"+w.ID) },
	})
	s.after = func(ctx context.Context, w *Work, _ map[string]any) error { return stageSettings(ctx, s, w) }
	return s.typed("AWS::ApiGateway::Stage")
}

// settingPaths are the settings of methods, by their property.
var settingPaths = map[string]string{
	"LoggingLevel": "logging/loglevel", "DataTraceEnabled": "logging/dataTrace", "MetricsEnabled": "metrics/enabled",
	"ThrottlingBurstLimit": "throttling/burstLimit", "ThrottlingRateLimit": "throttling/rateLimit", "CachingEnabled": "caching/enabled",
	"CacheTtlInSeconds": "caching/ttlInSeconds", "CacheDataEncrypted": "caching/dataEncrypted",
}

// stageSettings makes the access log and the settings of methods those of the properties.
func stageSettings(ctx context.Context, s *spec, w *Work) error {
	var operations []any
	if w.differs("AccessLogSetting") {
		now, given := w.New["AccessLogSetting"].(map[string]any)
		if !given {
			operations = append(operations, patchOf("remove", "/accessLogSettings", nil))
		}
		for _, name := range slices.Sorted(maps.Keys(now)) {
			operations = append(operations, patchOf("replace", "/accessLogSettings/"+strings.ToLower(name[:1])+name[1:], now[name]))
		}
	}
	if w.differs("MethodSettings") {
		now := methodSettings(w.New)
		for key := range methodSettings(w.Old) {
			if _, still := now[key]; !still {
				operations = append(operations, patchOf("remove", "/"+key, nil))
			}
		}
		for _, key := range slices.Sorted(maps.Keys(now)) {
			for _, name := range slices.Sorted(maps.Keys(now[key])) {
				if name == "ResourcePath" || name == "HttpMethod" {
					continue
				}
				path, known := settingPaths[name]
				if !known {
					return unsupportedProperty("MethodSettings/" + name)
				}
				operations = append(operations, patchOf("replace", "/"+key+"/"+path, now[key][name]))
			}
		}
	}
	if len(operations) == 0 {
		return nil
	}
	_, err := w.call(ctx, s.service, s.update, map[string]any{"restApiId": w.New["RestApiId"], "stageName": w.ID, "patchOperations": operations})
	return err
}

// methodSettings are the settings of methods by their key: RESOURCE/METHOD, with the resource's
// slashes escaped.
func methodSettings(properties map[string]any) map[string]map[string]any {
	all := make(map[string]map[string]any)
	for _, one := range listOf(properties["MethodSettings"]) {
		of, ok := one.(map[string]any)
		if !ok {
			continue
		}
		resource, method := text(of["ResourcePath"]), text(of["HttpMethod"])
		if resource == "/*" || resource == "" {
			resource = "*"
		}
		if method == "" {
			method = "*"
		}
		all[escapePatch(resource)+"/"+method] = of
	}
	return all
}
