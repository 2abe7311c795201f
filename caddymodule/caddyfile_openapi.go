package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/openapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv1"
	"github.com/hearthfn/hearth/warmpool/function"
)

// unmarshalOpenAPI reads openapi <file>: the routes of a document, beside those that the block
// has.
func (a *apiReader) unmarshalOpenAPI(d *caddyfile.Dispenser) error {
	var path string
	if err := text(d, &path); err != nil {
		return err
	}
	document, err := readDocument(path)
	if err != nil {
		return d.WrapErr(fmt.Errorf("openapi %s: %w", path, err))
	}
	protocol, _ := protocolOf(a.Protocol)
	if err := a.describe(document, protocol); err != nil {
		return d.WrapErr(fmt.Errorf("openapi %s: %w", path, err))
	}
	for n := range document.Operations {
		o := &document.Operations[n]
		key := o.Method + " " + o.Path
		if o.Path == "$default" {
			key = o.Path
		}
		if err := gateway.CheckKey(protocol, key); err != nil {
			return d.WrapErr(fmt.Errorf("openapi %s: %w", path, err))
		}
		if err := a.table.Add(key); err != nil {
			return d.WrapErr(fmt.Errorf("openapi %s: %w", path, err))
		}
		route, err := a.routeOf(d, key, o, document, protocol)
		if err != nil {
			return d.WrapErr(fmt.Errorf("openapi %s: %s: %w", path, key, plainError(err)))
		}
		a.Routes = append(a.Routes, *route)
	}
	return nil
}

// plainError is the message of an exception of AWS's API alone.
func plainError(err error) error {
	var x *awsapi.Exception
	if errors.As(err, &x) {
		return errors.New(x.Message)
	}
	return err
}

func readDocument(path string) (*openapi.Document, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, openapi.MaxSize+1))
	if err != nil {
		return nil, err
	}
	return openapi.Parse(data)
}

// describe takes over what a document says of the whole API.
func (a *apiReader) describe(document *openapi.Document, protocol gateway.Protocol) error {
	switch {
	case document.Swagger2 && protocol != gateway.REST:
		return errors.New("a Swagger 2 document is for a REST API: write api NAME rest")
	case document.RESTOnly() != "":
		return fmt.Errorf("%s not supported here: REST APIs that are made by AWS's API have it", document.RESTOnly())
	case document.KeySource != "" && !strings.EqualFold(document.KeySource, "header"):
		return fmt.Errorf("x-amazon-apigateway-api-key-source %q is not supported: keys come in the header X-Api-Key", document.KeySource)
	case document.Cors != nil && a.CORS != nil:
		return errors.New("x-amazon-apigateway-cors is there beside cors of the Caddyfile: one of them counts")
	}
	a.BinaryTypes = append(a.BinaryTypes, document.BinaryTypes...)
	if c := document.Cors; c != nil {
		if err := c.Check(); err != nil {
			return fmt.Errorf("x-amazon-apigateway-cors: %w", err)
		}
		a.CORS = &APICors{
			AllowOrigins: c.AllowOrigins, AllowMethods: c.AllowMethods, AllowHeaders: c.AllowHeaders, ExposeHeaders: c.ExposeHeaders,
			AllowCredentials: c.AllowCredentials, MaxAge: caddy.Duration(time.Duration(c.MaxAge) * time.Second),
		}
	}
	return nil
}

