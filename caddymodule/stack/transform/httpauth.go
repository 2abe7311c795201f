package transform

import (
	"slices"
	"strings"
)

func (e *eventMaker) addRouteAuth(ed *editor, id string, api object, path, verb string, auth object) {
	apiAuth := object{}
	if api["Auth"] != nil {
		apiAuth = e.expectMap(api["Auth"], id, "Auth")
	}
	named := auth["Authorizer"]
	if !truthy(named) {
		if !truthy(apiAuth["DefaultAuthorizer"]) {
			e.wrong("'Auth' section requires either an explicit 'Authorizer' set or a 'DefaultAuthorizer' configured on the HttpApi.")
			return
		}
		named = apiAuth["DefaultAuthorizer"]
		auth["Authorizer"] = named
	}
	authorizers := apiAuth["Authorizers"]
	iam := isTrue(apiAuth["EnableIamAuthorizer"])
	where := "API method [" + verb + "] for path [" + path + "]"
	if named != "AWS_IAM" || !iam {
		e.checkAuthorizer(named, authorizers, path, verb)
		switch {
		case named == "NONE":
			if !truthy(apiAuth["DefaultAuthorizer"]) {
				e.wrong("Unable to set Authorizer on %s because 'NONE' is only a valid value when a DefaultAuthorizer on the API is specified.", where)
			}
		case !truthy(authorizers):
			e.wrong("Unable to set Authorizer [%s] on %s because the related API does not define any Authorizers.", shown(named), where)
		case !truthy(mapOf(authorizers)[textOf(named)]):
			e.wrong("Unable to set Authorizer [%s] on %s because it wasn't defined in the API's Authorizers.", shown(named), where)
		}
	}
	if scopes := auth["AuthorizationScopes"]; truthy(scopes) {
		if _, ok := scopes.([]any); !ok {
			e.wrong("Unable to set Authorizer on %s because 'AuthorizationScopes' must be a list of strings.", where)
		}
	}
	if e.seen[e.id] {
		return
	}
	ed.setAuthorizer(path, verb, textOf(named), mapOf(authorizers), auth["AuthorizationScopes"])
}

// auth adds the authorizers of the property Auth to the definition.
func (h *httpMaker) auth() {
	auth := mapOf(h.properties["Auth"])
	if len(auth) == 0 {
		return
	}
	if len(h.definition) == 0 {
		h.fail("Auth works only with inline OpenApi specified in the 'DefinitionBody' property.")
		return
	}
	for name := range auth {
		if !slices.Contains([]string{"Authorizers", "DefaultAuthorizer", "EnableIamAuthorizer"}, name) {
			h.fail("Invalid value for 'Auth' property")
			return
		}
	}
	if !isDefinition(h.definition, false) {
		h.fail("Unable to add Auth configuration because 'DefinitionBody' does not contain a valid OpenApi definition.")
		return
	}
	e := h.edit(h.definition, false)
	authorizers := h.authorizers(auth)
	schemes := object{}
	scopes := map[string][]any{}
	components, _ := h.definition["components"].(object)
	if existing, ok := components["securitySchemes"].(object); ok {
		schemes = existing
	}
	if isTrue(auth["EnableIamAuthorizer"]) {
		schemes["AWS_IAM"] = object{
			"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4",
		}
		scopes["AWS_IAM"] = nil
	}
	for _, name := range sorted(authorizers) {
		schemes[name] = h.scheme(name, authorizers[name])
		scopes[name], _ = authorizers[name]["AuthorizationScopes"].([]any)
	}
	if len(schemes) > 0 {
		if components == nil {
			components = object{}
			h.definition["components"] = components
		}
		components["securitySchemes"] = schemes
	}
	standard := auth["DefaultAuthorizer"]
	if !truthy(standard) || isNoValue(standard) || h.failed() {
		return
	}
	name, ok := standard.(string)
	if !ok {
		h.fail("Property 'Auth.DefaultAuthorizer' should be a string.")
		return
	}
	if _, defined := scopes[name]; !defined {
		h.fail("Unable to set DefaultAuthorizer because '%s' was not defined in 'Authorizers'.", name)
		return
	}
	for _, path := range sorted(e.paths()) {
		e.setDefaultAuthorizer(path, name, scopes, false)
	}
}

func (h *httpMaker) authorizers(auth object) map[string]object {
	if !truthy(auth["Authorizers"]) {
		return nil
	}
	all := map[string]object{}
	given := h.expectMap(auth["Authorizers"], h.id, "Auth.Authorizers")
	for _, name := range sorted(given) {
		authorizer := h.expectMap(given[name], h.id, "Auth.Authorizers."+name)
		all[name] = authorizer
		h.checkAuthorizer(name, authorizer)
	}
	return all
}

