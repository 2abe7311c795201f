package sandbox

import (
	"bufio"
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/sandbox/cgroup"
)

// pageOutStep bounds what is moved to swap at once, in bytes: a call that comes meanwhile
// waits for it.
const pageOutStep = 4 << 20

// PageOut moves the memory that a frozen environment has for itself to swap, disk or zram, if
// there is twice as much room as it uses. What its processes have from files they read again
// when they need it. It stops as soon as the environment is thawed. It returns how many bytes it
// has asked the kernel to move: 0 where there is no swap, no cgroup, or no privilege
// (process_madvise(2) needs Linux 5.10 and CAP_SYS_NICE).
func (p *Process) PageOut() (asked int64) {
	current, _ := p.Memory()
	if free := freeSwap(); current == 0 || free < 2*current {
		return 0
	}
	p.mu.Lock()
	if !p.canPageOut() {
		p.mu.Unlock()
		return 0
	}
	defer p.mu.Unlock()
	if p.cgroup.AllowSwap(true) != nil {
		return 0
	}
	// What is in swap stays there, and what is not cannot get there while the function runs.
	defer func() { _ = p.cgroup.AllowSwap(false) }() // it has ended otherwise
	for _, pid := range p.cgroup.Processes() {
		number, err := strconv.Atoi(pid)
		if err != nil {
			continue
		}
		fd, err := unix.PidfdOpen(number, 0)
		if err != nil {
			continue
		}
		maps, err := cgroup.ReadFile("/proc/" + pid + "/maps")
		for _, step := range steps(ownMemory(maps)) {
			if err != nil {
				break
			}
			asked += madvise(fd, step)
			p.mu.Unlock() // a caller may want it
			p.mu.Lock()
			if !p.canPageOut() {
				break
			}
		}
		unix.Close(fd)
		if !p.canPageOut() {
			break
		}
	}
	return asked
}

// canPageOut needs mu.
func (p *Process) canPageOut() bool {
	return p.frozen && !p.reaped && !p.ending && p.cgroup != nil
}

// freeSwap is how much room there is in swap, in bytes.
func freeSwap() int64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return int64(info.Freeswap) * int64(info.Unit)
}

// An extent is a part of a process's memory, as the kernel takes it (struct iovec).
type extent struct{ base, size uintptr }

// ownMemory are the parts of a process's memory that it has written to for itself, of
// /proc/PID/maps.
func ownMemory(maps []byte) (own []extent) {
	lines := bufio.NewScanner(bytes.NewReader(maps))
	for lines.Scan() {
		// 7f0000000000-7f0000021000 rw-p 00000000 00:00 0   [heap]
		fields := strings.Fields(lines.Text())
		var from, to uintptr
		if len(fields) < 5 || len(fields[1]) != 4 || fields[1][3] != 'p' || fields[1][1] != 'w' {
			continue
		}
		if n, err := fmt.Sscanf(fields[0], "%x-%x", &from, &to); n == 2 && err == nil && from < to {
			own = append(own, extent{from, to - from})
		}
	}
	return own
}

// steps are extents in groups of pageOutStep at most.
func steps(all []extent) (groups [][]extent) {
	const most = 256 // extents of a group; the kernel takes 1024
	var group []extent
	var size uintptr
	for len(all) > 0 {
		next := all[0]
		if room := pageOutStep - size; next.size > room {
			next.size = room
			all[0] = extent{all[0].base + room, all[0].size - room}
		} else {
			all = all[1:]
		}
		group, size = append(group, next), size+next.size
		if size == pageOutStep || len(group) == most || len(all) == 0 {
			groups, group, size = append(groups, group), nil, 0
		}
	}
	return groups
}

// madvise has the kernel move extents of a process to swap. It returns the bytes of them, 0 if it
// did not.
func madvise(pidfd int, extents []extent) int64 {
	n, _, err := unix.Syscall6(unix.SYS_PROCESS_MADVISE, uintptr(pidfd), uintptr(unsafe.Pointer(&extents[0])), uintptr(len(extents)), unix.MADV_PAGEOUT, 0, 0)
	if err != 0 {
		return 0
	}
	return int64(n)
}