// routeOf makes the route of an operation. What it does not understand is an error.
func (a *apiReader) routeOf(d *caddyfile.Dispenser, key string, o *openapi.Operation, document *openapi.Document, protocol gateway.Protocol) (*APIRoute, error) {
	route := &APIRoute{Route: key}
	if err := a.secure(route, o, document); err != nil {
		return nil, err
	}
	from := o.Integration
	if from == nil {
		return nil, errors.New("x-amazon-apigateway-integration is missing")
	}
	switch gateway.IntegrationType(from.Type) {
	case gateway.Lambda:
		if err := plainIntegration(from, "POST", "WHEN_NO_MATCH", ""); err != nil {
			return nil, err
		}
		route.Payload, route.Timeout = string(from.Payload), caddy.Duration(time.Duration(from.Timeout)*time.Millisecond)
		if protocol == gateway.REST && route.Payload != "" && route.Payload != "1.0" {
			return nil, errors.New("payloadFormatVersion 2.0 is of HTTP APIs, and this is a REST API")
		}
		name := from.URI
		if _, of, found := strings.Cut(name, ":function:"); found {
			name = strings.TrimSuffix(of, "/invocations")
		}
		var err error
		route.Function, route.Qualifier, err = function.ParseReference(name)
		return route, err
	case gateway.HTTPProxy:
		if err := plainIntegration(from, "ANY", "WHEN_NO_MATCH", o.Method, ""); err != nil {
			return nil, err
		}
		if from.Timeout != 0 {
			return nil, errors.New("timeoutInMillis of HTTP_PROXY is not supported: write the route into the Caddyfile, with the timeouts of reverse_proxy")
		}
		target := d.Token()
		target.Text = from.URI
		proxy := proxyReader{helper: a.helper, key: key, target: target}
		raw, err := proxy.json(d)
		route.HandlersRaw = []json.RawMessage{raw}
		return route, err
	case gateway.Mocked:
		if protocol != gateway.REST {
			return nil, errors.New("MOCK is of REST APIs: an HTTP API answers preflights by x-amazon-apigateway-cors")
		}
		var err error
		route.Mock, err = apigatewayv1.MockOf(from)
		return route, err
	}
	return nil, fmt.Errorf("the integration type %.20s is not supported: there are AWS_PROXY, HTTP_PROXY and, in a REST API, MOCK", from.Type)
}

// plainIntegration refuses what an integration says beside where it is. Its method and its
// passthroughBehavior may be those that change nothing.
func plainIntegration(from *openapi.Integration, nothing ...string) error {
	for _, member := range []struct {
		name  string
		given bool
	}{
		{"httpMethod " + from.HTTPMethod, from.HTTPMethod != "" && !slices.Contains(nothing, from.HTTPMethod)},
		{"passthroughBehavior " + from.Passthrough, from.Passthrough != "" && !slices.Contains(nothing, from.Passthrough)},
		{"connectionType " + from.ConnectionType, from.ConnectionType != "" && from.ConnectionType != "INTERNET"},
		{"connectionId", from.ConnectionID != ""},
		{"credentials", from.Credentials != ""},
		{"contentHandling", from.ContentHandling != ""},
		{"integrationSubtype", from.Subtype != ""},
		{"cacheNamespace", from.CacheNamespace != ""},
		{"cacheKeyParameters", len(from.CacheKeys) > 0},
		{"responseTransferMode", from.TransferMode != ""},
		{"requestParameters", len(from.RequestParameters) > 0},
		{"requestTemplates", len(from.RequestTemplates) > 0},
		{"responseParameters", len(from.ResponseParameters) > 0},
		{"tlsConfig", len(from.TLS) > 0},
	} {
		if member.given {
			return fmt.Errorf("%s of an integration is not supported", member.name)
		}
	}
	return nil
}

// secure says who may call a route: the authorizer of the configuration that has the name of the
// security scheme.
func (a *apiReader) secure(route *APIRoute, o *openapi.Operation, document *openapi.Document) error {
	name, scopes, err := o.Scheme()
	scheme := document.Schemes[name]
	switch {
	case err != nil:
		return err
	case o.AuthType != "" && o.AuthType != "NONE" && o.AuthType != "AWS_IAM":
		return fmt.Errorf("x-amazon-apigateway-auth %.40q is not supported", o.AuthType)
	case o.AuthType == "AWS_IAM", scheme != nil && strings.EqualFold(scheme.AuthType, "awsSigv4"):
		route.IAM = true
		return nil
	case name == "":
		return nil
	}
	if known := definedAuthorizers(a.helper); !slices.Contains(known, name) {
		return fmt.Errorf("security: %w", errUnknownAuthorizer(name, known))
	}
	route.Authorizer, route.Scopes = name, scopes
	return nil
}
