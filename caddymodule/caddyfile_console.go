package caddymodule

import (
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

// parseConsole makes the route of the directive. It has no matcher: the path says where the page
// is, and the handler takes nothing else.
func parseConsole(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	c := new(Console)
	if err := c.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	return h.NewRoute(nil, c), nil
}

// UnmarshalCaddyfile sets up the handler from the directive:
//
//	console [<path>]
func (c *Console) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume directive name
	if d.NextArg() {
		c.Path = d.Val()
		if !strings.HasPrefix(c.Path, "/") || strings.ContainsAny(c.Path, "*{}?#") {
			return d.Errf("console: the path of the page begins with a slash and has no star, as /console/; not '%s'", c.Path)
		}
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	return readBlock(d, "console option '%s'", nil)
}

var _ caddyfile.Unmarshaler = (*Console)(nil)
