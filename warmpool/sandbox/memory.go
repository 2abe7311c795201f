package sandbox

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/sandbox/cgroup"
)

// memoryInterval is how often memory is compared with its limit.
const memoryInterval = 200 * time.Millisecond

// watchMemory kills environments that are past their memory size without being
// at the kernel's wall, which stands further out by the size of /tmp; see doc.go.
func (s *Sandbox) watchMemory() {
	ticker := time.NewTicker(memoryInterval)
	defer ticker.Stop()
	for n := 1; ; n++ {
		select {
		case <-s.quit:
			return
		case <-ticker.C:
			s.checkMemory(n%sharedEach == 0)
		}
	}
}

// checkMemory also counts what processes share if shared says so.
func (s *Sandbox) checkMemory(shared bool) {
	s.mu.Lock()
	live := make([]*Process, 0, len(s.live))
	for _, p := range s.live {
		if p != nil {
			live = append(live, p)
		}
	}
	s.mu.Unlock()
	for _, p := range live {
		if limit, past := p.pastMemory(shared); past {
			p.mu.Lock()
			function := p.function
			p.mu.Unlock()
			s.log.Warn("environment is out of memory", zap.String("function", function), zap.String("environment", p.id), zap.Int64("memory_mb", limit>>20))
			p.outOfMemory.Store(true)
			p.Kill()
		}
	}
}

// pastMemory reports whether the tree holds more than its memory size, in bytes.
// The cheap reading comes first: few are past it even with /tmp and caches. Where there
// is no cgroup, shared is to compare all that there is with memory and /tmp together,
// as the kernel does with one. What is frozen does not grow, so it is looked at once.
func (p *Process) pastMemory(shared bool) (limit int64, past bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped || p.waits && !p.assumed {
		return 0, false
	}
	shared = shared && p.cgroup == nil && p.sandbox.on
	if p.frozen && p.checked {
		return 0, false
	}
	p.checked = p.frozen && (shared || p.cgroup != nil || !p.sandbox.on)
	limit = p.limits.Memory
	current, _ := p.memory()
	if current > limit && p.ownMemory() > limit {
		return limit, true
	}
	if !shared {
		return limit, false
	}
	limit += p.limits.Tmp
	all := p.sharedMemory()
	return limit, current+all > limit && p.ownMemory()+all > limit
}

// ownMemory is the memory of the tree that is neither /tmp nor a cache, each page
// counted once. It is dearer than memory. It needs mu.
func (p *Process) ownMemory() int64 {
	switch {
	case p.cgroup != nil:
		return p.cgroup.Anonymous()
	case p.sandbox.on:
		return treeMemory(p.initPID, proportional)
	}
	return treeMemory(p.cmd.Process.Pid, proportional)
}

// maxTree bounds the walk over a tree of processes.
const maxTree = 4096

// treeMemory is the sum of what memoryOf says of a process and its descendants, in
// bytes.
func treeMemory(pid int, memoryOf func(pid int) int64) int64 {
	var sum int64
	for queue, seen := []int{pid}, 0; len(queue) > 0 && seen < maxTree; seen++ {
		pid, queue = queue[0], queue[1:]
		sum += memoryOf(pid)
		queue = append(queue, children(pid)...)
	}
	return sum
}

// resident is the memory in bytes that a process has allocated, and the most that it has
// had with files and shared memory. Each child counts the memory that it shares since a
// fork.
func resident(pid int) (anonymous, most int64) {
	b, err := cgroup.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0
	}
	anonymous, _ = bytesOf(b, "RssAnon:")
	most, _ = bytesOf(b, "VmHWM:")
	return anonymous, most
}

// Resident is the most memory in bytes that the command itself has had at once, with the pages
// that it shares with others, as after the fork of a zygote, and those of the files that it maps. 0: it
// is not known. What a cgroup counts leaves out what others were charged for.
func (p *Process) Resident() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return 0
	}
	pid := p.born
	if pid == 0 {
		pid = p.commandPID()
	}
	if pid == 0 {
		return 0
	}
	_, most := resident(pid)
	return most
}

// proportional is anonymous, with a page that n processes share counted as an n-th by
// each. The kernel walks all pages for it.
func proportional(pid int) int64 {
	b, err := cgroup.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err == nil {
		if n, found := bytesOf(b, "Pss_Anon:"); found {
			return n
		}
	}
	anonymous, _ := resident(pid)
	return anonymous // a kernel before 5.3, or not ours to see
}

// bytesOf reads the line of a key from a file of /proc that counts in kB. A kernel
// thread, and a process that ends, has none.
func bytesOf(file []byte, key string) (n int64, found bool) {
	_, after, _ := bytes.Cut(file, []byte("\n"+key))
	fields := bytes.Fields(after[:min(len(after), 32)])
	if len(fields) == 0 {
		return 0, false
	}
	kB, err := strconv.ParseInt(string(fields[0]), 10, 64)
	return kB << 10, err == nil
}
