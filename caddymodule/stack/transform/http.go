package transform

import (
	"regexp"
	"slices"
	"strings"
)

// httpTag says that SAM made an API.
const httpTag = "httpapi:createdBy"

// httpMaker makes the resources of an AWS::Serverless::HttpApi.
type httpMaker struct {
	*translator
	*source
	made       []*resource
	definition object
}

func (h *httpMaker) fail(format string, args ...any) { h.problems.resource(h.id, format, args...) }

func (h *httpMaker) add(made *resource) *resource {
	h.made = append(h.made, made)
	return made
}

func (h *httpMaker) failed() bool { return h.seen[h.id] || h.fatal != "" }

func (h *httpMaker) make() []*resource {
	p := h.properties
	for _, name := range []string{"CorsConfiguration", "Domain"} {
		if p[name] != nil {
			p[name] = h.resolve(p[name])
		}
	}
	h.definition = mapOf(p["DefinitionBody"])
	api := h.add(h.main("AWS::ApiGatewayV2::Api"))
	uri, body := truthy(p["DefinitionUri"]), len(h.definition) > 0
	switch {
	case uri && body:
		h.fail("Specify either 'DefinitionUri' or 'DefinitionBody' property and not both.")
	case !uri && !body:
		h.fail("'DefinitionUri' or 'DefinitionBody' are required properties of an 'AWS::Serverless::HttpApi'. Add a value for one of these properties or add a 'HttpApi' event to an 'AWS::Serverless::Function'.")
	}
	all := h.tags()
	for _, step := range []func(){h.cors, h.auth, func() { h.tag(all) }, h.disable, h.title, h.describe} {
		if h.failed() {
			return nil
		}
		step()
	}
	if truthy(p["FailOnWarnings"]) {
		api.properties["FailOnWarnings"] = p["FailOnWarnings"]
		if paths := mapOf(h.definition["paths"]); paths["$default"] != nil {
			paths["/$default"] = paths["$default"]
			delete(paths, "$default")
		}
	}
	if uri {
		api.properties["BodyS3Location"] = h.definitionLocationOf(h.id, p["DefinitionUri"])
	} else {
		api.properties["Body"] = h.definition
	}
	var domain []*resource
	if p["Domain"] != nil {
		domain = h.domainV2(h.source, h.expectMap(p["Domain"], h.id, "Domain"), httpTag)
	}
	h.authorizerPermissions()
	h.made = append(h.made, domain...)
	h.stage(all)
	if p["DefinitionBody"] != nil && len(all) > 0 {
		for _, made := range h.made {
			if made.kind == "AWS::ApiGatewayV2::DomainName" {
				made.properties["Tags"] = copied(all)
			}
		}
	}
	return h.made
}

// tags returns the tags of the API; SAM adds its own.
func (h *httpMaker) tags() object {
	all, _ := h.properties["Tags"].(object)
	all, _ = copied(all).(object)
	if len(h.definition) == 0 {
		if len(all) > 0 {
			h.fail("Tags works only with inline OpenApi specified in the 'DefinitionBody' property.")
		}
		return nil
	}
	if !isDefinition(h.definition, false) {
		if len(all) > 0 {
			h.fail("Unable to add `Tags` because 'DefinitionBody' does not contain a valid OpenApi definition.")
		}
		return nil
	}
	if all == nil {
		all = object{}
	}
	all[httpTag] = "SAM"
	return all
}

func (h *httpMaker) tag(all object) {
	if len(all) == 0 {
		return
	}
	list, ok := h.definition["tags"].([]any)
	if !ok && truthy(h.definition["tags"]) {
		h.problems.document("Tags in OpenApi DefinitionBody needs to be a list. %s is a %s not a list.", python(h.definition["tags"]), pythonType(h.definition["tags"]))
		return
	}
	list = slices.Clone(list)
	for _, name := range sorted(all) {
		at := slices.IndexFunc(list, func(item any) bool { return mapOf(item)["name"] == name })
		if at >= 0 {
			mapOf(list[at])["x-amazon-apigateway-tag-value"] = all[name]
		} else {
			list = append(list, object{"name": name, "x-amazon-apigateway-tag-value": all[name]})
		}
	}
	h.definition["tags"] = list
}

var corsMembers = []string{"AllowMethods", "AllowHeaders", "AllowOrigins", "MaxAge", "ExposeHeaders", "AllowCredentials"}

