package network

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/function"
)

// A RouterConfig says how a router is set up.
type RouterConfig struct {
	// Prefix6 is of the environments' IPv6 addresses, a /64 that nobody else uses.
	// Invalid: there is no IPv6.
	Prefix6 netip.Prefix
	// MTU of the links to environments. 0: the kernel's default.
	MTU int
}

// UplinkName is what the router's way out is called.
const UplinkName = "uplink"

// maxConnections bounds the connections of one environment beyond its own network, so that
// no environment fills the machine's table of connections.
const maxConnections = 1024

// maxDenied bounds what Deny names: the addresses of a machine, above all.
const maxDenied = 1024

// A Router is what a process does in the namespace between environments and their
// way out: it has the other ends of their links, and the rules. The process is the
// gateway if that is root, otherwise its holder.
type Router struct {
	config RouterConfig
	links  *netlink.Handle
	filter *nftables.Conn
	table  *nftables.Table
	denied *nftables.Chain // of Deny
	ports  *nftables.Set   // by group: what of the router itself is reached
	ways   *nftables.Set   // by group: what beyond it is
}

// NewRouter sets the thread's namespace up as a router's.
func NewRouter(c RouterConfig) (_ *Router, err error) {
	r := &Router{config: c}
	if r.links, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		return nil, err
	}
	if r.filter, err = nftables.New(nftables.AsLasting()); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	if err := r.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("set up the network of functions: %w", err), r.Close())
	}
	return r, nil
}

// Close gives the sockets up. The kernel removes the namespace with the last process in
// it.
func (r *Router) Close() error {
	r.links.Close()
	if r.filter == nil {
		return nil
	}
	return r.filter.CloseLasting()
}

func (r *Router) open() error {
	// The rules are there before the first packet can be.
	r.addRules()
	if err := r.filter.Flush(); err != nil {
		return fmt.Errorf("make the rules (nftables of Linux 5.10 or newer are needed): %w", err)
	}
	for name, value := range map[string]string{
		"ipv4/ip_forward": "1", "ipv4/conf/all/rp_filter": "1",
		"ipv4/conf/all/send_redirects": "0", "ipv4/conf/default/send_redirects": "0",
		"ipv6/conf/all/forwarding": "1", "ipv6/conf/all/accept_ra": "0",
	} {
		if err := setSysctl(name, value); err != nil {
			return err
		}
	}
	lo, err := r.links.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := r.links.LinkSetUp(lo); err != nil {
		return err
	}
	for _, address := range []netip.Addr{router4, router6(r.config.Prefix6)} {
		if !address.IsValid() {
			continue
		}
		if err := addAddress(r.links, lo, address); err != nil {
			return err
		}
	}
	return nil
}

func addAddress(h *netlink.Handle, link netlink.Link, address netip.Addr) error {
	a := &netlink.Addr{IPNet: ipNet(single(address))}
	if address.Is6() {
		a.Flags = unix.IFA_F_NODAD
	}
	if err := h.AddrAdd(link, a); err != nil {
		return fmt.Errorf("give %s the address %s: %w", link.Attrs().Name, address, err)
	}
	return nil
}

