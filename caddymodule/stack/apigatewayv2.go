package stack

import (
	"context"
	"maps"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
)

// Types of API Gateway for HTTP and WebSocket APIs.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_ApiGatewayV2.html

// ofAPI describes a part of an API.
func ofAPI(s spec) *spec {
	s.service, s.parents = "apigatewayv2", append([]string{"ApiId"}, s.parents...)
	s.required = append([]string{"ApiId"}, s.required...)
	return &s
}

func apiARN(w *Work, path string) string {
	return "arn:aws:apigateway:" + w.engine.account().Region + "::" + path
}

func apiGatewayV2Types() map[string]*Type {
	specs := map[string]*spec{
		"AWS::ApiGatewayV2::Stage": ofAPI(spec{
			create: "CreateStage", update: "UpdateStage", remove: "DeleteStage", named: "StageName", required: []string{"StageName"}, tags: tagMap,
			extra: []string{"AccessLogSettings"}, removed: map[string]any{"AutoDeploy": false, "RouteSettings": nil, "DefaultRouteSettings": map[string]any{}, "StageVariables": nil},
			arn: func(w *Work) string { return apiARN(w, "/apis/"+text(w.Old["ApiId"])+"/stages/"+w.ID) },
			before: func(w *Work, input map[string]any) error {
				if v, given := w.New["AccessLogSettings"]; given {
					input["AccessLogSettings"] = v
				}
				return nil
			},
			after: func(ctx context.Context, w *Work, _ map[string]any) error { return stageLeftovers(ctx, w) },
		}),
		"AWS::ApiGatewayV2::Integration": ofAPI(spec{
			chosen: newID(7), create: "CreateIntegration", update: "UpdateIntegration", remove: "DeleteIntegration", id: "IntegrationId", required: []string{"IntegrationType"},
			removed: map[string]any{"TimeoutInMillis": 30000}, attributes: map[string]string{"IntegrationId": "IntegrationId"},
		}),
		"AWS::ApiGatewayV2::Route": ofAPI(spec{
			chosen: newID(7), create: "CreateRoute", update: "UpdateRoute", remove: "DeleteRoute", id: "RouteId", required: []string{"RouteKey"},
			removed: map[string]any{"AuthorizationType": "NONE", "ApiKeyRequired": false}, attributes: map[string]string{"RouteId": "RouteId"},
		}),
		"AWS::ApiGatewayV2::RouteResponse": ofAPI(spec{
			chosen: newID(7), create: "CreateRouteResponse", update: "UpdateRouteResponse", remove: "DeleteRouteResponse", id: "RouteResponseId", parents: []string{"RouteId"},
			required: []string{"RouteResponseKey"}, attributes: map[string]string{"RouteResponseId": "RouteResponseId"},
		}),
		"AWS::ApiGatewayV2::Authorizer": ofAPI(spec{
			chosen: newID(6), create: "CreateAuthorizer", update: "UpdateAuthorizer", remove: "DeleteAuthorizer", id: "AuthorizerId", required: []string{"AuthorizerType", "Name"},
			removed: map[string]any{"AuthorizerResultTtlInSeconds": 300, "EnableSimpleResponses": false}, attributes: map[string]string{"AuthorizerId": "AuthorizerId"},
		}),
		"AWS::ApiGatewayV2::Deployment": ofAPI(spec{
			create: "CreateDeployment", update: "UpdateDeployment", remove: "DeleteDeployment", id: "DeploymentId", attributes: map[string]string{"DeploymentId": "DeploymentId"},
		}),
		"AWS::ApiGatewayV2::DomainName": {
			service: "apigatewayv2", create: "CreateDomainName", update: "UpdateDomainName", remove: "DeleteDomainName", read: "GetDomainName", named: "DomainName",
			required: []string{"DomainName"}, tags: tagMap,
			arn: func(w *Work) string { return apiARN(w, "/domainnames/"+w.ID) },
			after: func(_ context.Context, w *Work, out map[string]any) error {
				configs, _ := value(out, "DomainNameConfigurations").([]any)
				if len(configs) > 0 {
					if first, ok := configs[0].(map[string]any); ok {
						w.Attributes["RegionalDomainName"], w.Attributes["RegionalHostedZoneId"] = text(value(first, "ApiGatewayDomainName")), text(value(first, "HostedZoneId"))
					}
				}
				return nil
			},
		},
		"AWS::ApiGatewayV2::ApiMapping": {
			service: "apigatewayv2", chosen: newID(6), create: "CreateApiMapping", update: "UpdateApiMapping", remove: "DeleteApiMapping", id: "ApiMappingId",
			parents: []string{"DomainName"}, required: []string{"ApiId", "DomainName", "Stage"}, attributes: map[string]string{"ApiMappingId": "ApiMappingId"},
			before: func(w *Work, input map[string]any) error {
				input["ApiId"] = w.New["ApiId"]
				return nil
			},
		},
	}
	all := typedAll(specs)
	all["AWS::ApiGatewayV2::Api"] = httpAPI()
	return all
}