// authorizerMembers are the properties of authorizers, and which kind has them.
var authorizerMembers = []struct{ name, jwt, of string }{
	{"AuthorizationScopes", "jwt", "OAuth2 Authorizer"}, {"JwtConfiguration", "jwt", "OAuth2 Authorizer"},
	{"IdentitySource", "jwt", "OAuth2 Authorizer. For Lambda Authorizer, use the 'Identity' property instead"},
	{"FunctionArn", "", "Lambda Authorizer"}, {"FunctionInvokeRole", "", "Lambda Authorizer"},
	{"Identity", "", "Lambda Authorizer"}, {"AuthorizerPayloadFormatVersion", "", "Lambda Authorizer"},
	{"EnableSimpleResponses", "", "Lambda Authorizer"}, {"EnableFunctionDefaultPermissions", "", "Lambda Authorizer"},
}

func (h *httpMaker) checkAuthorizer(name string, authorizer object) {
	if _, has := authorizer["OpenIdConnectUrl"]; has {
		h.fail("'OpenIdConnectUrl' is no longer a supported property for authorizer '%s'. Please refer to the AWS SAM documentation.", name)
	}
	jwt := truthy(authorizer["JwtConfiguration"])
	if jwt {
		h.expectMap(authorizer["JwtConfiguration"], h.id, "JwtConfiguration")
	}
	if scopes := authorizer["AuthorizationScopes"]; scopes != nil {
		if _, ok := scopes.([]any); !ok {
			h.fail("AuthorizationScopes must be a list.")
		}
	}
	for _, member := range authorizerMembers {
		if authorizer[member.name] != nil && jwt != (member.jwt != "") && (member.name != "JwtConfiguration" || jwt) {
			h.fail("%s is only supported for %s.", member.name, member.of)
		}
	}
	switch {
	case jwt && !truthy(authorizer["IdentitySource"]):
		h.fail("%s OAuth2 Authorizer must define 'IdentitySource'.", name)
	case jwt:
	case !truthy(authorizer["FunctionArn"]):
		h.fail("%s Lambda Authorizer must define 'FunctionArn'.", name)
	case !truthy(authorizer["AuthorizerPayloadFormatVersion"]):
		h.fail("%s Lambda Authorizer must define 'AuthorizerPayloadFormatVersion'.", name)
	}
	if enabled := authorizer["EnableFunctionDefaultPermissions"]; enabled != nil {
		if _, ok := enabled.(bool); !ok {
			h.fail("Property 'Authorizers.%s.EnableFunctionDefaultPermissions' should be a boolean.", name)
		}
	}
}

// scheme is the definition of an authorizer.
func (h *httpMaker) scheme(name string, authorizer object) object {
	const key = "x-amazon-apigateway-authorizer"
	if config := mapOf(authorizer["JwtConfiguration"]); len(config) > 0 {
		made := object{}
		for member, value := range config {
			made[strings.ToLower(member)] = value
		}
		return object{"type": "oauth2", key: object{
			"jwtConfiguration": made, "identitySource": authorizer["IdentitySource"], "type": "jwt",
		}}
	}
	details := object{
		"type": "request", "authorizerUri": h.authorizerURI(authorizer["FunctionArn"]),
		"authorizerPayloadFormatVersion": authorizer["AuthorizerPayloadFormatVersion"],
	}
	if role := authorizer["FunctionInvokeRole"]; truthy(role) && role != "NONE" {
		details["authorizerCredentials"] = role
	}
	if truthy(authorizer["Identity"]) {
		identity := h.expectMap(authorizer["Identity"], h.id, "Auth.Authorizers."+name+".Identity")
		copyAs(details, "authorizerResultTtlInSeconds", identity["ReauthorizeEvery"])
		source := []any{}
		for _, place := range []struct{ prefix, name string }{
			{"$request.header.", "Headers"}, {"$request.querystring.", "QueryStrings"},
			{"$stageVariables.", "StageVariables"}, {"$context.", "Context"},
		} {
			if !truthy(identity[place.name]) {
				continue
			}
			path := "Authorizers." + name + ".Identity." + place.name
			for i, item := range h.expectList(identity[place.name], h.id, path) {
				text, ok := item.(string)
				if !ok {
					h.fail("Property '%s[%d]' should be a string.", path, i)
				}
				source = append(source, place.prefix+text)
			}
		}
		details["identitySource"] = source
	}
	if truthy(authorizer["EnableSimpleResponses"]) {
		details["enableSimpleResponses"] = authorizer["EnableSimpleResponses"]
	}
	return object{"type": "apiKey", "name": "Unused", "in": "header", key: details}
}

// authorizerPermissions let the API call the functions of authorizers that ask for it.
func (h *httpMaker) authorizerPermissions() {
	authorizers := h.authorizers(mapOf(h.properties["Auth"]))
	for _, name := range sorted(authorizers) {
		authorizer := authorizers[name]
		if !truthy(authorizer["FunctionArn"]) || !truthy(authorizer["EnableFunctionDefaultPermissions"]) {
			continue
		}
		made := h.add(h.source.make(h.id+name+"AuthorizerPermission", "AWS::Lambda::Permission"))
		made.properties = object{
			"Action": "lambda:InvokeFunction", "FunctionName": authorizer["FunctionArn"], "Principal": "apigateway.amazonaws.com",
			"SourceArn": sub("arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${__ApiId__}/authorizers/*",
				object{"__ApiId__": ref(h.id)}),
		}
	}
}
