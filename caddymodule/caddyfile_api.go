package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/accesslog"
	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/warmpool/function"
)

// An apiReader reads the directive api.
type apiReader struct {
	API
	helper httpcaddyfile.Helper
	table  *gateway.Table // of the routes so far, which finds one that is there twice
}

// parseAPI sets up the handler from the directive:
//
//	api [<matcher>] <name> [http|rest] {
//		stage          <name>
//		stage_variable <name> <value>
//		cors <origin>... {
//			methods     <method>...
//			headers     <name>...
//			expose      <name>...
//			credentials
//			max_age     <duration>
//		}
//		access_log   [<format>]
//		api_key_source header|authorizer
//		throttle     <rate> [burst <n>]
//		binary_types <content types...>
//		openapi      <file>
//		<method> <path> <function>[:<qualifier>] {
//			payload    1.0|2.0
//			authorizer <name> [<scope>...]
//			iam
//			usage_plan <name>...
//			throttle   <rate> [burst <n>]
//		}
//		<method> <path> <address> {
//			authorizer <name> [<scope>...]
//			iam
//			throttle   <rate> [burst <n>]
//			reverse_proxy {
//				<options of reverse_proxy>
//			}
//		}
//		default <function or address> {
//			...
//		}
//	}
func parseAPI(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	a := &apiReader{helper: h}
	if err := a.unmarshal(h.Dispenser); err != nil {
		return nil, err
	}
	return &a.API, nil
}

func (a *apiReader) unmarshal(d *caddyfile.Dispenser) error {
	d.Next() // consume directive name
	args := d.RemainingArgs()
	if len(args) != 1 && len(args) != 2 {
		return d.ArgErr()
	}
	if a.Name = args[0]; !function.ValidName(a.Name) {
		return d.Errf("api '%s': a name is 1 to 64 letters, digits, hyphens and underscores", a.Name)
	}
	if len(args) == 2 {
		a.Protocol = args[1]
	}
	protocol, err := protocolOf(a.Protocol)
	if err != nil {
		return d.Errf("api %s: it is http or rest, not '%s'", a.Name, a.Protocol)
	}
	a.table = gateway.EmptyTable(protocol)
	options := []option{
		{"stage", into(text, &a.Stage)},
		{"stage_variable", into(pairs("stage_variable"), &a.StageVariables)},
		{"cors", a.unmarshalCors},
		{"access_log", a.unmarshalAccessLog},
		{"api_key_source", a.unmarshalKeySource},
		{"throttle", into(throttle, &a.Throttle)},
		{"binary_types", into(texts, &a.BinaryTypes)},
		{"openapi", a.unmarshalOpenAPI},
	}
	for _, method := range append(slices.Clone(gateway.Methods), "ANY") {
		options = append(options, option{method, a.unmarshalRoute})
	}
	options = append(options, option{"default", a.unmarshalDefault})
	return readBlock(d, "option '%s' of an api", options)
}

// unmarshalAccessLog reads access_log [<format>].
func (a *apiReader) unmarshalAccessLog(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	switch {
	case a.AccessLog != "":
		return d.Errf("access_log is there twice")
	case len(args) > 1:
		return d.Errf("access_log takes one format: put it between backquotes")
	case len(args) == 0:
		args = []string{accesslog.Default}
	}
	if _, err := accesslog.Parse(args[0]); err != nil {
		return d.WrapErr(fmt.Errorf("access_log: %w", err))
	}
	a.AccessLog = args[0]
	return nil
}

func (a *apiReader) unmarshalKeySource(d *caddyfile.Dispenser) error {
	if err := text(d, &a.APIKeySource); err != nil {
		return err
	}
	if a.APIKeySource != "header" && a.APIKeySource != "authorizer" {
		return d.Errf("api_key_source is header or authorizer, not '%s'", a.APIKeySource)
	}
	return nil
}

func (a *apiReader) unmarshalRoute(d *caddyfile.Dispenser) error {
	key := d.Val()
	args := d.RemainingArgsAsTokens()
	if len(args) != 2 {
		return d.Errf("%s takes a path and a function or an address", key)
	}
	path := unshorten.Replace(args[0].Text)
	if rest, found := strings.CutSuffix(path, "/*"); found {
		path = rest + "/{proxy+}"
	}
	return a.readRoute(d, key+" "+path, args[1])
}

