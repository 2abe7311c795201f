package caddymodule

import (
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddytls"
)

func TestAddressIsOneThatThisMachineReaches(t *testing.T) {
	plain, secure := &caddyhttp.Server{}, &caddyhttp.Server{TLSConnPolicies: caddytls.ConnectionPolicies{{}}}
	app := &caddyhttp.App{}
	for name, test := range map[string]struct {
		server       *caddyhttp.Server
		listen, host string
		want         string
	}{
		"every address":    {plain, ":8080", "", "http://localhost:8080"},
		"every IPv4":       {plain, "0.0.0.0:8080", "", "http://localhost:8080"},
		"every IPv6":       {plain, "[::]:8080", "", "http://localhost:8080"},
		"one address":      {plain, "127.0.0.2:8080", "", "http://127.0.0.2:8080"},
		"one of IPv6":      {plain, "[::1]:8080", "", "http://[::1]:8080"},
		"a site":           {secure, ":443", "lambda.example.com", "https://lambda.example.com"},
		"on its own port":  {secure, ":8443", "lambda.example.com", "https://lambda.example.com:8443"},
		"the usual port":   {plain, ":80", "lambda.example.com", "http://lambda.example.com"},
		"plain beside TLS": {secure, ":80", "lambda.example.com", "http://lambda.example.com"},
		"a socket":         {plain, "unix//run/site.sock", "", ""},
	} {
		if got := addressOf(app, test.server, test.listen, test.host); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestSiteOfTheAPIIsFoundWithinItsRoutes(t *testing.T) {
	api := []caddyhttp.MiddlewareHandler{&LambdaAPI{}}
	within := func(routes ...caddyhttp.Route) []caddyhttp.MiddlewareHandler {
		return []caddyhttp.MiddlewareHandler{&caddyhttp.Subroute{Routes: routes}}
	}
	hosts := func(names ...string) caddyhttp.MatcherSets {
		match := caddyhttp.MatchHost(names)
		return caddyhttp.MatcherSets{{&match}}
	}
	circle := caddyhttp.Route{Handlers: []caddyhttp.MiddlewareHandler{&caddyhttp.Invoke{Name: "circle"}, &caddyhttp.Invoke{Name: "circle"}}}
	named := map[string]*caddyhttp.Route{"api": {Handlers: api}, "circle": &circle}
	for name, test := range map[string]struct {
		routes caddyhttp.RouteList
		host   string
		found  bool
	}{
		"none":            {nil, "", false},
		"another handler": {caddyhttp.RouteList{{MatcherSets: hosts("a"), Handlers: within()}}, "", false},
		"for all hosts":   {caddyhttp.RouteList{{Handlers: api}}, "", true},
		"within a site":   {caddyhttp.RouteList{{MatcherSets: hosts("a"), Handlers: within()}, {MatcherSets: hosts("*.b", "b"), Handlers: within(caddyhttp.Route{Handlers: api})}}, "b", true},
		"a named route":   {caddyhttp.RouteList{{MatcherSets: hosts("a"), Handlers: []caddyhttp.MiddlewareHandler{&caddyhttp.Invoke{Name: "api"}}}}, "a", true},
		"any of a domain": {caddyhttp.RouteList{{MatcherSets: hosts("*.b"), Handlers: api}}, "", true},
	} {
		if at, found := findHandler(test.routes, named, func(h any) bool { _, is := h.(*LambdaAPI); return is }); at.host != test.host || found != test.found {
			t.Errorf("%s: %q, %v; want %q, %v", name, at.host, found, test.host, test.found)
		}
	}
}
