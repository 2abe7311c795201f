package caddymodule

import (
	"cmp"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/engine"
	"github.com/hearthfn/hearth/warmpool/function"
)

// Bounds of the list of APIs.
const (
	maxListedRoutes    = 5000 // of all APIs together
	maxListedAPIs      = 1000
	maxListedAddresses = 20 // of one API
)

// An apiList collects the APIs that routes of sites lead to.
type apiList struct {
	servers *caddyhttp.App
	list    engine.ConfiguredAPIList
	routes  int // of all APIs
}

// configuredAPIs lists the APIs of the directives api and websocket of this configuration.
func (a *App) configuredAPIs() engine.ConfiguredAPIList {
	l := apiList{list: engine.ConfiguredAPIList{APIs: []engine.ConfiguredAPI{}}}
	module, err := a.ctx.AppIfConfigured("http")
	if err != nil { // then there are no sites
		return l.list
	}
	l.servers = module.(*caddyhttp.App)
	for _, name := range slices.Sorted(maps.Keys(l.servers.Servers)) {
		server := l.servers.Servers[name]
		visit := func(at place, handler any) bool {
			if api := configuredAPI(handler); api != nil {
				l.add(api, l.addresses(server, at, api.Protocol))
			}
			return false
		}
		s := site{visit, server.NamedRoutes}
		s.walk(server.Routes, place{}, 0)
		if server.Errors != nil {
			s.walk(server.Errors.Routes, place{}, 0)
		}
	}
	slices.SortStableFunc(l.list.APIs, func(x, y engine.ConfiguredAPI) int { return cmp.Compare(x.Name, y.Name) })
	return l.list
}

// add adds an API at addresses. A site at several ports, and a named route that several sites
// invoke, have the same API more than once.
func (l *apiList) add(api *engine.ConfiguredAPI, addresses []string) {
	same := slices.IndexFunc(l.list.APIs, func(known engine.ConfiguredAPI) bool {
		return known.Name == api.Name && known.Protocol == api.Protocol && reflect.DeepEqual(known.Routes, api.Routes)
	})
	if same < 0 {
		if len(l.list.APIs) == maxListedAPIs || l.routes+len(api.Routes) > maxListedRoutes {
			l.list.More = true
			return
		}
		same = len(l.list.APIs)
		l.routes += len(api.Routes)
		l.list.APIs = append(l.list.APIs, *api)
	}
	to := &l.list.APIs[same].Addresses
	for _, address := range addresses {
		if len(*to) < maxListedAddresses && !slices.Contains(*to, address) {
			*to = append(*to, address)
		}
	}
}

// addresses are those where a server has a place.
func (l *apiList) addresses(server *caddyhttp.Server, at place, protocol string) (all []string) {
	hosts := at.hosts
	if len(hosts) == 0 {
		hosts = []string{""} // any
	}
	for _, listen := range server.Listen {
		for _, host := range hosts {
			if len(all) == maxListedAddresses {
				return all
			}
			address := addressOf(l.servers, server, listen, host)
			if plain, is := strings.CutPrefix(address, "http"); is && protocol == string(gateway.WebSocket) {
				address = "ws" + plain
			}
			all = append(all, cmp.Or(address, listen)+at.path) // a Unix socket has no URL
		}
	}
	return all
}

// configuredAPI is what a handler's API looks like; nil: it is none.
func configuredAPI(handler any) *engine.ConfiguredAPI {
	var of *gateway.API
	var routes []APIRoute
	switch handler := handler.(type) {
	case *API:
		of, routes = handler.server.api, handler.Routes
	case *WebSocket:
		of = handler.stage.API
	default:
		return nil
	}
	api := &engine.ConfiguredAPI{Name: of.Name, Protocol: string(of.Protocol), Addresses: []string{}, Routes: make([]engine.ConfiguredRoute, len(of.Routes))}
	for n := range of.Routes {
		route := &of.Routes[n]
		to := &route.Integration
		listed := engine.ConfiguredRoute{
			Route: route.Key, Authorizer: route.Authorization.Authorizer, IAM: route.Authorization.IAM, UsagePlans: route.UsagePlans,
		}
		switch {
		case to.Type == gateway.Lambda && to.Qualifier != "" && to.Qualifier != function.Latest:
			listed.Function = to.Function + ":" + to.Qualifier
		case to.Type == gateway.Lambda:
			listed.Function = to.Function
		case to.Type == gateway.Mocked:
			listed.Mock = true
		case routes != nil:
			listed.Servers = serversOf(routes[n].HandlersRaw)
		}
		api.Routes[n] = listed
	}
	return api
}

// serversOf are the addresses that the reverse_proxy among handlers sends requests to. Nothing
// else of the handlers is told: headers that they set may be secrets.
func serversOf(handlers []json.RawMessage) (servers []string) {
	for _, raw := range handlers {
		var proxy struct {
			Upstreams []struct {
				Dial string `json:"dial"`
			} `json:"upstreams"`
			Routes []struct {
				Handle []json.RawMessage `json:"handle"`
			} `json:"routes"`
		}
		if json.Unmarshal(raw, &proxy) != nil { // another handler, whose fields are others
			continue
		}
		for _, upstream := range proxy.Upstreams {
			servers = append(servers, upstream.Dial)
		}
		for _, route := range proxy.Routes { // of a subroute
			servers = append(servers, serversOf(route.Handle)...)
		}
	}
	return servers[:min(len(servers), maxListedAddresses)]
}