func (h *httpMaker) cors() {
	config := h.properties["CorsConfiguration"]
	if !truthy(config) {
		return
	}
	if len(h.definition) == 0 {
		h.fail("Cors works only with inline OpenApi specified in 'DefinitionBody' property.")
		return
	}
	settings := object{}
	switch v := config.(type) {
	case bool:
		settings["AllowOrigins"] = []any{"*"}
	case object:
		settings = v
		for _, name := range sorted(v) {
			if intrinsic(v) == "" && !slices.Contains(corsMembers, name) {
				h.fail("Invalid key '%s' for 'Cors' property.", name)
				return
			}
		}
	default:
		h.fail("Invalid value for 'Cors' property.")
		return
	}
	if !isDefinition(h.definition, false) {
		h.fail("Unable to add Cors configuration because 'DefinitionBody' does not contain a valid OpenApi definition.")
		return
	}
	origins, _ := settings["AllowOrigins"].([]any)
	if isTrue(settings["AllowCredentials"]) && len(origins) == 1 && origins[0] == "*" {
		h.fail("Unable to add Cors configuration because 'AllowCredentials' can not be true when 'AllowOrigin' is \"'*'\" or not set.")
		return
	}
	made := h.edit(h.definition, false).section("x-amazon-apigateway-cors")
	if intrinsic(settings) != "" || intrinsic(settings["AllowOrigins"]) != "" && truthy(settings["AllowOrigins"]) {
		function := settings
		if intrinsic(settings) == "" {
			function = mapOf(settings["AllowOrigins"])
		}
		for key, value := range mapOf(lowered(copied(function))) {
			made[key] = value
		}
		return
	}
	for _, name := range corsMembers {
		value := settings[name]
		switch {
		case name == "MaxAge" && value != nil, name == "AllowCredentials" && isTrue(value),
			name != "MaxAge" && name != "AllowCredentials" && truthy(value):
			made[strings.ToLower(name[:1])+name[1:]] = value
		}
	}
}

// lowered writes the members of a configuration that stands in a function as definitions of APIs write them.
func lowered(value any) any {
	switch v := value.(type) {
	case object:
		result := object{}
		for key, item := range v {
			if slices.Contains(corsMembers, key) {
				key = strings.ToLower(key[:1]) + key[1:]
			}
			result[key] = lowered(item)
		}
		return result
	case []any:
		for i, item := range v {
			v[i] = lowered(item)
		}
	}
	return value
}

func (h *httpMaker) disable() {
	disabled := h.properties["DisableExecuteApiEndpoint"]
	if disabled == nil {
		return
	}
	if len(h.definition) == 0 {
		h.fail("DisableExecuteApiEndpoint works only within 'DefinitionBody' property.")
		return
	}
	const key = "x-amazon-apigateway-endpoint-configuration"
	h.edit(h.definition, false).servers(func(server object, _ string) {
		config, ok := server[key].(object)
		if !ok {
			config = object{}
			server[key] = config
		}
		config["disableExecuteApiEndpoint"] = disabled
	})
}

func (h *httpMaker) title() {
	name := h.properties["Name"]
	if !truthy(name) {
		return
	}
	if len(h.definition) == 0 {
		h.fail("Name works only with inline OpenApi specified in the 'DefinitionBody' property.")
		return
	}
	info := mapOf(h.definition["info"])
	if info == nil || !same(info["title"], ref("AWS::StackName")) {
		h.fail("Unable to set Name because it is already defined within inline OpenAPI specified in the 'DefinitionBody' property.")
		return
	}
	info["title"] = name
}

func (h *httpMaker) describe() {
	description := h.properties["Description"]
	if !truthy(description) {
		return
	}
	if len(h.definition) == 0 {
		h.fail("Description works only with inline OpenApi specified in the 'DefinitionBody' property.")
		return
	}
	info, ok := h.definition["info"].(object)
	if !ok {
		info = object{}
		h.definition["info"] = info
	}
	if truthy(info["description"]) {
		h.fail("Unable to set Description because it is already defined within inline OpenAPI specified in the 'DefinitionBody' property.")
		return
	}
	info["description"] = description
}

