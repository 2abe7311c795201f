package network

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/function"
)

// A Plane does in the router's namespace what a Network wants there. Router has it
// done by this process; the sandbox has another one do it.
type Plane interface {
	// Attach gives the environment in a namespace its link.
	Attach(namespace *os.File, l Link) error
	// Regroup has the environment of a link be held to the rules of l.Group.
	Regroup(l Link) error
	// Permit makes the rules of a group, Forget removes them.
	Permit(group uint32, p Policy) error
	Forget(group uint32) error
	// Deny says what no environment reaches, whatever its policy says.
	Deny(rules []function.NetworkRule) error
	// Listen makes a socket of the router's own: network is "udp4" or "tcp4".
	Listen(network, address string) (*os.File, error)
}

// A Network joins environments to what is beyond this machine, and to nothing else:
//
//	environment --- link --- router --- uplink --- the machine's network
//	environment --- link ----'   '--- resolver, services (this process's sockets)
type Network struct {
	log      *zap.Logger
	plane    Plane
	prefix6  netip.Prefix
	ways     *ways
	services *services
	resolver *resolver
	closers  []func() error // called by Close, the last one first

	mu       sync.Mutex
	denied   map[string][]function.NetworkRule // guarded by mu; by who says so
	next     int                               // guarded by mu: index of the next link to try
	attached map[netip.Addr]*Attachment        // guarded by mu; by the environment's address
	indexes  map[int]struct{}                  // guarded by mu: taken
}

// An Attachment is one environment's part of a Network.
type Attachment struct {
	network *Network

	mu      sync.Mutex
	link    Link                     // guarded by mu
	policy  Policy                   // guarded by mu
	group   *group                   // guarded by mu
	sockets map[*connection]struct{} // guarded by mu; nil once released
}

// Open makes the network of a gateway that is root: the thread has power over the
// machine's network.
func Open(log *zap.Logger) (*Network, error) {
	namespace, err := newNamespace()
	if err != nil {
		return nil, err
	}
	u, err := openUplink(namespace)
	if err != nil {
		namespace.Close()
		return nil, err
	}
	undo := []func() error{namespace.Close, u.close}
	mtu, err := u.mtu()
	if err != nil {
		return nil, errors.Join(err, closeAll(undo))
	}
	prefix6 := newPrefix6()
	var r *Router
	err = Inside(namespace, func() (err error) {
		r, err = NewRouter(RouterConfig{Prefix6: prefix6, MTU: mtu})
		return err
	})
	if err != nil {
		return nil, errors.Join(err, closeAll(undo))
	}
	if who := u.blocked(); who != "" {
		log.Warn("another program on this machine drops what it is not told to forward: functions reach nothing beyond it until it is told",
			zap.String("by", who), zap.String("remedy", "accept forwarding from and to interfaces "+uplinkPrefix+"*, with Docker: iptables -I DOCKER-USER -i hearth-+ -j ACCEPT; iptables -I DOCKER-USER -o hearth-+ -j ACCEPT"))
	}
	n, err := New(direct{r, namespace}, prefix6, log)
	undo = append(undo, r.Close)
	if err != nil {
		return nil, errors.Join(err, closeAll(undo))
	}
	n.closers = append(undo, n.closers...)
	v, err := openVicinity(n, false) // the machine's rules know its own addresses
	if err != nil {
		return nil, errors.Join(err, n.Close())
	}
	n.closers = append(n.closers, v.close)
	return n, nil
}

// direct is the Plane of a process that is the router's itself.
type direct struct {
	*Router
	namespace *os.File
}

func (d direct) Listen(network, address string) (f *os.File, err error) {
	err = Inside(d.namespace, func() error {
		f, err = Listen(network, address)
		return err
	})
	return f, err
}

// New makes the network over a router that is set up with the prefix.
func New(plane Plane, prefix6 netip.Prefix, log *zap.Logger) (_ *Network, err error) {
	n := &Network{
		log: log, plane: plane, prefix6: prefix6,
		denied: map[string][]function.NetworkRule{}, attached: map[netip.Addr]*Attachment{}, indexes: map[int]struct{}{},
	}
	n.ways = newWays(plane)
	n.services = newServices(n)
	if n.resolver, err = newResolver(n); err != nil {
		return nil, fmt.Errorf("resolve names for functions: %w", err)
	}
	n.closers = []func() error{n.services.close, n.resolver.close}
	return n, nil
}

