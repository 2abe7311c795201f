package network

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"
)

// A resolver passes questions of environments to the machine's resolvers. So environments can
// resolve names even if the machine's resolver listens on its loopback, or has only an IPv6
// address. Environments know the resolver by one address. Its sockets are in the router's
// network.
type resolver struct {
	network   *Network
	packets   net.PacketConn
	streams   net.Listener
	questions chan struct{} // one for each question under way
	ctx       context.Context
	stop      context.CancelFunc
	work      sync.WaitGroup
}

const (
	// maxQuestions bounds the questions of all environments that are under way.
	maxQuestions = 512
	// questionTime is how long a resolver of the machine may take.
	questionTime = 5 * time.Second
	// maxAnswer bounds a message over UDP, in bytes, with EDNS as others bound it.
	maxAnswer = 4096
	// streamTime is how long a connection may last that asks by TCP.
	streamTime = 30 * time.Second
)

// ResolverAddress is what environments have in /etc/resolv.conf.
func ResolverAddress() netip.Addr { return router4 }

func newResolver(n *Network) (*resolver, error) {
	ctx, stop := context.WithCancel(context.Background())
	r := &resolver{network: n, questions: make(chan struct{}, maxQuestions), ctx: ctx, stop: stop}
	address := netip.AddrPortFrom(router4, dnsPort).String()
	udp, err := n.plane.Listen("udp4", address)
	if err != nil {
		return nil, err
	}
	defer udp.Close()
	tcp, err := n.plane.Listen("tcp4", address)
	if err != nil {
		return nil, err
	}
	defer tcp.Close()
	if r.packets, err = net.FilePacketConn(udp); err != nil {
		return nil, err
	}
	if r.streams, err = net.FileListener(tcp); err != nil {
		return nil, errors.Join(err, r.packets.Close())
	}
	r.work.Go(r.servePackets)
	r.work.Go(r.serveStreams)
	return r, nil
}

func (r *resolver) close() error {
	r.stop()
	err := errors.Join(r.packets.Close(), r.streams.Close())
	r.work.Wait()
	return err
}

// take takes a slot if there is one.
func (r *resolver) take() bool {
	select {
	case r.questions <- struct{}{}:
		return true
	default:
		return false
	}
}

func (r *resolver) servePackets() {
	buffer := make([]byte, maxAnswer)
	for {
		n, from, err := r.packets.ReadFrom(buffer)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue // a message about an earlier answer
		}
		if n < 12 || !r.take() {
			continue // the client asks again
		}
		question := append([]byte(nil), buffer[:n]...)
		r.work.Go(func() {
			defer func() { <-r.questions }()
			_, _ = r.packets.WriteTo(r.answer(from, question), from)
		})
	}
}

// answer asks the machine's resolvers in turn.
func (r *resolver) answer(from net.Addr, question []byte) []byte {
	if r.shut(from) {
		return failure(question, refused)
	}
	for _, server := range servers() {
		if answer, err := r.ask(server, question); err == nil {
			return answer
		}
	}
	return failure(question, serverFailure)
}

// shut reports whether an environment may not ask.
func (r *resolver) shut(from net.Addr) bool {
	a := r.network.who(from)
	return a == nil || a.Policy().Shut()
}

func (r *resolver) ask(server netip.AddrPort, question []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(r.ctx, questionTime)
	defer cancel()
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, "udp", server.String())
	if err != nil {
		return nil, err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if _, err := c.Write(question); err != nil {
		return nil, err
	}
	answer := make([]byte, maxAnswer)
	for {
		n, err := c.Read(answer)
		if err != nil {
			return nil, err
		}
		if n >= 12 && answer[0] == question[0] && answer[1] == question[1] {
			return answer[:n], nil
		}
	}
}

// Codes of answers (RFC 1035, 4.1.1).
const (
	serverFailure = 2
	refused       = 5
)

// failure is the answer of a failure: the question with another head.
func failure(question []byte, code byte) []byte {
	answer := append([]byte(nil), question...)
	answer[2] |= 0x80
	answer[3] = answer[3]&0x70 | code
	return answer
}

func (r *resolver) serveStreams() {
	for {
		c, err := r.streams.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		}
		if !r.take() {
			c.Close()
			continue
		}
		r.work.Go(func() {
			defer func() { <-r.questions }()
			r.serveStream(c)
		})
	}
}

// serveStream passes questions and answers between a connection and a resolver.
func (r *resolver) serveStream(c net.Conn) {
	defer c.Close()
	ctx, cancel := context.WithTimeout(r.ctx, streamTime)
	defer cancel()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if r.shut(c.RemoteAddr()) {
		r.refuseStream(c)
		return
	}
	for _, server := range servers() {
		var dialer net.Dialer
		dialing, stop := context.WithTimeout(ctx, questionTime)
		there, err := dialer.DialContext(dialing, "tcp", server.String())
		stop()
		if err != nil {
			continue
		}
		defer there.Close()
		defer context.AfterFunc(ctx, func() { there.Close() })()
		done := make(chan struct{})
		r.work.Go(func() {
			defer close(done)
			_, _ = io.Copy(there, c)
			_ = there.(*net.TCPConn).CloseWrite()
		})
		_, _ = io.Copy(c, there)
		cancel()
		<-done
		return
	}
}

func (r *resolver) refuseStream(c net.Conn) {
	var length [2]byte
	if _, err := io.ReadFull(c, length[:]); err != nil {
		return
	}
	question := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(c, question); err != nil || len(question) < 12 {
		return
	}
	_, _ = c.Write(append(length[:], failure(question, refused)...))
}

// servers are the machine's resolvers. They are read each time: a machine changes its
// network, and the file is a few lines.
func servers() []netip.AddrPort {
	f, err := os.Open("/etc/resolv.conf")
	if err != nil {
		return nil
	}
	defer f.Close()
	var all []netip.AddrPort
	for lines := bufio.NewScanner(io.LimitReader(f, 64<<10)); lines.Scan() && len(all) < 3; {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		if address, err := netip.ParseAddr(fields[1]); err == nil {
			all = append(all, netip.AddrPortFrom(address, dnsPort))
		}
	}
	if len(all) == 0 {
		all = append(all, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), dnsPort)) // as resolv.conf(5) has it
	}
	return all
}
