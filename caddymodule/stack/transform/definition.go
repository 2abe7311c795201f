package transform

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

func (r *restMaker) mediaTypes() {
	if types := r.properties["BinaryMediaTypes"]; truthy(types) && truthy(r.definition) {
		r.edit(r.definition, true).document["x-amazon-apigateway-binary-media-types"] = slashed(copied(types))
	}
}

// slashed replaces ~1, which stands for a slash in media types.
func slashed(value any) any {
	switch v := value.(type) {
	case string:
		return strings.ReplaceAll(v, "~1", "/")
	case []any:
		for i, item := range v {
			v[i] = slashed(item)
		}
	case object:
		result := object{}
		for key, item := range v {
			result[strings.ReplaceAll(key, "~1", "/")] = slashed(item)
		}
		return result
	}
	return value
}

func (r *restMaker) models() {
	models := mapOf(r.properties["Models"])
	if len(models) == 0 {
		return
	}
	if !truthy(r.definition) {
		r.needsInline("Models")
		return
	}
	if !isDefinition(r.definition, true) {
		r.fail("Unable to add Models definitions because 'DefinitionBody' does not contain a valid Swagger definition.")
		return
	}
	e := r.edit(r.definition, true)
	definitions := e.section("definitions")
	for _, name := range sorted(models) {
		model, ok := models[name].(object)
		if !ok {
			r.fail("Invalid value for 'Models' property")
			return
		}
		if !truthy(model["type"]) {
			r.problems.document("'Models' schema is missing 'type'.")
			return
		}
		definitions[strings.ToLower(name)] = model
	}
	r.modernize()
}

var gatewayResponseMembers = []string{"ResponseParameters", "ResponseTemplates", "StatusCode"}

func (r *restMaker) gatewayResponses() {
	responses := mapOf(r.properties["GatewayResponses"])
	if len(responses) == 0 {
		return
	}
	if !truthy(r.definition) {
		r.needsInline("GatewayResponses")
		return
	}
	for _, name := range sorted(responses) {
		if intrinsic(responses[name]) != "" {
			r.fail("Unable to set GatewayResponses attribute because intrinsic functions are not supported for this field.")
			return
		}
		response, ok := responses[name].(object)
		if !ok {
			r.fail("Invalid property type '%s' for GatewayResponses. Expected an object of type 'GatewayResponse'.", pythonType(responses[name]))
			return
		}
		for _, key := range sorted(response) {
			if !slices.Contains(gatewayResponseMembers, key) {
				r.fail("Invalid property '%s' in 'GatewayResponses' property '%s'.", key, name)
				return
			}
		}
	}
	if !isDefinition(r.definition, true) {
		r.fail("Unable to add Auth configuration because 'DefinitionBody' does not contain a valid Swagger definition.")
		return
	}
	all := r.edit(r.definition, true).section("x-amazon-apigateway-gateway-responses")
	for _, name := range sorted(responses) {
		all[name] = r.gatewayResponse(name, mapOf(responses[name]))
	}
}

func pythonType(value any) string {
	switch v := value.(type) {
	case nil:
		return "NoneType"
	case string:
		return "str"
	case bool:
		return "bool"
	case []any:
		return "list"
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return "float"
		}
		return "int"
	}
	return "dict"
}

var statusCode = regexp.MustCompile(`^[0-9]{1,3}$`)

func (r *restMaker) gatewayResponse(name string, response object) object {
	given := object{}
	if truthy(response["ResponseParameters"]) {
		given = r.expectMap(response["ResponseParameters"], r.id, "GatewayResponses."+name+".ResponseParameters")
	}
	prefixes := map[string]string{"Headers": "header.", "Paths": "path.", "QueryStrings": "querystring."}
	parameters := object{}
	for _, place := range sorted(given) {
		prefix, known := prefixes[place]
		if !known {
			r.fail("Invalid gateway response parameter '%s'", place)
			return nil
		}
		values := r.expectMap(given[place], r.id, "ResponseParameters."+place)
		for key, value := range values {
			parameters["gatewayresponse."+prefix+key] = value
		}
	}
	made := object{"responseParameters": parameters, "responseTemplates": object{}}
	if truthy(response["ResponseTemplates"]) {
		made["responseTemplates"] = response["ResponseTemplates"]
	}
	if code := response["StatusCode"]; code != nil {
		text, ok := scalarText(code)
		if !ok {
			text = fmt.Sprint(code)
		}
		if truthy(code) && !statusCode.MatchString(text) {
			r.fail("Property 'StatusCode' must be numeric")
		}
		made["statusCode"] = text
	}
	return made
}

// modernize moves what OpenAPI 3 has at other places than Swagger.
func (r *restMaker) modernize() {
	body := mapOf(r.definition)
	if body == nil || body["swagger"] != nil {
		return
	}
	version := r.properties["OpenApiVersion"]
	if body["openapi"] != nil && version == nil {
		version = body["openapi"]
	}
	if !truthy(version) || !isVersion3(version) {
		return
	}
	for from, to := range map[string]string{"securityDefinitions": "securitySchemes", "definitions": "schemas"} {
		if !truthy(body[from]) {
			continue
		}
		components, ok := body["components"].(object)
		if !ok {
			components = object{}
			body["components"] = components
		}
		components[to] = body[from]
		delete(body, from)
	}
	paths, ok := body["paths"].(object)
	if !ok {
		return
	}
	for _, path := range sorted(paths) {
		item, ok := paths[path].(object)
		if !ok {
			r.problems.document("Value of '%s' path must be a dictionary according to Swagger spec.", path)
			return
		}
		if !truthy(item["options"]) {
			continue
		}
		options, ok := item["options"].(object)
		if !ok {
			r.problems.document("Value of options method for path %s must be a dictionary according to Swagger spec.", path)
			return
		}
		delete(options, "produces")
		delete(options, "consumes")
		responses, ok := options["responses"].(object)
		if !ok && options["responses"] != nil {
			r.problems.document("Invalid responses in options method for path %s: It should be a map.", path)
			return
		}
		given := mapOf(responses["200"])["headers"]
		headers, ok := given.(object)
		if !ok && truthy(given) {
			r.problems.document("Value of response's headers in options method for path %s must be a dictionary according to Swagger spec.", path)
			return
		}
		for name, header := range headers {
			headers[name] = object{"schema": header}
		}
	}
}
