package sandbox

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/sandbox/cgroup"
	"github.com/hearthfn/hearth/warmpool/sandbox/network"
)

// An Exit is how a process ended.
type Exit struct {
	Code   int            // exit status, when Signal is 0
	Signal syscall.Signal // that ended it, or 0
	// OOMKilled says that a process of the tree was killed for memory.
	OOMKilled bool
}

// String is "exit status 1" or "signal: killed", as Lambda words it in
// Runtime.ExitError.
func (e Exit) String() string {
	if e.Signal != 0 {
		return "signal: " + e.Signal.String()
	}
	return "exit status " + strconv.Itoa(e.Code)
}

// A Process is a command in its environment, with all that it starts.
type Process struct {
	sandbox *Sandbox
	id      string

	cmd      *exec.Cmd // bwrap outside, or with the sandbox off the command
	main     *pidfd    // of cmd
	init     *pidfd    // bwrap inside, the first of the pid namespace; nil when off
	initPID  int
	cgroup   *cgroup.Cgroup      // nil without
	identity *identity           // nil if it is the gateway's user
	holder   *holder             // that made its user namespace, nil without
	userns   *os.File            // of the holder's stock; nil without, and with an identity
	network  *network.Attachment // nil unless NetworkPrivate
	endpoint net.Listener        // of Spec.Endpoint, nil without
	onHost   bool                // its network is the machine's
	stem     bool
	waits    bool   // until it is assumed it runs nothing but the runtime, and its memory is not watched
	tmp      string // folder for temporary files when off

	// born is the command that a zygote has forked, as the gateway sees it; bornExit is its
	// wait status, when it has ended. 0 and nil: bwrap has made it.
	born     int    // guarded by mu
	bornFD   *pidfd // guarded by mu
	bornExit *int   // guarded by mu

	outOfMemory atomic.Bool  // killed by the memory watch
	peak        atomic.Int64 // bytes, as far as seen

	mu       sync.Mutex    // held to signal, so that no pid is used after its end
	reaped   bool          // guarded by mu
	limits   cgroup.Limits // guarded by mu
	function string        // guarded by mu; "" for a stem
	assumed  bool          // guarded by mu
	mounts   *os.File      // guarded by mu; its mount namespace while it is a stem that is ready, else nil
	tmpSize  int64         // guarded by mu; what /tmp has been given, in bytes; 0: what it was mounted with
	frozen   bool          // guarded by mu
	stopped  []int         // guarded by mu; those that stand still by SIGSTOP
	checked  bool          // guarded by mu; its memory, since it is frozen
	ending   bool          // guarded by mu; it is not frozen any more
	demand   demand        // guarded by mu

	exit Exit // written before done is closed
	done chan struct{}
}

// Done is closed when the command and all that it started are gone, and so is
// all that was made for them.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit is how the command ended. It waits for Done.
func (p *Process) Exit() Exit {
	<-p.done
	return p.exit
}

// Terminate sends SIGTERM to the command itself, not to what it started. A
// process that has ended is no error.
func (p *Process) Terminate() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return nil
	}
	p.ending = true
	if err := p.thaw(); err != nil {
		return err
	}
	if p.born != 0 {
		return p.bornFD.signal(unix.SIGTERM)
	}
	pid := p.commandPID()
	if pid == 0 {
		return nil
	}
	if err := unix.Kill(pid, unix.SIGTERM); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("terminate environment %s: %w", p.id, err)
	}
	return nil
}

// commandPID is the command as the gateway sees it, 0 when it is gone or has not
// been started yet. It is called before reaped.
func (p *Process) commandPID() int {
	if !p.sandbox.on {
		return p.cmd.Process.Pid
	}
	if p.initPID == 0 {
		return 0
	}
	// The command is the first child of bwrap; orphans are adopted after it.
	if pids := p.descend(p.initPID); len(pids) > 0 {
		return pids[0]
	}
	return 0
}

// Kill ends the whole tree at once, whatever it does about it. It may be called
// at any time, repeatedly; Done follows.
func (p *Process) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return
	}
	switch {
	case !p.sandbox.on:
		unix.Kill(-p.cmd.Process.Pid, unix.SIGKILL)
	case p.init != nil:
		// With the first process of a pid namespace the kernel kills all others;
		// bwrap outside reports its end when they are gone.
		p.init.kill()
	default:
		p.cmd.Process.Kill()
	}
	// What is frozen dies, but bwrap outside has to say so.
	p.ending = true
	_ = p.thaw() // it was killed
}

// Memory is the memory of the tree in bytes now, and the most it has been. Of
// the cgroup, that is with /tmp and cached files; without one it is what the
// processes have allocated, and the peak the largest of what was seen and of what
// one of them has had, files that it maps included.
func (p *Process) Memory() (current, peak int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.memory()
}

// PeakMemory is the peak that Memory returns.
func (p *Process) PeakMemory() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped || p.cgroup == nil {
		_, peak := p.memory()
		return peak
	}
	if peak := p.cgroup.MemoryPeak(); peak > 0 {
		return peak
	}
	_, peak := p.memory()
	return peak
}

