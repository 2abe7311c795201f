package network

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// uplinkPrefix starts the name of an uplink's interface on the machine, and of its
// table of rules.
const uplinkPrefix = "hearth-"

// An uplink is a router's way out, as the machine sees it: one interface, and a table
// of rules with its name. The interface goes with the router. The table stays when the
// gateway is killed, has nothing to apply to then, and the next uplink removes it.
type uplink struct {
	name     string
	links    *netlink.Handle
	filter   *nftables.Conn
	made     netlink.Link    // nil until there is one
	table    *nftables.Table // nil until there is one
	machine4 netip.Addr      // this end's
	router4  netip.Addr      // the other end's
	machine6 netip.Addr
	router6  netip.Addr
}

// openUplink connects a router to the machine. The thread is in the machine's network.
func openUplink(router *os.File) (_ *uplink, err error) {
	u := &uplink{}
	if u.links, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		return nil, err
	}
	if u.filter, err = nftables.New(nftables.AsLasting()); err != nil {
		u.links.Close()
		return nil, err
	}
	if err := u.open(router); err != nil {
		return nil, errors.Join(fmt.Errorf("give functions a way out: %w", err), u.close())
	}
	return u, nil
}

func (u *uplink) open(router *os.File) error {
	if err := u.removeAbandoned(); err != nil {
		return fmt.Errorf("remove what is left of another server: %w", err)
	}
	if err := u.choose(); err != nil {
		return err
	}
	// The interface comes before the rules, because another gateway that starts at the same
	// time removes rules without an interface. The interface is down until the rules exist, so
	// the way is never open without them.
	if err := u.makeLink(router); err != nil {
		return err
	}
	if err := u.addRules(); err != nil {
		return fmt.Errorf("make the rules (nftables of Linux 5.10 or newer are needed): %w", err)
	}
	if err := u.connect(router); err != nil {
		return err
	}
	return forwardPackets()
}

// removeAbandoned removes the tables whose interface is gone with its gateway.
func (u *uplink) removeAbandoned() error {
	tables, err := u.filter.ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		return err
	}
	for _, table := range tables {
		var missing netlink.LinkNotFoundError
		if !strings.HasPrefix(table.Name, uplinkPrefix) {
			continue
		}
		if _, err := u.links.LinkByName(table.Name); errors.As(err, &missing) {
			u.filter.DelTable(table)
			if err := u.filter.Flush(); err != nil && !errors.Is(err, unix.ENOENT) {
				return err // ENOENT: another gateway was quicker
			}
		}
	}
	return nil
}

// choose takes a name and addresses that nobody on the machine has.
func (u *uplink) choose() error {
	links, err := u.links.LinkList()
	if err != nil {
		return err
	}
	taken := map[string]bool{}
	for _, link := range links {
		taken[link.Attrs().Name] = true
	}
	routes, err := u.links.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return err
	}
	for range 100 {
		var b [8]byte
		rand.Read(b[:]) // never fails
		u.name = uplinkPrefix + hex.EncodeToString(b[:3])
		first := uplinks4.Addr().As4()
		binary.BigEndian.PutUint16(first[2:], binary.BigEndian.Uint16(first[2:])|binary.BigEndian.Uint16(b[3:])&0x7ffc)
		pair := netip.PrefixFrom(netip.AddrFrom4(first), 30)
		if taken[u.name] || routed(routes, pair) {
			continue
		}
		u.machine4 = pair.Addr().Next()
		u.router4 = u.machine4.Next()
		prefix := newPrefix6()
		u.machine6, u.router6 = nth6(prefix, 1), nth6(prefix, 2)
		return nil
	}
	return fmt.Errorf("all addresses of %s are taken", uplinks4)
}

// routed reports whether something more particular than a whole range leads to pair.
func routed(routes []netlink.Route, pair netip.Prefix) bool {
	for _, route := range routes {
		if route.Dst == nil {
			continue
		}
		address, ok := netip.AddrFromSlice(route.Dst.IP.To4())
		bits, _ := route.Dst.Mask.Size()
		if ok && bits > 8 && netip.PrefixFrom(address, bits).Overlaps(pair) {
			return true
		}
	}
	return false
}

// newPrefix6 is a /64 for local use that nobody else has (RFC 4193), invalid where the
// machine has no IPv6.
func newPrefix6() netip.Prefix {
	if !hasIPv6() {
		return netip.Prefix{}
	}
	b := [16]byte{0xfd}
	rand.Read(b[1:8]) // never fails
	return netip.PrefixFrom(netip.AddrFrom16(b), 64)
}

