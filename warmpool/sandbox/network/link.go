package network

import (
	"encoding/binary"
	"net"
	"net/netip"
)

// HostName is by what name a function finds the services of its machine that are
// opened to it.
const HostName = "host.hearth.internal"

const dnsPort = 53

// Addresses of the network between environments and their router. The router translates them
// on the way out, so they are visible nowhere else. They are in the range for tests of
// networks (RFC 2544), which no LAN and no host on the internet has.
var (
	environments4 = netip.MustParsePrefix("198.19.0.0/17")
	uplinks4      = netip.MustParsePrefix("198.19.128.0/17") // of routers to their machines
	router4       = netip.MustParseAddr("198.19.0.1")
)

// Links is how many environments have addresses at once.
const Links = 1<<15 - 16

// mac is of both ends of all links: no end asks whose an address is (NOARP), and
// takes what it gets.
var mac = net.HardwareAddr{0x02, 0x68, 0x72, 0x74, 0x68, 0x01}

// insideName is what the interface is called in an environment.
const insideName = "eth0"

// A Link is between an environment and the router.
type Link struct {
	Index int    // below Links; of no other one that is there
	Group uint32 // of the policy
}

// name is of the router's end.
func (l Link) name() string { return "e" + itoa(l.Index) }

func itoa(n int) string {
	if n == 0 {
		return "0"
	}
	var b [8]byte
	i := len(b)
	for ; n > 0; n /= 10 {
		i--
		b[i] = byte('0' + n%10)
	}
	return string(b[i:])
}

// address4 is the environment's, as address6 is within a /64.
func (l Link) address4() netip.Addr {
	b := environments4.Addr().As4()
	binary.BigEndian.PutUint16(b[2:], uint16(l.Index+2))
	return netip.AddrFrom4(b)
}

func (l Link) address6(prefix netip.Prefix) netip.Addr { return nth6(prefix, l.Index+2) }

func router6(prefix netip.Prefix) netip.Addr { return nth6(prefix, 1) }

// nth6 is an address of a prefix. Without IPv6 both are invalid.
func nth6(prefix netip.Prefix, n int) netip.Addr {
	if !prefix.IsValid() {
		return netip.Addr{}
	}
	b := prefix.Addr().As16()
	binary.BigEndian.PutUint32(b[12:], uint32(n))
	return netip.AddrFrom16(b)
}

// single is the prefix of one address.
func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// everywhere is where a default route leads, of the family of a.
func everywhere(a netip.Addr) netip.Prefix {
	switch {
	case a.Is4():
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	case a.Is6():
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.Prefix{}
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: net.IP(p.Addr().AsSlice()), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
