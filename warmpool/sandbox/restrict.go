package sandbox

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/sandbox/cgroup"
)

// maxOpenFiles is Lambda's limit of open files
// (docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
const maxOpenFiles = 1024

// maxOOMScore makes the kernel kill functions before other processes of the machine when it
// is out of memory (proc(5), oom_score_adj).
const maxOOMScore = 1000

// restrict sets the limits of the first process inside. The others inherit them. No
// process dumps core: core dumps have secrets, and the machine says where they go.
func (p *Process) restrict(spec Spec) error {
	limits := map[int]uint64{unix.RLIMIT_NOFILE: maxOpenFiles, unix.RLIMIT_CORE: 0}
	for resource, value := range limits {
		if err := setLimit(p.initPID, resource, value); err != nil {
			return err
		}
	}
	if !spec.Stem { // it is Assume that knows
		if err := p.restrictFiles(p.limits); err != nil {
			return err
		}
	}
	path := fmt.Sprintf("/proc/%d/oom_score_adj", p.initPID)
	err := os.WriteFile(path, []byte(strconv.Itoa(maxOOMScore)), 0)
	// Without a holder the file is not that of a server that is not root.
	refused := p.sandbox.identities == nil && errors.Is(err, os.ErrPermission)
	if err != nil && !gone(err) && !refused {
		return fmt.Errorf("have it be the first to go: %w", err)
	}
	return nil
}

// restrictFiles limits the size of a file. /tmp has a limit of its own; a file in memory
// (memfd_create) has none.
func (p *Process) restrictFiles(l cgroup.Limits) error {
	for queue, seen := []int{p.initPID}, 0; len(queue) > 0 && seen < maxTree; seen++ {
		pid := queue[0]
		queue = append(queue[1:], p.descend(pid)...)
		if err := setLimit(pid, unix.RLIMIT_FSIZE, uint64(l.Memory+l.Tmp)); err != nil {
			return err
		}
	}
	return nil
}

// restrictStem is restrictFiles for a stem. It has no processes but the first inside, and the
// command below it, which has run nothing but the runtime: the threads of the command are not
// asked for children.
func (p *Process) restrictStem(l cgroup.Limits) error {
	for _, pid := range append(p.descend(p.initPID), p.initPID) {
		if err := setLimit(pid, unix.RLIMIT_FSIZE, uint64(l.Memory+l.Tmp)); err != nil {
			return err
		}
	}
	return nil
}

// setLimit lowers a limit of a process, if it is there.
func setLimit(pid, resource int, value uint64) error {
	var now unix.Rlimit
	err := unix.Prlimit(pid, resource, nil, &now)
	if err == nil {
		value = min(value, now.Max)
		err = unix.Prlimit(pid, resource, &unix.Rlimit{Cur: value, Max: value}, nil)
	}
	if err != nil && !gone(err) {
		return fmt.Errorf("limit a process: %w", err)
	}
	return nil
}

func gone(err error) bool { return errors.Is(err, unix.ESRCH) || errors.Is(err, os.ErrNotExist) }
