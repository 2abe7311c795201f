package transform

import (
	"regexp"
	"slices"
	"strings"
)

// integrationURI is where an API calls the function.
func (e *eventMaker) integrationURI(partition string, stream bool) object {
	name := "${" + e.target() + "}"
	if e.alias == nil {
		name = "${" + e.id + ".Arn}"
	}
	version, tail := "2015-03-31", "/invocations"
	if stream {
		version, tail = "2021-11-15", "/response-streaming-invocations"
	}
	return sub("arn:"+partition+":apigateway:${AWS::Region}:lambda:path/"+version+"/functions/"+name+tail, nil)
}

func trimSlash(path string) string {
	if len(path) > 1 {
		return strings.TrimSuffix(path, "/")
	}
	return path
}

// restEvent adds a method to a REST API.
func (e *eventMaker) restEvent() {
	id := apiID(e.p["RestApiId"])
	var api object
	suffix := "AllStages"
	if id != "" {
		body, ok := e.resources[id].(object)
		if !ok {
			e.wrong("RestApiId property of Api event must reference a valid resource in the same template.")
			return
		}
		if api, ok = body["Properties"].(object); !ok {
			if body["Properties"] != nil {
				e.problems.resource(id, "Attribute 'Properties' should be a map.")
				return
			}
			api = object{}
		}
		suffix = "Stage"
		if name, ok := api["StageName"].(string); ok {
			if name == "" {
				e.problems.resource(id, "StageName cannot be empty.")
				return
			}
			suffix = name
		}
	}
	path, verb := textOf(e.p["Path"]), strings.ToLower(textOf(e.p["Method"]))
	allowed := strings.ToUpper(verb)
	if verb == "any" {
		allowed = "*"
	}
	arn := sub(e.serviceARN("execute-api", "${__ApiId__}/${__Stage__}/"+allowed+starred(trimSlash(path), true)),
		object{"__ApiId__": e.p["RestApiId"], "__Stage__": "*"})
	e.permission(permission{principal: "apigateway.amazonaws.com", arn: arn, suffix: suffix})

	auth := mapOf(e.p["Auth"])
	if (truthy(api[managed]) || truthy(api["MergeDefinitions"])) && api["DefinitionBody"] != nil {
		e.addRestMethod(id, api, path, verb, suffix, auth)
	}
	if truthy(api["DefinitionBody"]) && truthy(auth["OverrideApiAuth"]) && !e.seen[e.id] {
		if !truthy(auth["Authorizer"]) && !truthy(auth["ApiKeyRequired"]) && !truthy(auth["ResourcePolicy"]) {
			e.wrong("Must define one of: Authorizer, ApiKeyRequired or ResourcePolicy when using the OverrideApiAuth property.")
			return
		}
		e.addRestAuth(e.edit(api["DefinitionBody"], true), id, api, path, verb, suffix, auth)
	}
}

func (e *eventMaker) addRestMethod(id string, api object, path, verb, stage string, auth object) {
	merge := truthy(api["MergeDefinitions"])
	definition := api["DefinitionBody"]
	if merge {
		definition = skeleton(true)
	}
	ed := e.edit(definition, true)
	if ed.hasIntegration(path, verb) {
		e.wrong("API method \"%s\" defined multiple times for path \"%s\".", verb, path)
		return
	}
	apiAuth := object{}
	if truthy(api["Auth"]) {
		apiAuth = e.expectMap(api["Auth"], id, "Auth")
	}
	stream := e.p["ResponseTransferMode"] == "RESPONSE_STREAM"
	ed.addIntegration(integration{
		path: path, method: verb, uri: e.integrationURI(e.in.Partition, stream), condition: textOf(e.shared["Condition"]),
		credentials: e.credentials(auth, apiAuth), stream: stream,
	})
	if len(auth) > 0 {
		e.addRestAuth(ed, id, api, path, verb, stage, auth)
	}
	if timeout := e.p["TimeoutInMillis"]; truthy(timeout) {
		ed.setTimeout(path, verb, timeout)
	}
	e.addModel(ed, api, path, verb)
	e.addParameters(ed, path, verb)
	if merge {
		e.mergeMethod(id, api, ed, path, verb)
	}
}

