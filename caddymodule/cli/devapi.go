package cli

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/openapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv1"
)

// A devAPI is an API of a template.
type devAPI struct {
	id       string // its logical ID
	protocol gateway.Protocol
	routes   []devRoute
	cors     object
	binary   []string
	stage    string
	variable map[string]string
}

// A devRoute is a route of an API. function is "" if the gateway itself answers.
type devRoute struct {
	key, function string
	options       object
}

func (a *devAPI) takes(function string) bool {
	return slices.ContainsFunc(a.routes, func(r devRoute) bool { return r.function == function })
}

// catchesAll says that a route of the API takes every path.
func (a *devAPI) catchesAll() bool {
	return slices.ContainsFunc(a.routes, func(r devRoute) bool {
		return r.key == "$default" || greedyRoot.MatchString(r.key)
	})
}

// order is the API's place among others: those that catch all are last, HTTP APIs behind REST APIs.
func (a *devAPI) order() (order int) {
	if a.catchesAll() {
		order = 2
	}
	if a.protocol != gateway.REST {
		order++
	}
	return order
}

var (
	greedyRoot    = regexp.MustCompile(`^\S+ /\{[^/}]+\+\}$`)
	pathParameter = regexp.MustCompile(`\\\{[^/}]+\\\}`)
	pathGreedy    = regexp.MustCompile(`\\\{[^/}]+\\\+\\\}`)
)

// pattern is a regular expression of the paths that a route takes.
func (r devRoute) pattern() string {
	_, path, found := strings.Cut(r.key, " ")
	if !found {
		return ".*"
	}
	path = pathGreedy.ReplaceAllString(regexp.QuoteMeta(path), ".+")
	return pathParameter.ReplaceAllString(path, "[^/]+")
}

// example is a path that a route of an API takes, for a person to try.
func (p *devProject) example() string {
	for _, a := range p.apis {
		for _, r := range a.routes {
			if _, path, found := strings.Cut(r.key, " "); found && !strings.Contains(path, "{") {
				return path
			}
		}
	}
	return "/"
}

// route is Caddy's route to the API. The last API refuses what none takes.
func (a *devAPI) route(last bool) object {
	handler := object{"handler": "hearth_api", "name": a.id, "reveal_errors": true}
	if a.protocol == gateway.REST {
		handler["protocol"] = "rest"
	}
	if a.stage != "" {
		handler["stage"] = a.stage
	}
	if len(a.variable) > 0 {
		escaped := make(map[string]string, len(a.variable))
		for name, value := range a.variable {
			escaped[name] = strings.ReplaceAll(value, "{", `\{`)
		}
		handler["stage_variables"] = escaped
	}
	if a.cors != nil {
		handler["cors"] = a.cors
	}
	if len(a.binary) > 0 {
		handler["binary_types"] = a.binary
	}
	var routes []object
	var patterns []string
	for _, r := range a.routes {
		routes, patterns = append(routes, r.options), append(patterns, r.pattern())
	}
	handler["routes"] = routes
	route := object{"handle": []object{handler}}
	if !last {
		route["match"] = []object{{"path_regexp": object{"pattern": "^(?:" + strings.Join(patterns, "|") + ")$"}}}
	}
	return route
}

// apis are the APIs of the template.
func (r *devReading) apis() error {
	taken := make(map[string]string)
	for _, one := range r.plan.Resources {
		a := &devAPI{id: one.LogicalID, protocol: gateway.HTTP}
		switch one.Type {
		case "AWS::ApiGatewayV2::Api":
		case "AWS::ApiGateway::RestApi":
			a.protocol = gateway.REST
		default:
			continue
		}
		if err := r.api(a); err != nil {
			return r.placeAt(a.id, err)
		}
		a.routes = slices.DeleteFunc(a.routes, func(of devRoute) bool {
			other := taken[of.key]
			if other != "" {
				r.lacks("%s of %s, which %s has too", of.key, a.id, other)
			}
			taken[of.key] = a.id
			return other != ""
		})
		if len(a.routes) > 0 {
			r.project.apis = append(r.project.apis, a)
		}
	}
	// The last one refuses what none takes, with 404 if it is an HTTP API.
	slices.SortStableFunc(r.project.apis, func(a, b *devAPI) int { return a.order() - b.order() })
	return nil
}