// setSysctl sets a value of the thread's network namespace. A value of IPv6 that the
// kernel does not have is no error.
func setSysctl(name, value string) error {
	path := "/proc/sys/net/" + name
	if now, err := os.ReadFile(path); err == nil && string(now) == value+"\n" {
		return nil
	}
	err := os.WriteFile(path, []byte(value), 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// isOn reports whether something of the thread's network namespace is 1.
func isOn(name string) bool {
	now, err := os.ReadFile("/proc/sys/net/" + name)
	return err == nil && string(now) == "1\n"
}

// hasIPv6 reports whether new interfaces of this machine have IPv6.
func hasIPv6() bool {
	for _, which := range []string{"all", "default"} {
		off, err := os.ReadFile("/proc/sys/net/ipv6/conf/" + which + "/disable_ipv6")
		if err != nil || string(off) != "0\n" {
			return false
		}
	}
	return true
}

func (r *Router) addRules() {
	f := r.filter
	r.table = f.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "hearth"})
	sets := []*nftables.Set{
		{Table: r.table, Name: "busy4", KeyType: nftables.TypeIPAddr, Dynamic: true, Size: Links},
		{Table: r.table, Name: "busy6", KeyType: nftables.TypeIP6Addr, Dynamic: true, Size: Links},
		{Table: r.table, Name: "ports", KeyType: nftables.TypeDevGroup, DataType: nftables.TypeVerdict, IsMap: true},
		{Table: r.table, Name: "ways", KeyType: nftables.TypeDevGroup, DataType: nftables.TypeVerdict, IsMap: true},
	}
	for _, set := range sets {
		// To add an empty set builds no expressions, so it cannot fail.
		_ = f.AddSet(set, nil)
	}
	busy4, busy6 := sets[0], sets[1]
	r.ports, r.ways = sets[2], sets[3]
	shut := nftables.ChainPolicyDrop
	chain := func(name string, kind nftables.ChainType, hook *nftables.ChainHook, priority *nftables.ChainPriority, policy *nftables.ChainPolicy, rules ...[]match) {
		c := f.AddChain(&nftables.Chain{Name: name, Table: r.table, Type: kind, Hooknum: hook, Priority: priority, Policy: policy})
		for _, parts := range rules {
			f.AddRule(&nftables.Rule{Table: r.table, Chain: c, Exprs: rule(parts...)})
		}
	}
	chain("sources", nftables.ChainTypeFilter, nftables.ChainHookPrerouting, nftables.ChainPriorityRaw, nil,
		[]match{notFrom("lo"), notFrom(UplinkName), forged(), drop()})
	chain("itself", nftables.ChainTypeFilter, nftables.ChainHookInput, nftables.ChainPriorityFilter, &shut,
		[]match{from("lo"), accept()},
		[]match{established(), accept()},
		[]match{from(UplinkName), neighbours(), accept()},
		[]match{from(UplinkName), drop()},
		[]match{busy(busy4, true, maxConnections), drop()},
		[]match{busy(busy6, false, maxConnections), drop()},
		[]match{target(single(router4)), targetPort(unix.IPPROTO_UDP, dnsPort), accept()},
		[]match{target(single(router4)), targetPort(unix.IPPROTO_TCP, dnsPort), accept()},
		[]match{byGroup(r.ports)},
		[]match{refuse()})
	r.denied = f.AddChain(&nftables.Chain{Name: "denied", Table: r.table})
	rules := [][]match{
		{notFrom(UplinkName), clamp()},
		{established(), accept()},
		{from(UplinkName), drop()},
		{notTo(UplinkName), refuse()},
	}
	for _, prefix := range Never() {
		rules = append(rules, []match{target(prefix), refuse()})
	}
	rules = append(rules,
		[]match{targetType(expr.CmpOpNeq, unix.RTN_UNICAST), drop()},
		[]match{jump(r.denied)},
		[]match{busy(busy4, true, maxConnections), drop()},
		[]match{busy(busy6, false, maxConnections), drop()},
		[]match{byGroup(r.ways)},
		[]match{refuse()})
	chain("beyond", nftables.ChainTypeFilter, nftables.ChainHookForward, nftables.ChainPriorityFilter, &shut, rules...)
	chain("translate", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource, nil,
		[]match{to(UplinkName), protocol(unix.IPPROTO_TCP), masquerade()},
		[]match{to(UplinkName), protocol(unix.IPPROTO_UDP), masquerade()},
		[]match{to(UplinkName), plainMasquerade()})
}

