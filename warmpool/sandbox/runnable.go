package sandbox

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/hearthfn/hearth/warmpool/sandbox/cgroup"
)

// Runnable reports whether a thread of the tree uses a core, or would if it got one:
// at this instant, so one answer says little. It reads a file for each thread.
func (p *Process) Runnable() bool {
	p.mu.Lock() // while it is held, the pids are of this process
	defer p.mu.Unlock()
	if p.reaped {
		return false
	}
	return slices.ContainsFunc(p.tree(), anyRunnable)
}

// tree is the ids of all processes, or of many. It needs mu.
func (p *Process) tree() []string {
	if p.cgroup != nil {
		return p.cgroup.Processes()
	}
	pid := p.initPID
	if !p.sandbox.on {
		pid = p.cmd.Process.Pid
	}
	var all []string
	for queue := []int{pid}; len(queue) > 0 && len(all) < maxTree; {
		pid, queue = queue[0], queue[1:]
		all = append(all, strconv.Itoa(pid))
		queue = append(queue, children(pid)...)
	}
	return all
}

// A demand is what the threads of a tree had used when they were looked at last.
type demand struct {
	at      time.Time
	threads map[string]schedule // by process and thread
}

// A schedule is how long a thread has run, and how long it has waited for a core.
type schedule struct{ ran, waited time.Duration }

// Demand reports how long the threads have run since the last call, and in how much time that
// is when the time is left out in which they waited for a core: the first over the second is
// the part of a core that the tree would use if nothing else ran. So it says the same on a busy
// machine as on an idle one. It is false for the first call, when the last one was long ago,
// and where the kernel does not count (CONFIG_SCHED_INFO).
func (p *Process) Demand() (ran, within time.Duration, ok bool) {
	p.mu.Lock() // while it is held, the pids are of this process
	defer p.mu.Unlock()
	if p.reaped {
		return 0, 0, false
	}
	last := p.demand
	p.demand = demand{at: time.Now(), threads: schedulesOf(p.tree())}
	within = p.demand.at.Sub(last.at)
	if within > demandStale || len(p.demand.threads) == 0 {
		return 0, 0, false
	}
	var waited time.Duration
	for id, now := range p.demand.threads {
		before := last.threads[id]
		ran += now.ran - before.ran
		waited = max(waited, now.waited-before.waited) // of the thread that wants the most
	}
	return ran, within - waited, true
}

// demandStale is when Demand forgets what it saw last.
const demandStale = time.Second

// schedulesOf reads those of all threads.
func schedulesOf(pids []string) map[string]schedule {
	all := make(map[string]schedule)
	for _, pid := range pids {
		threads, err := os.ReadDir("/proc/" + pid + "/task")
		if err != nil {
			continue // it has ended
		}
		for _, thread := range threads {
			// docs.kernel.org/scheduler/sched-stats.html
			b, err := cgroup.ReadFile(fmt.Sprintf("/proc/%s/task/%s/schedstat", pid, thread.Name()))
			fields := bytes.Fields(b)
			if err != nil || len(fields) < 2 {
				continue
			}
			ran, err1 := strconv.ParseInt(string(fields[0]), 10, 64)
			waited, err2 := strconv.ParseInt(string(fields[1]), 10, 64)
			if err1 == nil && err2 == nil {
				all[pid+"/"+thread.Name()] = schedule{time.Duration(ran), time.Duration(waited)}
			}
		}
	}
	return all
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
	b, err := cgroup.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
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
		b, err := cgroup.ReadFile(fmt.Sprintf("/proc/%s/task/%s/stat", pid, thread.Name()))
		if err == nil && stateOf(b) == 'R' {
			return true
		}
	}
	return false
}
