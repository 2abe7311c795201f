package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/sandbox/network"
)

// A holder is a process of this program that does in environments what a gateway
// that is not root cannot: it is root of a user namespace, and each environment is
// in one below. The gateway, which has many threads, may enter neither; the holder
// is born in its own, and a thread of it may enter the mounts and the network of
// those below.
//
//	gateway, any user
//	   |-- holder          user namespace H: root, mapped to the gateway's user
//	   '-- bwrap --userns E    user namespace E, below H: the function
//
// If the gateway's user has subordinate users, H has them too, and E one of them: the
// function. Else the function is the gateway's user.
//
// Where it cannot be, bwrap makes the user namespaces, and there are no stems. One that
// ends is started again (keepHolder).
type holder struct {
	cmd  *exec.Cmd
	gone chan struct{} // closed when the process has ended

	mu     sync.Mutex
	conn   int         // guarded by mu; a socket of packets
	lost   error       // guarded by mu; why it is of no use any more
	closed bool        // guarded by mu
	free   usernsStock // guarded by mu

	identities *identityPool // nil without subordinate users
}

// holderName is the name by which this program knows that it is a holder.
const holderName = "hearth-holder"

// holderTimeout bounds what a holder does, which takes milliseconds.
var holderTimeout = unix.Timeval{Sec: 10}

// An order is what the gateway asks of the holder. With it may go a descriptor:
// the namespace that it is about.
type order struct {
	Do     string // one of the constants below
	Late   lateMounts
	Listen string // an address
	UID    int    // in the holder's namespace; 0 is the gateway's user
	PID    int    // the first process of an environment
	Inode  uint32 // of a socket

	// Of the router of NetworkPrivate.
	Router network.RouterConfig
	Link   network.Link
	Policy network.Policy
	Denied []function.NetworkRule
	Socket string // the kind of one that listens
}

const (
	orderUserns = "userns" // answered with a new user namespace
	orderMount  = "mount"
	orderListen = "listen" // answered with a socket
	orderDial   = "dial"   // answered with a socket that is not connected
	orderOwns   = "owns"   // answered with whether a process of the environment has the socket
	orderFiles  = "files"  // answered with the bytes of the files in memory that it has open

	// See network.Router: the holder's own network is the router's.
	orderRouter  = "router"
	orderAttach  = "attach"
	orderRegroup = "regroup"
	orderPermit  = "permit"
	orderForget  = "forget"
	orderDeny    = "deny"
	orderAwait   = "await"
	orderSocket  = "socket" // answered with a socket
)

// An answer is the holder's, perhaps with a descriptor.
type answer struct {
	Error  string
	Exists bool // as errors.Is(err, os.ErrExist)
	Owns   bool
	Bytes  int64
}

// maxOrder bounds an order in bytes: a few paths.
const maxOrder = 64 << 10

// newHolder starts a holder, with the users that are lent or nil. They are taken from the
// range, which lasts longer than a holder.
func newHolder(s *starter, lent *subordinate, users *userRange) (*holder, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	h := &holder{conn: fds[0], gone: make(chan struct{})}
	theirs := os.NewFile(uintptr(fds[1]), "holder")
	defer theirs.Close()
	if err := unix.SetsockoptTimeval(h.conn, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &holderTimeout); err != nil {
		unix.Close(h.conn)
		return nil, err
	}
	h.cmd = &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{holderName}, Env: []string{}, Dir: "/",
		Stderr: os.Stderr, ExtraFiles: []*os.File{theirs},
		SysProcAttr: &syscall.SysProcAttr{
			Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET,
			Pdeathsig:  syscall.SIGKILL,
		},
	}
	if lent == nil {
		h.cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		h.cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	} else {
		// It is nobody until its namespace has users, and would lose what it may do there.
		for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
			h.cmd.SysProcAttr.AmbientCaps = append(h.cmd.SysProcAttr.AmbientCaps, c)
		}
	}
	s.do(func() { err = h.cmd.Start() })
	if err != nil {
		unix.Close(h.conn)
		return nil, err
	}
	go func() { // until close, or its end
		_ = h.cmd.Wait() // that it was killed, is all that it can say
		close(h.gone)
	}()
	if lent != nil {
		if err := lent.enter(h.cmd.Process.Pid); err != nil {
			h.close()
			return nil, err
		}
		h.identities = newIdentityPool(users, func(uid int) (*os.File, error) {
			return h.do(order{Do: orderUserns, UID: uid - lent.firstUID + 1}, nil)
		})
	}
	return h, nil
}

// do has the holder carry out an order, about a namespace or nil.
func (h *holder) do(o order, namespace *os.File) (*os.File, error) {
	_, file, err := h.ask(o, namespace)
	return file, err
}