// Permit makes the rules of a group: environments whose links are of it get what the
// policy says.
func (r *Router) Permit(group uint32, p Policy) error {
	f, name := r.filter, itoa(int(group))
	ports := f.AddChain(&nftables.Chain{Name: "ports" + name, Table: r.table})
	for _, service := range p.Services() {
		f.AddRule(&nftables.Rule{Table: r.table, Chain: ports,
			Exprs: rule(target(single(router4)), targetPort(unix.IPPROTO_TCP, service.Port()), accept())})
	}
	if p.Traces.IsValid() {
		f.AddRule(&nftables.Rule{Table: r.table, Chain: ports,
			Exprs: rule(target(single(router4)), targetPort(unix.IPPROTO_UDP, p.Traces.Port()), accept())})
	}
	ways := f.AddChain(&nftables.Chain{Name: "ways" + name, Table: r.table})
	add := func(parts ...match) {
		f.AddRule(&nftables.Rule{Table: r.table, Chain: ways, Exprs: rule(parts...)})
	}
	for _, prefix := range p.Deny {
		for _, way := range waysTo(prefix) {
			add(target(way), refuse())
		}
	}
	for _, allowed := range p.Allow {
		for _, to := range targets(allowed) {
			add(to, accept())
		}
	}
	if len(p.Allow) == 0 {
		add(accept())
	}
	for set, chain := range map[*nftables.Set]string{r.ports: ports.Name, r.ways: ways.Name} {
		if err := f.SetAddElements(set, []nftables.SetElement{jumpTo(group, chain)}); err != nil {
			return err
		}
	}
	if err := f.Flush(); err != nil {
		return fmt.Errorf("make the rules of a function: %w", err)
	}
	return nil
}

// Forget removes the rules of a group.
func (r *Router) Forget(group uint32) error {
	f, name := r.filter, itoa(int(group))
	for set, kind := range map[*nftables.Set]string{r.ports: "ports", r.ways: "ways"} {
		if err := f.SetDeleteElements(set, []nftables.SetElement{jumpTo(group, kind+name)}); err != nil {
			return err
		}
		c := &nftables.Chain{Name: kind + name, Table: r.table}
		f.FlushChain(c)
		f.DelChain(c)
	}
	return f.Flush()
}

// Deny says what no environment reaches beside what Never names: what the rules of the
// machine itself do not keep from functions. It takes the place of what was said before.
func (r *Router) Deny(rules []function.NetworkRule) error {
	if len(rules) > maxDenied {
		return fmt.Errorf("%d addresses to be kept from functions: %d at most", len(rules), maxDenied)
	}
	r.filter.FlushChain(r.denied)
	for _, denied := range rules {
		for _, way := range waysTo(denied.To) {
			r.refuse(function.NetworkRule{To: way, Port: denied.Port})
		}
	}
	return r.filter.Flush()
}

// refuse adds to what is denied to all.
func (r *Router) refuse(denied function.NetworkRule) {
	for _, to := range targets(denied) {
		r.filter.AddRule(&nftables.Rule{Table: r.table, Chain: r.denied, Exprs: rule(to, refuse())})
	}
}

// targets are the matches of what a rule names: all protocols, or TCP and UDP.
func targets(r function.NetworkRule) []match {
	if r.Port == 0 {
		return []match{target(r.To)}
	}
	return []match{
		append(target(r.To), targetPort(unix.IPPROTO_TCP, r.Port)...),
		append(target(r.To), targetPort(unix.IPPROTO_UDP, r.Port)...),
	}
}

// Attach gives the environment in a namespace its link.
func (r *Router) Attach(namespace *os.File, l Link) error {
	return Inside(namespace, func() error {
		// Any program may listen on any port, because the network has only this environment.
		// This is the most expensive step here, so it does not read the old value first.
		if err := os.WriteFile("/proc/sys/net/ipv4/ip_unprivileged_port_start", []byte("0"), 0); err != nil {
			return err
		}
		if err := r.connect(namespace, l); err != nil {
			return err
		}
		h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer h.Close()
		link, err := h.LinkByName(insideName)
		if err != nil {
			return err
		}
		return join(h, link, []hop{
			{l.address4(), everywhere(router4), router4},
			{l.address6(r.config.Prefix6), everywhere(router6(r.config.Prefix6)), router6(r.config.Prefix6)},
		})
	})
}

