package function

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// NetworkRules say what an environment with NetworkPrivate can reach beyond its own network.
// With the zero value it reaches everything except the addresses that are denied to all (the
// machine itself, above all).
type NetworkRules struct {
	// Deny is never reached, whatever Allow says.
	Deny []netip.Prefix
	// Allow, if it is not empty, has all addresses that the function reaches.
	Allow []NetworkRule
	// Reach are the services of this machine that are opened, by their addresses.
	Reach []netip.AddrPort
	// Own is the server's own API, which listens at a loopback address. It is opened at the
	// router alone, so that it takes no time at a cold start. Zero: it is not opened.
	Own netip.AddrPort
	// Traces is where segments of X-Ray's are taken, by UDP, and questions about sampling are
	// answered, by TCP. It is at a loopback address too, and opened as Own is.
	Traces netip.AddrPort
}

// Services are the services of this machine that are opened.
func (r NetworkRules) Services() []netip.AddrPort {
	all := r.Reach
	for _, own := range []netip.AddrPort{r.Own, r.Traces} {
		if own.IsValid() {
			all = append(slices.Clip(all), own)
		}
	}
	return all
}

// A NetworkRule is a range of addresses, and a port of TCP and UDP, or 0 for all ports.
type NetworkRule struct {
	To   netip.Prefix
	Port uint16
}

// maxRules bounds each list of the NetworkRules.
const maxRules = 64

// ParseDeny reads a range: an address, or CIDR.
func ParseDeny(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a range such as 10.0.0.0/8 or fd00::/8", text)
	}
	return prefix.Masked(), nil
}

// ParseAllow reads a range with a port or without: 10.0.0.0/8, 10.1.2.3:5432,
// [fd00::/8]:443.
func ParseAllow(text string) (NetworkRule, error) {
	to, port, err := splitPort(text)
	if err != nil {
		return NetworkRule{}, err
	}
	prefix, err := ParseDeny(to)
	return NetworkRule{prefix, port}, err
}

func splitPort(text string) (to string, port uint16, err error) {
	colon := strings.LastIndexByte(text, ':')
	switch {
	case strings.HasPrefix(text, "["):
		var found bool
		if to, text, found = strings.Cut(text[1:], "]:"); !found {
			return "", 0, fmt.Errorf("%q has no port after ]", text)
		}
	case colon < 0, strings.Count(text, ":") > 1:
		return text, 0, nil
	default:
		to, text = text[:colon], text[colon+1:]
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return "", 0, fmt.Errorf("%q is no port", text)
	}
	return to, uint16(n), nil
}

// ParseReach reads the address of a service of this machine: 127.0.0.1:9000.
func ParseReach(text string) (netip.AddrPort, error) {
	address, err := netip.ParseAddrPort(strings.Replace(text, "localhost:", "127.0.0.1:", 1))
	if err != nil || address.Port() == 0 || address.Addr().Zone() != "" {
		return netip.AddrPort{}, fmt.Errorf("%q is not the address of a service, such as 127.0.0.1:9000", text)
	}
	return netip.AddrPortFrom(address.Addr().Unmap(), address.Port()), nil
}

// Check says what is wrong with r.
func (r NetworkRules) Check() error {
	if len(r.Deny) > maxRules || len(r.Allow) > maxRules || len(r.Reach) > maxRules {
		return fmt.Errorf("more than %d of deny, allow or reach", maxRules)
	}
	seen := map[uint16]netip.AddrPort{}
	for _, address := range r.Reach {
		if other, taken := seen[address.Port()]; taken && other != address {
			return fmt.Errorf("reach %s and %s: both would be port %d of the machine", other, address, address.Port())
		}
		if address.Port() == 53 {
			return errors.New("reach: port 53 is taken by the resolver of functions")
		}
		if address.Port() == 9001 && address.Addr().IsLoopback() {
			return errors.New("reach: port 9001 of the loopback is the Runtime API's")
		}
		seen[address.Port()] = address
	}
	return nil
}

// Equal reports whether r and o say the same.
func (r NetworkRules) Equal(o NetworkRules) bool {
	return slices.Equal(r.Deny, o.Deny) && slices.Equal(r.Allow, o.Allow) && slices.Equal(r.Reach, o.Reach) && r.Own == o.Own && r.Traces == o.Traces
}

// Shut reports whether the function reaches nothing beyond this machine. Then it cannot
// resolve names either, because a query tells the owner of the name that it was asked.
func (r NetworkRules) Shut() bool {
	var v4, v6 bool
	for _, prefix := range r.Deny {
		if prefix.Bits() == 0 {
			v4, v6 = v4 || prefix.Addr().Is4(), v6 || prefix.Addr().Is6()
		}
	}
	return v4 && v6
}

// Valid reports whether n is one of the constants.
func (n Network) Valid() bool { return n == NetworkPrivate || n == NetworkHost || n == NetworkNone }

// A NetworkDefault is the network of functions that do not set one.
type NetworkDefault struct {
	Network Network
	Rules   NetworkRules
}

// Of is the network of f: its own network and rules, or the default's. f also reaches what
// this machine opens to all functions.
func (d NetworkDefault) Of(f *Function) (Network, NetworkRules) {
	network, rules := f.Network, f.Rules
	setDefault(&network, d.Network)
	if len(rules.Deny) == 0 && len(rules.Allow) == 0 {
		rules.Deny, rules.Allow = d.Rules.Deny, d.Rules.Allow
	}
	rules.Reach = slices.Clone(d.Rules.Reach)
	for _, service := range f.Rules.Reach {
		if !slices.Contains(rules.Reach, service) {
			rules.Reach = append(rules.Reach, service)
		}
	}
	if network != NetworkPrivate {
		rules = NetworkRules{}
	}
	return network, rules
}
