package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/sandbox/network"
)

// How long it may take until a connection is accepted, and how often is asked.
const (
	acceptedWithin = time.Second
	acceptedAsk    = 5 * time.Millisecond
)

// Dial connects to a port of the environment's own loopback. If functions share the
// machine's network, the other end must be a process of the environment.
func (p *Process) Dial(ctx context.Context, port uint16) (net.Conn, error) {
	conn, err := p.dial(ctx, port)
	if err != nil {
		return nil, fmt.Errorf("environment %s: connect to port %d inside: %w", p.id, port, err)
	}
	return conn, nil
}

func (p *Process) dial(ctx context.Context, port uint16) (net.Conn, error) {
	address := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
	if p.onHost {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp4", address.String())
		if err != nil {
			return nil, err
		}
		// A connection has no owner until it is accepted.
		for until := time.Now().Add(acceptedWithin); ; {
			if err = p.CheckPeer(conn); err == nil {
				return conn, nil
			}
			if time.Now().After(until) || ctx.Err() != nil {
				conn.Close()
				return nil, err
			}
			select {
			case <-ctx.Done():
			case <-time.After(acceptedAsk):
			}
		}
	}
	namespace, err := p.namespace("net")
	if err != nil {
		return nil, err
	}
	defer namespace.Close()
	var f *os.File
	if p.holder != nil {
		f, err = p.holder.do(order{Do: orderDial}, namespace)
	} else {
		f, err = socketIn(namespace)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return connect(ctx, f, address)
}

// socketIn is a TCP socket of a network namespace. It stays in that namespace, whichever
// thread connects it.
func socketIn(namespace *os.File) (*os.File, error) {
	var f *os.File
	err := network.Inside(namespace, func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err == nil {
			f = os.NewFile(uintptr(fd), "tcp")
		}
		return err
	})
	return f, err
}

// connect connects a socket that does not block.
func connect(ctx context.Context, f *os.File, to netip.AddrPort) (net.Conn, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	// Of the environment's loopback, which answers at once or not at all.
	if deadline, ok := ctx.Deadline(); ok {
		if err := f.SetDeadline(deadline); err != nil {
			return nil, err
		}
	}
	var failed error
	begun := false
	err = raw.Write(func(fd uintptr) bool {
		if !begun {
			begun = true
			failed = unix.Connect(int(fd), &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())})
			return !errors.Is(failed, unix.EINPROGRESS)
		}
		var status int
		if status, failed = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR); failed == nil && status != 0 {
			failed = unix.Errno(status)
		}
		return true
	})
	if err := errors.Join(err, failed); err != nil {
		return nil, err
	}
	return net.FileConn(f)
}
