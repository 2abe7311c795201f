package launch

import (
	"fmt"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/runtimes"
	"github.com/hearthfn/hearth/warmpool/sandbox"
)

// networks translates the networks of functions to those of the sandbox.
var networks = map[function.Network]sandbox.Network{
	function.NetworkHost:    sandbox.NetworkHost,
	function.NetworkNone:    sandbox.NetworkNone,
	function.NetworkPrivate: sandbox.NetworkPrivate,
}

// networkOf is the network of f on this machine.
func (l *Launcher) networkOf(f *function.Function) (function.Network, function.NetworkRules) {
	network, rules := l.Network.Of(f)
	if !network.Valid() || !l.Sandbox.HasNetworks() {
		network = function.NetworkHost
	}
	return network, rules
}

// checkExposure refuses the machine's network if this server is exposed to it. Every start of
// an environment calls it, for functions of the Caddyfile and of the API.
func (l *Launcher) checkExposure(n function.Network) error {
	if n != function.NetworkHost || l.Exposed == nil {
		return nil
	}
	return l.Exposed()
}

// checkNetwork reports whether f can have its network here.
func (l *Launcher) checkNetwork(f *function.Function, in runtimes.Interpreter) error {
	network, _ := l.networkOf(f)
	if err := l.checkExposure(network); err != nil {
		return fmt.Errorf("network host: %w", err)
	}
	if network == function.NetworkPrivate {
		if err := l.Sandbox.Private(); err != nil {
			return fmt.Errorf("network private cannot be had: %w; set network none or, where the function may reach what listens on this machine, network host", err)
		}
	}
	if in.Family == runtimes.FamilyCustom && network == function.NetworkNone && !l.Sandbox.CanListen() {
		return fmt.Errorf("network none: runtime %s is served from within the function's network, which this server cannot enter (its log says why at start): set network host", f.Runtime)
	}
	return nil
}
