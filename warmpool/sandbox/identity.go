package sandbox

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// The user inside, as on Lambda: sbx_user1051.
const (
	insideUID = 993
	insideGID = 990
)

// A gateway that runs as root gives each live environment a user of its own on
// the machine, from a range that neither people nor services nor containers get
// (systemd.io/UIDS-GIDS). Were it root's, other programs that trust a peer on an
// abstract socket for being root would trust the function.
const (
	firstUID   = 2_000_000_000
	identities = 65536
)

// An identity is one of these users, and a user namespace where it has Lambda's uid. If the
// gateway is root, it is the only user there. Else 0 is the gateway's user, as whom bwrap
// mounts. No process is kept for it, the descriptor holds it.
type identity struct {
	uid    int // on the machine
	userns *os.File
}

// own lets the identity open a pipe. Programs that log to /dev/stdout open it anew, and the
// kernel then checks who may. Only a process that has an end open finds the pipe.
func (id *identity) own(f *os.File) error {
	if f == nil {
		return nil
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		return err
	}
	if os.Geteuid() != 0 {
		return f.Chmod(0o666)
	}
	return f.Chown(id.uid, id.uid)
}

// A userRange lends users in turn for the whole range: what is left on the machine of an
// environment, a socket that it passed to another one above all, is not taken for that of
// the next.
type userRange struct {
	first, count int

	mu    sync.Mutex
	taken map[int]struct{} // guarded by mu; users, those made ahead with them
	next  int              // guarded by mu
}

func newUserRange(first, count int) *userRange {
	return &userRange{first: first, count: count, taken: map[int]struct{}{}}
}

// take is a user that no environment has.
func (r *userRange) take() (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.taken) == r.count {
		return 0, fmt.Errorf("all %d users of environments are taken", r.count)
	}
	for {
		uid := r.first + r.next
		r.next = (r.next + 1) % r.count
		if _, taken := r.taken[uid]; !taken {
			r.taken[uid] = struct{}{}
			return uid, nil
		}
	}
}

func (r *userRange) release(uid int) {
	r.mu.Lock()
	delete(r.taken, uid)
	r.mu.Unlock()
}

// identityPool makes identities. One costs a fork of the whole gateway, or of its holder, so
// some are made ahead.
type identityPool struct {
	users  *userRange
	create func(uid int) (*os.File, error) // a user namespace for the user
	ready  chan *identity
	wanted chan struct{} // has room for one
	quit   chan struct{}
	done   chan struct{}
}

// readyIdentities is how many identities are made ahead.
const readyIdentities = 4

func newIdentityPool(users *userRange, create func(uid int) (*os.File, error)) *identityPool {
	p := &identityPool{
		users: users, create: create,
		ready: make(chan *identity, readyIdentities), wanted: make(chan struct{}, 1),
		quit: make(chan struct{}), done: make(chan struct{}),
	}
	go p.refill()
	return p
}

// forkedBy is how a gateway that is root makes the user namespace of an identity.
func forkedBy(s *starter) (func(uid int) (*os.File, error), error) {
	program, err := exec.LookPath("cat") // blocks on its stdin
	if err != nil {
		return nil, fmt.Errorf("coreutils have to be installed: %w", err)
	}
	return func(uid int) (*os.File, error) {
		return makeUserns(program, lonely(uid), true, func(cmd *exec.Cmd) (err error) {
			s.do(func() { err = cmd.Start() })
			return err
		})
	}, nil
}

// refill makes identities ahead, until close.
func (p *identityPool) refill() {
	defer close(p.done)
	for {
		select {
		case <-p.quit:
			return
		case <-p.wanted:
		}
		for len(p.ready) < cap(p.ready) {
			id, err := p.make()
			if err != nil {
				break // acquire tries again and returns the error
			}
			p.ready <- id // nobody else adds
		}
	}
}

func (p *identityPool) acquire() (*identity, error) {
	defer func() {
		select {
		case p.wanted <- struct{}{}:
		default:
		}
	}()
	select {
	case id := <-p.ready:
		return id, nil
	default:
		return p.make()
	}
}

func (p *identityPool) make() (*identity, error) {
	uid, err := p.users.take()
	if err != nil {
		return nil, err
	}
	userns, err := p.create(uid)
	if err != nil {
		p.users.release(uid)
		return nil, fmt.Errorf("make a user namespace for user %d: %w", uid, err)
	}
	return &identity{uid, userns}, nil
}

func (p *identityPool) release(id *identity) {
	id.userns.Close()
	p.users.release(id.uid)
}

// close gives up what was made ahead. What was acquired is still to be released.
func (p *identityPool) close() {
	close(p.quit)
	<-p.done
	for {
		select {
		case id := <-p.ready:
			p.release(id)
		default:
			return
		}
	}
}

// An idMap says which users and groups of the namespace above a user namespace has.
type idMap struct{ users, groups []syscall.SysProcIDMap }

// lonely has only the user with Lambda's uid, which is uid above.
func lonely(uid int) idMap {
	return idMap{
		[]syscall.SysProcIDMap{{ContainerID: insideUID, HostID: uid, Size: 1}},
		[]syscall.SysProcIDMap{{ContainerID: insideGID, HostID: uid, Size: 1}},
	}
}

// lentTo has the user beside root, who is the root of the namespace above.
func lentTo(uid int) idMap {
	root := syscall.SysProcIDMap{ContainerID: 0, HostID: 0, Size: 1}
	m := lonely(uid)
	return idMap{append(m.users, root), append(m.groups, root)}
}

// makeUserns makes a user namespace. It has a short-lived process be born there, because one
// with several threads, as this, cannot leave its own. The program blocks on its stdin.
// setgroups is to let all supplementary groups be given up inside.
func makeUserns(program string, ids idMap, setgroups bool, start func(*exec.Cmd) error) (*os.File, error) {
	cmd := exec.Command(program)
	cmd.Env = []string{}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: ids.users, GidMappings: ids.groups, GidMappingsEnableSetgroups: setgroups,
		Pdeathsig: syscall.SIGKILL,
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := start(cmd); err != nil {
		return nil, err
	}
	userns, err := os.Open(fmt.Sprintf("/proc/%d/ns/user", cmd.Process.Pid))
	stdin.Close()
	waitErr := cmd.Wait()
	if err != nil {
		return nil, err
	}
	if waitErr != nil {
		userns.Close()
		return nil, waitErr
	}
	return userns, nil
}

// ownsIdentities reports whether this process may hand out identities: it is
// root, and not only of a user namespace (a rootless container) that lacks them.
func ownsIdentities() bool {
	if os.Geteuid() != 0 {
		return false
	}
	f, err := os.Open("/proc/self/uid_map")
	if err != nil {
		return false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) != 3 {
			continue
		}
		first, err1 := strconv.Atoi(fields[0])
		count, err2 := strconv.Atoi(fields[2])
		if err1 == nil && err2 == nil && first <= firstUID && first+count >= firstUID+identities {
			return true
		}
	}
	return false
}
