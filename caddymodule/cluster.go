package caddymodule

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"

	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/cluster"
	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/state"
)

// joinCluster makes this process a node among those that share its Redis. The storage
// leaves when it is closed.
func (s *Engine) joinCluster(a *App) error {
	if !s.shared {
		return nil
	}
	if c := s.cluster.Load(); c != nil { // since another configuration
		return a.registerMetrics(c.Metrics())
	}
	nodes, ok := s.records.(state.Nodes)
	if !ok {
		return errors.New("the state store knows no nodes")
	}
	if _, err := a.verifier(); err != nil { // all nodes have its keys
		return err
	}
	advertise, listen, err := a.peerAddress()
	if err != nil {
		return err
	}
	secret := sha256.Sum256([]byte("hearth cluster\n" + a.linkSecret))
	c, err := cluster.New(cluster.Config{
		Name: a.nodeName(), Nodes: nodes, Secret: secret[:], Advertise: advertise, Listen: listen, Local: s, Bodies: s.bodies, Log: a.log,
	})
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	s.cluster.Store(c)
	s.Moved()
	return a.registerMetrics(c.Metrics())
}

// nodeName is the same after a restart, and another one for another data directory.
func (a *App) nodeName() string {
	if a.Node != "" {
		return a.Node
	}
	host, err := os.Hostname()
	if err != nil {
		host = "node"
	}
	sum := sha256.Sum256([]byte(a.DataDir))
	return host + "-" + hex.EncodeToString(sum[:3])
}

// peerAddress is where other nodes reach this one: as configured, or the address that
// this machine has on the way to Redis, with any port.
func (a *App) peerAddress() (advertise, listen string, err error) {
	if a.PeerAddress != "" {
		host, port, err := net.SplitHostPort(a.PeerAddress)
		if err != nil {
			return "", "", fmt.Errorf("peer_address %q is not HOST:PORT", a.PeerAddress)
		}
		listen = a.PeerAddress
		if net.ParseIP(host) == nil {
			listen = ":" + port // a name may be that of a way to this machine, and no address of it
		}
		return a.PeerAddress, listen, nil
	}
	_, rest, _ := strings.Cut(a.Redis.URL, "://")
	rest, _, _ = strings.Cut(rest, "?")
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	first, _, _ := strings.Cut(rest, ",")
	first, _, _ = strings.Cut(first, "/")
	u := url.URL{Host: first}
	// Nothing is sent: this asks for the way alone.
	way, err := net.Dial("udp", net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "6379")))
	if err != nil {
		return "", "", fmt.Errorf("find the address that other nodes reach this one at (set peer_address): %w", err)
	}
	defer way.Close()
	host, _, err := net.SplitHostPort(way.LocalAddr().String())
	return host, "", err
}

// Ready implements cluster.Local.
func (s *Engine) Ready() map[string]int {
	ready := make(map[string]int)
	if a := s.current.Load(); a != nil {
		a.catalog.Ready(func(name, version string, idle int) {
			if !a.registry.ReadOnly(name) { // those of the Caddyfile are this node's own
				ready[cluster.Thing(name, version)] = idle
			}
		})
	}
	return ready
}

// Group implements cluster.Local.
func (s *Engine) Group(ctx context.Context, name, version, revision string) (*warmpool.Group, error) {
	a := s.current.Load()
	if a == nil {
		return nil, warmpool.ErrClosed
	}
	return a.catalog.At(ctx, name, version, revision)
}

// isAlone reports whether no other node lives.
func (s *Engine) isAlone() bool {
	c := s.cluster.Load()
	return c != nil && len(c.Members()) == 1
}

// Moved implements cluster.Local.
func (s *Engine) Moved() {
	if a := s.current.Load(); a != nil {
		a.catalog.Spread()
	}
}

// Lost implements cluster.Local: a node that comes later must find the credentials that
// this one has.
func (s *Engine) Lost(ctx context.Context) error {
	if a := s.current.Load(); a != nil {
		return a.shareCredentials(ctx)
	}
	return nil
}

// others hands calls to other nodes once there are some.
type others struct{ engine *Engine }

// Invoke implements warmpool.Others.
func (o others) Invoke(ctx context.Context, g *warmpool.Group, revision string, call *environment.Call) (handed bool, err error) {
	c := o.engine.cluster.Load()
	if c == nil {
		return false, nil
	}
	return c.Invoke(ctx, g, revision, call)
}

// Share implements warmpool.Others.
func (o others) Share(name, version string, total int) int {
	c := o.engine.cluster.Load()
	if c == nil {
		return 0 // it is about to join, and knows its part then
	}
	return c.Share(name, version, total)
}

var (
	_ cluster.Local   = (*Engine)(nil)
	_ warmpool.Others = others{}
)