func (a *apiReader) unmarshalDefault(d *caddyfile.Dispenser) error {
	args := d.RemainingArgsAsTokens()
	if len(args) != 1 {
		return d.Errf("default takes a function or an address")
	}
	return a.readRoute(d, "$default", args[0])
}

// readRoute reads what a route does, and its block.
func (a *apiReader) readRoute(d *caddyfile.Dispenser, key string, target caddyfile.Token) error {
	protocol, _ := protocolOf(a.Protocol)
	if err := gateway.CheckKey(protocol, key); err != nil {
		return d.WrapErr(err)
	}
	if err := a.table.Add(key); err != nil {
		return d.WrapErr(err)
	}
	route := APIRoute{Route: key}
	options := []option{
		{"authorizer", func(d *caddyfile.Dispenser) error {
			return readAuthorizer(d, definedAuthorizers(a.helper), &route.Authorizer, &route.Scopes)
		}},
		{"iam", into(present, &route.IAM)},
		{"usage_plan", func(d *caddyfile.Dispenser) error { return a.readUsagePlans(d, &route) }},
		{"throttle", into(throttle, &route.Throttle)},
	}
	if strings.Contains(target.Text, "://") {
		proxy := proxyReader{helper: a.helper, key: key, target: target}
		if err := readBlock(d, "option '%s' of a route to an address", append(options, option{"reverse_proxy", proxy.unmarshal})); err != nil {
			return err
		}
		raw, err := proxy.json(d)
		if err != nil {
			return err
		}
		route.HandlersRaw = []json.RawMessage{raw}
	} else {
		var err error
		if route.Function, route.Qualifier, err = function.ParseReference(target.Text); err != nil {
			return d.WrapErr(fmt.Errorf("route %q: %w; an address begins with http://", key, err))
		}
		if err := readBlock(d, "option '%s' of a route to a function", append(options, option{"payload", into(payload, &route.Payload)})); err != nil {
			return err
		}
		if protocol == gateway.REST && route.Payload == "2.0" {
			return d.Errf("route %q: payload 2.0 is of HTTP APIs, and this is a REST API", key)
		}
	}
	if route.IAM && route.Authorizer != "" {
		return d.Errf("route %q: an authorizer and iam: one of them checks who calls", key)
	}
	a.Routes = append(a.Routes, route)
	return nil
}

// readAuthorizer reads <name> [<scope>...].
func readAuthorizer(d *caddyfile.Dispenser, known []string, name *string, scopes *[]string) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.ArgErr()
	}
	if !slices.Contains(known, args[0]) {
		return d.WrapErr(errUnknownAuthorizer(args[0], known))
	}
	*name, *scopes = args[0], args[1:]
	return nil
}

// readUsagePlans reads <name>...
func (a *apiReader) readUsagePlans(d *caddyfile.Dispenser, to *APIRoute) error {
	if err := texts(d, &to.UsagePlans); err != nil {
		return err
	}
	known := definedUsagePlans(a.helper)
	for _, name := range to.UsagePlans {
		if !slices.Contains(known, name) {
			return d.WrapErr(errUnknownUsagePlan(name, known))
		}
	}
	return nil
}

// A proxyReader makes a reverse_proxy of a route's address.
type proxyReader struct {
	helper  httpcaddyfile.Helper
	key     string
	target  caddyfile.Token
	options caddyfile.Segment // of the block reverse_proxy
}

// unmarshal keeps the block, which reverse_proxy itself reads.
func (p *proxyReader) unmarshal(d *caddyfile.Dispenser) error {
	if d.CountRemainingArgs() > 0 {
		return d.Errf("reverse_proxy takes a block of its options here; the address is that of the route")
	}
	p.options = d.NextSegment()[1:]
	return nil
}

