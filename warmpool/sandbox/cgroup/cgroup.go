package cgroup

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Limits are what the cgroup of one environment holds it to.
type Limits struct {
	Memory    int64 // bytes, of the command's own
	Tmp       int64 // bytes, in /tmp
	Processes int   // those that wrap the command included
	// Background gives the command a small share of the CPU while others want it.
	Background bool
}

// backgroundMemory is the memory for which a function gets the share of Background. It is an
// eighth of the smallest that a function may have: a stem that is booted while functions want
// all cores takes little from them, and is there within seconds.
const backgroundMemory = 16 << 20

// share is the memory by which the share of the CPU is measured.
func (l Limits) share() int64 {
	if l.Background {
		return backgroundMemory
	}
	return l.Memory
}

// fullCore is the memory at which Lambda gives a function one whole vCPU
// (docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html).
const fullCore = 1769 << 20

// A setting is a value for a file of a cgroup.
type setting struct {
	file, value string
	optional    bool // kernels built without swap accounting or CPU shares lack it
}

// memoryMax is the wall: the pages of /tmp are memory of the cgroup too, so that
// a full /tmp has to fit in beside the memory of the function.
func (l Limits) memoryMax() string { return strconv.FormatInt(l.Memory+l.Tmp, 10) }

func (l Limits) settingsV2() (memory, pids, cpu []setting) {
	memory = []setting{
		{file: "memory.max", value: l.memoryMax()},
		{file: "memory.swap.max", value: "0", optional: true},
		// One process less is an environment in an unknown state: all or none.
		{file: "memory.oom.group", value: "1", optional: true},
	}
	pids = []setting{{file: "pids.max", value: strconv.Itoa(l.Processes)}}
	weight := min(max(l.share()*1000/fullCore, 1), 10_000)
	cpu = []setting{{file: "cpu.weight", value: strconv.FormatInt(weight, 10), optional: true}}
	return memory, pids, cpu
}

func (l Limits) settingsV1() (memory, pids, cpu []setting) {
	memory = []setting{
		{file: "memory.limit_in_bytes", value: l.memoryMax()},
		{file: "memory.memsw.limit_in_bytes", value: l.memoryMax(), optional: true},
		{file: "memory.swappiness", value: "0", optional: true},
	}
	pids = []setting{{file: "pids.max", value: strconv.Itoa(l.Processes)}}
	shares := min(max(l.share()*1024/fullCore, 2), 262_144)
	cpu = []setting{{file: "cpu.shares", value: strconv.FormatInt(shares, 10), optional: true}}
	return memory, pids, cpu
}

// A Cgroup is that of one environment. On v2 all folders are one.
type Cgroup struct {
	v2                bool
	memory, pids, cpu string
	freezer           string // of version 2, see Freeze; "" for none
}

// V2 reports whether the limits of g are of version 2: then a process can begin in it
// (OpenDir). On version 1 a process begins where the thread is that makes it
// (Hierarchy.Enter).
func (g *Cgroup) V2() bool { return g.v2 }

// OpenDir opens the folder of version 2 that a process is to begin in; nil for none.
func (g *Cgroup) OpenDir() (*os.File, error) {
	switch {
	case g.v2:
		return os.Open(g.memory)
	case g.freezer != "":
		return os.Open(g.freezer)
	}
	return nil, nil
}

// Move moves a process that is elsewhere into the cgroup. The memory that it has stays where it
// was counted.
func (g *Cgroup) Move(pid int) error {
	for _, dir := range g.dirs() {
		if err := writeFile(filepath.Join(dir, "cgroup.procs"), strconv.Itoa(pid)); err != nil {
			return fmt.Errorf("move process %d: %w", pid, err)
		}
	}
	return nil
}

// Processes are the ids of those that are in the cgroup.
func (g *Cgroup) Processes() []string {
	b, err := ReadFile(filepath.Join(g.pids, "cgroup.procs"))
	if err != nil {
		return nil // it is being removed
	}
	return strings.Fields(string(b))
}

// controllers are the folders that hold to limits.
func (g *Cgroup) controllers() []string {
	if g.v2 {
		return []string{g.memory}
	}
	return []string{g.memory, g.pids, g.cpu}
}

// dirs are all folders.
func (g *Cgroup) dirs() []string {
	dirs := g.controllers()
	if !g.v2 && g.freezer != "" {
		dirs = append(dirs, g.freezer)
	}
	return dirs
}

func (g *Cgroup) limit(l Limits) error {
	memory, pids, cpu := l.settingsV1()
	if g.v2 {
		memory, pids, cpu = l.settingsV2()
	}
	return errors.Join(write(g.memory, memory), write(g.pids, pids), write(g.cpu, cpu))
}