// api reads one API: its description, and the resources that are its routes.
func (r *devReading) api(a *devAPI) error {
	var of struct {
		Body                 json.RawMessage
		BodyS3Location       struct{ Bucket, Key string }
		ProtocolType, Target string
		CorsConfiguration    *gateway.Cors
		BinaryMediaTypes     []string
	}
	if err := r.read(a.id, &of); err != nil {
		return err
	}
	if of.ProtocolType == "WEBSOCKET" {
		r.lacks("the WebSocket API %s", a.id)
		return nil
	}
	a.cors, a.binary = corsOf(of.CorsConfiguration), of.BinaryMediaTypes
	if at := of.BodyS3Location; at.Bucket == devBucket {
		path := r.pathOf(at.Key)
		text, err := readFile(path, openapi.MaxSize)
		if err != nil {
			return err
		}
		if err := r.described(a, text); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	} else if at.Bucket != "" {
		r.lacks("the routes of %s, which are in the bucket %s", a.id, at.Bucket)
	}
	if len(of.Body) > 0 {
		if err := r.described(a, of.Body); err != nil {
			return err
		}
	}
	if of.Target != "" {
		r.integrate(a, "$default", "AWS_PROXY", of.Target, "", 0)
	}
	if a.protocol == gateway.REST {
		return r.methods(a)
	}
	return r.v2Routes(a)
}

// corsOf is CORS as the configuration has it.
func corsOf(of *gateway.Cors) object {
	if of == nil {
		return nil
	}
	cors := object{"allow_origins": of.AllowOrigins, "allow_credentials": of.AllowCredentials}
	for name, list := range map[string][]string{"allow_methods": of.AllowMethods, "allow_headers": of.AllowHeaders, "expose_headers": of.ExposeHeaders} {
		if len(list) > 0 {
			cors[name] = list
		}
	}
	if of.MaxAge > 0 {
		cors["max_age"] = int64(of.MaxAge) * int64(time.Second)
	}
	return cors
}

// described reads the routes of a description in OpenAPI.
func (r *devReading) described(a *devAPI, body []byte) error {
	document, err := openapi.Parse(body)
	if err != nil {
		return err
	}
	if document.Cors != nil {
		a.cors = corsOf(document.Cors)
	}
	a.binary = append(a.binary, document.BinaryTypes...)
	for n := range document.Operations {
		o := &document.Operations[n]
		key := o.Method + " " + o.Path
		if o.Path == "$default" {
			key = o.Path
		}
		if err := gateway.CheckKey(a.protocol, key); err != nil {
			return err
		}
		if o.Integration == nil {
			r.lacks("%s of %s, which has no integration", key, a.id)
			continue
		}
		if name, _, err := o.Scheme(); err != nil || name != "" {
			r.lacks("the authorizer %s: everybody may call its routes", name)
		} else if o.AuthType != "" && o.AuthType != "NONE" {
			r.lacks("the authorization %s: everybody may call its routes", o.AuthType)
		}
		if from := o.Integration; from.Type == string(gateway.Mocked) && a.protocol == gateway.REST {
			mock, err := apigatewayv1.MockOf(from)
			if err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
			a.routes = append(a.routes, devRoute{key: key, options: object{"route": key, "mock": mock}})
		} else {
			r.integrate(a, key, from.Type, from.URI, string(from.Payload), from.Timeout)
		}
	}
	return nil
}

// integrate adds a route to a function. Other integrations are named. timeout is in milliseconds, 0 for
// none.
func (r *devReading) integrate(a *devAPI, key, kind, uri, payload string, timeout int) {
	function := functionOf(uri)
	switch {
	case !strings.EqualFold(kind, string(gateway.Lambda)):
		r.lacks("%s of %s, whose integration is %s", key, a.id, kind)
		return
	case !slices.ContainsFunc(r.project.functions, func(f *devFunction) bool { return f.Name == function }):
		r.lacks("%s of %s, whose function %s is not served", key, a.id, function)
		return
	}
	options := object{"route": key, "function": function}
	if payload != "" {
		options["payload"] = payload
	}
	if timeout > 0 {
		options["timeout"] = int64(timeout) * int64(time.Millisecond)
	}
	a.routes = append(a.routes, devRoute{key: key, function: function, options: options})
}

