package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/sandbox/network"
)

// A program with several threads cannot become a holder. So it starts again as one,
// before anything else of it runs.
func init() {
	if len(os.Args) == 1 && os.Args[0] == holderName {
		serveOrders(3)
		os.Exit(0)
	}
	if len(os.Args) > 2 && os.Args[0] == execName {
		err := unix.Exec(os.Args[1], os.Args[2:], []string{})
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// execName is the name by which this program becomes the one that its arguments name.
// It hands on no signal that is ignored: Caddy ignores SIGPIPE, and there are versions
// of pasta that take that for an error.
const execName = "hearth-exec"

// serveOrders is all that a holder does. It returns when the gateway closes its end.
func serveOrders(conn int) {
	unix.CloseOnExec(conn)
	var s orderServer
	for {
		message, file, err := receive(conn)
		if err != nil && !errors.Is(err, errNoDescriptor) {
			return
		}
		var made *os.File
		var a answer
		if err == nil {
			made, err = s.carryOut(message, file, &a)
		}
		if err != nil {
			a.Error, a.Exists = err.Error(), errors.Is(err, os.ErrExist)
		}
		reply, err := json.Marshal(a)
		if err == nil {
			err = send(conn, reply, made)
		}
		if errors.Is(err, unix.ETOOMANYREFS) {
			if reply, err = json.Marshal(answer{Error: fmt.Sprintf("%v: %v", errNoDescriptor, err)}); err == nil {
				err = send(conn, reply, nil)
			}
		}
		for _, f := range []*os.File{file, made} {
			if f != nil {
				f.Close()
			}
		}
		if err != nil {
			return
		}
	}
}

// An orderServer carries out the orders of a gateway, in its holder.
type orderServer struct {
	router *network.Router // nil until it is asked for
}

// carryOut does what an order says. The file that it makes goes with the answer.
func (s *orderServer) carryOut(message []byte, namespace *os.File, a *answer) (*os.File, error) {
	var o order
	if err := json.Unmarshal(message, &o); err != nil {
		return nil, err
	}
	if wantsNamespace(o.Do) && namespace == nil {
		return nil, errors.New("no namespace came with the order")
	}
	switch o.Do {
	case orderUserns:
		program, err := exec.LookPath("/bin/cat")
		if err != nil {
			return nil, fmt.Errorf("coreutils have to be installed: %w", err)
		}
		if o.UID != 0 {
			return makeUserns(program, lentTo(o.UID), true, (*exec.Cmd).Start)
		}
		return makeUserns(program, lonely(0), false, (*exec.Cmd).Start)
	case orderMount:
		return nil, o.Late.make(namespace)
	case orderListen:
		return listenIn(namespace, o.Listen)
	case orderDial:
		return socketIn(namespace)
	case orderOwns:
		a.Owns = treeHasSocket(o.PID, o.Inode)
		return nil, nil
	case orderFiles:
		a.Bytes = openInMemory(o.PID)
		return nil, nil
	case orderRouter:
		if s.router != nil {
			return nil, errors.New("there is a router already")
		}
		router, err := network.NewRouter(o.Router)
		if err == nil {
			s.router = router
		}
		return nil, err
	}
	if s.router != nil {
		return s.route(o, namespace)
	}
	return nil, fmt.Errorf("order %q is unknown", o.Do)
}

// route carries an order out that is about the router.
func (s *orderServer) route(o order, namespace *os.File) (*os.File, error) {
	switch o.Do {
	case orderAttach:
		return nil, s.router.Attach(namespace, o.Link)
	case orderRegroup:
		return nil, s.router.Regroup(o.Link)
	case orderPermit:
		return nil, s.router.Permit(o.Link.Group, o.Policy)
	case orderForget:
		return nil, s.router.Forget(o.Link.Group)
	case orderDeny:
		return nil, s.router.Deny(o.Denied)
	case orderAwait:
		return nil, s.router.AwaitUplink(awaitTime)
	case orderSocket:
		return network.Listen(o.Socket, o.Listen)
	}
	return nil, fmt.Errorf("order %q is unknown", o.Do)
}

// wantsNamespace reports whether an order is about a namespace.
func wantsNamespace(order string) bool {
	return order == orderMount || order == orderListen || order == orderDial || order == orderAttach
}

// awaitTime limits the wait for a way out. The caller then asks again.
const awaitTime = 50 * time.Millisecond

// listenIn is a socket that listens in a network namespace. bwrap may not have given
// the loopback its address yet.
func listenIn(namespace *os.File, address string) (*os.File, error) {
	var f *os.File
	err := network.Inside(namespace, func() error {
		free := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
			control := c.Control(func(fd uintptr) {
				if err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_FREEBIND, 1); err != nil {
					err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_FREEBIND, 1)
				}
			})
			return errors.Join(err, control)
		}}
		l, err := free.Listen(context.Background(), "tcp", address)
		if err != nil {
			return err
		}
		defer l.Close()
		f, err = l.(*net.TCPListener).File()
		return err
	})
	return f, err
}