// json is the handler.
func (p *proxyReader) json(d *caddyfile.Dispenser) (json.RawMessage, error) {
	address, uri, err := splitTarget(p.key, unshorten.Replace(p.target.Text))
	if err != nil {
		return nil, d.WrapErr(err)
	}
	name, upstream := p.target, p.target
	if len(p.options) > 0 { // a block begins on the line of its directive
		name, upstream = p.options[0], p.options[0]
	}
	name.Text, upstream.Text = "reverse_proxy", address
	helper := p.helper.WithDispenser(caddyfile.NewDispenser(append([]caddyfile.Token{name, upstream}, p.options...)))
	handler := new(reverseproxy.Handler)
	if err := handler.UnmarshalCaddyfile(helper.Dispenser); err != nil {
		return nil, err
	}
	if err := handler.FinalizeUnmarshalCaddyfile(helper); err != nil {
		return nil, err
	}
	if uri != "" {
		if handler.Rewrite == nil {
			handler.Rewrite = new(rewrite.Rewrite)
		}
		if handler.Rewrite.URI != "" {
			return nil, d.Errf("route %q: its address has a path, and reverse_proxy has a rewrite", p.key)
		}
		handler.Rewrite.URI = uri
	}
	return caddyconfig.JSONModuleObject(handler, "handler", "reverse_proxy", nil), nil
}

// splitTarget splits the address of an HTTP integration into that of the server and the path,
// whose parameters become placeholders. "": the request's own path.
func splitTarget(key, target string) (address, uri string, err error) {
	scheme, rest, _ := strings.Cut(target, "://")
	host, path, found := strings.Cut(rest, "/")
	if scheme != "http" && scheme != "https" && scheme != "h2c" || host == "" {
		return "", "", fmt.Errorf("route %q: '%s' is not an address such as http://127.0.0.1:9000", key, target)
	}
	address = scheme + "://" + host
	if !found || path == "" {
		return address, "", nil
	}
	_, pattern, err := apigateway.ParseKey(key)
	if err != nil {
		return "", "", err
	}
	names := pattern.Names()
	var wrong string
	uri = parameter.ReplaceAllStringFunc("/"+path, func(part string) string {
		name := part[1 : len(part)-1]
		if !slices.Contains(names, name) {
			wrong = name
		}
		return "{" + pathPlaceholder + name + "}"
	})
	if wrong != "" {
		return "", "", fmt.Errorf("route %q: the address names the path parameter {%s}, which the route does not have", key, wrong)
	}
	if _, err := url.Parse(uri); err != nil {
		return "", "", fmt.Errorf("route %q: %w", key, err)
	}
	return address, uri, nil
}

func (a *apiReader) unmarshalCors(d *caddyfile.Dispenser) error {
	if a.CORS != nil {
		return d.Errf("cors is there twice; it takes several origins")
	}
	a.CORS = new(APICors)
	if err := texts(d, &a.CORS.AllowOrigins); err != nil {
		return err
	}
	c := a.CORS
	if err := readBlock(d, "cors option '%s'", []option{
		{"methods", into(texts, &c.AllowMethods)},
		{"headers", into(texts, &c.AllowHeaders)},
		{"expose", into(texts, &c.ExposeHeaders)},
		{"credentials", into(present, &c.AllowCredentials)},
		{"max_age", into(duration, &c.MaxAge)},
	}); err != nil {
		return err
	}
	if slices.ContainsFunc(c.AllowOrigins, func(origin string) bool { return strings.Contains(origin, "{") }) {
		return nil // a placeholder, which has no value yet
	}
	if err := c.gateway(caddy.NewReplacer()).Check(); err != nil {
		return d.Errf("cors: %v", err)
	}
	return nil
}

// throttle reads <rate> [burst <n>].
func throttle(d *caddyfile.Dispenser, to **Throttle) error {
	args := d.RemainingArgs()
	if len(args) != 1 && (len(args) != 3 || args[1] != "burst") {
		return d.Errf("throttle takes the requests per second, and maybe burst and a number: throttle 200 burst 400")
	}
	t := new(Throttle)
	var err error
	if t.Rate, err = strconv.ParseFloat(args[0], 64); err != nil || !(t.Rate > 0 && t.Rate <= maxRate) {
		return d.Errf("throttle: '%s' is not a number of requests per second", args[0])
	}
	if len(args) == 3 {
		if t.Burst, err = strconv.Atoi(args[2]); err != nil || t.Burst < 1 {
			return d.Errf("throttle: burst '%s' is not a whole number of at least 1", args[2])
		}
	}
	*to = t
	return nil
}

// maxRate bounds the rate of a throttle, in requests per second.
const maxRate = 1e9
