package transform

import (
	"regexp"
	"slices"
	"strings"
)

const (
	anyMethod      = "x-amazon-apigateway-any-method"
	integrationKey = "x-amazon-apigateway-integration"
	policyKey      = "x-amazon-apigateway-policy"
)

var version3 = regexp.MustCompile(`^3(\.\d)(\.\d)?$`)

func isVersion3(version any) bool {
	text, ok := scalarText(version)
	return ok && version3.MatchString(text)
}

// isDefinition says whether value is a definition of an API in Swagger or OpenAPI 3; Swagger is for REST APIs only.
func isDefinition(value any, rest bool) bool {
	document, ok := value.(object)
	if !ok || len(document) == 0 {
		return false
	}
	if _, ok := document["paths"].(object); !ok {
		return false
	}
	if rest && truthy(document["swagger"]) {
		return true
	}
	return truthy(document["openapi"]) && isVersion3(document["openapi"])
}

// editor changes the definition of an API, in place.
type editor struct {
	t        *translator
	rest     bool
	document object
}

// edit returns an editor of the definition; a definition that is none is a problem of the document.
func (t *translator) edit(definition any, rest bool) *editor {
	if isDefinition(definition, rest) {
		e := &editor{t: t, rest: rest, document: definition.(object)}
		if rest {
			for _, path := range sorted(e.paths()) {
				if choice, has := mapOf(e.paths()[path])["Fn::If"]; has {
					if _, ok := choice.([]any); !ok {
						t.problems.document("Value of Fn::If must be a list.")
					}
				}
				for _, item := range branches(e.paths()[path]) {
					e.pathItem(item, path)
				}
			}
		}
		return e
	}
	if rest {
		t.problems.document("Invalid Swagger document or the Swagger document is not explicitly defined in 'DefinitionBody'.")
	} else {
		t.problems.document("Invalid OpenApi document. Invalid values or missing keys for 'openapi' or 'paths' in 'DefinitionBody'.")
	}
	return &editor{t: t, rest: rest, document: skeleton(rest)}
}

func (e *editor) paths() object { return mapOf(e.document["paths"]) }

// section returns the part of the document with that name, and makes it where it is not there.
func (e *editor) section(name string) object {
	if part, ok := e.document[name].(object); ok {
		return part
	}
	if truthy(e.document[name]) {
		e.t.problems.document("%s must be a dictionary.", name)
	}
	part := object{}
	e.document[name] = part
	return part
}

func (e *editor) pathItem(value any, path string) object {
	item, ok := value.(object)
	if !ok {
		e.t.problems.document("Value of '%s' path must be a dictionary according to Swagger spec.", path)
		return object{}
	}
	return item
}

func normalMethod(method string) string {
	method = strings.ToLower(method)
	if method == "any" {
		return anyMethod
	}
	return method
}

func (e *editor) addPath(path, method string) {
	existing, has := e.paths()[path]
	if !has {
		existing = object{}
		e.paths()[path] = existing
	}
	if _, ok := existing.(object); !ok {
		e.t.problems.document("Value of '%s' path must be a dictionary according to Swagger spec.", path)
		return
	}
	method = normalMethod(method)
	for _, item := range branches(existing) {
		if m, ok := item.(object); ok {
			if _, has := m[method]; !has {
				m[method] = object{}
			}
		}
	}
}

// hasIntegration says whether the method of the path has an integration, in each branch of conditions.
func (e *editor) hasIntegration(path, method string) bool {
	value, has := e.paths()[path]
	if !has {
		return false
	}
	method = normalMethod(method)
	for _, item := range branches(value) {
		m, ok := item.(object)
		if !ok {
			return false
		}
		definition, has := m[method].(object)
		if !has {
			return false
		}
		found := false
		for _, branch := range branches(definition) {
			if b, ok := branch.(object); !ok {
				e.t.problems.document("Definition of method '%s' for path '%s' should be a map.", method, path)
			} else if truthy(b[integrationKey]) {
				found = true
			}
		}
		if !found {
			return false
		}
	}
	return true
}

// method is a method of a path, within a condition where there is one.
type method struct {
	name       string
	definition object
}

