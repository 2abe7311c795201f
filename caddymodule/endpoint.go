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
		at, found := findHandler(server.Routes, place{}, is)
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
type place struct{ host, path string }

// narrow is the place of a route inside of it.
func (p place) narrow(route *caddyhttp.Route) place {
	for _, matchers := range route.MatcherSets {
		for _, m := range matchers {
			switch m := m.(type) {
			case *caddyhttp.MatchHost:
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
	return p
}

// findHandler searches routes for a handler, and for the place that leads to it.
func findHandler(routes caddyhttp.RouteList, outside place, is func(handler any) bool) (place, bool) {
	for n := range routes {
		inside := outside.narrow(&routes[n])
		for _, handler := range routes[n].Handlers {
			if is(handler) {
				return inside, true
			}
			if h, ok := handler.(*caddyhttp.Subroute); ok {
				if found, ok := findHandler(h.Routes, inside, is); ok {
					return found, true
				}
			}
		}
	}
	return place{}, false
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
