package caddymodule

import (
	"fmt"

	"github.com/caddyserver/caddy/v2"

	"github.com/hearthfn/hearth/warmpool/function"
)

// Connectivity says what a function reaches, or what functions do that do not say it
// themselves.
type Connectivity struct {
	// private: a network of each environment's own, with a way out that leads past this
	// machine. host: the network of this machine, with all that listens there. none: a
	// loopback and nothing else. Default: what the global option says, and that is private; none where it cannot be had.
	Network string `json:"network,omitempty"`
	// Addresses and ranges that are not reached by network private. Default: those of
	// the global option, if neither these nor others are named to be reached.
	NetworkDeny []string `json:"network_deny,omitempty"`
	// The only addresses and ranges that network private reaches, each with or without a
	// port: 10.0.0.0/8, 10.1.2.3:5432, [fd00::/8]:443. Denied addresses stay out of reach.
	// Default: those of the global option, or all.
	NetworkAllow []string `json:"network_allow,omitempty"`
	// Services of this machine that are opened to network private, by their address, as
	// 127.0.0.1:9000. They are found there at host.hearth.internal:9000 too. Those of the
	// global option come beside them.
	Reach []string `json:"reach,omitempty"`
}

// resolve reads what is configured.
func (c *Connectivity) resolve(repl *caddy.Replacer) (function.Network, function.NetworkRules, error) {
	var rules function.NetworkRules
	network := function.Network(repl.ReplaceAll(c.Network, ""))
	if network != "" && !network.Valid() {
		return "", rules, fmt.Errorf("network %q: private, host or none", network)
	}
	for _, text := range c.NetworkDeny {
		prefix, err := function.ParseDeny(repl.ReplaceAll(text, ""))
		if err != nil {
			return "", rules, fmt.Errorf("network: deny: %w", err)
		}
		rules.Deny = append(rules.Deny, prefix)
	}
	for _, text := range c.NetworkAllow {
		rule, err := function.ParseAllow(repl.ReplaceAll(text, ""))
		if err != nil {
			return "", rules, fmt.Errorf("network: allow: %w", err)
		}
		rules.Allow = append(rules.Allow, rule)
	}
	for _, text := range c.Reach {
		service, err := function.ParseReach(repl.ReplaceAll(text, ""))
		if err != nil {
			return "", rules, fmt.Errorf("reach: %w", err)
		}
		rules.Reach = append(rules.Reach, service)
	}
	if network == function.NetworkHost || network == function.NetworkNone {
		if len(rules.Deny)+len(rules.Allow) > 0 {
			return "", rules, fmt.Errorf("network %s: deny and allow are of network private", network)
		}
	}
	return network, rules, rules.Check()
}
