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

// An identity is one of these users, and a user namespace where it is the only
// one and has Lambda's uid. No process is kept for it, the descriptor holds it.
type identity struct {
	uid    int
	userns *os.File
}

// own gives a pipe to the identity. Programs that log to /dev/stdout open it anew, and the
// kernel then checks the owner of the pipe. A process that has an end open keeps it.
func (id *identity) own(f *os.File) error {
	if f == nil {
		return nil
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		return err
	}
	return f.Chown(id.uid, id.uid)
}

// identityPool makes identities, in turn for all users of the range: what is left on
// the machine of an environment, a socket that it passed to another one above all, is
// not taken for that of the next. An identity costs a fork of the whole gateway, so
// some are made ahead.
type identityPool struct {
	starter *starter
	program string // blocks on its stdin
	ready   chan *identity
	wanted  chan struct{} // has room for one
	done    chan struct{}

	mu    sync.Mutex
	taken map[int]struct{} // guarded by mu; users, those of ready with them
	next  int              // guarded by mu
}

// readyIdentities is how many identities are made ahead.
const readyIdentities = 4

func newIdentityPool(s *starter) (*identityPool, error) {
	program, err := exec.LookPath("cat")
	if err != nil {
		return nil, fmt.Errorf("coreutils have to be installed: %w", err)
	}
	p := &identityPool{
		starter: s, program: program, taken: map[int]struct{}{},
		ready: make(chan *identity, readyIdentities), wanted: make(chan struct{}, 1), done: make(chan struct{}),
	}
	go p.refill()
	return p, nil
}

// refill makes identities ahead, until close.
func (p *identityPool) refill() {
	defer close(p.done)
	for range p.wanted {
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
	uid, err := p.take()
	if err != nil {
		return nil, err
	}
	userns, err := makeUserns(p.program, uid, p.start)
	if err != nil {
		p.release(&identity{uid: uid})
		return nil, fmt.Errorf("make a user namespace for user %d: %w", uid, err)
	}
	return &identity{uid, userns}, nil
}

func (p *identityPool) start(cmd *exec.Cmd) (err error) {
	p.starter.do(func() { err = cmd.Start() })
	return err
}

// take is a user that no environment has.
func (p *identityPool) take() (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.taken) == identities {
		return 0, fmt.Errorf("all %d users of environments are taken", identities)
	}
	for {
		uid := firstUID + p.next
		p.next = (p.next + 1) % identities
		if _, taken := p.taken[uid]; !taken {
			p.taken[uid] = struct{}{}
			return uid, nil
		}
	}
}

func (p *identityPool) release(id *identity) {
	if id.userns != nil {
		id.userns.Close()
	}
	p.mu.Lock()
	delete(p.taken, id.uid)
	p.mu.Unlock()
}

// close gives up all identities; those that were acquired have been released.
func (p *identityPool) close() {
	close(p.wanted)
	<-p.done
	close(p.ready)
	for id := range p.ready {
		p.release(id)
	}
}

// makeUserns makes a user namespace where the user inside is the given one of the
// machine. It has a short-lived process be born there, because one with several
// threads, as this, cannot leave its own. The program blocks on its stdin.
func makeUserns(program string, uid int, start func(*exec.Cmd) error) (*os.File, error) {
	cmd := exec.Command(program)
	cmd.Env = []string{}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: insideUID, HostID: uid, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: insideGID, HostID: uid, Size: 1}},
		// To give up all supplementary groups inside, where there is another user.
		GidMappingsEnableSetgroups: uid != 0,
		Pdeathsig:                  syscall.SIGKILL,
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
