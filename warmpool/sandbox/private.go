package sandbox

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"sync"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/sandbox/network"
)

// private is the network of all environments with NetworkPrivate, made when the first
// function needs it.
type private struct {
	mu      sync.Mutex
	network *network.Network                  // guarded by mu
	err     error                             // guarded by mu; why there is none
	closed  bool                              // guarded by mu
	denied  map[string][]function.NetworkRule // guarded by mu; by who says so
}

// Private makes NetworkPrivate possible, or says why it is not here. It may be called
// again.
func (s *Sandbox) Private() error {
	_, err := s.openPrivate()
	return err
}

func (s *Sandbox) openPrivate() (*network.Network, error) {
	p := &s.private
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return nil, ErrClosed
	case !s.on:
		return nil, errors.New("the sandbox is off")
	case s.identities == nil && !s.holder.Load().works():
		return nil, errors.New("this server is not root, and has no process that makes networks (its log says why)")
	case p.network != nil || p.err != nil:
		return p.network, p.err
	}
	if s.identities != nil {
		p.network, p.err = network.Open(s.log)
	} else {
		p.network, p.err = s.openInHolder()
	}
	for who, rules := range p.denied {
		if p.err == nil {
			p.err = p.network.Deny(who, rules)
		}
	}
	return p.network, p.err
}

// Deny keeps all environments with NetworkPrivate from the addresses in rules, whatever
// their policies say. New rules of one owner replace the rules that it gave before.
func (s *Sandbox) Deny(who string, rules []function.NetworkRule) error {
	p := &s.private
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.denied == nil {
		p.denied = map[string][]function.NetworkRule{}
	}
	p.denied[who] = rules
	if p.network == nil || p.closed {
		return nil
	}
	return p.network.Deny(who, rules)
}

// openInHolder makes the network of a gateway that is not root. Its holder is the router.
func (s *Sandbox) openInHolder() (*network.Network, error) {
	h := holderRouter{s.holder.Load()}
	config := network.PastaRouter()
	if _, err := h.do(order{Do: orderRouter, Router: config}, nil); err != nil {
		return nil, err
	}
	namespace := fmt.Sprintf("/proc/%d/ns/", h.cmd.Process.Pid)
	return network.OpenWithPasta(network.PastaConfig{
		User: namespace + "user", Net: namespace + "net",
		Start: func(cmd *exec.Cmd) (err error) {
			cmd.Path, cmd.Args = "/proc/self/exe", append([]string{execName, cmd.Path}, cmd.Args...)
			s.starter.do(func() { err = cmd.Start() })
			return err
		},
		Await: h.await,
	}, h, config.Prefix6, s.log)
}

// A holderRouter is a network.Router in the holder.
type holderRouter struct{ *holder }

func (h holderRouter) Attach(namespace *os.File, l network.Link) error {
	_, err := h.do(order{Do: orderAttach, Link: l}, namespace)
	return err
}

func (h holderRouter) Regroup(l network.Link) error {
	_, err := h.do(order{Do: orderRegroup, Link: l}, nil)
	return err
}

func (h holderRouter) Permit(group uint32, p network.Policy) error {
	_, err := h.do(order{Do: orderPermit, Link: network.Link{Group: group}, Policy: p}, nil)
	return err
}

func (h holderRouter) Forget(group uint32) error {
	_, err := h.do(order{Do: orderForget, Link: network.Link{Group: group}}, nil)
	return err
}

func (h holderRouter) Listen(kind, address string) (*os.File, error) {
	return h.do(order{Do: orderSocket, Socket: kind, Listen: address}, nil)
}

func (h holderRouter) Deny(rules []function.NetworkRule) error {
	_, err := h.do(order{Do: orderDeny, Denied: rules}, nil)
	return err
}

func (h holderRouter) await() error {
	_, err := h.do(order{Do: orderAwait}, nil)
	return err
}

func (p *private) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.network == nil {
		return nil
	}
	return p.network.Close()
}

// forget closes a network that has lost its router. The next environment makes another.
func (p *private) forget() error {
	p.mu.Lock()
	n := p.network
	p.network, p.err = nil, nil
	p.mu.Unlock()
	if n == nil {
		return nil
	}
	return n.Close()
}

// attach gives the process its network, which it waits for.
func (p *Process) attach(policy network.Policy) error {
	n, err := p.sandbox.openPrivate()
	if err != nil {
		return fmt.Errorf("a private network cannot be had: %w", err)
	}
	namespace, err := p.namespace("net")
	if err != nil {
		return err
	}
	defer namespace.Close()
	if p.network, err = n.Attach(namespace, policy); err != nil {
		return err
	}
	return p.serve(policy)
}

// allow holds the process to another policy than it was started with.
func (p *Process) allow(policy network.Policy) error {
	before := p.network.Policy()
	if err := p.network.Assume(policy); err != nil {
		return err
	}
	policy.Reach = slices.DeleteFunc(slices.Clone(policy.Reach), func(a netip.AddrPort) bool { return slices.Contains(before.Reach, a) })
	return p.serve(policy)
}

// serve opens the services of the machine's loopback at the same addresses inside.
func (p *Process) serve(policy network.Policy) error {
	for _, service := range policy.Reach {
		if !service.Addr().IsLoopback() {
			continue
		}
		l, err := p.Listen(service.String())
		if err != nil {
			return err
		}
		p.network.Serve(l, service)
	}
	return nil
}
