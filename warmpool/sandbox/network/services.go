package network

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// services open what of this machine a policy names (Policy.Reach): a connection that
// an environment makes to the router is taken here and passed on by one of the
// gateway's.
type services struct {
	network     *Network
	connections chan struct{} // one for each connection
	ctx         context.Context
	stop        context.CancelFunc
	work        sync.WaitGroup

	mu        sync.Mutex
	listeners map[uint16]net.Listener   // guarded by mu; by port
	traces    map[uint16]net.PacketConn // likewise
	closed    bool                      // guarded by mu
}

const (
	// maxServed bounds the connections of all environments to services.
	maxServed = 4096
	// maxServedEach bounds those of one.
	maxServedEach = 256
	// maxDatagram is the longest that there is, in bytes.
	maxDatagram = 64 << 10
	// dialTime bounds the way to a service, which is on this machine.
	dialTime = 5 * time.Second
)

func newServices(n *Network) *services {
	ctx, stop := context.WithCancel(context.Background())
	return &services{network: n, connections: make(chan struct{}, maxServed), ctx: ctx, stop: stop, listeners: map[uint16]net.Listener{}, traces: map[uint16]net.PacketConn{}}
}

func (s *services) close() error {
	s.stop()
	s.mu.Lock()
	s.closed = true
	for _, l := range s.listeners {
		l.Close()
	}
	for _, c := range s.traces {
		c.Close()
	}
	s.mu.Unlock()
	s.work.Wait()
	return nil
}

// open listens at the router for what p reaches. The rules say which environments may
// connect, and each connection is checked again.
func (s *services) open(p Policy) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	for _, service := range p.Services() {
		if s.listeners[service.Port()] != nil {
			continue
		}
		l, err := s.listen(netip.AddrPortFrom(router4, service.Port()))
		if err != nil {
			return err
		}
		s.listeners[service.Port()] = l
		s.work.Go(func() { s.accept(l, s.whose(service.Port())) })
	}
	return s.openTraces(p.Traces)
}

// openTraces listens at the router for datagrams to traces. It needs mu.
func (s *services) openTraces(traces netip.AddrPort) error {
	if !traces.IsValid() || s.traces[traces.Port()] != nil {
		return nil
	}
	f, err := s.network.plane.Listen("udp4", netip.AddrPortFrom(router4, traces.Port()).String())
	if err != nil {
		return err
	}
	defer f.Close()
	from, err := net.FilePacketConn(f)
	if err != nil {
		return err
	}
	s.traces[traces.Port()] = from
	s.work.Go(func() { s.relay(from) })
	return nil
}

// relay passes datagrams of environments on to where their policy has traces taken. There are no
// answers. What comes faster than it is passed on is lost, as datagrams are.
func (s *services) relay(from net.PacketConn) {
	to, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		from.Close()
		return
	}
	defer to.Close()
	buffer := make([]byte, maxDatagram)
	for {
		n, sender, err := from.ReadFrom(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		if a := s.network.who(sender); a != nil {
			if traces := a.Policy().Traces; traces.IsValid() {
				_, _ = to.WriteTo(buffer[:n], net.UDPAddrFromAddrPort(traces))
			}
		}
	}
}

// whose tells of connections to a port of the router which environment they are of.
func (s *services) whose(port uint16) func(net.Conn) (*Attachment, netip.AddrPort) {
	return func(c net.Conn) (*Attachment, netip.AddrPort) {
		a := s.network.who(c.RemoteAddr())
		if a == nil {
			return nil, netip.AddrPort{}
		}
		return a, serviceAt(a.Policy(), port)
	}
}

func serviceAt(p Policy, port uint16) netip.AddrPort {
	all := p.Services()
	i := slices.IndexFunc(all, func(a netip.AddrPort) bool { return a.Port() == port })
	if i < 0 {
		return netip.AddrPort{}
	}
	return all[i]
}

func (s *services) listen(address netip.AddrPort) (net.Listener, error) {
	f, err := s.network.plane.Listen("tcp4", address.String())
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return net.FileListener(f)
}

// Serve passes connections that l takes on to a service of the machine, until the
// attachment is released. It has l from then on.
func (a *Attachment) Serve(l net.Listener, service netip.AddrPort) {
	s := a.network.services
	c := &connection{ends: []io.Closer{l}}
	if !a.track(c) {
		return
	}
	s.work.Go(func() {
		defer a.drop(c)
		s.accept(l, func(net.Conn) (*Attachment, netip.AddrPort) { return a, service })
	})
}

// accept takes connections, each of the environment and to the service that whose says.
func (s *services) accept(l net.Listener, whose func(net.Conn) (*Attachment, netip.AddrPort)) {
	for {
		c, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || s.ctx.Err() != nil {
				return
			}
			// Out of descriptors, for example: the next one may do better.
			select {
			case <-s.ctx.Done():
				return
			case <-time.After(50 * time.Millisecond):
			}
			continue
		}
		a, service := whose(c)
		if a == nil || !service.IsValid() || !s.take() {
			c.Close()
			continue
		}
		s.work.Go(func() {
			defer func() { <-s.connections }()
			s.proxy(a, c, service)
		})
	}
}

func (s *services) take() bool {
	select {
	case s.connections <- struct{}{}:
		return true
	default:
		return false
	}
}

// proxy copies both ways until both ends have said that they are done, or one is gone.
func (s *services) proxy(a *Attachment, c net.Conn, service netip.AddrPort) {
	ctx, cancel := context.WithTimeout(s.ctx, dialTime)
	var dialer net.Dialer
	there, err := dialer.DialContext(ctx, "tcp", service.String())
	cancel()
	if err != nil {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // as if nobody listened
		}
		c.Close()
		return
	}
	both := &connection{ends: []io.Closer{c, there}}
	if !a.track(both) {
		return
	}
	defer a.drop(both)
	defer context.AfterFunc(s.ctx, both.close)()
	done := make(chan struct{})
	s.work.Go(func() {
		defer close(done)
		half(there, c)
	})
	half(c, there)
	<-done
}

// half copies one way, and says at the end that no more will come.
func half(to, from net.Conn) {
	_, err := io.Copy(to, from)
	if tcp, ok := to.(*net.TCPConn); ok && err == nil {
		err = tcp.CloseWrite()
	}
	if err != nil {
		to.Close()
		from.Close()
	}
}

// A connection must be closed when its environment ends.
type connection struct {
	once sync.Once
	ends []io.Closer
}

func (c *connection) close() {
	c.once.Do(func() {
		for _, end := range c.ends {
			end.Close()
		}
	})
}

// track adds c to the connections that end closes. If it has ended, or there are too many, it
// closes c.
func (a *Attachment) track(c *connection) bool {
	a.mu.Lock()
	tracked := a.sockets != nil && len(a.sockets) < maxServedEach
	if tracked {
		a.sockets[c] = struct{}{}
	}
	a.mu.Unlock()
	if !tracked {
		c.close()
	}
	return tracked
}

func (a *Attachment) drop(c *connection) {
	c.close()
	a.mu.Lock()
	delete(a.sockets, c)
	a.mu.Unlock()
}
