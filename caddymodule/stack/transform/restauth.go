package transform

import (
	"slices"
	"strconv"
)

// expectList returns value as a list; when it is none, that is a problem of the resource.
func (t *translator) expectList(value any, id, path string) []any {
	list, ok := value.([]any)
	if !ok {
		t.problems.resource(id, "Property '%s' should be a list.", path)
	}
	return list
}

var authMembers = []string{
	"Authorizers", "DefaultAuthorizer", "InvokeRole", "AddDefaultAuthorizerToCorsPreflight",
	"AddApiKeyRequiredToCorsPreflight", "ApiKeyRequired", "ResourcePolicy", "UsagePlan",
}

// auth adds the authorizers, the API key and the resource policy of the property Auth.
func (r *restMaker) auth() {
	auth := mapOf(r.properties["Auth"])
	if len(auth) == 0 {
		return
	}
	if !truthy(r.definition) {
		r.needsInline("Auth")
		return
	}
	for name := range auth {
		if !slices.Contains(authMembers, name) {
			r.fail("Invalid value for 'Auth' property")
			return
		}
	}
	if !isDefinition(r.definition, true) {
		r.fail("Unable to add Auth configuration because 'DefinitionBody' does not contain a valid Swagger definition.")
		return
	}
	e := r.edit(r.definition, true)
	authorizers := r.authorizers(auth)
	if r.failed() {
		return
	}
	standard := auth["DefaultAuthorizer"]
	if len(authorizers) > 0 || standard == "AWS_IAM" {
		definitions := e.section("securityDefinitions")
		scopes := map[string][]any{}
		if standard == "AWS_IAM" {
			definitions["AWS_IAM"] = r.swagger("AWS_IAM", nil)
			scopes["AWS_IAM"] = nil
		}
		for _, name := range sorted(authorizers) {
			definitions[name] = r.swagger(name, authorizers[name])
			scopes[name], _ = authorizers[name]["AuthorizationScopes"].([]any)
		}
		r.setDefault(e, standard, scopes, auth)
	}
	if truthy(auth["ApiKeyRequired"]) {
		e.addAPIKey()
		for _, path := range sorted(e.paths()) {
			e.setDefaultAPIKey(path, auth["AddApiKeyRequiredToCorsPreflight"] == nil || truthy(auth["AddApiKeyRequiredToCorsPreflight"]))
		}
	}
	if policy := auth["ResourcePolicy"]; truthy(policy) {
		m, ok := policy.(object)
		if !ok {
			r.problems.document("ResourcePolicy must be a map (ResourcePolicyStatement).")
			return
		}
		for _, path := range sorted(e.paths()) {
			e.addResourcePolicy(m, path, r.properties["StageName"])
		}
		if custom := m["CustomStatements"]; truthy(custom) {
			e.addStatements(custom)
		}
	}
	r.modernize()
}

func (r *restMaker) setDefault(e *editor, standard any, scopes map[string][]any, auth object) {
	if !truthy(standard) {
		return
	}
	name, ok := standard.(string)
	if !ok {
		r.fail("DefaultAuthorizer is not a string.")
		return
	}
	if _, defined := scopes[name]; !defined {
		r.fail("Unable to set DefaultAuthorizer because '%s' was not defined in 'Authorizers'.", name)
		return
	}
	preflight := auth["AddDefaultAuthorizerToCorsPreflight"]
	for _, path := range sorted(e.paths()) {
		e.setDefaultAuthorizer(path, name, scopes, preflight == nil || truthy(preflight))
	}
}

// authorizers returns the authorizers that Auth defines, checked.
func (r *restMaker) authorizers(auth object) map[string]object {
	if !truthy(auth["Authorizers"]) {
		return nil
	}
	all := map[string]object{}
	given := r.expectMap(auth["Authorizers"], r.id, "Auth.Authorizers")
	for _, name := range sorted(given) {
		authorizer := r.expectMap(given[name], r.id, "Auth.Authorizers."+name)
		all[name] = authorizer
		kind := authorizer["FunctionPayloadType"]
		if kind != nil && kind != "TOKEN" && kind != "REQUEST" {
			r.fail("%s Authorizer has invalid 'FunctionPayloadType': %v.", name, kind)
		}
		if kind == "REQUEST" && r.lacksIdentity(name, authorizer["Identity"]) {
			r.fail("%s Authorizer must specify Identity with at least one of Headers, QueryStrings, StageVariables, or Context.", name)
		}
		if scopes := authorizer["AuthorizationScopes"]; scopes != nil {
			r.expectList(scopes, r.id, "Authorizers."+name+".AuthorizationScopes")
		}
		if disabled := authorizer["DisableFunctionDefaultPermissions"]; disabled != nil {
			if _, ok := disabled.(bool); !ok {
				r.fail("Property 'Authorizers.%s.DisableFunctionDefaultPermissions' should be a boolean.", name)
			}
		}
		if identity := authorizer["Identity"]; truthy(identity) && mapOf(identity) == nil {
			r.fail("Auth.Authorizers.<Authorizer>.Identity must be a dict (LambdaTokenAuthorizationIdentity, LambdaRequestAuthorizationIdentity or CognitoAuthorizationIdentity).")
		}
	}
	return all
}

