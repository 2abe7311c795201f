package sandbox

import (
	"fmt"
	"time"

	"go.uber.org/zap"
)

// memoryInterval is how often memory is compared with its limit.
const memoryInterval = 200 * time.Millisecond

// watchMemory kills environments that are past their memory size without being
// at the kernel's wall, which stands further out by the size of /tmp; see doc.go.
func (s *Sandbox) watchMemory() {
	ticker := time.NewTicker(memoryInterval)
	defer ticker.Stop()
	for {
		select {
		case <-s.quit:
			return
		case <-ticker.C:
			s.checkMemory()
		}
	}
}

func (s *Sandbox) checkMemory() {
	s.mu.Lock()
	live := make([]*Process, 0, len(s.live))
	for _, p := range s.live {
		if p != nil {
			live = append(live, p)
		}
	}
	s.mu.Unlock()
	for _, p := range live {
		if limit, past := p.pastMemory(); past {
			s.log.Warn("environment is out of memory", zap.String("environment", p.id), zap.Int64("memory_mb", limit>>20))
			p.outOfMemory.Store(true)
			p.Kill()
		}
	}
}

// pastMemory reports whether the tree holds more than its memory size, in bytes.
// The cheap reading comes first: few are past it even with /tmp and caches.
func (p *Process) pastMemory() (limit int64, past bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return 0, false
	}
	limit = p.limits.memory
	current, _ := p.memory()
	return limit, current > limit && (p.cgroup == nil || p.cgroup.anonymous() > limit)
}

// maxTree bounds the walk over a tree of processes.
const maxTree = 4096

// anonymous is the memory in bytes that a process and its descendants have
// allocated, shared pages counted by each.
func anonymous(pid int) int64 {
	var sum int64
	for queue, seen := []int{pid}, 0; len(queue) > 0 && seen < maxTree; seen++ {
		pid, queue = queue[0], queue[1:]
		sum += readKey(fmt.Sprintf("/proc/%d/status", pid), "RssAnon:") << 10 // kB
		queue = append(queue, children(pid)...)
	}
	return sum
}