// connect makes the link, and the router's side of it.
func (r *Router) connect(namespace *os.File, l Link) error {
	attributes := netlink.NewLinkAttrs()
	attributes.Name, attributes.HardwareAddr, attributes.Group, attributes.MTU = l.name(), mac, l.Group, r.config.MTU
	attributes.TxQLen, attributes.NumTxQueues, attributes.NumRxQueues = -1, 1, 1
	veth := &netlink.Veth{
		LinkAttrs: attributes, PeerName: insideName, PeerHardwareAddr: mac, PeerTxQLen: -1,
		PeerNamespace: netlink.NsFd(int(namespace.Fd())),
	}
	if err := r.links.LinkAdd(veth); err != nil {
		return fmt.Errorf("make the link %s: %w", l.name(), err)
	}
	return join(r.links, veth, []hop{
		{route: single(l.address4())}, {route: single(l.address6(r.config.Prefix6))},
	})
}

// A hop is an address of a link, and where it leads.
type hop struct {
	address netip.Addr // none: invalid
	route   netip.Prefix
	via     netip.Addr // invalid: the other end of the link
}

// noAddress is IN6_ADDR_GEN_MODE_NONE: the kernel gives a link no address by itself.
const noAddress = 1

// join sets up a link on which no neighbor has to be found.
func join(h *netlink.Handle, link netlink.Link, hops []hop) error {
	if err := h.LinkSetARPOff(link); err != nil {
		return fmt.Errorf("set up %s: %w", link.Attrs().Name, err)
	}
	if slices.ContainsFunc(hops, func(h hop) bool { return h.route.Addr().Is6() }) {
		if err := h.LinkSetIP6AddrGenMode(link, noAddress); err != nil {
			return fmt.Errorf("set up %s: %w", link.Attrs().Name, err)
		}
	}
	if err := h.LinkSetUp(link); err != nil {
		return fmt.Errorf("set up %s: %w", link.Attrs().Name, err)
	}
	for _, hop := range hops {
		if !hop.route.IsValid() {
			continue // of IPv6, without that
		}
		if hop.address.IsValid() {
			if err := addAddress(h, link, hop.address); err != nil {
				return err
			}
		}
		route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(hop.route), Scope: netlink.SCOPE_LINK}
		if hop.via.IsValid() {
			route.Gw, route.Scope = net.IP(hop.via.AsSlice()), netlink.SCOPE_UNIVERSE
			route.SetFlag(netlink.FLAG_ONLINK)
		}
		if err := h.RouteAdd(route); err != nil {
			return fmt.Errorf("route %s by %s: %w", hop.route, link.Attrs().Name, err)
		}
	}
	return nil
}

// Regroup has the environment of a link be held to another policy.
func (r *Router) Regroup(l Link) error {
	link, err := r.links.LinkByName(l.name())
	if err != nil {
		return err
	}
	return r.links.LinkSetGroup(link, int(l.Group))
}

// AwaitUplink waits until something that gives the namespace its way out has done so.
func (r *Router) AwaitUplink(within time.Duration) error {
	for end := time.Now().Add(within); ; time.Sleep(5 * time.Millisecond) {
		link, err := r.links.LinkByName(UplinkName)
		if err == nil {
			routes, err := r.links.RouteList(link, netlink.FAMILY_ALL)
			if err == nil && slices.ContainsFunc(routes, func(route netlink.Route) bool { return route.Gw != nil }) {
				return nil
			}
		}
		if time.Now().After(end) {
			return fmt.Errorf("no way out after %s", within)
		}
	}
}

// Listen is a socket of the router's own, for "udp4", "tcp4" and the like.
func Listen(network, address string) (*os.File, error) {
	if network[:3] == "udp" {
		c, err := net.ListenPacket(network, address)
		if err != nil {
			return nil, err
		}
		defer c.Close()
		return c.(*net.UDPConn).File()
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return l.(*net.TCPListener).File()
}
