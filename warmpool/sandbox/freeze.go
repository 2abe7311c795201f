package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/sandbox/cgroup"
)

// The means by which environments are frozen.
const (
	FreezerCgroup  = "cgroup"  // the kernel stops whatever is in the cgroup, unnoticed
	FreezerSignals = "signals" // SIGSTOP to each process
)

// Freezer is how environments are frozen here.
func (s *Sandbox) Freezer() string {
	if s.cgroups != nil && s.cgroups.CanFreeze() {
		return FreezerCgroup
	}
	return FreezerSignals
}

// Freeze stops all processes of the environment until Thaw, and reports whether it did:
// not one that is ending. What is frozen can be killed. Terminate thaws it.
func (p *Process) Freeze() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped || p.ending {
		return false
	}
	if p.frozen {
		return true
	}
	p.frozen, p.checked = true, false
	err := p.stop()
	if err == nil {
		return true
	}
	err = errors.Join(err, p.thaw()) // what has been stopped
	p.sandbox.warnFreeze.Do(func() {
		p.sandbox.log.Warn("environments go on between invocations: one could not be frozen", zap.String("environment", p.id), zap.Error(err))
	})
	return false
}

// Thaw undoes Freeze. On an error some processes may still stand still.
func (p *Process) Thaw() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.thaw()
}

// stop needs mu.
func (p *Process) stop() error {
	switch {
	case p.cgroup != nil && p.cgroup.CanFreeze():
		return p.cgroup.Freeze()
	case p.sandbox.on:
		var err error
		p.stopped, err = stopTree(p.initPID)
		if err == nil && p.born != 0 {
			var more []int
			more, err = p.stopBorn()
			p.stopped = append(p.stopped, more...)
		}
		return err
	}
	return unix.Kill(-p.cmd.Process.Pid, unix.SIGSTOP)
}

// thaw needs mu.
func (p *Process) thaw() error {
	if !p.frozen {
		return nil
	}
	p.frozen = false
	var err error
	switch {
	case p.reaped:
		return nil
	case p.cgroup != nil && p.cgroup.CanFreeze():
		err = p.cgroup.Thaw()
	case p.sandbox.on:
		err = continueAll(p.stopped)
		p.stopped = nil
	default:
		err = unix.Kill(-p.cmd.Process.Pid, unix.SIGCONT)
	}
	if err != nil && !gone(err) {
		return fmt.Errorf("thaw environment %s: %w", p.id, err)
	}
	return nil
}

// stopTree stops all descendants of a process and returns those that it has stopped. A
// parent is stopped before its children are looked for, so that it makes no more; but one
// that ends meanwhile leaves its children to the first process, and so all is looked
// through until nothing new is found.
func stopTree(root int) (stopped []int, err error) {
	seen := map[int]bool{}
	for range maxPasses {
		found := false
		for queue := []int{root}; len(queue) > 0 && len(stopped) < maxTree; queue = queue[1:] {
			for _, pid := range children(queue[0]) {
				if !seen[pid] {
					sent, err := stopChild(queue[0], pid)
					if err != nil {
						return stopped, err
					}
					if !sent {
						continue
					}
					stopped, seen[pid], found = append(stopped, pid), true, true
				}
				queue = append(queue, pid)
			}
		}
		if !found {
			return stopped, nil
		}
	}
	return stopped, errors.New("its processes come and go too fast to be stopped")
}

// maxPasses bounds how often stopTree looks through a tree.
const maxPasses = 20

// stopChild stops a child of a process and reports whether it did: it may have ended, and
// its number be another's by now.
func stopChild(parent, pid int) (sent bool, err error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err == nil {
		defer unix.Close(fd)
		if parentOf(pid) != parent {
			return false, nil
		}
		err = unix.PidfdSendSignal(fd, unix.SIGSTOP, nil, 0)
	}
	if err != nil && !gone(err) {
		return false, fmt.Errorf("stop process %d: %w", pid, err)
	}
	return err == nil, nil
}

// continueAll has processes go on that were stopped, children before their parents. One
// that was killed meanwhile may have left its number to another process, to which the
// signal means nothing.
func continueAll(stopped []int) error {
	var errs []error
	for _, pid := range slices.Backward(stopped) {
		if err := unix.Kill(pid, unix.SIGCONT); err != nil && !gone(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// parentOf is the parent of a process, 0 if it has ended.
func parentOf(pid int) int {
	b, err := cgroup.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name of the program, in brackets before the state, may hold anything.
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) < 2 {
		return 0
	}
	parent, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return 0
	}
	return parent
}