// excluded are members of a path that are no methods.
var excluded = []string{"summary", "description", "parameters"}

// methods returns the methods of a path that have an integration.
func (e *editor) methods(path string) []method {
	var found []method
	for _, value := range branches(e.paths()[path]) {
		item := e.pathItem(value, path)
		for _, name := range sorted(item) {
			if slices.Contains(excluded, name) && (e.rest || name == "parameters") {
				continue
			}
			if _, has := item[normalMethod(name)]; !has && !e.rest {
				e.t.problems.document("Could not find %s in %s within DefinitionBody.", normalMethod(name), path)
				continue
			}
			for _, branch := range branches(item[name]) {
				definition, ok := branch.(object)
				if !ok {
					e.t.problems.document("Definition of method '%s' for path '%s' should be a map.", name, path)
					continue
				}
				if truthy(definition[integrationKey]) {
					found = append(found, method{normalMethod(name), definition})
				}
			}
		}
	}
	return found
}

// method returns the definitions of one method of a path that have an integration.
func (e *editor) method(path, name string) []object {
	var found []object
	for _, value := range branches(e.paths()[path]) {
		item := e.pathItem(value, path)
		for _, branch := range branches(item[normalMethod(name)]) {
			definition, ok := branch.(object)
			if !ok {
				e.t.problems.document("Definition of method '%s' for path '%s' should be a map.", name, path)
				continue
			}
			if truthy(definition[integrationKey]) {
				found = append(found, definition)
			}
		}
	}
	return found
}

// integration is what an event adds to an API.
type integration struct {
	path, method string
	uri          any
	condition    string
	// credentials are those that the gateway calls the function with; nil for its own.
	credentials any
	stream      bool
}

func (e *editor) addIntegration(in integration) {
	name := normalMethod(in.method)
	e.addPath(in.path, in.method)
	if in.condition != "" {
		in.uri = conditional(in.condition, in.uri)
	}
	for _, value := range branches(e.paths()[in.path]) {
		item := e.pathItem(value, in.path)
		definition, ok := item[name].(object)
		if !ok {
			definition = object{}
			item[name] = definition
		}
		added := object{"type": "aws_proxy", "httpMethod": "POST", "uri": in.uri}
		if in.stream {
			added["responseTransferMode"] = "STREAM"
		}
		if in.credentials != nil {
			added["credentials"] = in.credentials
		}
		if !e.rest {
			added["payloadFormatVersion"] = "2.0"
			if in.path == "$default" && name == anyMethod {
				definition["isDefaultRoute"] = true
			}
		}
		definition[integrationKey] = added
		if _, has := definition["responses"]; !has {
			definition["responses"] = object{}
		}
		if in.condition != "" {
			item[name] = conditional(in.condition, definition)
		}
	}
}

func (e *editor) setTimeout(path, name string, timeout any) {
	for _, definition := range e.method(path, name) {
		mapOf(definition[integrationKey])["timeoutInMillis"] = timeout
	}
}

// security returns the list of security requirements of a method.
func (e *editor) security(definition object, path, name string) []any {
	switch list := definition["security"].(type) {
	case nil:
		return nil
	case []any:
		return list
	}
	e.t.problems.document("Type of security for path %s method %s must be a list", path, name)
	return nil
}

func isIAM(security []any) bool {
	if len(security) == 0 {
		return false
	}
	_, has := mapOf(security[0])["AWS_IAM"]
	return has
}

func (e *editor) addIAM() {
	definitions := e.section("securityDefinitions")
	if _, has := definitions["AWS_IAM"]; !has {
		definitions["AWS_IAM"] = object{
			"x-amazon-apigateway-authtype": "awsSigv4", "type": "apiKey", "name": "Authorization", "in": "header",
		}
	}
}

func (e *editor) addAPIKey() {
	definitions := e.section("securityDefinitions")
	if _, has := definitions["api_key"]; !has {
		definitions["api_key"] = object{"type": "apiKey", "name": "x-api-key", "in": "header"}
	}
}

