package transform

import (
	"fmt"
	"slices"
	"strings"
)

// needsInline says that a property works only with a definition in the template.
func (r *restMaker) needsInline(property string) {
	r.fail("%s works only with inline Swagger specified in 'DefinitionBody' property.", property)
}

func (r *restMaker) cors() {
	config := r.properties["Cors"]
	if !truthy(config) {
		return
	}
	if !truthy(r.definition) {
		r.needsInline("Cors")
		return
	}
	settings := object{}
	if m, ok := config.(object); ok && intrinsic(config) == "" {
		for _, name := range sorted(m) {
			if !slices.Contains([]string{"AllowMethods", "AllowHeaders", "AllowOrigin", "MaxAge", "AllowCredentials"}, name) {
				r.fail("Invalid key '%s' for 'Cors' property.", name)
				return
			}
			settings[name] = m[name]
		}
	} else if _, ok := config.(string); ok || intrinsic(config) != "" {
		settings["AllowOrigin"] = config
	} else {
		r.fail("Invalid value for 'Cors' property")
		return
	}
	if !isDefinition(r.definition, true) {
		r.fail("Unable to add Cors configuration because 'DefinitionBody' does not contain a valid Swagger definition.")
		return
	}
	if _, has := settings["AllowOrigin"]; !has {
		settings["AllowOrigin"] = "'*'"
	}
	if isTrue(settings["AllowCredentials"]) && settings["AllowOrigin"] == "'*'" {
		r.fail("Unable to add Cors configuration because 'AllowCredentials' can not be true when 'AllowOrigin' is \"'*'\" or not set")
		return
	}
	if !truthy(settings["AllowOrigin"]) {
		r.problems.document("Invalid input. Value for AllowedOrigins is required")
		return
	}
	e := r.edit(r.definition, true)
	done := map[string]bool{}
	for _, path := range sorted(e.paths()) {
		normal := strings.TrimRight(path, "/")
		if path == "/" {
			normal = path
		}
		if !done[normal] {
			done[normal] = true
			e.addCors(path, settings)
		}
	}
}

// addCors adds the method OPTIONS to a path.
func (e *editor) addCors(path string, settings object) {
	methods := settings["AllowMethods"]
	for _, value := range branches(e.paths()[path]) {
		item := e.pathItem(value, path)
		if _, has := item["options"]; has {
			continue
		}
		if !truthy(methods) {
			methods = "'" + allowedMethods(item) + "'"
		}
		item["options"] = corsMethod(settings, methods)
	}
}

func allowedMethods(item object) string {
	names := []string{"OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"}
	if _, all := item[anyMethod]; !all {
		names = []string{"OPTIONS"}
		for name := range item {
			names = append(names, strings.ToUpper(name))
		}
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ",")
}

func corsMethod(settings object, methods any) object {
	parameters, headers := object{}, object{}
	set := func(header, kind string, value any) {
		parameters["method.response.header.Access-Control-"+header] = value
		headers["Access-Control-"+header] = object{"type": kind}
	}
	set("Allow-Origin", "string", settings["AllowOrigin"])
	if truthy(settings["AllowHeaders"]) {
		set("Allow-Headers", "string", settings["AllowHeaders"])
	}
	set("Allow-Methods", "string", methods)
	if settings["MaxAge"] != nil {
		set("Max-Age", "integer", settings["MaxAge"])
	}
	if isTrue(settings["AllowCredentials"]) {
		set("Allow-Credentials", "string", "'true'")
	}
	return object{
		"summary":  "CORS support",
		"consumes": []any{"application/json"},
		"produces": []any{"application/json"},
		integrationKey: object{
			"type":             "mock",
			"requestTemplates": object{"application/json": "{\n  \"statusCode\" : 200\n}\n"},
			"responses": object{"default": object{
				"statusCode": "200", "responseParameters": parameters,
				"responseTemplates": object{"application/json": "{}\n"},
			}},
		},
		"responses": object{"200": object{"description": "Default response for CORS method", "headers": headers}},
	}
}

func (r *restMaker) disableEndpoint(disabled any) {
	if !truthy(r.definition) {
		r.fail("DisableExecuteApiEndpoint works only within 'DefinitionBody' property.")
		return
	}
	e := r.edit(r.definition, true)
	const key = "x-amazon-apigateway-endpoint-configuration"
	set := func(into object, where string) {
		config, ok := into[key].(object)
		if !ok {
			if truthy(into[key]) {
				r.problems.document("Invalid OpenAPI definition%s: The value of '%s' should be a map.", where, key)
				return
			}
			config = object{}
			into[key] = config
		}
		config["disableExecuteApiEndpoint"] = disabled
	}
	if isVersion3(e.document["openapi"]) {
		e.servers(set)
	} else {
		set(e.document, "")
	}
}

// servers calls set for each server of the definition, with where it stands.
func (e *editor) servers(set func(server object, where string)) {
	list, ok := e.document["servers"].([]any)
	if !ok {
		list = []any{object{}}
	}
	for i, item := range list {
		where := fmt.Sprintf(" of 'servers[%d]'", i)
		server, ok := item.(object)
		if !ok {
			e.t.problems.document("Invalid OpenAPI definition%s: It should be a map.", where)
			return
		}
		set(server, where)
	}
	e.document["servers"] = list
}
