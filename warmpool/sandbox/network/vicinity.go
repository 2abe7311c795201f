package network

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/function"
)

// A vicinity has the router refuse what is on this machine only, and follows it as it
// changes: the networks of containers and virtual machines, and the machine's own
// addresses where its rules do not see who asks for them.
type vicinity struct {
	network *Network
	own     bool // the machine's addresses too
	log     *zap.Logger

	ctx  context.Context
	stop context.CancelFunc
	work sync.WaitGroup
}

// vicinityEvery is how often the vicinity looks for what no change of an address tells,
// such as a bridge that gets a port to the outside.
const vicinityEvery = 30 * time.Second

// openVicinity returns when the router knows what there is. The thread is in the machine's
// network.
func openVicinity(n *Network, own bool) (*vicinity, error) {
	v := &vicinity{network: n, own: own, log: n.log}
	v.ctx, v.stop = context.WithCancel(context.Background())
	// First, so that no change is missed.
	changes := make(chan netlink.AddrUpdate, 64)
	if err := netlink.AddrSubscribe(changes, v.ctx.Done()); err != nil {
		v.stop()
		return nil, fmt.Errorf("follow the addresses of this machine: %w", err)
	}
	v.work.Go(func() { v.follow(changes) })
	if err := v.refuse(); err != nil {
		_ = v.close()
		return nil, err
	}
	return v, nil
}

func (v *vicinity) close() error {
	v.stop()
	v.work.Wait()
	return nil
}

func (v *vicinity) follow(changes <-chan netlink.AddrUpdate) {
	again := time.NewTicker(vicinityEvery)
	defer again.Stop()
	for {
		select {
		case <-v.ctx.Done():
			return
		case <-again.C:
		case _, ok := <-changes:
			if !ok {
				return
			}
		}
		for len(changes) > 0 {
			<-changes
		}
		if err := v.refuse(); err != nil && v.ctx.Err() == nil {
			v.log.Error("functions may reach new addresses of this machine", zap.Error(err))
		}
	}
}

// refuse tells the router what there is.
func (v *vicinity) refuse() error {
	refused, err := v.look()
	for tries := 1; errors.Is(err, netlink.ErrDumpInterrupted) && tries < 10; tries++ {
		refused, err = v.look() // something changed meanwhile
	}
	if err != nil {
		return err
	}
	slices.SortFunc(refused, func(a, b netip.Prefix) int {
		if byAddress := a.Addr().Compare(b.Addr()); byAddress != 0 {
			return byAddress
		}
		return a.Bits() - b.Bits()
	})
	var rules []function.NetworkRule
	for _, prefix := range slices.Compact(refused) {
		rules = append(rules, function.NetworkRule{To: prefix})
	}
	if err := v.network.Deny("machine", rules); err != nil {
		return fmt.Errorf("keep this machine's addresses from functions: %w", err)
	}
	return nil
}

func (v *vicinity) look() ([]netip.Prefix, error) {
	inner, err := innerNetworks()
	if err != nil || !v.own {
		return inner, err
	}
	own, err := ownAddresses()
	return append(inner, own...), err
}

// ownAddresses are those that are local to this machine, as its routes have it.
func ownAddresses() (own []netip.Prefix, err error) {
	routes, err := netlink.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{Table: unix.RT_TABLE_LOCAL, Type: unix.RTN_LOCAL}, netlink.RT_FILTER_TABLE|netlink.RT_FILTER_TYPE)
	if err != nil {
		return nil, err
	}
	for _, route := range routes {
		if route.Dst == nil {
			continue
		}
		address, ok := netip.AddrFromSlice(route.Dst.IP)
		bits, _ := route.Dst.Mask.Size()
		if ok {
			own = append(own, netip.PrefixFrom(address.Unmap(), bits))
		}
	}
	return own, nil
}

// innerNetworks are those that end on this machine: of bridges that have no port to the
// outside, as containers and virtual machines have them, and are no way out themselves.
func innerNetworks() (inner []netip.Prefix, err error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, err
	}
	routes, err := netlink.RouteList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, err
	}
	outside := map[int]bool{}
	for _, route := range routes {
		if route.Dst == nil || route.Dst.IP.IsUnspecified() {
			outside[route.LinkIndex] = true
		}
	}
	virtual := []string{"veth", "tun", "tap", "tuntap", "dummy"}
	for _, link := range links {
		if bridge := link.Attrs().MasterIndex; bridge != 0 && !slices.Contains(virtual, link.Type()) {
			outside[bridge] = true
		}
	}
	for _, link := range links {
		if link.Type() != "bridge" || outside[link.Attrs().Index] {
			continue
		}
		addresses, err := netlink.AddrList(link, netlink.FAMILY_ALL)
		if err != nil {
			return nil, err
		}
		for _, a := range addresses {
			address, ok := netip.AddrFromSlice(a.IP)
			bits, _ := a.Mask.Size()
			if ok && !address.IsLinkLocalUnicast() {
				inner = append(inner, netip.PrefixFrom(address.Unmap(), bits).Masked())
			}
		}
	}
	return inner, nil
}
