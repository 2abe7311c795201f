package sandbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrStranger says that a connection comes from outside the environment.
var ErrStranger = errors.New("the connection comes from outside the environment")

// CheckPeer fails with ErrStranger unless the other end of conn, a TCP connection
// over this machine's loopback, is held by a process of this environment. On a
// network that functions share, an address alone says nothing.
func (p *Process) CheckPeer(conn net.Conn) error {
	local, err1 := netip.ParseAddrPort(conn.LocalAddr().String())
	remote, err2 := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	uid, inode, err := socketOwner(remote, local)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStranger, err)
	}
	p.mu.Lock() // while it is held, user and pid are of this process
	defer p.mu.Unlock()
	if p.reaped {
		return fmt.Errorf("%w: that has ended", ErrStranger)
	}
	// Every environment has a user of its own, but another one may have its sockets, or
	// have had the user before.
	if p.identity != nil && int(uid) != p.identity.uid {
		return fmt.Errorf("%w: it is of user %d", ErrStranger, uid)
	}
	root := p.cmd.Process.Pid
	if p.initPID != 0 {
		root = p.initPID
	}
	owns := treeHasSocket
	if p.identity != nil && p.holder != nil {
		owns = p.holder.treeHasSocket
	}
	if !owns(root, inode) && (p.born == 0 || !treeHasSocket(p.born, inode)) {
		return fmt.Errorf("%w: it is of none of its processes", ErrStranger)
	}
	return nil
}

// treeHasSocket asks the holder, because the descriptors of another user are not ours to see.
func (h *holder) treeHasSocket(pid int, inode uint32) bool {
	a, _, err := h.ask(order{Do: orderOwns, PID: pid, Inode: inode}, nil)
	return err == nil && a.Owns
}

// treeHasSocket reports whether a process or one of its descendants has a socket open.
func treeHasSocket(pid int, inode uint32) bool {
	want := fmt.Sprintf("socket:[%d]", inode)
	for queue, seen := []int{pid}, 0; len(queue) > 0 && seen < maxTree; seen++ {
		pid, queue = queue[0], queue[1:]
		dir := fmt.Sprintf("/proc/%d/fd", pid)
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // ended meanwhile, or not ours to see
		}
		for _, e := range entries {
			if link, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil && link == want {
				return true
			}
		}
		queue = append(queue, children(pid)...)
	}
	return false
}

// Of linux/sock_diag.h and linux/inet_diag.h.
const (
	sockDiagByFamily = 20
	diagRequestSize  = 16 + 56 // nlmsghdr, inet_diag_req_v2
	diagUID          = 16 + 64 // in the answer
	diagInode        = 16 + 68
)

// socketOwner asks the kernel whose the TCP socket at address, connected to peer,
// is: its user and inode.
func socketOwner(address, peer netip.AddrPort) (uid, inode uint32, err error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_INET_DIAG)
	if err != nil {
		return 0, 0, fmt.Errorf("ask for a socket's owner: %w", err)
	}
	defer unix.Close(fd)
	timeout := unix.Timeval{Sec: 1}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		return 0, 0, fmt.Errorf("ask for a socket's owner: %w", err)
	}
	var request [diagRequestSize]byte
	native := binary.NativeEndian
	native.PutUint32(request[0:], diagRequestSize)
	native.PutUint16(request[4:], sockDiagByFamily)
	native.PutUint16(request[6:], unix.NLM_F_REQUEST)
	family, source, target := byte(unix.AF_INET), address.Addr().Unmap(), peer.Addr().Unmap()
	if !source.Is4() {
		family = unix.AF_INET6
	}
	request[16], request[17] = family, unix.IPPROTO_TCP
	native.PutUint32(request[20:], ^uint32(0)) // in any state
	binary.BigEndian.PutUint16(request[24:], address.Port())
	binary.BigEndian.PutUint16(request[26:], peer.Port())
	copy(request[28:], source.AsSlice())
	copy(request[44:], target.AsSlice())
	native.PutUint64(request[64:], ^uint64(0)) // no cookie
	if err := unix.Sendto(fd, request[:], 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, 0, fmt.Errorf("ask for a socket's owner: %w", err)
	}
	var answer [4096]byte
	n, _, err := unix.Recvfrom(fd, answer[:], 0)
	if err != nil {
		return 0, 0, fmt.Errorf("ask for a socket's owner: %w", err)
	}
	if n < diagInode+4 || native.Uint16(answer[4:]) != sockDiagByFamily {
		return 0, 0, errors.New("the kernel knows no such socket")
	}
	return native.Uint32(answer[diagUID:]), native.Uint32(answer[diagInode:]), nil
}

// CanListen reports whether Listen works here: for a gateway that is root, and for
// others where CanAssume is true.
func (s *Sandbox) CanListen() bool { return s.identities != nil || s.holder.Load().works() }

// HasNetworks reports whether NetworkNone means anything here: not with the sandbox
// off.
func (s *Sandbox) HasNetworks() bool { return s.on }

// Listen listens at a TCP address of the environment's own network (NetworkNone, NetworkPrivate),
// where nobody else can connect. It works where CanListen says so.
func (p *Process) Listen(address string) (net.Listener, error) {
	l, err := p.listen(address)
	if err != nil {
		return nil, fmt.Errorf("environment %s: listen at %s inside: %w", p.id, address, err)
	}
	return l, nil
}

// Endpoint is what listens at Spec.Endpoint; the caller closes it. It is nil without one, and
// if the environment ended before it was made.
func (p *Process) Endpoint() net.Listener { return p.endpoint }

func (p *Process) listen(address string) (net.Listener, error) {
	if p.identity == nil && p.holder == nil {
		return nil, errors.New("this server, not being root, cannot enter it (its log says why at start): use network host")
	}
	namespace, err := p.namespace("net")
	if err != nil {
		return nil, err
	}
	defer namespace.Close()
	if p.holder != nil {
		return p.holder.listen(namespace, address)
	}
	f, err := listenIn(namespace, address)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return net.FileListener(f)
}