// Deny keeps all environments from the addresses in rules, whatever their policies say.
// New rules of one owner replace the rules that it gave before.
func (n *Network) Deny(who string, rules []function.NetworkRule) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if slices.Equal(n.denied[who], rules) {
		return nil
	}
	n.denied[who] = rules
	var all []function.NetworkRule
	for _, name := range slices.Sorted(maps.Keys(n.denied)) {
		all = append(all, n.denied[name]...)
	}
	return n.plane.Deny(all)
}

// Close ends the network, when no environment is left.
func (n *Network) Close() error { return closeAll(n.closers) }

// closeAll closes the last first.
func closeAll(closers []func() error) error {
	var errs []error
	for i := len(closers) - 1; i >= 0; i-- {
		errs = append(errs, closers[i]())
	}
	return errors.Join(errs...)
}

// Attach gives the environment in a namespace, with no interface but a loopback, its
// network.
func (n *Network) Attach(namespace *os.File, p Policy) (*Attachment, error) {
	g, err := n.ways.acquire(p)
	if err != nil {
		return nil, err
	}
	a := &Attachment{network: n, policy: p, group: g, sockets: map[*connection]struct{}{}}
	if err := n.services.open(p); err != nil {
		n.ways.release(g)
		return nil, err
	}
	// A link of that number may be there still, that the kernel has not removed.
	for range 8 {
		if a.link, err = n.reserve(a, g.number); err != nil {
			break
		}
		if err = n.plane.Attach(namespace, a.link); err == nil {
			return a, nil
		}
		n.forget(a.link)
		if !errors.Is(err, os.ErrExist) {
			break
		}
	}
	n.ways.release(g)
	return nil, err
}

// reserve takes a number. All are used in turn: what a link was may still be on its
// way out of the kernel, or of a program that knows an environment by its address.
func (n *Network) reserve(a *Attachment, group uint32) (Link, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.indexes) == Links {
		return Link{}, fmt.Errorf("all %d addresses of functions are taken", Links)
	}
	for {
		l := Link{Index: n.next, Group: group}
		n.next = (n.next + 1) % Links
		if _, taken := n.indexes[l.Index]; !taken {
			n.indexes[l.Index] = struct{}{}
			n.attached[l.address4()], n.attached[l.address6(n.prefix6)] = a, a
			return l, nil
		}
	}
}

func (n *Network) forget(l Link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.indexes, l.Index)
	delete(n.attached, l.address4())
	delete(n.attached, l.address6(n.prefix6))
}

// who is the environment that a packet comes from, nil for none.
func (n *Network) who(address net.Addr) *Attachment {
	from, err := netip.ParseAddrPort(address.String())
	if err != nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.attached[from.Addr().Unmap()]
}

// Assume has the environment be held to another policy from now on.
func (a *Attachment) Assume(p Policy) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.policy.Equal(p) {
		return nil
	}
	g, err := a.network.ways.acquire(p)
	if err != nil {
		return err
	}
	link := a.link
	link.Group = g.number
	if err := errors.Join(a.network.services.open(p), a.network.plane.Regroup(link)); err != nil {
		a.network.ways.release(g)
		return err
	}
	a.network.ways.release(a.group)
	a.link, a.policy, a.group = link, p, g
	return nil
}

// Policy is what the environment is held to.
func (a *Attachment) Policy() Policy {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.policy
}

// Address is the environment's own.
func (a *Attachment) Address() netip.Addr {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.link.address4()
}

// Attached is how many environments have their network.
func (n *Network) Attached() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.indexes)
}

// Release gives back what the environment had, when it has ended. Its link goes with
// its namespace.
func (a *Attachment) Release() {
	a.mu.Lock()
	sockets := a.sockets
	a.sockets = nil
	a.mu.Unlock()
	for c := range sockets {
		c.close()
	}
	a.network.forget(a.link)
	a.network.ways.release(a.group)
}
