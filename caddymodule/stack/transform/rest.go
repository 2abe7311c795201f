package transform

import (
	"regexp"
	"strconv"
	"strings"
)

// restMaker makes the resources of an AWS::Serverless::Api.
type restMaker struct {
	*translator
	*source
	made []*resource
	// definition is the body, as the properties of the API change it.
	definition any
}

func (r *restMaker) fail(format string, args ...any) { r.problems.resource(r.id, format, args...) }

func (r *restMaker) add(made *resource) *resource {
	r.made = append(r.made, made)
	return made
}

func (r *restMaker) failed() bool { return r.seen[r.id] || r.fatal != "" }

func (r *restMaker) make() []*resource {
	p := r.properties
	for _, name := range []string{"BinaryMediaTypes", "Domain", "Auth"} {
		if p[name] != nil {
			p[name] = r.resolve(p[name])
		}
	}
	if truthy(p["AlwaysDeploy"]) && r.in.Now.IsZero() {
		r.fail("The property AlwaysDeploy is not supported here: it makes a new deployment each time.")
		return nil
	}
	r.definition = p["DefinitionBody"]
	api := r.add(r.restAPI())
	if r.failed() {
		return nil
	}
	var domain []*resource
	if p["Domain"] != nil {
		domain = r.domain(r.expectMap(p["Domain"], r.id, "Domain"))
	}
	deployment := r.source.make(r.id+"Deployment", "AWS::ApiGateway::Deployment")
	deployment.properties["RestApiId"] = ref(r.id)
	if !truthy(p["OpenApiVersion"]) {
		deployment.properties["StageName"] = "Stage"
	}
	r.deploy(deployment, api)
	stage := r.stage(deployment)
	r.add(deployment)
	r.add(stage)
	if auth := mapOf(p["Auth"]); len(auth) > 0 {
		r.authorizerPermissions(auth)
	}
	r.made = append(r.made, domain...)
	if auth := mapOf(p["Auth"]); len(auth) > 0 {
		r.usagePlans(auth, stage)
	}
	if isTrue(p["PropagateTags"]) && truthy(p["Tags"]) {
		for _, made := range r.made {
			switch made.kind {
			case "AWS::ApiGateway::RestApi", "AWS::ApiGateway::Stage", "AWS::ApiGateway::DomainName", "AWS::ApiGateway::DomainNameV2",
				"AWS::ApiGateway::UsagePlan", "AWS::ApiGateway::ApiKey", "AWS::ApiGateway::DomainNameAccessAssociation":
				made.properties["Tags"] = tags(p["Tags"])
			}
		}
	}
	return r.made
}

func (r *restMaker) restAPI() *resource {
	p := r.properties
	api := r.main("AWS::ApiGateway::RestApi")
	uri, body := truthy(p["DefinitionUri"]), truthy(p["DefinitionBody"])
	switch {
	case uri && body:
		r.fail("Specify either 'DefinitionUri' or 'DefinitionBody' property and not both.")
	case uri && truthy(p["MergeDefinitions"]):
		r.fail("Cannot set 'MergeDefinitions' to True when using `DefinitionUri`.")
	}
	if version := p["OpenApiVersion"]; truthy(version) {
		if text, _ := scalarText(version); !supportedVersion.MatchString(text) {
			r.fail("The OpenApiVersion value must be of the format '3.0.0'.")
		}
	}
	if r.failed() {
		return api
	}
	api.properties["BinaryMediaTypes"] = p["BinaryMediaTypes"]
	api.properties["MinimumCompressionSize"] = p["MinimumCompressionSize"]
	if config := p["EndpointConfiguration"]; truthy(config) {
		r.endpoint(api, config)
	} else if r.in.Partition != "aws" {
		r.endpoint(api, "REGIONAL")
	}
	for _, step := range []func(){r.cors, r.auth, r.gatewayResponses, r.mediaTypes, r.models} {
		if step(); r.failed() {
			return api
		}
	}
	if disabled := p["DisableExecuteApiEndpoint"]; disabled != nil {
		r.disableEndpoint(disabled)
	}
	if uri {
		api.properties["BodyS3Location"] = r.definitionLocation(p["DefinitionUri"])
	} else if body {
		r.modernize()
		api.properties["Body"] = r.definition
	}
	for _, name := range []string{
		"FailOnWarnings", "Name", "Description", "Mode", "ApiKeySourceType", "Policy", "SecurityPolicy", "EndpointAccessMode",
	} {
		if truthy(p[name]) {
			api.properties[name] = p[name]
		}
	}
	return api
}