// Relimit is limit for a cgroup that has the limits before. A caller waits for it, so only what
// differs is written.
func (g *Cgroup) Relimit(before, l Limits) error {
	settings := Limits.settingsV1
	if g.v2 {
		settings = Limits.settingsV2
	}
	hadMemory, hadPIDs, hadCPU := settings(before)
	memory, pids, cpu := settings(l)
	memory, pids, cpu = changed(hadMemory, memory), changed(hadPIDs, pids), changed(hadCPU, cpu)
	if !g.v2 && len(memory) > 0 {
		// On v1 memory may not be more than memory with swap: the second is out of the
		// way until the first is right.
		unlimited := setting{file: "memory.memsw.limit_in_bytes", value: "-1", optional: true}
		if err := write(g.memory, []setting{unlimited}); err != nil {
			return err
		}
	}
	return errors.Join(write(g.memory, memory), write(g.pids, pids), write(g.cpu, cpu))
}

// changed are the settings that are not as they were. Both are of the same files.
func changed(before, now []setting) (all []setting) {
	for i, s := range now {
		if s.value != before[i].value {
			all = append(all, s)
		}
	}
	return all
}

func write(dir string, settings []setting) error {
	for _, s := range settings {
		err := writeFile(filepath.Join(dir, s.file), s.value)
		if err != nil && !s.optional {
			return err
		}
	}
	return nil
}

// AllowSwap lets the memory of g go to swap, or not. On version 1 the kernel moves nothing there
// by itself (memory.swappiness), and need not be told.
func (g *Cgroup) AllowSwap(allow bool) error {
	if !g.v2 {
		return nil
	}
	most := "0"
	if allow {
		most = "max"
	}
	return write(g.memory, []setting{{file: "memory.swap.max", value: most}})
}

// MemoryUse is the memory in use and the most there has been, in bytes. Peak is
// 0 where the kernel does not keep it (v2 before 5.19).
func (g *Cgroup) MemoryUse() (current, peak int64) {
	if g.v2 {
		return readNumber(filepath.Join(g.memory, "memory.current")), g.MemoryPeak()
	}
	return readNumber(filepath.Join(g.memory, "memory.usage_in_bytes")), g.MemoryPeak()
}

// MemoryPeak is the second of MemoryUse.
func (g *Cgroup) MemoryPeak() int64 {
	if g.v2 {
		return readNumber(filepath.Join(g.memory, "memory.peak"))
	}
	return readNumber(filepath.Join(g.memory, "memory.max_usage_in_bytes"))
}

// Anonymous is the memory in use that is neither /tmp nor a cache of files.
func (g *Cgroup) Anonymous() int64 {
	key := "total_rss"
	if g.v2 {
		key = "anon"
	}
	return readKey(filepath.Join(g.memory, "memory.stat"), key)
}

// OOMKills is how many processes the kernel killed for memory.
func (g *Cgroup) OOMKills() int64 {
	if g.v2 {
		return readKey(filepath.Join(g.memory, "memory.events"), "oom_kill")
	}
	return readKey(filepath.Join(g.memory, "memory.oom_control"), "oom_kill")
}

func readNumber(path string) int64 {
	b, err := ReadFile(path)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// readKey reads a number from a file of lines that begin with a key and a number,
// 0 if it is not there.
func readKey(path, key string) int64 {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) >= 2 && fields[0] == key {
			n, _ := strconv.ParseInt(fields[1], 10, 64)
			return n
		}
	}
	return 0
}

// Kill sends SIGKILL to everything that is left in the cgroup.
func (g *Cgroup) Kill() {
	if g.v2 && writeFile(filepath.Join(g.memory, killFile), "1") == nil {
		return
	}
	b, err := ReadFile(filepath.Join(g.pids, "cgroup.procs"))
	if err != nil {
		return
	}
	for _, line := range strings.Fields(string(b)) {
		// 0 is a process of another pid namespace, and to kill would mean all of ours.
		if pid, err := strconv.Atoi(line); err == nil && pid > 0 {
			unix.Kill(pid, unix.SIGKILL)
		}
	}
}

// Remove kills what is left and removes the folders. Processes that are dying
// keep a cgroup busy for a moment that the kernel does not announce.
func (g *Cgroup) Remove() error {
	var err error
	for wait := 100 * time.Microsecond; wait < time.Second; wait *= 2 {
		err = nil
		for _, dir := range g.dirs() {
			if e := unix.Rmdir(dir); e != nil && e != unix.ENOENT {
				err = fmt.Errorf("remove cgroup %s: %w", dir, e)
			}
		}
		if !errors.Is(err, syscall.EBUSY) {
			return err
		}
		g.Kill()
		time.Sleep(wait)
	}
	return err
}
