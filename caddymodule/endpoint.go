package caddymodule

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// endpoint finds the address of the first site that has the Lambda API.
func (a *App) endpoint() string {
	if !a.hasAPI {
		return ""
	}
	return a.addressOfHandler(func(handler any) bool { _, is := handler.(*LambdaAPI); return is })
}

// addressOfHandler finds the address, with a path, of the first route with such a handler.
func (a *App) addressOfHandler(is func(handler any) bool) string {
	module, err := a.ctx.AppIfConfigured("http")
	if err != nil {
		return ""
	}
	servers := module.(*caddyhttp.App)
	for _, name := range slices.Sorted(maps.Keys(servers.Servers)) { // sorted: the same address after each reload
		server := servers.Servers[name]
		at, found := findHandler(server.Routes, server.NamedRoutes, is)
		if !found {
			continue
		}
		for _, listen := range server.Listen {
			if address := addressOf(servers, server, listen, at.host); address != "" {
				return address + at.path
			}
		}
	}
	return ""
}

// A place is where requests reach a handler: "" stands for any host and any path.
type place struct {
	host, path string
	hosts      []string // all names, those with a star, too
}

// narrow is the place of a route inside of it.
func (p place) narrow(route *caddyhttp.Route) place {
	var hosts []string
	for _, matchers := range route.MatcherSets {
		for _, m := range matchers {
			switch m := m.(type) {
			case *caddyhttp.MatchHost:
				hosts = append(hosts, *m...)
				// The names that match a star are unknown here.
				if n := slices.IndexFunc(*m, func(h string) bool { return !strings.Contains(h, "*") }); n >= 0 {
					p.host = (*m)[n]
				}
			case *caddyhttp.MatchPath:
				if len(*m) > 0 {
					p.path, _, _ = strings.Cut((*m)[0], "*")
				}
			}
		}
	}
	if hosts != nil {
		p.hosts = hosts
	}
	return p
}

// A site visits the handlers of a server, with the places that lead to them, until visit returns
// true.
type site struct {
	visit func(at place, handler any) bool
	named map[string]*caddyhttp.Route // that the handler invoke names
}

// maxDepth bounds how deep routes are in each other: named routes may invoke each other in a circle.
const maxDepth = 32

// walk visits the handlers of routes, and reports whether visit has returned true.
func (s *site) walk(routes caddyhttp.RouteList, outside place, depth int) bool {
	if depth == maxDepth {
		return false
	}
	for n := range routes {
		inside := outside.narrow(&routes[n])
		for _, handler := range routes[n].Handlers {
			if s.visit(inside, handler) {
				return true
			}
			switch h := handler.(type) {
			case *caddyhttp.Subroute:
				if s.walk(h.Routes, inside, depth+1) {
					return true
				}
			case *caddyhttp.Invoke:
				if route := s.named[h.Name]; route != nil && s.walk(caddyhttp.RouteList{*route}, inside, depth+1) {
					return true
				}
			}
		}
	}
	return false
}

// findHandler searches routes for a handler, and for the place that leads to it.
func findHandler(routes caddyhttp.RouteList, named map[string]*caddyhttp.Route, is func(handler any) bool) (at place, found bool) {
	s := site{func(inside place, handler any) bool {
		if !is(handler) {
			return false
		}
		at, found = inside, true
		return true
	}, named}
	s.walk(routes, place{}, 0)
	return at, found
}

// addressOf is the address by which a client on this machine reaches a listener, "" if the
// listener is not on TCP.
func addressOf(app *caddyhttp.App, server *caddyhttp.Server, listen, host string) string {
	addr, err := caddy.ParseNetworkAddress(listen)
	if err != nil || addr.IsUnixNetwork() || addr.IsFdNetwork() {
		return ""
	}
	port := int(addr.StartPort)
	scheme, usual := "http", 80
	if len(server.TLSConnPolicies) > 0 && port != orPort(app.HTTPPort, 80) {
		scheme, usual = "https", 443
	}
	if host == "" {
		host = addr.Host
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "localhost"
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port == usual {
		return scheme + "://" + host
	}
	return fmt.Sprintf("%s://%s:%d", scheme, host, port)
}

func orPort(port, otherwise int) int {
	if port == 0 {
		return otherwise
	}
	return port
}
