package caddymodule

import (
	"strings"
	_ "unsafe" // for linkname

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Caddy has a directive invoke already, which invokes a named route, and no way
// to register a second meaning of a directive. Ours stands in front of it: a
// name that is a named route's still means that route.
//
//go:linkname registeredDirectives github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile.registeredDirectives
var registeredDirectives map[string]httpcaddyfile.UnmarshalFunc

func extendInvoke() {
	namedRoute := registeredDirectives["invoke"]
	registeredDirectives["invoke"] = func(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
		if !meansFunction(h) {
			return namedRoute(h)
		}
		return parseInvoke(h)
	}
}

// parseInvoke sets up the handler with its matcher; see Invoke.UnmarshalCaddyfile.
func parseInvoke(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	if !h.Next() {
		return nil, h.ArgErr()
	}
	matcherSet, err := h.ExtractMatcherSet()
	if err != nil {
		return nil, err
	}
	i := new(Invoke)
	if err := i.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	return h.NewRoute(matcherSet, i), nil
}

// meansFunction tells a function from a named route: only a function has a block
// or a qualifier, and named routes are known by now, except inside the definition
// of another, where a name means a route unless it is a function's.
func meansFunction(h httpcaddyfile.Helper) bool {
	app, hasApp := h.Option("hearth").(httpcaddyfile.App)
	if !hasApp {
		return false
	}
	name, block := peekInvoke(*h.Dispenser)
	if block || strings.Contains(name, ":") {
		return true
	}
	if routes, known := h.Option("named_routes").(map[string]*caddyhttp.Route); known {
		return routes[name] == nil
	}
	return definesFunction(app, name)
}

// peekInvoke reads ahead, on a dispenser of its own.
func peekInvoke(d caddyfile.Dispenser) (name string, block bool) {
	d.Next() // directive
	for d.NextArg() {
		if v := d.Val(); name == "" && (v == "*" || strings.HasPrefix(v, "/") || strings.HasPrefix(v, "@")) {
			continue // matcher
		}
		if name == "" {
			name = d.Val()
		}
	}
	return name, d.NextBlock(0)
}
