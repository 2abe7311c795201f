package warmpool

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// A budget counts what all environments of a node take.
type budget struct {
	memoryMB, environments         int // limits
	usedMemoryMB, usedEnvironments int
	stemMB                         int // of usedMemoryMB, what stems take
}

func (b *budget) fits(memoryMB int) bool {
	return b.usedMemoryMB+memoryMB <= b.memoryMB && b.usedEnvironments < b.environments
}

// reserve counts one more environment of memoryMB in, giving up idle
// environments of any function when there is no room. It reports whether there
// is room; give-ups take a moment to end, so the caller may find room later.
func (p *Pool) reserve(memoryMB int) bool {
	for {
		p.mu.Lock()
		if p.budget.fits(memoryMB) {
			p.budget.usedMemoryMB += memoryMB
			p.budget.usedEnvironments++
			p.mu.Unlock()
			return true
		}
		groups := p.snapshot()
		missingMB := p.budget.usedMemoryMB - p.budget.stemMB + memoryMB - p.budget.memoryMB
		p.mu.Unlock()
		if missingMB > idleMB(groups) {
			return false // giving up all that is idle would not help
		}

		var cheapest *member
		var lowest float64
		for _, g := range groups {
			if m, priority := g.cheapest(); m != nil && (cheapest == nil || priority < lowest) {
				cheapest, lowest = m, priority
			}
		}
		if cheapest == nil {
			if p.stems.giveUp() {
				continue
			}
			return false
		}
		// It counts until it is gone, so that the budget is never exceeded.
		if gone := cheapest.group.retireIdle(cheapest); gone != nil {
			p.clock.Evicted(lowest)
			<-gone
		}
	}
}

// idleMB is what giving up all idle environments would free.
func idleMB(groups []*Group) int {
	sum := 0
	for _, g := range groups {
		g.mu.Lock()
		spare := g.spare()
		for _, m := range g.members {
			if spare > 0 && !m.dead && m.load == 0 {
				sum += m.memoryMB
				spare--
			}
		}
		g.mu.Unlock()
	}
	return sum
}

// unreserve undoes reserve and lets starts that found no room try again.
func (p *Pool) unreserve(memoryMB int) {
	p.mu.Lock()
	p.budget.usedMemoryMB -= memoryMB
	p.budget.usedEnvironments--
	groups := p.snapshot()
	p.mu.Unlock()
	for _, g := range groups {
		g.grow()
	}
}

// reserveStem counts a stem of memoryMB in, if stems may take that much and it is
// free.
func (p *Pool) reserveStem(memoryMB int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := &p.budget
	if b.stemMB+memoryMB > b.memoryMB/stemShare || b.usedMemoryMB+memoryMB > b.memoryMB {
		return false
	}
	b.stemMB += memoryMB
	b.usedMemoryMB += memoryMB
	return true
}

// unreserveStem undoes reserveStem.
func (p *Pool) unreserveStem(memoryMB int) {
	p.mu.Lock()
	p.budget.stemMB -= memoryMB
	p.budget.usedMemoryMB -= memoryMB
	p.mu.Unlock()
	p.relieve()
}

// relieve lets starts that found no room try again, because an environment has
// become idle that may be given up for them.
func (p *Pool) relieve() {
	if !p.starved.Load() || p.ctx.Err() != nil {
		return
	}
	p.starved.Store(false)
	p.tasks.Go(func() {
		p.mu.Lock()
		groups := p.snapshot()
		p.mu.Unlock()
		for _, g := range groups {
			g.grow()
		}
	})
}

// machineMemoryMB is the machine's memory as /proc/meminfo has it.
func machineMemoryMB() (int, error) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if rest, found := strings.CutPrefix(lines.Text(), "MemTotal:"); found {
			kb, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			return kb / 1024, err
		}
	}
	return 0, fmt.Errorf("/proc/meminfo has no MemTotal line")
}