var supportedVersion = regexp.MustCompile(`^[2-3](\.\d)(\.\d)?$`)

func (r *restMaker) endpoint(api *resource, config any) {
	kind := config
	made := object{}
	if m, ok := config.(object); ok && truthy(m["Type"]) {
		kind = m["Type"]
		one, both := m["VPCEndpointIds"]
		other, has := m["VpcEndpointIds"]
		if both && has {
			r.fail("'VPCEndpointIds' and 'VpcEndpointIds' cannot be used together in EndpointConfiguration.")
		}
		if truthy(one) {
			made["VpcEndpointIds"] = one
		} else if has || both {
			made["VpcEndpointIds"] = other
		}
		copyTo(made, m, "IpAddressType")
	}
	made["Types"] = []any{kind}
	api.properties["EndpointConfiguration"] = made
	api.properties["Parameters"] = object{"endpointConfigurationTypes": kind}
}

// definitionLocationOf reads where the definition of an API lies.
func (t *translator) definitionLocationOf(id string, uri any) object {
	location := object{}
	switch v := uri.(type) {
	case object:
		if !truthy(v["Bucket"]) || !truthy(v["Key"]) {
			t.problems.resource(id, "'DefinitionUri' requires Bucket and Key properties to be specified.")
		}
		copyTo(location, v, "Bucket", "Key", "Version")
	default:
		bucket, key, version, ok := parseLocation(textOf(uri))
		if !ok {
			t.problems.resource(id, "'DefinitionUri' is not a valid S3 Uri of the form 's3://bucket/key' with optional versionId query parameter.")
			return location
		}
		location["Bucket"], location["Key"] = bucket, key
		copyAs(location, "Version", version)
	}
	return location
}

func (r *restMaker) definitionLocation(uri any) object { return r.definitionLocationOf(r.id, uri) }

// deploy gives the deployment a logical id that changes with the definition, so that a change is deployed.
func (r *restMaker) deploy(deployment, api *resource) {
	definition := api.properties["Body"]
	if definition == nil {
		definition = api.properties["BodyS3Location"]
	}
	if !truthy(definition) {
		return
	}
	seeds := []string{digest(definition)}
	if version, ok := scalarText(r.properties["OpenApiVersion"]); ok {
		seeds = append(seeds, version)
	}
	if truthy(r.properties["Domain"]) {
		seeds = append(seeds, digest(r.properties["Domain"]))
	}
	if names := r.functionNames[r.id]; names != "" {
		seeds = append(seeds, names)
	}
	if truthy(r.properties["AlwaysDeploy"]) {
		seeds = []string{strconv.FormatInt(r.in.Now.Unix(), 10)}
	}
	sum := digest(strings.Join(seeds, "||"))
	deployment.id += sum[:10]
	deployment.properties["Description"] = "RestApi deployment id: " + sum
}

func (r *restMaker) stage(deployment *resource) *resource {
	p := r.properties
	name := textOf(p["StageName"])
	id := r.id + name + "Stage"
	if !isAlnum(name) {
		id = hashed(r.id+"Stage", name)
	}
	stage := r.source.make(id, "AWS::ApiGateway::Stage")
	copyTo(stage.properties, p, "StageName", "CacheClusterEnabled", "CacheClusterSize", "Variables", "MethodSettings",
		"AccessLogSetting", "CanarySetting", "TracingEnabled")
	stage.properties["RestApiId"] = ref(r.id)
	stage.properties["DeploymentId"] = ref(deployment.id)
	if p["Tags"] != nil {
		stage.properties["Tags"] = tags(p["Tags"])
	}
	return stage
}