// memory needs mu.
func (p *Process) memory() (current, peak int64) {
	switch {
	case p.reaped:
		return 0, p.peak.Load()
	case p.cgroup != nil:
		current, peak = p.cgroup.MemoryUse()
	default:
		pid := p.initPID
		if !p.sandbox.on {
			pid = p.cmd.Process.Pid
		}
		current = treeMemory(pid, func(pid int) int64 {
			own, most := resident(pid)
			peak = max(peak, most)
			return own
		})
	}
	if most := max(current, peak); most > p.peak.Load() {
		p.peak.Store(most)
	}
	return current, p.peak.Load()
}

// reap waits for the end and clears up. It owns the end of the process.
func (p *Process) reap() {
	p.main.wait()
	if !p.sandbox.on {
		// While the leader is not reaped, the group's number is not used again.
		p.Kill()
	}
	waitErr := p.cmd.Wait()
	if !p.sandbox.on {
		awaitGroup(p.cmd.Process.Pid)
	}
	if p.init != nil {
		// Usually gone before bwrap outside is; not if that was killed.
		p.init.kill()
		p.init.wait()
	}

	p.mu.Lock()
	p.memory()
	p.reaped = true
	if p.mounts != nil {
		p.mounts.Close()
		p.mounts = nil
	}
	p.mu.Unlock()
	p.exit = exitOf(p.cmd.ProcessState, p.sandbox.on)
	if p.bornExit != nil {
		p.exit = exitStatus(syscall.WaitStatus(*p.bornExit))
	}
	p.exit.OOMKilled = p.outOfMemory.Load() || p.cgroup != nil && p.cgroup.OOMKills() > 0
	var exitError *exec.ExitError
	if errors.As(waitErr, &exitError) {
		waitErr = nil
	}
	if err := errors.Join(waitErr, p.release()); err != nil {
		p.sandbox.log.Error("environment left something behind", zap.String("environment", p.id), zap.Error(err))
	}
	p.sandbox.remove(p.id)
	close(p.done)
	p.sandbox.work.Done() // Close returns after all have seen that the process is gone
}

// awaitGroup waits until a process group that was killed has no members, which the kernel
// does not announce. If nothing reaps orphans (a container without an init), the group
// always has some, so the wait is short.
func awaitGroup(pgid int) {
	for wait := 100 * time.Microsecond; wait < 100*time.Millisecond; wait *= 2 {
		if errors.Is(unix.Kill(-pgid, 0), unix.ESRCH) {
			return
		}
		time.Sleep(wait)
	}
}

// ShellExit reads a status as a shell does: 128 and the number for a signal. A command may
// exit with the same number itself. Node's runtime exits with 129 on Lambda, where nothing
// sends SIGHUP.
func ShellExit(code int) Exit {
	if signal := syscall.Signal(code - 128); signal > syscall.SIGHUP && signal <= 64 {
		return Exit{Signal: signal}
	}
	return Exit{Code: code}
}

// exitOf reads a status. bwrap reports one as a shell does.
func exitOf(state *os.ProcessState, inside bool) Exit {
	if state == nil {
		return Exit{Code: -1}
	}
	status, ok := state.Sys().(syscall.WaitStatus)
	switch {
	case ok && status.Signaled():
		return exitStatus(status)
	case inside:
		return ShellExit(state.ExitCode())
	}
	return Exit{Code: state.ExitCode()}
}

func exitStatus(status syscall.WaitStatus) Exit {
	if status.Signaled() {
		return Exit{Signal: status.Signal()}
	}
	return ShellExit(status.ExitStatus())
}

// release gives back all that was made for the process, which has ended or was
// never started.
func (p *Process) release() error {
	var errs []error
	if p.main != nil {
		p.main.close()
	}
	if p.userns != nil {
		p.holder.release(p.userns, p.init) // and closes init
	} else if p.init != nil {
		p.init.close()
	}
	if p.network != nil {
		p.network.Release()
	}
	if p.cgroup != nil {
		errs = append(errs, p.cgroup.Remove())
	}
	switch {
	case p.identity == nil:
	case p.holder != nil:
		p.holder.identities.release(p.identity)
	default:
		p.sandbox.identities.release(p.identity)
	}
	if p.tmp != "" {
		errs = append(errs, os.RemoveAll(p.tmp))
	}
	return errors.Join(errs...)
}

// children are the direct children of a process, the oldest first.
func children(pid int) []int {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil
	}
	var pids []int
	for _, thread := range threads {
		pids = append(pids, childrenOf(pid, thread.Name())...)
	}
	return pids
}

// childrenOf are the processes that one thread of pid has started.
func childrenOf(pid int, thread string) (pids []int) {
	b, err := cgroup.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, thread))
	if err != nil {
		return nil
	}
	for _, field := range strings.Fields(string(b)) {
		if child, err := strconv.Atoi(field); err == nil {
			pids = append(pids, child)
		}
	}
	return pids
}
