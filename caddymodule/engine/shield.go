package engine

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/state/redisstore"
)

// A shield denies functions the way to the addresses by which nodes speak to each other: the
// Redis, and the ports of the other nodes.
type shield struct {
	machinery *machinery
	redis     string                 // URL
	nodes     []string               // addresses of the nodes, as of the last update
	rules     []function.NetworkRule // those that hold
	log       *zap.Logger
	stop      context.CancelFunc
	done      chan struct{}
}

const (
	// shieldEvery is how often the shield resolves these addresses again.
	shieldEvery = 10 * time.Second
	// nodesEvery is how often it looks whether there are other nodes than before, which
	// asks nobody.
	nodesEvery = time.Second
)

func newShield(n *machinery, redis string, log *zap.Logger) *shield {
	ctx, stop := context.WithCancel(context.Background())
	s := &shield{machinery: n, redis: redis, log: log, stop: stop, done: make(chan struct{})}
	s.update(ctx) // before a function runs
	go s.run(ctx)
	return s
}

func (s *shield) close() {
	s.stop()
	<-s.done
}

func (s *shield) run(ctx context.Context) {
	defer close(s.done)
	resolve, look := time.NewTicker(shieldEvery), time.NewTicker(nodesEvery)
	defer resolve.Stop()
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-resolve.C:
			s.update(ctx)
		case <-look.C:
			if !slices.Equal(s.members(), s.nodes) {
				s.update(ctx)
			}
		}
	}
}

func (s *shield) update(ctx context.Context) {
	s.nodes = s.members()
	addresses, err := s.servers(ctx)
	addresses = append(addresses, s.nodes...)
	rules, complete := rulesFor(ctx, addresses)
	if err != nil || !complete { // the rules of before stay
		for _, rule := range s.rules {
			if !slices.Contains(rules, rule) {
				rules = append(rules, rule)
			}
		}
		rules = rules[:min(len(rules), maxShielded)]
	}
	s.rules = rules
	if err := s.machinery.sandbox.Deny("nodes", rules); err != nil {
		s.log.Error("functions may reach other nodes and Redis", zap.Error(err))
	}
}

// members are the addresses of the nodes, sorted.
func (s *shield) members() (addresses []string) {
	if c := s.machinery.engine.cluster.Load(); c != nil {
		for _, member := range c.Members() {
			addresses = append(addresses, member.Address)
		}
	}
	slices.Sort(addresses)
	return addresses
}

// servers are those of Redis. A Redis that does not answer does not keep this server from
// starting.
func (s *shield) servers(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return redisstore.Servers(ctx, s.redis)
}

// maxShielded bounds the rules while a name leads to ever other addresses and another one
// to none.
const maxShielded = 500

// rulesFor makes rules of addresses, each HOST:PORT. The rules are incomplete if a name
// cannot be resolved.
func rulesFor(ctx context.Context, addresses []string) (rules []function.NetworkRule, complete bool) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	complete = true
	for _, address := range addresses {
		host, text, err := net.SplitHostPort(address)
		port, portErr := strconv.ParseUint(text, 10, 16)
		if err != nil || portErr != nil {
			continue // the name does not exist
		}
		found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		complete = complete && err == nil
		for _, ip := range found {
			ip = ip.Unmap().WithZone("")
			rules = append(rules, function.NetworkRule{To: netip.PrefixFrom(ip, ip.BitLen()), Port: uint16(port)})
		}
	}
	return rules, complete
}
