package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/sandbox/cgroup"
)

// A Zygote is an interpreter that has booted and holds nothing of any function. It forks at an
// order, and its child becomes the command of an environment that is there already: it joins its
// namespaces, gives up all power and all descriptors but those of the command, and goes on as if
// it had been started there. So environments share the pages that the interpreter has written.
//
//	gateway --- orders, descriptors ---> zygote     root of the machine; a sandbox of files of its own
//	   |                                    | fork, setns, no power any more
//	   v                                    v
//	bwrap --> bwrap, pid 1 inside        command    joins mounts, network, ipc, uts, cgroup, pid, user
//
// The zygote runs trusted code only, in one thread: the bootstrap of the runtime and the SDK of
// the machine. It reaps its children, whose pid namespaces cannot end before.
type Zygote struct {
	sandbox *Sandbox
	process *Process
	conn    *os.File // a socket of packets

	order sync.Mutex // held for one order and its answer

	answers chan zygoteAnswer // to orders; closed when the zygote is lost
	lost    chan struct{}     // closed then, too

	mu       sync.Mutex
	exits    map[int]chan int // guarded by mu: wait statuses, by pid of a child
	retired  bool             // guarded by mu
	starting int              // guarded by mu
}

// What a zygote is asked, and what it says. Descriptors go with a zygoteOrder: the namespaces
// mnt, net, ipc, uts, cgroup, user and pid, then what becomes 1, 2, 3, 4, ... inside.
type (
	zygoteOrder struct {
		UID     int    `json:"uid"`
		GID     int    `json:"gid"`
		Dir     string `json:"dir"`
		Seccomp string `json:"seccomp"` // a program, in hexadecimal
	}
	zygoteAnswer struct {
		Ready  bool   `json:"ready"`
		PID    int    `json:"pid"`
		Exit   int    `json:"exit"` // pid of a child that has ended
		Status int    `json:"status"`
		Error  string `json:"error"`
	}
)

// zygoteNamespaces are what a child joins, in this order, but for pid, which its parent has it
// born in. user is last: it is all that gives the power for the others.
var zygoteNamespaces = []string{"mnt", "net", "ipc", "uts", "cgroup", "user", "pid"}

const (
	// zygotePatience bounds an answer, which takes a millisecond.
	zygotePatience = 5 * time.Second
	maxZygoteWords = 8 << 10
	// placeholder holds the place of the command until it is born: bwrap must have one.
	placeholder = "echo there >&3; exec 3>&-; exec sleep 2000000000"
)

// errZygoteLost says that a zygote is of no use any more.
var errZygoteLost = errors.New("the zygote has ended")

// CanFork reports whether zygotes work here: the server is root, and has cgroups.
func (s *Sandbox) CanFork() bool { return s.canAssume && s.identities != nil && s.cgroups != nil }

// StartZygote starts spec.Args as a zygote, with a socket as descriptor 3, and returns when it
// says that it is ready, or has not within patience. setup is the first packet. Of spec, Mounts, Env and MemoryMB count.
func (s *Sandbox) StartZygote(spec Spec, setup []byte, patience time.Duration) (_ *Zygote, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	theirs := os.NewFile(uintptr(fds[1]), "zygote")
	_ = unix.SetNonblock(fds[0], true) // before NewFile, so that it goes to the poller
	z := &Zygote{
		sandbox: s, conn: os.NewFile(uintptr(fds[0]), "zygote"),
		answers: make(chan zygoteAnswer, 1), lost: make(chan struct{}), exits: make(map[int]chan int),
	}
	spec.Network, spec.Stem, spec.zygote, spec.ExtraFiles = NetworkNone, true, true, []*os.File{theirs}
	z.process, err = s.Start(spec)
	theirs.Close() // or listen would not see the end of the zygote
	if err != nil {
		z.conn.Close()
		return nil, err
	}
	s.work.Go(z.listen)
	err = z.send(setup, nil)
	var a zygoteAnswer
	if err == nil {
		a, err = z.await(patience)
	}
	if err == nil && !a.Ready {
		err = fmt.Errorf("it is not ready: %.500s", a.Error)
	}
	if err != nil {
		z.Close()
		return nil, fmt.Errorf("start a zygote: %w", err)
	}
	return z, nil
}