// stageLeftovers takes away what an update cannot.
func stageLeftovers(ctx context.Context, w *Work) error {
	stage := map[string]any{"ApiId": w.New["ApiId"], "StageName": w.ID}
	if w.Old["AccessLogSettings"] != nil && w.New["AccessLogSettings"] == nil {
		if _, err := w.call(ctx, "apigatewayv2", "DeleteAccessLogSettings", stage); err != nil {
			return err
		}
	}
	old, _ := w.Old["RouteSettings"].(map[string]any)
	now, _ := w.New["RouteSettings"].(map[string]any)
	for key := range old {
		if _, still := now[key]; still {
			continue
		}
		input := maps.Clone(stage)
		input["RouteKey"] = key
		if _, err := w.call(ctx, "apigatewayv2", "DeleteRouteSettings", input); err != nil && !isNotFound(err) {
			return err
		}
	}
	return nil
}

// httpAPI is AWS::ApiGatewayV2::Api.
func httpAPI() *Type {
	s := &spec{
		service: "apigatewayv2", chosen: newID(10), create: "CreateApi", update: "UpdateApi", remove: "DeleteApi", id: "ApiId", tags: tagMap,
		attributes: map[string]string{"ApiEndpoint": "ApiEndpoint", "ApiId": "ApiId"}, immutable: []string{"ProtocolType"},
		extra: []string{"Body", "BodyS3Location", "FailOnWarnings", "BasePath", "DisableSchemaValidation", "ProtocolType"},
		refused: map[string]string{
			"BodyS3Location": "put the definition into the template, by Body and Fn::Transform or aws cloudformation package", "BasePath": "put the path into the routes of the definition",
		},
		removed: map[string]any{"CorsConfiguration": nil, "DisableExecuteApiEndpoint": false},
		arn:     func(w *Work) string { return apiARN(w, "/apis/"+w.ID) },
		after: func(ctx context.Context, w *Work, _ map[string]any) error {
			if w.Old["CorsConfiguration"] != nil && w.New["CorsConfiguration"] == nil {
				_, err := w.call(ctx, "apigatewayv2", "DeleteCorsConfiguration", map[string]any{"ApiId": w.ID})
				return err
			}
			return nil
		},
		before: func(w *Work, input map[string]any) error {
			for _, name := range []string{"ProtocolType", "DisableSchemaValidation"} {
				if v, given := w.New[name]; given && w.Old == nil {
					input[name] = v
				}
			}
			return nil
		},
	}
	t := s.typed("AWS::ApiGatewayV2::Api")
	t.create = func(ctx context.Context, w *Work) error {
		if w.New["Body"] == nil {
			return s.make(ctx, w)
		}
		body, err := jsonText(w.New["Body"])
		if err != nil {
			return err
		}
		input := map[string]any{"Body": body}
		if v, given := w.New["FailOnWarnings"]; given {
			input["FailOnWarnings"] = v
		}
		out, err := w.call(awsapi.WithID(ctx, w.ID), s.service, "ImportApi", input)
		if err != nil {
			return err
		}
		if err := s.took(ctx, w, out); err != nil {
			return err
		}
		return besideBody(ctx, s, w)
	}
	t.update = func(ctx context.Context, w *Work) error {
		if w.New["Body"] == nil {
			return s.change(ctx, w)
		}
		if w.differs("Body", "CorsConfiguration") { // what is beside it comes after
			body, err := jsonText(w.New["Body"])
			if err != nil {
				return err
			}
			if _, err := w.call(ctx, s.service, "ReimportApi", map[string]any{"ApiId": w.ID, "Body": body}); err != nil {
				return err
			}
		}
		if w.differs("Tags") {
			if err := retag(ctx, w, s.service, s.arn(w), tagsOf(w.Old["Tags"]), tagsOf(w.New["Tags"])); err != nil {
				return err
			}
		}
		return besideBody(ctx, s, w)
	}
	t.replaces = func(w *Work) bool {
		return w.differs("ProtocolType") || (w.Old["Body"] == nil) != (w.New["Body"] == nil) || w.New["Body"] == nil && s.isReplaced(w)
	}
	return t
}

// besideBody does what properties say of an API whose definition is a document.
func besideBody(ctx context.Context, s *spec, w *Work) error {
	input, err := s.input(w, s.update)
	if err != nil {
		return err
	}
	if len(input) > 0 {
		input["ApiId"] = w.ID
		out, err := w.call(ctx, s.service, s.update, input)
		if err != nil {
			return err
		}
		if err := s.took(ctx, w, out); err != nil {
			return err
		}
	}
	if w.Old == nil {
		return retag(ctx, w, s.service, s.arn(w), nil, tagsOf(w.New["Tags"]))
	}
	return nil
}
