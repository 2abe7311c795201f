package transform

import (
	"encoding/json"
	"strings"
)

// known are the properties of the resources of SAM, each with the letters of what it may be: s a string, m a map, l a list,
// b a boolean, i a whole number; L a list of strings or maps, S a list of strings, D a map of maps, T a map of strings;
// P all that policies may be, E the policies of versions. No letter takes all. An exclamation mark says that the property must be there,
// a hash that no function may stand in its place.
var known = map[string]string{
	typeFunction: `FunctionName:sm Handler Runtime CodeUri ImageUri PackageType InlineCode DeadLetterQueue:m Description
		MemorySize Timeout VpcConfig Role:s AssumeRolePolicyDocument:m Policies:P RolePath PermissionsBoundary:s
		Environment:D Events:D Tags:m PropagateTags:b Tracing:ms KmsKeyArn DeploymentPreference:m
		ReservedConcurrentExecutions Layers:L EventInvokeConfig:m EphemeralStorage AutoPublishAlias:s AutoPublishCodeSha256:s
		AutoPublishAliasAllProperties:b# VersionDescription ProvisionedConcurrencyConfig FileSystemConfigs ImageConfig
		CodeSigningConfigArn Architectures SnapStart:m FunctionUrlConfig:m RuntimeManagementConfig LoggingConfig
		RecursiveLoop SourceKMSKeyArn CapacityProviderConfig:m FunctionScalingConfig:m VersionDeletionPolicy:E
		PublishToLatestPublished TenancyConfig DurableConfig:m`,
	typeAPI: `__MANAGE_SWAGGER:b Name:sm StageName:sm! Tags:m PropagateTags:b DefinitionBody:m DefinitionUri:sm
		MergeDefinitions:b# CacheClusterEnabled:b CacheClusterSize:s Variables:m EndpointConfiguration:sm
		MethodSettings:l BinaryMediaTypes:l MinimumCompressionSize:i Cors:sm Auth:m GatewayResponses:m
		AccessLogSetting:m CanarySetting:m TracingEnabled:b OpenApiVersion:s Models:m Domain:m FailOnWarnings:b
		Description:s Mode:s DisableExecuteApiEndpoint:b ApiKeySourceType:s AlwaysDeploy:b# Policy:sm SecurityPolicy:s
		EndpointAccessMode:s`,
	typeHTTPAPI: `__MANAGE_SWAGGER:b Name StageName:sm Tags:m PropagateTags:b DefinitionBody:m DefinitionUri:sm
		StageVariables:m CorsConfiguration:bm AccessLogSettings:m DefaultRouteSettings:m Auth:m RouteSettings:m Domain:m
		FailOnWarnings:b Description:s DisableExecuteApiEndpoint:b`,
	typeSocketAPI: `ApiKeySelectionExpression:s AccessLogSettings:m Auth:m DefaultRouteSettings:m Description:s
		DisableExecuteApiEndpoint:b Domain:m DisableSchemaValidation:b FailOnWarnings:b IpAddressType:s Name:s
		PropagateTags:b Routes:m! RouteSettings:m RouteSelectionExpression:s! StageName:sm StageVariables:m Tags:m`,
	typeTable: `PointInTimeRecoverySpecification PrimaryKey:T ProvisionedThroughput:m TableName:sm Tags:m
		SSESpecification:m`,
	typeLayer: `LayerName:sm Description:s PublishLambdaVersion:b ContentUri:sm! CompatibleArchitectures:L
		CompatibleRuntimes:L LicenseInfo:s RetentionPolicy:s`,
	typeApplication: `Location:sm! TemplateUrl:s Parameters:m NotificationARNs:L Tags:m TimeoutInMinutes:i`,
}

// checkProperties refuses properties that are not known or have the wrong type.
func (t *translator) checkProperties(s *source) {
	t.check(s.properties, known[s.kind], func(format string, args ...any) { t.problems.resource(s.id, format, args...) }, s.kind)
}

func (t *translator) check(properties object, table string, fail func(string, ...any), kind string) {
	fields := strings.Fields(table)
	names := map[string]bool{}
	for _, field := range fields {
		name, _, _ := strings.Cut(field, ":")
		names[strings.TrimRight(name, "!#")] = true
	}
	for _, name := range sorted(properties) {
		if !names[name] {
			fail("property %s not defined for resource of type %s", name, kind)
			return
		}
	}
	for _, field := range fields {
		name, letters, _ := strings.Cut(field, ":")
		required := strings.Contains(field, "!")
		functions := !strings.Contains(field, "#")
		name, letters = strings.TrimRight(name, "!#"), strings.TrimRight(letters, "!#")
		value := properties[name]
		if m, ok := value.(object); ok && len(m) == 1 && functions {
			continue
		}
		if value == nil {
			if required {
				fail("Missing required property '%s'.", name)
				return
			}
			continue
		}
		if letters != "" && !fits(value, letters) {
			switch letters {
			case "s":
				fail("Property '%s' should be a string.", name)
			case "m":
				fail("Property '%s' should be a map.", name)
			case "E":
				fail("Property '%s' should be a one of the strings: 'Delete' or 'Retain'.", name)
			default:
				fail("Type of property '%s' is invalid.", name)
			}
			return
		}
	}
}

func fits(value any, letters string) bool {
	for _, letter := range letters {
		ok := false
		switch letter {
		case 's':
			_, ok = value.(string)
		case 'm':
			_, ok = value.(object)
		case 'l':
			_, ok = value.([]any)
		case 'b':
			_, ok = value.(bool)
		case 'i':
			n, is := value.(json.Number)
			ok = is && !strings.ContainsAny(n.String(), ".eE")
		case 'L', 'S':
			ok = listFits(value, map[rune]string{'L': "sm", 'S': "s"}[letter])
		case 'D', 'T':
			m, is := value.(object)
			ok = is
			for _, item := range m {
				ok = ok && fits(item, map[rune]string{'D': "m", 'T': "s"}[letter])
			}
		case 'P':
			ok = fits(value, "sm") || listFits(value, "sm")
		case 'E':
			ok = value == "Delete" || value == "Retain"
		}
		if ok {
			return true
		}
	}
	return false
}

func listFits(value any, letters string) bool {
	list, ok := value.([]any)
	for _, item := range list {
		ok = ok && fits(item, letters)
	}
	return ok
}

// scalarText returns the text of a string or a number.
func scalarText(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	}
	return "", false
}