// listen reads what the zygote says, until it ends.
func (z *Zygote) listen() {
	defer close(z.lost)
	defer close(z.answers)
	buf := make([]byte, maxZygoteWords)
	for {
		n, err := z.conn.Read(buf)
		if n == 0 || err != nil {
			break
		}
		var a zygoteAnswer
		if err := json.Unmarshal(buf[:n], &a); err != nil {
			break
		}
		if a.Exit == 0 {
			select {
			case z.answers <- a:
			default: // nobody asked
			}
			continue
		}
		z.mu.Lock()
		exit := z.exits[a.Exit]
		delete(z.exits, a.Exit)
		z.closeIfIdle()
		z.mu.Unlock()
		if exit != nil {
			exit <- a.Status
		}
	}
	z.process.Kill()
}

func (z *Zygote) await(patience time.Duration) (zygoteAnswer, error) {
	select {
	case a, ok := <-z.answers:
		if !ok {
			return a, errZygoteLost
		}
		return a, nil
	case <-time.After(patience):
		z.process.Kill()
		return zygoteAnswer{}, fmt.Errorf("the zygote does not answer within %s", patience)
	}
}

// Works reports whether the zygote can fork.
func (z *Zygote) Works() bool {
	select {
	case <-z.lost:
		return false
	default:
		return true
	}
}

// Close ends the zygote. Its children live on.
func (z *Zygote) Close() {
	z.process.Kill()
	<-z.process.Done()
	<-z.lost
	z.conn.Close()
}

// Retire ends the zygote when the last of its children has ended. It must not be used again.
func (z *Zygote) Retire() {
	z.mu.Lock()
	z.retired = true
	z.closeIfIdle()
	z.mu.Unlock()
}

// closeIfIdle needs mu.
func (z *Zygote) closeIfIdle() {
	if z.retired && len(z.exits) == 0 && z.starting == 0 {
		z.process.Kill()
	}
}

// Memory is that of the zygote, in bytes.
func (z *Zygote) Memory() int64 {
	current, _ := z.process.Memory()
	return current
}

// Hold keeps z until a call of StartFrom that follows, though it is retired meanwhile.
func (z *Zygote) Hold() {
	z.mu.Lock()
	z.starting++
	z.mu.Unlock()
}

// StartFrom is Start with a command that z forks instead of spec.Args; Hold goes before it. Of a command that ends
// when z has ended before, the exit status is unknown: it counts as killed.
func (s *Sandbox) StartFrom(z *Zygote, spec Spec) (*Process, error) {
	defer func() {
		z.mu.Lock()
		z.starting--
		z.closeIfIdle()
		z.mu.Unlock()
	}()
	there, says, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer there.Close()
	defer says.Close()
	hold := spec
	hold.Args, hold.Env, hold.ExtraFiles = []string{s.tools.sh, "-c", placeholder}, []string{"PATH=/usr/bin:/bin"}, []*os.File{says}
	hold.Stdout, hold.Stderr, hold.owned = nil, nil, []*os.File{spec.Stdout, spec.Stderr}
	p, err := s.Start(hold)
	if err != nil {
		return nil, err
	}
	says.Close()
	err = there.SetReadDeadline(time.Now().Add(zygotePatience))
	if err == nil {
		if _, err = there.Read(make([]byte, 8)); err != nil {
			err = fmt.Errorf("wait for the sandbox: %w", err)
		}
	}
	if err == nil {
		err = p.beBorn(z, spec)
	}
	if err != nil {
		p.Kill()
		<-p.Done()
		return nil, fmt.Errorf("start environment %s from a zygote: %w", spec.ID, err)
	}
	return p, nil
}

// beBorn has z fork the command of the environment.
func (p *Process) beBorn(z *Zygote, spec Spec) error {
	var fds []int
	for _, name := range zygoteNamespaces {
		f, err := p.namespace(name)
		if err != nil {
			return err
		}
		defer f.Close()
		fds = append(fds, int(f.Fd()))
	}
	for _, f := range append([]*os.File{spec.Stdout, spec.Stderr}, spec.ExtraFiles...) {
		if f == nil {
			return errors.New("a zygote's child needs all its descriptors")
		}
		fds = append(fds, int(f.Fd()))
	}
	filter := p.sandbox.seccomp
	if spec.Network == NetworkHost {
		filter = p.sandbox.hostFilter
	}
	program, err := os.ReadFile(fmt.Sprintf("/proc/self/fd/%d", filter.Fd()))
	if err != nil {
		return err
	}
	message, err := json.Marshal(zygoteOrder{UID: insideUID, GID: insideGID, Dir: TaskRoot, Seccomp: fmt.Sprintf("%x", program)})
	if err != nil {
		return err
	}
	z.order.Lock()
	defer z.order.Unlock()
	if err := z.send(message, unix.UnixRights(fds...)); err != nil {
		return err
	}
	a, err := z.await(zygotePatience)
	if err == nil && a.PID == 0 {
		err = fmt.Errorf("fork: %.500s", a.Error)
	}
	if err != nil {
		return err
	}
	// The zygote waits for a word before it reaps anything, so the pid is of the child.
	err = p.adopt(z, a.PID)
	return errors.Join(err, z.send([]byte("go on"), nil))
}