// setAuthorizer sets the authorizer of one method.
func (e *editor) setAuthorizer(path, name, authorizer string, authorizers object, scopes any) {
	for _, definition := range e.method(path, name) {
		required := object{authorizer: []any{}}
		existing := e.security(definition, path, name)
		if configured, has := authorizers[authorizer]; has && authorizer != "NONE" && (e.rest || authorizer != "AWS_IAM") {
			m, ok := configured.(object)
			if !ok {
				e.t.problems.document("Type of authorizer '%s' must be a dictionary", authorizer)
				return
			}
			wanted := m["AuthorizationScopes"]
			if scopes != nil && (e.rest || truthy(scopes)) {
				wanted = scopes
			}
			if wanted != nil && (e.rest || truthy(wanted)) {
				required[authorizer] = wanted
			}
		}
		security := append(slices.Clone(existing), required)
		definition["security"] = security
		if e.rest && isIAM(security) {
			e.addIAM()
		}
	}
}

// setDefaultAuthorizer sets the authorizer of the methods of a path that name none.
func (e *editor) setDefaultAuthorizer(path, authorizer string, scopes map[string][]any, preflight bool) {
	for _, m := range e.methods(path) {
		if m.name == "options" && !preflight {
			continue
		}
		existing := e.security(m.definition, path, m.name)
		if !e.rest {
			if len(existing) == 0 {
				m.definition["security"] = []any{object{authorizer: scopesOf(scopes, authorizer)}}
			}
			continue
		}
		var others, authorizing []any
		for _, item := range existing {
			requirement, ok := item.(object)
			if !ok {
				e.t.problems.document("%s in Security for path %s method %s is not a valid dictionary.", python(item), path, m.name)
				return
			}
			known := false
			for name := range requirement {
				_, configured := scopes[name]
				known = known || configured || name == "AWS_IAM"
			}
			if known {
				authorizing = append(authorizing, requirement)
			} else {
				others = append(others, requirement)
			}
		}
		none := slices.IndexFunc(others, func(item any) bool { _, has := mapOf(item)["NONE"]; return has })
		if none >= 0 {
			others, authorizing = slices.Delete(others, none, none+1), nil
		} else if len(authorizing) == 0 {
			authorizing = []any{object{authorizer: scopesOf(scopes, authorizer)}}
		}
		if security := append(others, authorizing...); len(security) > 0 {
			m.definition["security"] = security
			if isIAM(security) {
				e.addIAM()
			}
		}
	}
}

func scopesOf(scopes map[string][]any, authorizer string) []any {
	if list := scopes[authorizer]; list != nil {
		return list
	}
	return []any{}
}

// setAPIKey says whether a method needs an API key. What needs none is marked, for setDefaultAPIKey.
func (e *editor) setAPIKey(path, name string, required bool) {
	key := "api_key_false"
	if required {
		key = "api_key"
	}
	for _, definition := range e.method(path, name) {
		if required {
			e.addAPIKey()
		}
		definition["security"] = append(slices.Clone(e.security(definition, path, name)), object{key: []any{}})
	}
}

func (e *editor) setDefaultAPIKey(path string, preflight bool) {
	for _, m := range e.methods(path) {
		existing := e.security(m.definition, path, m.name)
		var others, keys []any
		for _, item := range existing {
			requirement, ok := item.(object)
			if !ok {
				e.t.problems.document("%s in Security for path %s method %s is not a valid dictionary.", python(item), path, m.name)
				return
			}
			_, key := requirement["api_key"]
			_, without := requirement["api_key_false"]
			if key || without {
				keys = append(keys, requirement)
			} else {
				others = append(others, requirement)
			}
		}
		without := slices.ContainsFunc(keys, func(item any) bool { _, has := mapOf(item)["api_key_false"]; return has })
		security := slices.Clone(others)
		if !without && (m.name != "options" || preflight) {
			security = append(security, object{"api_key": []any{}})
		}
		if !same(nonNil(security), nonNil(existing)) {
			m.definition["security"] = nonNil(security)
		}
	}
}

func nonNil(list []any) []any {
	if list == nil {
		return []any{}
	}
	return list
}
