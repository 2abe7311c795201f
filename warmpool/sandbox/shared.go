package sandbox

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/sandbox/cgroup"
)

// sharedEach is in how many checks of memory what processes share is counted once: it
// takes a look at each descriptor. Where there is a cgroup, that counts it.
const sharedEach = 5

// perInode is what a file on a tmpfs takes of the kernel's memory beside its content, with
// its name.
const perInode = 1200

// sharedMemory is what the tree has in memory that is of no process alone: /tmp, and files
// in memory (memfd_create) that processes have open or mapped. What is mapped may be open
// too, or in /tmp, so the larger counts: the truth is less than twice as much. What
// is neither, such as a descriptor on its way through a socket, does not count. It needs mu.
func (p *Process) sharedMemory() int64 {
	open := openInMemory
	if p.identity != nil && p.holder != nil {
		open = p.holder.openInMemory
	}
	return max(tmpOf(p.initPID)+open(p.initPID), treeMemory(p.initPID, mappedShared))
}

// openInMemory asks the holder, because the descriptors of another user are not ours to see.
func (h *holder) openInMemory(pid int) int64 {
	a, _, err := h.ask(order{Do: orderFiles, PID: pid}, nil)
	if err != nil {
		return 0 // it is started again, and asked again
	}
	return a.Bytes
}

// openInMemory is the size of the files in memory that a process and its descendants have
// open.
func openInMemory(pid int) int64 {
	open := map[[2]uint64]int64{} // by device and inode
	treeMemory(pid, func(pid int) int64 {
		filesInMemory(pid, open)
		return 0
	})
	var held int64
	for _, size := range open {
		held += size
	}
	return held
}

// filesInMemory adds the files in memory that a process has open.
func filesInMemory(pid int, open map[[2]uint64]int64) {
	dir := fmt.Sprintf("/proc/%d/fd/", pid)
	descriptors, err := os.ReadDir(dir)
	if err != nil {
		return // ended meanwhile, or not ours to see
	}
	for _, d := range descriptors {
		var stat unix.Stat_t
		if link, err := os.Readlink(dir + d.Name()); err != nil || !strings.HasPrefix(link, "/memfd:") {
			continue
		}
		if unix.Stat(dir+d.Name(), &stat) == nil {
			const block = 512 // of st_blocks, whatever the file system's are
			open[[2]uint64{stat.Dev, stat.Ino}] = stat.Blocks * block
		}
	}
}

// mappedShared is the memory that a process shares by mappings, each page divided by how
// many processes do.
func mappedShared(pid int) int64 {
	b, err := cgroup.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	if n, _ := bytesOf(b, "RssShmem:"); n < 1<<20 {
		return n // the dear way to tell is not worth it
	}
	if b, err = cgroup.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid)); err != nil {
		return 0
	}
	n, _ := bytesOf(b, "Pss_Shmem:")
	return n
}

// tmpOf is what /tmp takes, of the environment whose first process it is.
func tmpOf(pid int) int64 {
	var fs unix.Statfs_t
	if unix.Statfs(fmt.Sprintf("/proc/%d/root/tmp", pid), &fs) != nil || fs.Type != unix.TMPFS_MAGIC {
		return 0
	}
	return int64(fs.Blocks-fs.Bfree)*fs.Bsize + int64(fs.Files-fs.Ffree)*perInode
}
