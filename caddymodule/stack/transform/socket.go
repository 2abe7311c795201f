package transform

import (
	"maps"
	"strings"
)

// socketMaker makes the resources of an AWS::Serverless::WebSocketApi. As in SAM, what it makes does not have the
// attributes of the resource (a condition).
type socketMaker struct {
	*translator
	*source
	made []*resource
}

func (m *socketMaker) fail(format string, args ...any) { m.problems.resource(m.id, format, args...) }

func (m *socketMaker) add(id, kind string, properties object) *resource {
	made := &resource{id: id, kind: kind, attributes: object{}, properties: properties}
	m.made = append(m.made, made)
	return made
}

const socketTag = "websocketapi:createdBy"

func (m *socketMaker) make() []*resource {
	p := m.properties
	for _, name := range []string{"Auth", "Domain", "Routes"} {
		if p[name] != nil {
			p[name] = m.resolve(p[name])
		}
	}
	routes := mapOf(p["Routes"])
	if len(routes) == 0 {
		m.fail("WebSocket API must have at least one route.")
		return nil
	}
	if kind := p["IpAddressType"]; kind != nil && intrinsic(kind) == "" && kind != "ipv4" && kind != "dualstack" {
		m.fail("IpAddressType must be 'ipv4' or 'dualstack'.")
	}
	domain := mapOf(p["Domain"])
	if truthy(domain["MutualTlsAuthentication"]) {
		m.fail("Mutual TLS domain name association is not supported for Websocket APIs.")
	}
	auth := mapOf(p["Auth"])
	if _, connects := routes["$connect"]; len(auth) > 0 && !connects {
		m.fail("Authorization is only available if there is a $connect route.")
	}
	all := object{}
	maps.Copy(all, mapOf(p["Tags"]))
	all[socketTag] = "SAM"
	api := m.add(m.id, "AWS::ApiGatewayV2::Api", object{"Name": p["Name"], "Tags": all, "ProtocolType": "WEBSOCKET"})
	if p["Name"] == nil {
		api.properties["Name"] = m.id
	}
	api.dependsOn = m.dependsOn
	copyTo(api.properties, p, "ApiKeySelectionExpression", "Description", "DisableExecuteApiEndpoint",
		"DisableSchemaValidation", "IpAddressType", "RouteSelectionExpression")
	names := []any{}
	for _, key := range sorted(routes) {
		route, ok := routes[key].(object)
		if !ok || !truthy(route["FunctionArn"]) {
			m.fail("Route must have associated function.")
			return nil
		}
		names = append(names, m.route(key, route, auth))
	}
	if p["Domain"] != nil {
		bare := &source{id: m.id, attributes: object{}, shared: object{}}
		m.made = append(m.made, m.domainV2(bare, m.expectMap(p["Domain"], m.id, "Domain"), socketTag)...)
	}
	m.stage(names)
	if isTrue(p["PropagateTags"]) && truthy(p["Tags"]) {
		for _, made := range m.made {
			switch made.kind {
			case "AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Stage", "AWS::ApiGatewayV2::DomainName":
				made.properties["Tags"] = copied(all)
			}
		}
	}
	return m.made
}

func (m *socketMaker) stageName() any {
	if name := m.properties["StageName"]; name != nil {
		return name
	}
	return "default"
}

func (m *socketMaker) stage(routes []any) {
	name := m.stageName()
	id := m.id + textOf(name) + "Stage"
	switch name {
	case "$default":
		m.fail("Stages cannot be named $default for WebSocket APIs.")
	case "default":
		id = m.id + "DefaultStage"
	}
	stage := m.add(id, "AWS::ApiGatewayV2::Stage", object{
		"ApiId": ref(m.id), "StageName": name, "Tags": object{socketTag: "SAM"}, "AutoDeploy": true,
	})
	copyTo(stage.properties, m.properties, "StageVariables", "AccessLogSettings", "DefaultRouteSettings", "RouteSettings")
	if truthy(m.properties["RouteSettings"]) {
		stage.dependsOn = routes
	}
}

