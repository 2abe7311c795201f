package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/cluster"
	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/state"
)

// joinCluster makes this process a node among those that use its Redis. The engine leaves
// the cluster when it is closed.
func (e *Engine) joinCluster(s *Setup) error {
	if !e.shared() {
		return nil
	}
	if c := e.cluster.Load(); c != nil { // earlier settings have joined
		return s.show(c.Metrics())
	}
	nodes, ok := e.records.(state.Nodes)
	if !ok {
		return errors.New("the state store knows no nodes")
	}
	if _, err := s.Verifier(); err != nil { // all nodes have its keys
		return err
	}
	advertise, listen, err := s.peerAddress()
	if err != nil {
		return err
	}
	secret, err := s.credentials.cluster.key(forNodes)
	if err != nil {
		return fmt.Errorf("derive the key of nodes: %w", err)
	}
	tokens, err := s.credentials.cluster.key(forEnvironments)
	if err != nil {
		return fmt.Errorf("derive the key of tokens: %w", err)
	}
	e.environments.Share(tokens, e.askEnvironment)
	c, err := cluster.New(cluster.Config{
		Name: s.nodeName(), Process: e.process, Other: http.HandlerFunc(e.serveNode), Nodes: nodes, Secret: secret, Advertise: advertise, Listen: listen, Local: e, Bodies: e.bodies, Log: s.Log,
	})
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	e.cluster.Store(c)
	e.Moved()
	return s.show(c.Metrics())
}

// nodeName is the same after a restart, and another one for another data directory.
func (s *Setup) nodeName() string {
	if s.Node != "" {
		return s.Node
	}
	host, err := os.Hostname()
	if err != nil {
		host = "node"
	}
	sum := sha256.Sum256([]byte(s.engine.Dir))
	return host + "-" + hex.EncodeToString(sum[:3])
}

// peerAddress is where other nodes reach this one: as configured, or the address that
// this machine has on the way to Redis, with any port.
func (s *Setup) peerAddress() (advertise, listen string, err error) {
	if s.PeerAddress != "" {
		host, port, err := net.SplitHostPort(s.PeerAddress)
		if err != nil {
			return "", "", fmt.Errorf("peer_address %q is not HOST:PORT", s.PeerAddress)
		}
		listen = s.PeerAddress
		if net.ParseIP(host) == nil {
			listen = ":" + port // a name may lead to this machine by way of another one
		}
		return s.PeerAddress, listen, nil
	}
	_, rest, _ := strings.Cut(s.engine.Redis.URL, "://")
	rest, _, _ = strings.Cut(rest, "?")
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	first, _, _ := strings.Cut(rest, ",")
	first, _, _ = strings.Cut(first, "/")
	u := url.URL{Host: first}
	// Nothing is sent. The kernel is only asked for the route.
	way, err := net.Dial("udp", net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "6379")))
	if err != nil {
		return "", "", fmt.Errorf("find the address that other nodes reach this one at (set peer_address): %w", err)
	}
	defer way.Close()
	host, _, err := net.SplitHostPort(way.LocalAddr().String())
	return host, "", err
}

// Ready implements cluster.Local.
func (e *Engine) Ready() map[string]int {
	ready := make(map[string]int)
	if s := e.current.Load(); s != nil {
		s.catalog.Ready(func(name, version string, idle int) {
			if !s.registry.ReadOnly(name) { // other nodes do not have the functions of the settings
				ready[cluster.Thing(name, version)] = idle
			}
		})
	}
	return ready
}

// Group implements cluster.Local.
func (e *Engine) Group(ctx context.Context, name, version, revision string) (*warmpool.Group, error) {
	s := e.current.Load()
	if s == nil {
		return nil, warmpool.ErrClosed
	}
	return s.catalog.At(ctx, name, version, revision)
}

// isAlone reports whether no other node lives.
func (e *Engine) isAlone() bool {
	c := e.cluster.Load()
	return c != nil && len(c.Members()) == 1
}

// Moved implements cluster.Local.
func (e *Engine) Moved() {
	if s := e.current.Load(); s != nil {
		s.catalog.Spread()
	}
}

// Lost implements cluster.Local. It writes the credentials again, so that a node that comes
// later finds those of this one.
func (e *Engine) Lost(ctx context.Context) error {
	if s := e.current.Load(); s != nil {
		return s.shareCredentials(ctx)
	}
	return nil
}

// peers passes calls to other nodes once this node is in a cluster.
type peers struct{ engine *Engine }

// Invoke implements warmpool.Peers.
func (p peers) Invoke(ctx context.Context, g *warmpool.Group, revision string, call *environment.Call) (handed bool, err error) {
	c := p.engine.cluster.Load()
	if c == nil {
		return false, nil
	}
	return c.Invoke(ctx, g, revision, call)
}

// ProvisionedPart implements warmpool.Peers.
func (p peers) ProvisionedPart(name, version string, total int) int {
	c := p.engine.cluster.Load()
	if c == nil {
		return 0 // it is about to join; then it knows its part
	}
	return c.ProvisionedPart(name, version, total)
}

var (
	_ cluster.Local  = (*Engine)(nil)
	_ warmpool.Peers = peers{}
)
