package transform

import (
	"slices"
	"strings"
)

// globals are the properties that the section Globals may have, by the type of resource.
var globals = map[string]string{
	typeFunction: `Handler Runtime CodeUri DeadLetterQueue Description MemorySize Timeout VpcConfig Environment Tags
		PropagateTags Tracing KmsKeyArn AutoPublishAlias AutoPublishAliasAllProperties Layers DeploymentPreference RolePath
		PermissionsBoundary ReservedConcurrentExecutions ProvisionedConcurrencyConfig AssumeRolePolicyDocument
		EventInvokeConfig FileSystemConfigs CodeSigningConfigArn Architectures SnapStart EphemeralStorage
		FunctionUrlConfig RuntimeManagementConfig LoggingConfig RecursiveLoop SourceKMSKeyArn TenancyConfig DurableConfig
		CapacityProviderConfig FunctionScalingConfig PublishToLatestPublished VersionDeletionPolicy`,
	typeAPI: `Auth Name DefinitionUri CacheClusterEnabled CacheClusterSize MergeDefinitions Variables
		EndpointConfiguration MethodSettings BinaryMediaTypes MinimumCompressionSize Cors GatewayResponses
		AccessLogSetting CanarySetting TracingEnabled OpenApiVersion Domain AlwaysDeploy PropagateTags SecurityPolicy
		EndpointAccessMode`,
	typeHTTPAPI: `Auth AccessLogSettings StageVariables Tags CorsConfiguration DefaultRouteSettings Domain RouteSettings
		FailOnWarnings PropagateTags`,
	typeTable: `SSESpecification`,
	typeLayer: `PublishLambdaVersion`,
	// Types that are not supported: their globals are read, no resource has them.
	"AWS::Serverless::StateMachine": `PropagateTags`,
	"AWS::Serverless::CapacityProvider": `VpcConfig OperatorRole Tags InstanceRequirements ScalingConfig KmsKeyArn
		PropagateTags`,
	typeSocketAPI: `AccessLogSettings ApiKeySelectionExpression DefaultRouteSettings
		DisableExecuteApiEndpoint DisableSchemaValidation Domain FailOnWarnings IpAddressType PropagateTags
		RouteSelectionExpression RouteSettings StageVariables Tags`,
}

// mergeGlobals gives the resources the properties of the section Globals.
func (t *translator) mergeGlobals() {
	section, declared := t.document["Globals"]
	delete(t.document, "Globals")
	if declared && t.checkGlobals(section) {
		for _, id := range sorted(t.resources) {
			body := mapOf(t.resources[id])
			kind := textOf(body["Type"])
			shared, has := mapOf(section)[strings.TrimPrefix(kind, "AWS::Serverless::")].(object)
			if !has || !t.isServerless(kind) {
				continue
			}
			shared = copied(shared).(object)
			if ignored := body["IgnoreGlobals"]; truthy(ignored) {
				t.ignoreGlobals(id, ignored, shared)
			}
			body["Properties"] = mergeValue(shared, body["Properties"])
		}
	}
	for _, id := range sorted(t.resources) {
		body := mapOf(t.resources[id])
		if t.isServerless(textOf(body["Type"])) {
			delete(body, "IgnoreGlobals")
		}
		if body["Type"] == typeAPI {
			fixOpenAPI(mapOf(body["Properties"]))
		}
	}
}

func (t *translator) checkGlobals(section any) bool {
	invalid := func(text string) bool {
		t.add("Globals", "'Globals' section is invalid. "+text)
		return false
	}
	all, ok := section.(object)
	if !ok {
		return invalid("It must be a non-empty dictionary")
	}
	for _, name := range sorted(all) {
		known, ok := globals["AWS::Serverless::"+name]
		if !ok {
			var names []string
			for kind := range globals {
				names = append(names, strings.TrimPrefix(kind, "AWS::Serverless::"))
			}
			slices.Sort(names)
			return invalid("'" + name + "' is not supported. Must be one of the following values - " + listed(names))
		}
		properties, ok := all[name].(object)
		if !ok {
			return invalid("Value of ${section} must be a dictionary")
		}
		for _, key := range sorted(properties) {
			if fields := strings.Fields(known); !slices.Contains(fields, key) {
				return invalid("'" + key + "' is not a supported property of '" + name + "'. Must be one of the following values - " + listed(fields))
			}
		}
	}
	return true
}

// listed writes names as a list: ['a', 'b'].
func listed(names []string) string {
	if len(names) == 0 {
		return "[]"
	}
	return "['" + strings.Join(names, "', '") + "']"
}

func (t *translator) ignoreGlobals(id string, ignored any, shared object) {
	switch v := ignored.(type) {
	case string:
		if v == "*" {
			clear(shared)
			return
		}
	case []any:
		for _, item := range v {
			key := textOf(item)
			if _, has := shared[key]; !has {
				t.problems.resource(id, "Resource %s has invalid resource attribute 'IgnoreGlobals' on item '%s'.", id, key)
				return
			}
			delete(shared, key)
		}
		return
	}
	t.problems.resource(id, "Resource %s has invalid resource attribute 'IgnoreGlobals'.", id)
}

// mergeValue merges what a resource says into what Globals say: maps by their keys, lists one after the other; otherwise the
// resource wins.
func mergeValue(global, local any) any {
	switch g := global.(type) {
	case object:
		l, ok := local.(object)
		if !ok || intrinsic(g) != "" || intrinsic(l) != "" {
			return local
		}
		for key, value := range l {
			if existing, has := g[key]; has {
				value = mergeValue(existing, value)
			}
			g[key] = value
		}
		return g
	case []any:
		if l, ok := local.([]any); ok {
			return append(slices.Clone(g), l...)
		}
	}
	return local
}

// fixOpenAPI makes the definition that this package writes one of OpenAPI 3, when the API asks for it.
func fixOpenAPI(properties object) {
	version, has := properties["OpenApiVersion"]
	if _, ours := properties[managed]; !has || !ours || !isVersion3(version) {
		return
	}
	text, _ := scalarText(version)
	properties["OpenApiVersion"] = text
	if body, ok := properties["DefinitionBody"].(object); ok {
		body["openapi"] = text
		if truthy(body["swagger"]) {
			delete(body, "swagger")
		}
	}
}
