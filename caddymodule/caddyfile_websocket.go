package caddymodule

import (
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/warmpool/function"
)

// parseWebSocket makes the route of the directive. If it has a matcher, requests for @connections
// have a route of their own.
func parseWebSocket(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	if !h.Next() {
		return nil, h.ArgErr()
	}
	matcher, err := h.ExtractMatcherSet()
	if err != nil {
		return nil, err
	}
	s := &WebSocket{authorizers: definedAuthorizers(h)}
	if err := s.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	routes := h.NewRoute(matcher, s)
	if matcher != nil {
		path := caddy.ModuleMap{"path": caddyconfig.JSON(caddyhttp.MatchPath{"*" + connectionsPath + "*"}, nil)}
		routes = append(routes, h.NewRoute(path, new(Connections))...)
	}
	return routes, nil
}

// UnmarshalCaddyfile sets up the handler from the directive:
//
//	websocket [<matcher>] <name> {
//		stage          <name>
//		stage_variable <name> <value>
//		select         <expression>
//		throttle       <rate> [burst <n>]
//		connect        <function>[:<qualifier>] {
//			authorizer <name> [<scope>...]
//			throttle   <rate> [burst <n>]
//		}
//		disconnect     <function>[:<qualifier>]
//		message <key>  <function>[:<qualifier>] {
//			respond
//			throttle <rate> [burst <n>]
//		}
//		default        <function>[:<qualifier>] {
//			...
//		}
//	}
func (s *WebSocket) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume directive name
	if err := text(d, &s.Name); err != nil {
		return err
	}
	if !function.ValidName(s.Name) {
		return d.Errf("websocket '%s': a name is 1 to 64 letters, digits, hyphens and underscores", s.Name)
	}
	return readBlock(d, "option '%s' of a websocket", []option{
		{"stage", into(text, &s.Stage)},
		{"stage_variable", into(pairs("stage_variable"), &s.StageVariables)},
		{"select", s.unmarshalSelect},
		{"throttle", into(throttle, &s.Throttle)},
		{"connect", s.unmarshalRoute(gateway.ConnectRoute)},
		{"disconnect", s.unmarshalRoute(gateway.DisconnectRoute)},
		{"message", s.unmarshalMessage},
		{"default", s.unmarshalRoute(gateway.DefaultRoute)},
	})
}

func (s *WebSocket) unmarshalSelect(d *caddyfile.Dispenser) error {
	if err := text(d, &s.Select); err != nil {
		return err
	}
	s.Select = unshorten.Replace(s.Select)
	if _, err := gateway.ParseSelection(s.Select); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

func (s *WebSocket) unmarshalMessage(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.Errf("message takes the key that select makes of a message, and a function; default takes all other messages")
	}
	if err := gateway.CheckSocketKey(args[0]); err != nil || args[0][0] == '$' {
		return d.Errf("message '%s': a key has 1 to 512 bytes, and no dollar sign in front", args[0])
	}
	return s.readRoute(d, args[0], args[1])
}

// unmarshalRoute reads a route with a fixed key.
func (s *WebSocket) unmarshalRoute(key string) func(d *caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		var target string
		if err := text(d, &target); err != nil {
			return err
		}
		return s.readRoute(d, key, target)
	}
}

// readRoute reads what a route does, and its block.
func (s *WebSocket) readRoute(d *caddyfile.Dispenser, key, target string) error {
	for _, other := range s.Routes {
		if other.Route == key {
			return d.Errf("route %q is there twice", key)
		}
	}
	route := SocketRoute{Route: key}
	var err error
	if route.Function, route.Qualifier, err = function.ParseReference(target); err != nil {
		return d.WrapErr(fmt.Errorf("route %q: %w", key, err))
	}
	options := []option{{"throttle", into(throttle, &route.Throttle)}}
	if key == gateway.ConnectRoute {
		options = append(options, option{"authorizer", func(d *caddyfile.Dispenser) error {
			return readAuthorizer(d, s.authorizers, &route.Authorizer, &route.Scopes)
		}})
	}
	if key != gateway.ConnectRoute && key != gateway.DisconnectRoute {
		options = append(options, option{"respond", into(present, &route.Respond)})
	}
	if err := readBlock(d, "option '%s' of a route of a websocket", options); err != nil {
		return err
	}
	s.Routes = append(s.Routes, route)
	return nil
}

var _ caddyfile.Unmarshaler = (*WebSocket)(nil)