func (h *httpMaker) stage(all object) {
	p := h.properties
	name := p["StageName"]
	if !truthy(name) {
		name = "$default"
	}
	text := textOf(name)
	id := h.id + text + "Stage"
	if text == "$default" {
		id = h.id + "ApiGatewayDefaultStage"
	} else if !isAlnum(text) {
		id = hashed(h.id+"Stage", text)
	}
	stage := h.add(h.source.make(id, "AWS::ApiGatewayV2::Stage"))
	copyTo(stage.properties, p, "StageVariables", "AccessLogSettings", "DefaultRouteSettings", "RouteSettings")
	stage.properties["ApiId"], stage.properties["StageName"] = ref(h.id), name
	stage.properties["AutoDeploy"] = true
	if len(all) > 0 {
		stage.properties["Tags"] = copied(all)
	}
}

// httpEvent adds a route to an HTTP API.
func (e *eventMaker) httpEvent() {
	id := apiID(e.p["ApiId"])
	api, ok := mapOf(e.resources[id])["Properties"].(object)
	if !ok {
		e.wrong("ApiId must be a valid reference to an 'AWS::Serverless::HttpApi' resource in same template.")
		return
	}
	path, verb := textOf(e.p["Path"]), strings.ToLower(textOf(e.p["Method"]))
	var ed *editor
	if truthy(api["DefinitionBody"]) {
		if !isDefinition(api["DefinitionBody"], false) {
			e.problems.resource(id, "Structure of the SAM template is invalid. Invalid OpenApi document. Invalid values or missing keys for 'openapi' or 'paths' in 'DefinitionBody'.")
			return
		}
		ed = e.edit(api["DefinitionBody"], false)
	}
	e.routePermission(ed, path, verb)
	if ed == nil {
		return
	}
	if truthy(api[managed]) && ed.hasIntegration(path, verb) {
		e.wrong("API method '%s' defined multiple times for path '%s'.", verb, path)
		return
	}
	if !ed.hasIntegration(path, verb) {
		ed.addIntegration(integration{
			path: path, method: verb, uri: e.integrationURI("${AWS::Partition}", false), condition: textOf(e.shared["Condition"]),
		})
	}
	if auth := mapOf(e.p["Auth"]); len(auth) > 0 {
		e.addRouteAuth(ed, id, api, path, verb, auth)
	}
	if timeout := e.p["TimeoutInMillis"]; truthy(timeout) {
		ed.setTimeout(path, verb, timeout)
	}
	for _, found := range pathParameter.FindAllStringSubmatch(path, -1) {
		for _, definition := range ed.method(path, verb) {
			addPathParameter(definition, found[1])
		}
	}
	if version := e.p["PayloadFormatVersion"]; truthy(version) {
		for _, definition := range ed.method(path, verb) {
			mapOf(definition[integrationKey])["payloadFormatVersion"] = version
		}
	}
}

var pathParameter = regexp.MustCompile(`\{(.*?)\}`)

func addPathParameter(definition object, name string) {
	list, _ := definition["parameters"].([]any)
	at := slices.IndexFunc(list, func(item any) bool { return mapOf(item)["name"] == name })
	if at < 0 {
		definition["parameters"] = append(slices.Clone(list), object{"name": name, "in": "path", "required": true})
		return
	}
	existing := mapOf(list[at])
	existing["in"], existing["required"] = "path", true
}

// routePermission lets the API call the function. What $default allows already needs no second permission.
func (e *eventMaker) routePermission(ed *editor, path, verb string) {
	path = trimSlash(path)
	if path == "$default" {
		path = ""
	} else if ed != nil && ed.defaultCalls(e.target()) {
		return
	}
	method := strings.ToUpper(verb)
	if verb == "any" || verb == anyMethod {
		method = "*"
	}
	within := "${__ApiId__}/${__Stage__}"
	if starredPath := starred(path, false); verb == "any" && starredPath == "/$default" {
		within += starredPath
	} else {
		within += "/" + method + starredPath
	}
	arn := sub("arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:"+within,
		object{"__ApiId__": e.p["ApiId"], "__Stage__": "*"})
	e.permission(permission{principal: "apigateway.amazonaws.com", arn: arn})
}

var calledFunction = regexp.MustCompile(`([A-Za-z0-9]+)\.Arn`)

// defaultCalls says whether the route $default calls that function.
func (e *editor) defaultCalls(id string) bool {
	if !e.hasIntegration("$default", anyMethod) {
		return false
	}
	for _, definition := range e.method("$default", anyMethod) {
		uri, ok := mapOf(definition[integrationKey])["uri"].(object)
		if !ok {
			return false
		}
		for _, value := range branches(uri) {
			found := calledFunction.FindStringSubmatch(textOf(mapOf(value)["Fn::Sub"]))
			if found == nil || found[1] != id {
				return false
			}
		}
	}
	return true
}
