package stack

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Types of API Gateway for REST APIs.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_ApiGateway.html

// patchOf is one operation of a patch.
func patchOf(op, path string, v any) map[string]any {
	out := map[string]any{"op": op, "path": path}
	if v != nil {
		out["value"] = text(v)
	}
	return out
}

// escapePatch writes a name as a part of a path.
func escapePatch(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

// patches are what changes properties from old to new. A map's path ends in /*, a list's in /+.
func (s *spec) patches(w *Work) (operations []any) {
	for _, name := range w.changed() {
		path := s.patch[name]
		switch {
		case path == "":
		case strings.HasSuffix(path, "/*"):
			old, _ := w.Old[name].(map[string]any)
			now, _ := w.New[name].(map[string]any)
			base := strings.TrimSuffix(path, "*")
			for key := range old {
				if _, still := now[key]; !still {
					operations = append(operations, patchOf("remove", base+escapePatch(key), nil))
				}
			}
			for _, key := range slices.Sorted(maps.Keys(now)) {
				if text(old[key]) != text(now[key]) || old[key] == nil {
					operations = append(operations, patchOf("replace", base+escapePatch(key), now[key]))
				}
			}
		case strings.HasSuffix(path, "/+"):
			old, now := texts(w.Old[name]), texts(w.New[name])
			base := strings.TrimSuffix(path, "+")
			for _, one := range old {
				if !slices.Contains(now, one) {
					operations = append(operations, patchOf("remove", base+escapePatch(one), nil))
				}
			}
			for _, one := range now {
				if !slices.Contains(old, one) {
					operations = append(operations, patchOf("add", base+escapePatch(one), nil))
				}
			}
		default:
			v := w.New[name]
			if v == nil {
				v = s.removed[name]
			}
			if v == nil {
				v = ""
			}
			if slices.Contains(s.documents, name) {
				if document, err := jsonText(v); err == nil { // values of templates always encode
					v = document
				}
			}
			operations = append(operations, patchOf("replace", path, v))
		}
	}
	return operations
}

func (s *spec) changePatched(ctx context.Context, w *Work) error {
	operations := s.patches(w)
	var out map[string]any
	if len(operations) > 0 {
		input := s.identity(w, w.New)
		input["patchOperations"] = operations
		var err error
		if out, err = w.call(ctx, s.service, s.update, input); err != nil {
			return err
		}
	}
	return s.took(ctx, w, out)
}

// ofREST describes a part of a REST API.
func ofREST(s spec) *spec {
	s.service, s.parents = "apigateway", append([]string{"RestApiId"}, s.parents...)
	s.required = append([]string{"RestApiId"}, s.required...)
	return &s
}

func apiGatewayTypes() map[string]*Type {
	specs := map[string]*spec{
		"AWS::ApiGateway::Resource": ofREST(spec{
			chosen: newID(6), create: "CreateResource", update: "UpdateResource", remove: "DeleteResource", id: "id", member: "resourceId", required: []string{"ParentId", "PathPart"},
			immutable: []string{"ParentId"}, patch: map[string]string{"PathPart": "/pathPart"}, attributes: map[string]string{"ResourceId": "id"},
		}),
		"AWS::ApiGateway::Authorizer": ofREST(spec{
			chosen: newID(6), create: "CreateAuthorizer", update: "UpdateAuthorizer", remove: "DeleteAuthorizer", id: "id", member: "authorizerId", required: []string{"Name", "Type"},
			attributes: map[string]string{"AuthorizerId": "id"}, removed: map[string]any{"AuthorizerResultTtlInSeconds": 300},
			patch: map[string]string{
				"Name": "/name", "Type": "/type", "AuthorizerUri": "/authorizerUri", "AuthorizerCredentials": "/authorizerCredentials",
				"IdentitySource": "/identitySource", "IdentityValidationExpression": "/identityValidationExpression",
				"AuthorizerResultTtlInSeconds": "/authorizerResultTtlInSeconds", "AuthType": "/authType",
			},
		}),
		"AWS::ApiGateway::Model": ofREST(spec{
			create: "CreateModel", update: "UpdateModel", remove: "DeleteModel", named: "Name", member: "modelName", longest: 100, plain: true, documents: []string{"Schema"},
			extra: []string{"Schema"}, before: schemaText, immutable: []string{"ContentType"}, removed: map[string]any{"Schema": "{}"},
			patch: map[string]string{"Schema": "/schema", "Description": "/description"},
		}),
		"AWS::ApiGateway::RequestValidator": ofREST(spec{
			chosen: newID(6), create: "CreateRequestValidator", update: "UpdateRequestValidator", remove: "DeleteRequestValidator", id: "id", member: "requestValidatorId",
			attributes: map[string]string{"RequestValidatorId": "id"}, removed: map[string]any{"ValidateRequestBody": false, "ValidateRequestParameters": false},
			immutable: []string{"Name"}, patch: map[string]string{"ValidateRequestBody": "/validateRequestBody", "ValidateRequestParameters": "/validateRequestParameters"},
		}),
		"AWS::ApiGateway::GatewayResponse": ofREST(spec{
			create: "PutGatewayResponse", update: "PutGatewayResponse", remove: "DeleteGatewayResponse", named: "ResponseType", required: []string{"ResponseType"},
			removed: map[string]any{"StatusCode": nil, "ResponseParameters": nil, "ResponseTemplates": nil}, // Put replaces all
		}),
		"AWS::ApiGateway::ApiKey": {
			service: "apigateway", chosen: newID(10), create: "CreateApiKey", update: "UpdateApiKey", remove: "DeleteApiKey", id: "id", member: "apiKey", tags: tagMap,
			attributes: map[string]string{"APIKeyId": "id"}, removed: map[string]any{"Enabled": false}, immutable: []string{"Value", "GenerateDistinctId", "StageKeys"},
			patch: map[string]string{"Name": "/name", "Description": "/description", "Enabled": "/enabled", "CustomerId": "/customerId"},
			arn:   func(w *Work) string { return apiARN(w, "/apikeys/"+w.ID) },
			before: func(w *Work, input map[string]any) error {
				if w.New["Name"] == nil {
					input["name"] = w.generate(128)
				}
				return nil
			},
		},
		"AWS::ApiGateway::UsagePlanKey": {
			service: "apigateway", create: "CreateUsagePlanKey", remove: "DeleteUsagePlanKey", id: "id", member: "keyId", parents: []string{"UsagePlanId"},
			required: []string{"KeyId", "KeyType", "UsagePlanId"}, attributes: map[string]string{"Id": "id"},
		},
		"AWS::ApiGateway::DomainName": {
			service: "apigateway", create: "CreateDomainName", update: "UpdateDomainName", remove: "DeleteDomainName", read: "GetDomainName", named: "DomainName",
			required: []string{"DomainName"}, tags: tagMap, patch: map[string]string{"CertificateArn": "/certificateArn", "RegionalCertificateArn": "/regionalCertificateArn", "SecurityPolicy": "/securityPolicy"},
			attributes: map[string]string{"RegionalDomainName": "regionalDomainName", "RegionalHostedZoneId": "regionalHostedZoneId", "DistributionDomainName": "distributionDomainName"},
			arn:        func(w *Work) string { return apiARN(w, "/domainnames/"+w.ID) },
		},
	}
	all := typedAll(specs)
	all["AWS::ApiGateway::RestApi"] = restAPI()
	all["AWS::ApiGateway::Method"] = restMethod()
	all["AWS::ApiGateway::Deployment"] = restDeployment()
	all["AWS::ApiGateway::Stage"] = restStage()
	all["AWS::ApiGateway::UsagePlan"] = usagePlan()
	all["AWS::ApiGateway::BasePathMapping"] = basePathMapping()
	all["AWS::ApiGateway::Account"] = restAccount()
	return all
}

func schemaText(w *Work, input map[string]any) error {
	schema, err := jsonText(w.New["Schema"])
	if w.New["Schema"] != nil {
		input["schema"] = schema
	}
	return err
}

// basePathMapping is AWS::ApiGateway::BasePathMapping.
func basePathMapping() *Type {
	s := &spec{
		service: "apigateway", create: "CreateBasePathMapping", remove: "DeleteBasePathMapping", required: []string{"DomainName", "RestApiId"}, extra: []string{"Id"},
		ident: func(_ *Work, properties map[string]any) map[string]any {
			path := text(properties["BasePath"])
			if path == "" {
				path = "(none)"
			}
			return map[string]any{"domainName": properties["DomainName"], "basePath": path}
		},
	}
	t := s.typed("AWS::ApiGateway::BasePathMapping")
	t.plan = func(w *Work) string { return w.text("DomainName") + "|" + w.text("BasePath") }
	t.exists = func(ctx context.Context, w *Work) (bool, error) {
		_, err := w.call(ctx, s.service, "GetBasePathMapping", s.ident(w, w.New))
		if isNotFound(err) {
			return false, nil
		}
		return err == nil, err
	}
	return t
}

// restAccount is AWS::ApiGateway::Account. There is one for all, so to remove it changes nothing.
func restAccount() *Type {
	set := func(ctx context.Context, w *Work) error {
		_, err := w.call(ctx, "apigateway", "UpdateAccount", map[string]any{"patchOperations": []any{patchOf("replace", "/cloudwatchRoleArn", w.text("CloudWatchRoleArn"))}})
		return err
	}
	return &Type{
		Name: "AWS::ApiGateway::Account", check: only("CloudWatchRoleArn"), plan: generated, create: set, update: set, remove: nothing,
	}
}

// usagePlan is AWS::ApiGateway::UsagePlan.
func usagePlan() *Type {
	s := &spec{
		service: "apigateway", chosen: newID(6), create: "CreateUsagePlan", update: "UpdateUsagePlan", remove: "DeleteUsagePlan", id: "id", member: "usagePlanId", tags: tagMap,
		attributes: map[string]string{"Id": "id"}, extra: []string{"UsagePlanName", "ApiStages", "Throttle", "Quota"}, foreign: []string{"Name"},
		patch: map[string]string{"UsagePlanName": "/name", "Description": "/description"},
		arn:   func(w *Work) string { return apiARN(w, "/usageplans/"+w.ID) },
	}
	// A plan is changed by a patch of its parts.
	s.before = func(w *Work, input map[string]any) error {
		input["name"] = w.text("UsagePlanName")
		if input["name"] == "" {
			input["name"] = w.generate(128)
		}
		for _, name := range []string{"ApiStages", "Throttle", "Quota"} {
			if v, given := w.New[name]; given {
				input[name] = v
			}
		}
		return nil
	}
	s.undo = func(ctx context.Context, w *Work) error {
		w.New = nil
		return planParts(ctx, w)
	}
	t := s.typed("AWS::ApiGateway::UsagePlan")
	t.update = func(ctx context.Context, w *Work) error {
		if err := s.change(ctx, w); err != nil {
			return err
		}
		return planParts(ctx, w)
	}
	return t
}

// planParts makes the stages, the throttle and the quota of a usage plan those of its properties.
func planParts(ctx context.Context, w *Work) error {
	stages := func(properties map[string]any) (all []string) {
		list, _ := properties["ApiStages"].([]any)
		for _, one := range list {
			if of, ok := one.(map[string]any); ok {
				all = append(all, text(of["ApiId"])+":"+text(of["Stage"]))
			}
		}
		return all
	}
	var operations []any
	old, now := stages(w.Old), stages(w.New)
	for _, one := range old {
		if !slices.Contains(now, one) {
			operations = append(operations, patchOf("remove", "/apiStages", one))
		}
	}
	for _, one := range now {
		if !slices.Contains(old, one) {
			operations = append(operations, patchOf("add", "/apiStages", one))
		}
	}
	for name, members := range map[string][]string{"Throttle": {"BurstLimit", "RateLimit"}, "Quota": {"Limit", "Offset", "Period"}} {
		if w.New == nil || !w.differs(name) {
			continue
		}
		path := "/" + strings.ToLower(name)
		values, given := w.New[name].(map[string]any)
		if !given {
			operations = append(operations, patchOf("remove", path, nil))
			continue
		}
		for _, member := range members {
			if v, has := values[member]; has {
				operations = append(operations, patchOf("replace", path+"/"+strings.ToLower(member[:1])+member[1:], v))
			}
		}
	}
	if len(operations) == 0 {
		return nil
	}
	_, err := w.call(ctx, "apigateway", "UpdateUsagePlan", map[string]any{"usagePlanId": w.ID, "patchOperations": operations})
	return err
}

// restDeployment is AWS::ApiGateway::Deployment.
func restDeployment() *Type {
	s := ofREST(spec{
		chosen: newID(6), create: "CreateDeployment", remove: "DeleteDeployment", id: "id", member: "deploymentId", attributes: map[string]string{"DeploymentId": "id"},
		extra: []string{"StageDescription", "DeploymentCanarySettings"}, foreign: []string{"CacheClusterEnabled", "CacheClusterSize", "Variables", "CanarySettings", "TracingEnabled"},
		refused: map[string]string{"DeploymentCanarySettings": "there are no canaries here"},
		before: func(w *Work, input map[string]any) error {
			stage, _ := w.New["StageDescription"].(map[string]any)
			for name, v := range stage {
				switch name {
				case "Description":
					input["stageDescription"] = v
				case "Variables", "TracingEnabled", "CacheClusterEnabled", "CacheClusterSize":
					input[name] = v
				default:
					return fmt.Errorf("StageDescription/%s is not supported: use AWS::ApiGateway::Stage", name)
				}
			}
			return nil
		},
		// A stage that the deployment has made goes with it, unless a newer deployment has it.
		undo: func(ctx context.Context, w *Work) error {
			name := text(w.Old["StageName"])
			if name == "" {
				return nil
			}
			stage := map[string]any{"restApiId": w.Old["RestApiId"], "stageName": name}
			out, err := w.call(ctx, "apigateway", "GetStage", stage)
			if err != nil || text(value(out, "deploymentId")) != w.ID {
				return err
			}
			_, err = w.call(ctx, "apigateway", "DeleteStage", stage)
			return err
		},
	})
	t := s.typed("AWS::ApiGateway::Deployment")
	t.check = func(e *Engine, properties map[string]any) error {
		return s.checkNames(e, without(properties, "StageDescription")) // it is text in the call
	}
	return t
}
