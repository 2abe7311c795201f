package network

import (
	"fmt"
	"net/netip"

	"github.com/hearthfn/hearth/warmpool/function"
)

// A Policy is what an environment reaches beyond its own network. The zero value is
// everything but what nobody reaches (Never).
type Policy = function.NetworkRules

// Never are the addresses that no policy opens: where clouds keep the credentials of
// a machine, what is meant for one link or for many receivers, and what names the
// sender itself.
func Never() []netip.Prefix {
	var all []netip.Prefix
	for _, text := range []string{
		"0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3",
		"169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32",
		"::/127", "ff00::/8", "fe80::/10",
		"fd00:ec2::/32", "fd20:ce::254/128",
		// The same behind a translator (NAT64, RFC 6052), and IPv4 in IPv6.
		"64:ff9b::a9fe:0/112", "64:ff9b::6464:64c8/128", "64:ff9b::7f00:0/104", "::ffff:0:0/96",
	} {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// waysTo are the ranges by which what is denied can be reached: IPv4 also behind a
// translator in the network (NAT64, RFC 6052).
func waysTo(p netip.Prefix) []netip.Prefix {
	if !p.Addr().Is4() {
		return []netip.Prefix{p}
	}
	translated, v4 := netip.MustParseAddr("64:ff9b::").As16(), p.Addr().As4()
	copy(translated[12:], v4[:])
	return []netip.Prefix{p, netip.PrefixFrom(netip.AddrFrom16(translated), 96+p.Bits())}
}

// keyOf tells policies apart.
func keyOf(p Policy) string { return fmt.Sprint(p.Deny, p.Allow, p.Reach, p.Own, p.Traces) }
