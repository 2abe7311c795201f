package engine

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/state/redisstore"
)

// A shield keeps from functions, wherever it is, what nodes speak to each other by: the
// Redis, and the ports of the other nodes.
type shield struct {
	machinery *machinery
	hosts     []string // of Redis
	log       *zap.Logger
	stop      context.CancelFunc
	done      chan struct{}
}

// shieldEvery is how often the shield looks where those are.
const shieldEvery = 10 * time.Second

func newShield(n *machinery, redis string, log *zap.Logger) *shield {
	ctx, stop := context.WithCancel(context.Background())
	s := &shield{machinery: n, hosts: redisstore.Hosts(redis), log: log, stop: stop, done: make(chan struct{})}
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
	ticker := time.NewTicker(shieldEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.update(ctx)
		}
	}
}

func (s *shield) update(ctx context.Context) {
	addresses := s.hosts
	if c := s.machinery.engine.cluster.Load(); c != nil {
		for _, member := range c.Members() {
			addresses = append(addresses[:len(addresses):len(addresses)], member.Address)
		}
	}
	rules, complete := rulesFor(ctx, addresses)
	if !complete {
		return // what was denied stays so
	}
	if err := s.machinery.sandbox.Deny("nodes", rules); err != nil {
		s.log.Error("functions may reach other nodes and Redis", zap.Error(err))
	}
}

// rulesFor are the rules that name addresses, HOST:PORT each. They are not complete when
// a name is not resolved.
func rulesFor(ctx context.Context, addresses []string) (rules []function.NetworkRule, complete bool) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	complete = true
	for _, address := range addresses {
		host, text, err := net.SplitHostPort(address)
		port, portErr := strconv.ParseUint(text, 10, 16)
		if err != nil || portErr != nil {
			continue // it is nowhere
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