// credentials are those of the caller, or a role, when IAM authorizes the method.
func (e *eventMaker) credentials(auth, api object) any {
	if auth["Authorizer"] != "AWS_IAM" && (api["DefaultAuthorizer"] != "AWS_IAM" || len(auth) > 0) {
		return nil
	}
	for _, of := range []object{auth, api} {
		role, has := of["InvokeRole"]
		switch {
		case !has:
		case !truthy(role), role == "NONE":
			return nil
		case role != "CALLER_CREDENTIALS":
			return role
		default:
			return "arn:" + e.in.Partition + ":iam::*:user/*"
		}
	}
	return "arn:" + e.in.Partition + ":iam::*:user/*"
}

// mergeMethod puts what the event says about a method over what the definition says.
func (e *eventMaker) mergeMethod(id string, api object, ed *editor, path, verb string) {
	definition := mapOf(api["DefinitionBody"])
	paths, ok := definition["paths"].(object)
	if !ok {
		paths = object{}
	}
	own := object{}
	if item, has := paths[path]; has && item != nil {
		m, ok := item.(object)
		if !ok {
			e.problems.resource(id, "Property 'DefinitionBody' is invalid: The value of '%s' should be a map", path)
			return
		}
		if truthy(m[verb]) {
			own = e.expectMap(m[verb], id, "DefinitionBody.paths."+path+"."+verb)
		}
	}
	merged := object{}
	for key, value := range own {
		merged[key] = value
	}
	for key, value := range mapOf(mapOf(ed.paths()[path])[normalMethod(verb)]) {
		merged[key] = value
	}
	if mapOf(paths[path]) == nil {
		paths[path] = object{}
	}
	mapOf(paths[path])[verb] = merged
}

// checkAuthorizer checks that the API defines the authorizer of a method.
func (e *eventMaker) checkAuthorizer(named, authorizers any, path, verb string) {
	if named == "NONE" {
		return
	}
	_, isText := named.(string)
	if _, ok := authorizers.(object); !ok || !isText {
		e.wrong("Unable to set Authorizer [%s] on API method [%s] for path [%s]. The method authorizer must be a string with a corresponding dict entry in the api authorizer.", shown(named), verb, path)
	}
}

func (e *eventMaker) addRestAuth(ed *editor, id string, api object, path, verb, stage string, auth object) {
	named := auth["Authorizer"]
	apiAuth := mapOf(e.resolve(api["Auth"]))
	authorizers := apiAuth["Authorizers"]
	where := "API method [" + verb + "] for path [" + path + "]"
	if truthy(named) {
		if truthy(authorizers) {
			e.expectMap(authorizers, id, "Auth.Authorizers")
		}
		switch {
		case named == "AWS_IAM":
		case named == "NONE":
			if !truthy(apiAuth["DefaultAuthorizer"]) {
				e.wrong("Unable to set Authorizer on %s because 'NONE' is only a valid value when a DefaultAuthorizer on the API is specified.", where)
			}
		case !truthy(authorizers):
			e.wrong("Unable to set Authorizer [%s] on %s because the related API does not define any Authorizers.", shown(named), where)
		default:
			e.checkAuthorizer(named, authorizers, path, verb)
			if !truthy(mapOf(authorizers)[textOf(named)]) {
				e.wrong("Unable to set Authorizer [%s] on %s because it wasn't defined in the API's Authorizers.", shown(named), where)
			}
		}
	}
	if scopes := auth["AuthorizationScopes"]; truthy(scopes) {
		if _, ok := scopes.([]any); !ok {
			e.wrong("Property 'Auth.AuthorizationScopes' should be a list.")
		} else if !truthy(named) {
			e.wrong("AuthorizationScopes works only when Authorizer is set")
		}
	}
	key := auth["ApiKeyRequired"]
	if key != nil && !truthy(key) && !truthy(apiAuth["ApiKeyRequired"]) {
		e.wrong("Unable to set ApiKeyRequired [False] on %s because the related API does not specify any ApiKeyRequired.", where)
	}
	if e.seen[e.id] {
		return
	}
	if name, ok := named.(string); ok && name != "" {
		ed.setAuthorizer(path, verb, name, mapOf(mapOf(api["Auth"])["Authorizers"]), auth["AuthorizationScopes"])
	}
	if key != nil {
		ed.setAPIKey(path, verb, truthy(key))
	}
	if policy := auth["ResourcePolicy"]; truthy(policy) {
		m, ok := policy.(object)
		if !ok {
			e.problems.resource(e.event, "Property 'Auth.ResourcePolicy' should be a map.")
			return
		}
		ed.addResourcePolicy(m, path, stage)
		if custom := m["CustomStatements"]; truthy(custom) {
			ed.addStatements(custom)
		}
	}
}

