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
	before := len(c.NetworkDeny) + len(c.NetworkAllow)
	if err := readBlock(d, "network option '%s'", []option{
		{"deny", into(texts, &c.NetworkDeny)},
		{"allow", into(texts, &c.NetworkAllow)},
	}); err != nil {
		return err
	}
	if c.Network == "" {
		if len(c.NetworkDeny)+len(c.NetworkAllow) == before { // neither a network nor a rule
			return d.ArgErr()
		}
		c.Network = string(function.NetworkPrivate)
	}
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
	return readBlock(d, "sandbox option '%s'", []option{
		{"allow_admin_endpoint", into(present, &s.AllowAdminEndpoint)},
		{"bwrap", into(text, &s.Bwrap)},
	})
}