// v2Routes are the routes of an HTTP API that are resources of their own, and its stage.
func (r *devReading) v2Routes(a *devAPI) error {
	for _, one := range r.plan.Resources {
		switch one.Type {
		case "AWS::ApiGatewayV2::Route":
			var of struct{ ApiId, RouteKey, Target, AuthorizationType string }
			if err := r.read(one.LogicalID, &of); err != nil {
				return err
			}
			if of.ApiId != a.id {
				continue
			}
			var to struct {
				IntegrationType, IntegrationUri, PayloadFormatVersion string
				TimeoutInMillis                                       int
			}
			integration := strings.TrimPrefix(of.Target, "integrations/")
			if r.plan.Resource(integration) == nil {
				r.lacks("%s of %s, whose integration is not in the template", of.RouteKey, a.id)
				continue
			}
			if err := r.read(integration, &to); err != nil {
				return err
			}
			if of.AuthorizationType != "" && of.AuthorizationType != "NONE" {
				r.lacks("the authorization of %s: everybody may call it", of.RouteKey)
			}
			if err := gateway.CheckKey(a.protocol, of.RouteKey); err != nil {
				return err
			}
			r.integrate(a, of.RouteKey, to.IntegrationType, to.IntegrationUri, to.PayloadFormatVersion, to.TimeoutInMillis)
		case "AWS::ApiGatewayV2::Stage":
			var of struct {
				ApiId, StageName string
				StageVariables   map[string]string
			}
			if err := r.read(one.LogicalID, &of); err != nil {
				return err
			}
			if of.ApiId == a.id {
				a.stage, a.variable = of.StageName, of.StageVariables
			}
		}
	}
	return nil
}

// methods are the methods of a REST API that are resources of their own, and its stage.
func (r *devReading) methods(a *devAPI) error {
	for _, one := range r.plan.Resources {
		switch one.Type {
		case "AWS::ApiGateway::Method":
			var of struct {
				RestApiId, ResourceId, HttpMethod, AuthorizationType string
				Integration                                          struct {
					Type, Uri       string
					TimeoutInMillis int
				}
			}
			if err := r.read(one.LogicalID, &of); err != nil {
				return err
			}
			if of.RestApiId != a.id {
				continue
			}
			path, err := r.resourcePath(a, of.ResourceId, 0)
			if err != nil {
				return err
			}
			key := strings.ToUpper(of.HttpMethod) + " " + path
			if err := gateway.CheckKey(a.protocol, key); err != nil {
				return err
			}
			if of.AuthorizationType != "" && of.AuthorizationType != "NONE" {
				r.lacks("the authorization of %s: everybody may call it", key)
			}
			r.integrate(a, key, of.Integration.Type, of.Integration.Uri, "", of.Integration.TimeoutInMillis)
		case "AWS::ApiGateway::Stage":
			var of struct {
				RestApiId, StageName string
				Variables            map[string]string
			}
			if err := r.read(one.LogicalID, &of); err != nil {
				return err
			}
			if of.RestApiId == a.id {
				a.stage, a.variable = of.StageName, of.Variables
			}
		}
	}
	return nil
}

// maxPathDepth is more than a path of an API may have segments.
const maxPathDepth = 64

// resourcePath is the path of a resource of a REST API.
func (r *devReading) resourcePath(a *devAPI, id string, depth int) (string, error) {
	if id == a.id+".RootResourceId" {
		return "/", nil
	}
	if r.plan.Resource(id) == nil || depth > maxPathDepth {
		return "", fmt.Errorf("resource %s is not in the template", id)
	}
	var of struct{ ParentId, PathPart string }
	if err := r.read(id, &of); err != nil {
		return "", err
	}
	parent, err := r.resourcePath(a, of.ParentId, depth+1)
	return strings.TrimSuffix(parent, "/") + "/" + of.PathPart, err
}
