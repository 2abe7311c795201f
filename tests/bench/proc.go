package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// tick is the unit of the times in /proc/PID/stat: USER_HZ is 100 for programs on
// every Linux architecture that Go knows, whatever the kernel's own HZ.
const tick = 10 * time.Millisecond

// process is what /proc/PID/stat says of one process (proc_pid_stat(5)).
type process struct {
	pid, parent int
	ended       bool          // nobody has waited for it yet
	started     uint64        // ticks after boot: tells a process from a later one with its pid
	cpu         time.Duration // user and system, of itself and of the children it has waited for
}

func parseStat(line []byte) (process, error) {
	// The name may hold spaces and parentheses; what follows the last one is regular.
	end := bytes.LastIndexByte(line, ')')
	open := bytes.IndexByte(line, '(')
	if open < 0 || end < open {
		return process{}, fmt.Errorf("no name in %q", line)
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(line[:open])))
	if err != nil {
		return process{}, fmt.Errorf("pid in %q: %w", line, err)
	}
	fields := bytes.Fields(line[end+1:])
	const first = 3 // the number of fields[0] in the manual page
	number := func(field int) (n uint64) {
		if err == nil && field-first < len(fields) {
			n, err = strconv.ParseUint(string(fields[field-first]), 10, 64)
		} else if err == nil {
			err = fmt.Errorf("no field %d", field)
		}
		return n
	}
	p := process{pid: pid, parent: int(number(4)), started: number(22)}
	p.ended = bytes.HasPrefix(bytes.TrimSpace(line[end+1:]), []byte("Z"))
	p.cpu = time.Duration(number(14)+number(15)+number(16)+number(17)) * tick
	if err != nil {
		return process{}, fmt.Errorf("reading %q: %w", line, err)
	}
	return p, nil
}

// processes returns all processes of the machine by their parent.
func processes() (map[int][]process, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	children := make(map[int][]process)
	for _, stat := range stats {
		line, err := os.ReadFile(stat)
		if err != nil {
			continue // it has ended since
		}
		p, err := parseStat(line)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", stat, err)
		}
		children[p.parent] = append(children[p.parent], p)
	}
	return children, nil
}

// family returns root and all that descend from it, through bwrap and its namespaces
// too: seen from outside, their processes have parents like any other.
func family(root int) ([]process, error) {
	children, err := processes()
	if err != nil {
		return nil, err
	}
	var found []process
	for _, siblings := range children {
		for _, p := range siblings {
			if p.pid == root {
				found = append(found, p)
			}
		}
	}
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i].pid]...)
	}
	return found, nil
}

// cpuOf returns the CPU time that the families of roots have used. A child that ended in
// between is not lost: its time has gone to the parent that waited for it.
func cpuOf(roots []int) (time.Duration, error) {
	var sum time.Duration
	for _, root := range roots {
		members, err := family(root)
		if err != nil {
			return 0, err
		}
		for _, p := range members {
			sum += p.cpu
		}
	}
	return sum, nil
}

// alive says whether p still runs, and not another process with its id.
func (p process) alive() bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		return false
	}
	now, err := parseStat(line)
	return err == nil && now.started == p.started && !now.ended
}