// addRules keeps functions away from the machine. The tables of other programs still
// apply: accepting here is not final, refusing is.
func (u *uplink) addRules() error {
	outside, err := u.outside()
	if err != nil {
		return err
	}
	f := u.filter
	u.table = f.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: u.name})
	chain := func(name string, kind nftables.ChainType, hook *nftables.ChainHook, priority *nftables.ChainPriority, rules ...[]match) {
		c := f.AddChain(&nftables.Chain{Name: name, Table: u.table, Type: kind, Hooknum: hook, Priority: priority})
		for _, parts := range rules {
			f.AddRule(&nftables.Rule{Table: u.table, Chain: c, Exprs: rule(parts...)})
		}
	}
	// Before anything translates addresses, as for the published ports of containers.
	chain("machine", nftables.ChainTypeFilter, nftables.ChainHookPrerouting, nftables.ChainPriorityRaw,
		[]match{from(u.name), notSource(single(u.router4)), drop()},
		[]match{from(u.name), otherSource6(u.router6), drop()},
		[]match{from(u.name), targetType(expr.CmpOpEq, unix.RTN_LOCAL), refuse()},
		[]match{from(u.name), targetType(expr.CmpOpNeq, unix.RTN_UNICAST), targetType(expr.CmpOpNeq, unix.RTN_UNREACHABLE), drop()})
	chain("input", nftables.ChainTypeFilter, nftables.ChainHookInput, nftables.ChainPriorityFilter,
		[]match{from(u.name), drop()})
	rules := [][]match{
		{to(u.name), notFrom(u.name), established(), accept()},
		{to(u.name), drop()},
	}
	if !isOn("ipv4/ip_forward") {
		// Forwarding is turned on for functions, not for everyone on the LAN.
		for _, name := range outside {
			rules = append(rules, []match{from(name), notTo(u.name), state(expr.CtStateBitNEW), untranslated(), drop()})
		}
	}
	chain("forward", nftables.ChainTypeFilter, nftables.ChainHookForward, nftables.ChainPriorityFilter, rules...)
	chain("translate", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource,
		[]match{source(single(u.router4)), plainMasquerade()},
		[]match{source(single(orNobody(u.router6))), plainMasquerade()})
	return f.Flush()
}

// outside are the interfaces that the machine's default routes use.
func (u *uplink) outside() ([]string, error) {
	routes, err := u.links.RouteList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, err
	}
	var names []string
	seen := map[int]bool{}
	for _, route := range routes {
		whole := route.Dst == nil
		if !whole {
			bits, _ := route.Dst.Mask.Size()
			whole = bits == 0
		}
		if !whole || seen[route.LinkIndex] || route.LinkIndex == 0 {
			continue
		}
		seen[route.LinkIndex] = true
		link, err := u.links.LinkByIndex(route.LinkIndex)
		if err != nil {
			return nil, err
		}
		names = append(names, link.Attrs().Name)
	}
	return names, nil
}

// mtu is the smallest of the ways out of the machine.
func (u *uplink) mtu() (int, error) {
	names, err := u.outside()
	if err != nil {
		return 0, err
	}
	mtu := 1500
	for _, name := range names {
		link, err := u.links.LinkByName(name)
		if err != nil {
			return 0, err
		}
		if now := link.Attrs().MTU; now >= 1280 {
			mtu = min(mtu, now)
		}
	}
	return mtu, nil
}

// makeLink makes the interface, which is down.
func (u *uplink) makeLink(router *os.File) error {
	mtu, err := u.mtu()
	if err != nil {
		return err
	}
	attributes := netlink.NewLinkAttrs()
	attributes.Name, attributes.HardwareAddr, attributes.MTU, attributes.TxQLen = u.name, mac, mtu, -1
	veth := &netlink.Veth{
		LinkAttrs: attributes, PeerName: UplinkName, PeerHardwareAddr: mac, PeerTxQLen: -1,
		PeerNamespace: netlink.NsFd(int(router.Fd())),
	}
	if err := u.links.LinkAdd(veth); err != nil {
		return fmt.Errorf("make the link %s: %w", u.name, err)
	}
	u.made = veth
	return nil
}

// connect gives both ends their addresses and routes, and takes them up.
func (u *uplink) connect(router *os.File) error {
	err := join(u.links, u.made, []hop{{u.machine4, single(u.router4), netip.Addr{}}, {u.machine6, single(u.router6), netip.Addr{}}})
	if err != nil {
		return err
	}
	return Inside(router, func() error {
		h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer h.Close()
		link, err := h.LinkByName(UplinkName)
		if err != nil {
			return err
		}
		return join(h, link, []hop{
			{u.router4, everywhere(u.machine4), u.machine4}, {u.router6, everywhere(u.machine6), u.machine6},
		})
	})
}

// forwardPackets makes the machine a router. It also makes sure that the machine still learns
// its own IPv6 routes from others, because by default routers do not.
func forwardPackets() error {
	if err := setSysctl("ipv4/ip_forward", "1"); err != nil {
		return fmt.Errorf("turn forwarding on: %w", err)
	}
	if isOn("ipv6/conf/all/forwarding") {
		return nil
	}
	interfaces, err := os.ReadDir("/proc/sys/net/ipv6/conf")
	if err != nil {
		return nil // no IPv6
	}
	for _, i := range interfaces {
		name := "ipv6/conf/" + i.Name() + "/accept_ra"
		if isOn(name) {
			if err := setSysctl(name, "2"); err != nil {
				return err
			}
		}
	}
	if err := setSysctl("ipv6/conf/all/forwarding", "1"); err != nil {
		return fmt.Errorf("turn forwarding on: %w", err)
	}
	return nil
}

// blocked names the firewall of the machine that drops forwarded packets by default, "" if
// there is none.
func (u *uplink) blocked() string {
	chains, err := u.filter.ListChains()
	if err != nil {
		return ""
	}
	for _, c := range chains {
		if c.Hooknum != nil && *c.Hooknum == *nftables.ChainHookForward && c.Policy != nil && *c.Policy == nftables.ChainPolicyDrop {
			return fmt.Sprintf("chain %s of table %s", c.Name, c.Table.Name)
		}
	}
	return ""
}

func (u *uplink) close() error {
	var errs []error
	if u.table != nil {
		u.filter.DelTable(u.table)
		errs = append(errs, u.filter.Flush())
	}
	if u.made != nil {
		if link, err := u.links.LinkByName(u.name); err == nil {
			errs = append(errs, u.links.LinkDel(link))
		}
	}
	u.links.Close()
	return errors.Join(append(errs, u.filter.CloseLasting())...)
}