// lacksIdentity says that nothing tells what answers may be kept for.
func (r *restMaker) lacksIdentity(name string, value any) bool {
	if !truthy(value) {
		return true
	}
	identity := r.expectMap(value, r.id, "Authorizer."+name+".Identity")
	missing := true
	for _, place := range []string{"Headers", "QueryStrings", "StageVariables", "Context"} {
		missing = missing && !truthy(identity[place])
	}
	if text, ok := scalarText(identity["ReauthorizeEvery"]); ok {
		if seconds, err := strconv.Atoi(text); err == nil {
			return seconds > 0 && missing
		}
	}
	return missing
}

// authorizerURI is where an API calls an authorizer.
func (t *translator) authorizerURI(function any) object {
	return sub("arn:"+t.in.Partition+":apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${__FunctionArn__}/invocations",
		object{"__FunctionArn__": function})
}

// swagger is the definition of an authorizer.
func (r *restMaker) swagger(name string, authorizer object) object {
	made := object{"type": "apiKey", "name": "Authorization", "in": "header"}
	if authorizer == nil {
		made["x-amazon-apigateway-authtype"] = "awsSigv4"
		return made
	}
	identity := mapOf(authorizer["Identity"])
	if truthy(identity["Header"]) {
		made["name"] = identity["Header"]
	}
	details := object{}
	made["x-amazon-apigateway-authorizer"] = details
	expression := identity["ValidationExpression"]
	if pool := authorizer["UserPoolArn"]; truthy(pool) {
		made["x-amazon-apigateway-authtype"] = "cognito_user_pools"
		details["type"] = "cognito_user_pools"
		if _, ok := pool.([]any); !ok {
			pool = []any{pool}
		}
		details["providerARNs"] = pool
	} else {
		made["x-amazon-apigateway-authtype"] = "custom"
		details["authorizerUri"] = r.authorizerURI(authorizer["FunctionArn"])
		details["type"] = "token"
		copyAs(details, "authorizerResultTtlInSeconds", identity["ReauthorizeEvery"])
		if role := authorizer["FunctionInvokeRole"]; truthy(role) && role != "NONE" {
			details["authorizerCredentials"] = role
		}
		if authorizer["FunctionPayloadType"] == "REQUEST" {
			details["type"], made["name"], expression = "request", "Unused", nil
			if source := r.identitySource(name, identity); source != "" {
				details["identitySource"] = source
			}
		}
	}
	if truthy(expression) {
		details["identityValidationExpression"] = expression
	}
	return made
}

func (r *restMaker) identitySource(name string, identity object) string {
	source := ""
	for _, place := range []struct{ name, prefix string }{
		{"Headers", "method.request.header."}, {"QueryStrings", "method.request.querystring."},
		{"StageVariables", "stageVariables."}, {"Context", "context."},
	} {
		if !truthy(identity[place.name]) {
			continue
		}
		path := "Auth.Authorizers." + name + ".Identity." + place.name
		for i, item := range r.expectList(identity[place.name], r.id, path) {
			text, ok := item.(string)
			if !ok {
				r.fail("Property '%s[%d]' should be a string.", path, i)
			}
			if source != "" {
				source += ", "
			}
			source += place.prefix + text
		}
	}
	return source
}

// authorizerPermissions let the API call the functions of authorizers.
func (r *restMaker) authorizerPermissions(auth object) {
	authorizers := r.authorizers(auth)
	for _, name := range sorted(authorizers) {
		authorizer := authorizers[name]
		if !truthy(authorizer["FunctionArn"]) || truthy(authorizer["DisableFunctionDefaultPermissions"]) {
			continue
		}
		made := r.add(r.source.make(r.id+name+"AuthorizerPermission", "AWS::Lambda::Permission"))
		made.properties = object{
			"Action": "lambda:InvokeFunction", "FunctionName": authorizer["FunctionArn"], "Principal": "apigateway.amazonaws.com",
			"SourceArn": sub(r.serviceARN("execute-api", "${__ApiId__}/authorizers/*"), object{"__ApiId__": ref(r.id)}),
		}
	}
}
