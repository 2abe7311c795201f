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
	module, err := a.ctx.AppIfConfigured("http")
	if err != nil {
		return ""
	}
	servers := module.(*caddyhttp.App)
	for _, name := range slices.Sorted(maps.Keys(servers.Servers)) { // sorted: the same address after each reload
		server := servers.Servers[name]
		host, found := siteOfAPI(server.Routes, "")
		if !found {
			continue
		}
		for _, listen := range server.Listen {
			if address := addressOf(servers, server, listen, host); address != "" {
				return address
			}
		}
	}
	return ""
}

// siteOfAPI searches routes for the handler of the API, and for a host that leads to it.
func siteOfAPI(routes caddyhttp.RouteList, host string) (string, bool) {
	for _, route := range routes {
		inside := host
		for _, matchers := range route.MatcherSets {
			for _, m := range matchers {
				// The names that match a star are unknown here.
				if hosts, ok := m.(*caddyhttp.MatchHost); ok {
					if n := slices.IndexFunc(*hosts, func(h string) bool { return !strings.Contains(h, "*") }); n >= 0 {
						inside = (*hosts)[n]
					}
				}
			}
		}
		for _, handler := range route.Handlers {
			switch h := handler.(type) {
			case *LambdaAPI:
				return inside, true
			case *caddyhttp.Subroute:
				if found, ok := siteOfAPI(h.Routes, inside); ok {
					return found, true
				}
			}
		}
	}
	return "", false
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