// ask is do, with all of the answer.
func (h *holder) ask(o order, namespace *os.File) (a answer, file *os.File, err error) {
	message, err := json.Marshal(o)
	if err != nil {
		return a, nil, err
	}
	if len(message) > maxOrder {
		return a, nil, fmt.Errorf("paths of %d bytes are too long", len(message))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lost != nil {
		return a, nil, h.lost
	}
	if err := send(h.conn, message, namespace); errors.Is(err, unix.ETOOMANYREFS) {
		return a, nil, fmt.Errorf("%w: %w", errNoDescriptor, err) // nothing was sent
	} else if err != nil {
		return a, nil, h.lose(err)
	}
	reply, file, err := receive(h.conn)
	if errors.Is(err, errNoDescriptor) {
		return a, nil, err // of a whole answer
	}
	if err != nil {
		return a, nil, h.lose(err)
	}
	if err := json.Unmarshal(reply, &a); err != nil {
		return a, nil, h.lose(err)
	}
	if a.Exists {
		return a, nil, fmt.Errorf("%s: %w", a.Error, os.ErrExist)
	}
	if a.Error != "" {
		return a, nil, errors.New(a.Error)
	}
	if wants := o.Do == orderUserns || o.Do == orderListen || o.Do == orderDial || o.Do == orderSocket; wants != (file != nil) {
		return a, nil, h.lose(errors.New("its answer is not complete"))
	}
	return a, file, nil
}

// lose gives the holder up: an answer that comes late would be taken for that to
// another order. It needs mu.
func (h *holder) lose(err error) error {
	h.lost = fmt.Errorf("the process that mounts has ended or does not answer, and is started again: %w", err)
	h.cmd.Process.Kill()
	return h.lost
}

// works reports whether the holder is of use. A nil holder is not.
func (h *holder) works() bool {
	if h == nil {
		return false
	}
	select {
	case <-h.gone:
		return false
	default:
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lost == nil
}

// acquire is a user namespace that only one environment uses at a time.
func (h *holder) acquire() (*os.File, error) {
	h.mu.Lock()
	free := h.free.take()
	h.mu.Unlock()
	if free != nil {
		return free, nil
	}
	userns, err := h.do(order{Do: orderUserns}, nil)
	if err != nil {
		return nil, fmt.Errorf("make a user namespace: %w", err)
	}
	return userns, nil
}

// release takes back the namespace of an environment that has ended; last was the
// first process inside, or nil.
func (h *holder) release(userns *os.File, last *pidfd) {
	h.mu.Lock()
	h.free.put(userns, last)
	if h.lost != nil {
		h.free.close() // nobody uses them again
	}
	h.mu.Unlock()
}

func (h *holder) mount(namespace *os.File, late lateMounts) error {
	_, err := h.do(order{Do: orderMount, Late: late}, namespace)
	return err
}

func (h *holder) listen(namespace *os.File, address string) (net.Listener, error) {
	f, err := h.do(order{Do: orderListen, Listen: address}, namespace)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return net.FileListener(f)
}

// close ends the process, when no environment is left.
func (h *holder) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	h.closed = true
	if h.lost == nil {
		h.lost = ErrClosed
	}
	unix.Close(h.conn)
	h.cmd.Process.Kill()
	<-h.gone
	h.free.close()
	if h.identities != nil {
		h.mu.Unlock() // what is made ahead asks for an answer
		h.identities.close()
		h.mu.Lock()
	}
}

// send sends a packet, with a descriptor if f is not nil.
func send(conn int, message []byte, f *os.File) error {
	var rights []byte
	if f != nil {
		rights = unix.UnixRights(int(f.Fd()))
	}
	return retry(func() error { return unix.Sendmsg(conn, message, rights, nil, unix.MSG_NOSIGNAL) })
}

// errNoDescriptor says that a descriptor could not be handed over with a packet: this
// process or its user has too many open, or on their way. The packet is whole.
var errNoDescriptor = errors.New("too many files are open, or on their way between processes")

// receive receives a packet, and the descriptor with it or nil.
func receive(conn int) ([]byte, *os.File, error) {
	message, rights := make([]byte, maxOrder), make([]byte, unix.CmsgSpace(4))
	var n, nRights, flags int
	err := retry(func() (err error) {
		n, nRights, flags, _, err = unix.Recvmsg(conn, message, rights, unix.MSG_CMSG_CLOEXEC)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if n == 0 {
		return nil, nil, errors.New("the connection is closed")
	}
	var file *os.File
	if nRights > 0 {
		messages, err := unix.ParseSocketControlMessage(rights[:nRights])
		if err != nil || len(messages) != 1 {
			return nil, nil, errNoDescriptor
		}
		fds, err := unix.ParseUnixRights(&messages[0])
		if err != nil || len(fds) != 1 {
			return nil, nil, errNoDescriptor
		}
		file = os.NewFile(uintptr(fds[0]), "passed")
	}
	if flags&unix.MSG_CTRUNC != 0 {
		if file != nil {
			file.Close()
		}
		return nil, nil, errNoDescriptor
	}
	if flags&unix.MSG_TRUNC != 0 {
		if file != nil {
			file.Close()
		}
		return nil, nil, errors.New("a packet was cut short")
	}
	return message[:n], file, nil
}

// retry repeats a call that a signal interrupts, as Go's own do.
func retry(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
