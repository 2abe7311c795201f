package sandbox

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// Runnable reports whether a thread of the tree uses a core, or would if it got one:
// at this instant, so one answer says little. It reads a file for each thread.
func (p *Process) Runnable() bool {
	p.mu.Lock() // while it is held, the pids are of this process
	defer p.mu.Unlock()
	if p.reaped {
		return false
	}
	if p.cgroup != nil {
		for _, pid := range p.cgroup.Processes() {
			if anyRunnable(pid) {
				return true
			}
		}
		return false
	}
	pid := p.initPID
	if !p.sandbox.on {
		pid = p.cmd.Process.Pid
	}
	for queue, seen := []int{pid}, 0; len(queue) > 0 && seen < maxTree; seen++ {
		pid, queue = queue[0], queue[1:]
		if anyRunnable(strconv.Itoa(pid)) {
			return true
		}
		queue = append(queue, children(pid)...)
	}
	return false
}

// Working reports whether the main thread of the command does anything but sleep. Those
// that it has started do not count.
func (p *Process) Working() bool {
	p.mu.Lock() // while it is held, the pid is of this process
	defer p.mu.Unlock()
	if p.reaped {
		return false
	}
	pid := p.commandPID()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return pid != 0 && err == nil && stateOf(b) != 'S'
}

// stateOf reads the state from the file stat of a process or a thread.
func stateOf(stat []byte) byte {
	// The name of the program, in brackets before the state, may hold anything.
	if i := bytes.LastIndexByte(stat, ')'); i >= 0 && i+2 < len(stat) {
		return stat[i+2]
	}
	return 0
}

// anyRunnable reports whether a thread of a process is in the state R: it runs or waits
// for a core.
func anyRunnable(pid string) bool {
	threads, err := os.ReadDir("/proc/" + pid + "/task")
	if err != nil {
		return false // it has ended
	}
	for _, thread := range threads {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%s/task/%s/stat", pid, thread.Name()))
		if err == nil && stateOf(b) == 'R' {
			return true
		}
	}
	return false
}
