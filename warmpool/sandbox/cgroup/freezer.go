package cgroup

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/sandbox/lockdir"
)

// Files of a cgroup of version 2, which have come to the kernel one after the other.
const (
	freezeFile = "cgroup.freeze" // Linux 5.2
	killFile   = "cgroup.kill"   // Linux 5.14
)

// CanFreeze reports whether Freeze works: the kernel is new enough, and version 2 is
// mounted, if only beside version 1.
func (g *Cgroup) CanFreeze() bool { return g.freezer != "" }

// Freeze stops all processes of the cgroup, and what they are about to make, until Thaw.
// What is frozen can be killed.
func (g *Cgroup) Freeze() error { return writeFile(filepath.Join(g.freezer, freezeFile), "1") }

// Thaw undoes Freeze.
func (g *Cgroup) Thaw() error { return writeFile(filepath.Join(g.freezer, freezeFile), "0") }

// openFreezer makes the folder in which environments whose limits are of version 1 can be
// frozen. It is of version 2, which systemd mounts beside version 1. The freezer of
// version 1 keeps what it has frozen even from SIGKILL: if the server was killed, its
// environments would stay, and keep systemd and container managers from ending what they
// are in.
//
// Without such a folder environments are not frozen by cgroup.
func (h *Hierarchy) openFreezer(parent, name string) {
	if parent == "" {
		return
	}
	dir := filepath.Join(parent, name)
	lock, err := lockdir.MakeNamed(dir)
	if err != nil {
		return
	}
	// A kernel that has the one can begin a process in the folder, too (Linux 5.7).
	if !offers(dir, freezeFile) || !offers(dir, killFile) {
		unix.Rmdir(dir)
		lock.Close()
		return
	}
	h.parent.freezer = dir
	h.locks = append(h.locks, lock)
}

func offers(dir, file string) bool {
	_, err := os.Stat(filepath.Join(dir, file))
	return err == nil
}
