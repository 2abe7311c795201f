package caddymodule

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/hearthfn/hearth/warmpool/function"
)

// unmarshalNetwork reads
//
//	network private|host|none {
//		deny  <range>...
//		allow <range[:port]>...
//	}
func (c *Connectivity) unmarshalNetwork(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		c.Network = d.Val()
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	block := false
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		block = true
		option, values := d.Val(), d.RemainingArgs()
		if len(values) == 0 && (option == "deny" || option == "allow") {
			return d.ArgErr()
		}
		switch option {
		case "deny":
			c.NetworkDeny = append(c.NetworkDeny, values...)
		case "allow":
			c.NetworkAllow = append(c.NetworkAllow, values...)
		default:
			return d.Errf("unrecognized network option '%s'; there are deny and allow", option)
		}
	}
	switch {
	case c.Network == "" && !block:
		return d.ArgErr()
	case c.Network == "":
		c.Network = string(function.NetworkPrivate)
	}
	return nil
}

// unmarshalReach reads
//
//	reach <address>...
func (c *Connectivity) unmarshalReach(d *caddyfile.Dispenser) error {
	services := d.RemainingArgs()
	if len(services) == 0 {
		return d.ArgErr()
	}
	c.Reach = append(c.Reach, services...)
	return nil
}

func (s *Sandbox) unmarshal(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		if d.Val() != "on" && d.Val() != "off" {
			return d.Errf("sandbox is on or off, not '%s'", d.Val())
		}
		s.Mode = d.Val()
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch d.Val() {
		case "allow_admin_endpoint":
			s.AllowAdminEndpoint = true
			if d.NextArg() {
				err = d.ArgErr()
			}
		case "bwrap":
			err = text(d, &s.Bwrap)
		default:
			err = d.Errf("unrecognized sandbox option '%s'; there are allow_admin_endpoint and bwrap", d.Val())
		}
		if err != nil {
			return err
		}
	}
	return nil
}