// route makes a route, its integration and the permission to call the function. It returns the route's logical id.
func (m *socketMaker) route(key string, route, auth object) string {
	word := key
	switch key {
	case "$connect", "$disconnect", "$default":
		word = key[1:]
	default:
		if !isAlnum(key) {
			m.fail("Route key '%s' must be alphanumeric. Only $connect, $disconnect, and $default special routes are supported.", key)
			return ""
		}
	}
	base := m.id + strings.ToUpper(word[:1]) + strings.ToLower(word[1:])
	function := route["FunctionArn"]
	integration := m.add(base+"Integration", "AWS::ApiGatewayV2::Integration", object{
		"ApiId": ref(m.id), "IntegrationType": "AWS_PROXY", "TimeoutInMillis": route["IntegrationTimeout"],
		"IntegrationUri": sub("arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${FunctionArn}/invocations",
			object{"FunctionArn": function}),
	})
	made := m.add(base+"Route", "AWS::ApiGatewayV2::Route", object{
		"RouteKey": key, "ApiId": ref(m.id), "Target": object{"Fn::Join": []any{"/", []any{"integrations", ref(integration.id)}}},
	})
	copyTo(made.properties, route, "ApiKeyRequired", "ModelSelectionExpression", "OperationName", "RequestModels",
		"RouteResponseSelectionExpression")
	if parameters := route["RequestParameters"]; truthy(parameters) {
		if key != "$connect" {
			m.fail("Request parameters are only supported for the $connect route in WebSocket APIs.")
		}
		made.properties["RequestParameters"] = parameters
	}
	if len(auth) > 0 {
		m.authorize(made, auth)
	}
	const prefix = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:"
	source := prefix + "${" + m.id + ".ApiId}/"
	arn := sub(source+"${__StageName__}/"+key, object{"__StageName__": m.stageName()})
	if name, ok := m.stageName().(string); ok {
		arn = sub(source+name+"/"+key, nil)
	}
	m.add(base+"Permission", "AWS::Lambda::Permission", object{
		"Action": "lambda:InvokeFunction", "FunctionName": function, "Principal": "apigateway.amazonaws.com", "SourceArn": arn,
	})
	return made.id
}

// authorize checks who may connect.
func (m *socketMaker) authorize(route *resource, auth object) {
	kind := strings.ToUpper(textOf(auth["AuthType"]))
	switch {
	case !truthy(auth["AuthType"]):
		m.fail("AuthType must be specified for additional auth configurations.")
	case kind != "NONE" && kind != "AWS_IAM" && kind != "CUSTOM":
		m.fail("AuthType is not one of AWS_IAM, CUSTOM or NONE.")
	case kind == "CUSTOM" && !truthy(auth["AuthArn"]):
		m.fail("AuthArn must be specified if AuthType is CUSTOM.")
	case kind != "CUSTOM" && len(auth) > 1:
		m.fail("No additional configurations supported for AuthType %s.", kind)
	}
	if m.seen[m.id] || route.properties["RouteKey"] != "$connect" {
		return
	}
	route.properties["AuthorizationType"] = kind
	if kind != "CUSTOM" {
		return
	}
	id := m.id + "ConnectAuthorizer"
	authorizer := m.add(id, "AWS::ApiGatewayV2::Authorizer", object{
		"ApiId": ref(m.id), "AuthorizerType": "REQUEST", "Name": id, "IdentitySource": auth["IdentitySource"],
		"AuthorizerCredentialsArn": auth["InvokeRole"],
		"AuthorizerUri": sub("arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${AuthArn}/invocations",
			object{"AuthArn": auth["AuthArn"]}),
	})
	if truthy(auth["Name"]) {
		authorizer.properties["Name"] = auth["Name"]
	}
	route.properties["AuthorizerId"] = ref(id)
	if truthy(auth["InvokeRole"]) {
		return
	}
	m.add(m.id+"AuthorizerPermission", "AWS::Lambda::Permission", object{
		"Action": "lambda:InvokeFunction", "FunctionName": auth["AuthArn"], "Principal": "apigateway.amazonaws.com",
		"SourceArn": sub("arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${__ApiId__}/authorizers/*",
			object{"__ApiId__": ref(m.id)}),
	})
}