// addModel says what the body of requests must be.
func (e *eventMaker) addModel(ed *editor, api object, path, verb string) {
	model, ok := e.p["RequestModel"].(object)
	if !ok || !truthy(model["Model"]) {
		return
	}
	unable := func(because string) {
		e.wrong("Unable to set RequestModel [%s] on API method [%s] for path [%s] because %s", shown(model["Model"]), verb, path, because)
	}
	models := api["Models"]
	name, isText := model["Model"].(string)
	switch m, isMap := models.(object); {
	case !truthy(models):
		unable("the related API does not define any Models.")
	case !isMap:
		unable("the related API Models defined is of invalid type.")
	case !isText:
		unable("the related API does not contain valid Models.")
	case !truthy(m[name]):
		unable("it wasn't defined in the API's Models.")
	}
	name = strings.ToLower(name)
	for _, definition := range ed.method(path, verb) {
		if ed.document["swagger"] != nil {
			parameter := object{"in": "body", "name": name, "schema": object{"$ref": "#/definitions/" + name}}
			copyAs(parameter, "required", model["Required"])
			list, _ := definition["parameters"].([]any)
			definition["parameters"] = append(slices.Clone(list), parameter)
		} else {
			body := object{"content": object{"application/json": object{"schema": object{"$ref": "#/components/schemas/" + name}}}}
			copyAs(body, "required", model["Required"])
			definition["requestBody"] = body
		}
	}
	body, parameters := model["ValidateBody"], model["ValidateParameters"]
	if body == nil && parameters == nil {
		return
	}
	checked, ok1 := body.(bool)
	checkedToo, ok2 := parameters.(bool)
	if body != nil && !ok1 || parameters != nil && !ok2 {
		e.wrong("Unable to set Validator to RequestModel [%s] on API method [%s] for path [%s] ValidateBody and ValidateParameters must be a boolean type, strings or intrinsics are not supported.", shown(model["Model"]), verb, path)
		return
	}
	validator := "no-validation"
	switch {
	case checked && checkedToo:
		validator = "body-and-params"
	case checked:
		validator = "body-only"
	case checkedToo:
		validator = "params-only"
	}
	all := ed.section("x-amazon-apigateway-request-validators")
	if !truthy(all[validator]) {
		all[validator] = object{"validateRequestBody": checked, "validateRequestParameters": checkedToo}
	}
	for _, definition := range ed.method(path, verb) {
		definition["x-amazon-apigateway-request-validator"] = validator
	}
}

func copyAs(to object, name string, value any) {
	if value != nil {
		to[name] = value
	}
}

var requestParameter = regexp.MustCompile(`^method\.request\.(querystring|path|header)\.`)

func (e *eventMaker) addParameters(ed *editor, path, verb string) {
	list, _ := e.p["RequestParameters"].([]any)
	const invalid = "Invalid value for 'RequestParameters' property. "
	for _, item := range list {
		name, required, caching := "", any(false), any(false)
		switch v := item.(type) {
		case string:
			name = v
		case object:
			for _, key := range sorted(v) {
				name = key
			}
			settings, ok := v[name].(object)
			for key := range settings {
				ok = ok && (key == "Required" || key == "Caching")
			}
			if requestParameter.MatchString(name) && !ok {
				e.wrong(invalid + "Values must be an object, e.g { Required: true, Caching: false }")
				return
			}
			if value, has := settings["Required"]; has {
				required = value
			}
			if value, has := settings["Caching"]; has {
				caching = value
			}
		default:
			e.wrong(invalid + "Property must be either a string or an object")
			return
		}
		if !requestParameter.MatchString(name) {
			e.wrong(invalid + "Keys must be in the format 'method.request.[querystring|path|header].{value}', e.g 'method.request.header.Authorization'.")
			return
		}
		place, short, _ := strings.Cut(strings.TrimPrefix(name, "method.request."), ".")
		if place == "querystring" {
			place = "query"
		}
		for _, definition := range ed.method(path, verb) {
			existing, _ := definition["parameters"].([]any)
			definition["parameters"] = append(slices.Clone(existing), object{
				"in": place, "name": short, "required": required, "type": "string",
			})
			if truthy(caching) {
				target := mapOf(definition[integrationKey])
				keys, _ := target["cacheKeyParameters"].([]any)
				target["cacheKeyParameters"] = append(slices.Clone(keys), name)
			}
		}
	}
}