func (z *Zygote) send(message, rights []byte) error {
	raw, err := z.conn.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = raw.Write(func(fd uintptr) bool {
		sent = unix.Sendmsg(int(fd), message, rights, nil, unix.MSG_NOSIGNAL)
		return !errors.Is(sent, unix.EAGAIN)
	})
	return errors.Join(err, sent)
}

// adopt makes a child of the zygote the command of the environment.
func (p *Process) adopt(z *Zygote, pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("open process %d: %w", pid, err)
	}
	child := newPidfd(fd)
	exit := make(chan int, 1)
	z.mu.Lock()
	z.exits[pid] = exit
	z.mu.Unlock()
	p.mu.Lock()
	p.born, p.bornFD = pid, child
	p.mu.Unlock()
	p.sandbox.work.Go(func() {
		child.wait()
		status := int(unix.SIGKILL)
		select {
		case status = <-exit:
		case <-z.lost:
		case <-time.After(zygotePatience):
			z.process.Kill() // it does not reap
		}
		p.mu.Lock()
		p.bornExit, p.born, p.bornFD = &status, 0, nil
		p.mu.Unlock()
		child.close()
		p.Kill()
	})
	if p.cgroup != nil {
		if err := p.cgroup.Move(pid); err != nil {
			return err
		}
	}
	return nil
}

// commandIsBorn reports whether a zygote has forked the command.
func (p *Process) commandIsBorn() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.born != 0
}

// confined checks that the command, which a zygote has forked, has given up all that it had.
func (p *Process) confined() error {
	p.mu.Lock()
	pid, init := p.born, p.initPID
	p.mu.Unlock()
	if pid == 0 {
		return nil
	}
	b, err := cgroup.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return errHasEnded
	}
	have := make(map[string]string)
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(line, ":")
		have[name] = strings.Join(strings.Fields(value), " ")
	}
	const none = "0000000000000000"
	uid := fmt.Sprint(p.identity.uid)
	same := strings.TrimSpace(strings.Repeat(uid+" ", 4))
	for name, want := range map[string]string{
		"CapInh": none, "CapPrm": none, "CapEff": none, "CapBnd": none, "CapAmb": none,
		"NoNewPrivs": "1", "Seccomp": "2", "Uid": same, "Gid": same, "Groups": "",
	} {
		if have[name] != want {
			return fmt.Errorf("the command has %s %q, not %q", name, have[name], want)
		}
	}
	for _, name := range zygoteNamespaces {
		of, err1 := os.Readlink(filepath.Join("/proc", fmt.Sprint(pid), "ns", name))
		its, err2 := os.Readlink(filepath.Join("/proc", fmt.Sprint(init), "ns", name))
		if errors.Join(err1, err2) != nil || of != its {
			return fmt.Errorf("the command is not in the namespace %s of its environment", name)
		}
	}
	return nil
}

// descend are the children of a process of the tree. The command that a zygote has forked counts
// as one of the first process inside.
func (p *Process) descend(pid int) []int {
	if pid != p.initPID {
		return children(pid)
	}
	all := childrenOf(pid, strconv.Itoa(pid)) // bwrap has one thread
	if p.born != 0 {
		all = append([]int{p.born}, all...)
	}
	return all
}

// stopBorn stops the command and what it has started, and returns them. It needs mu.
func (p *Process) stopBorn() (stopped []int, err error) {
	if err := p.bornFD.signal(unix.SIGSTOP); err != nil {
		return nil, err
	}
	stopped, err = stopTree(p.born)
	return append([]int{p.born}, stopped...), err
}

// zygoteOptions are the options of bwrap for a zygote: it is in no pid namespace, for its children are to be
// in others.
func zygoteOptions(options []string) []string {
	return slices.DeleteFunc(options, func(o string) bool { return o == "--unshare-pid" })
}
