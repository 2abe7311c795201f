package cgroup

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/sandbox/lockdir"
)

// A Hierarchy is the cgroup of one sandbox.Sandbox, with one child per environment.
type Hierarchy struct {
	parent Cgroup
	locks  []*os.File // of its folders, one on v2
	// home moves the thread that writes to it back out of an environment's
	// cgroups. Only on v1, where a child begins where its parent thread is.
	home []*os.File
}

// ErrNoDelegation says that the machine has cgroups, but none for this user.
var ErrNoDelegation = errors.New("no cgroup is delegated to this user")

// A cgroupMount is a mounted cgroup file system.
type cgroupMount struct {
	root, dir string // what of the file system is mounted, and where
	v2        bool
	names     []string // v1: the controllers
}

// parseMounts reads the cgroup file systems from /proc/self/mountinfo.
func parseMounts(r io.Reader) []cgroupMount {
	var mounts []cgroupMount
	for lines := bufio.NewScanner(r); lines.Scan(); {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		fields, super := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 5 || len(super) < 3 {
			continue
		}
		switch super[0] {
		case "cgroup2":
			mounts = append(mounts, cgroupMount{root: fields[3], dir: fields[4], v2: true})
		case "cgroup":
			mounts = append(mounts, cgroupMount{root: fields[3], dir: fields[4], names: strings.Split(super[2], ",")})
		}
	}
	return mounts
}

// parseMembership reads the cgroups of a process, by controller ("" is v2), from
// /proc/PID/cgroup.
func parseMembership(r io.Reader) map[string]string {
	paths := map[string]string{}
	for lines := bufio.NewScanner(r); lines.Scan(); {
		if fields := strings.SplitN(lines.Text(), ":", 3); len(fields) == 3 {
			for _, name := range strings.Split(fields[1], ",") {
				paths[name] = fields[2]
			}
		}
	}
	return paths
}

// own is the folder of this process's cgroup. In a container the path may be one
// of the machine that is not to be seen; then it is the top of what is.
func (m cgroupMount) own(membership map[string]string) string {
	name := ""
	if !m.v2 {
		name = m.names[0]
		for _, n := range m.names {
			if _, ok := membership[n]; ok {
				name = n
			}
		}
	}
	rel, err := filepath.Rel(m.root, membership[name])
	if err != nil || strings.HasPrefix(rel, "..") {
		return m.dir
	}
	dir := filepath.Join(m.dir, rel)
	if _, err := os.Stat(dir); err != nil {
		return m.dir
	}
	return dir
}

// Open makes the cgroup of a Sandbox, once it has removed those that a predecessor
// left. It fails with ErrNoDelegation when there is no place.
func Open() (*Hierarchy, error) {
	mountinfo, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer mountinfo.Close()
	self, err := os.Open("/proc/thread-self/cgroup")
	if err != nil {
		return nil, err
	}
	defer self.Close()
	mounts, membership := parseMounts(mountinfo), parseMembership(self)

	var own Cgroup
	var top string
	for _, m := range mounts {
		if m.v2 {
			top, own.freezer = m.dir, m.own(membership)
		}
		switch {
		case slices.Contains(m.names, "memory"):
			own.memory = m.own(membership)
		case slices.Contains(m.names, "pids"):
			own.pids = m.own(membership)
		case slices.Contains(m.names, "cpu"):
			own.cpu = m.own(membership)
		}
	}
	if own.memory != "" && own.pids != "" && own.cpu != "" {
		return openV1(own)
	}
	if own.memory != "" || top == "" {
		return nil, fmt.Errorf("the controllers memory, pids and cpu are not all mounted: %w", ErrNoDelegation)
	}
	return openV2(top, own.freezer, os.Geteuid() == 0)
}

func openV1(own Cgroup) (*Hierarchy, error) {
	sweepCgroups(own)
	dir, lock, err := lockdir.Make(own.memory)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoDelegation, err)
	}
	name := filepath.Base(dir)
	h := &Hierarchy{parent: own.child(name), locks: []*os.File{lock}}
	h.parent.freezer = ""
	for _, d := range []string{h.parent.pids, h.parent.cpu} {
		// Locked, so that one in another cgroup of memory does not take it for a leftover.
		lock, err := lockdir.MakeNamed(d)
		if err != nil {
			h.Close()
			return nil, fmt.Errorf("%w: %w", ErrNoDelegation, err)
		}
		h.locks = append(h.locks, lock)
	}
	for _, d := range own.controllers() {
		f, err := os.OpenFile(filepath.Join(d, "tasks"), os.O_WRONLY, 0)
		if err != nil {
			h.Close()
			return nil, fmt.Errorf("%w: %w", ErrNoDelegation, err)
		}
		h.home = append(h.home, f)
	}
	h.openFreezer(own.freezer, name)
	return h, nil
}

// openV2 finds a place below top where controllers may be given to children. A
// cgroup that has children with controllers may have no processes itself
// ("no internal processes", docs.kernel.org/admin-guide/cgroup-v2.html).
func openV2(top, own string, root bool) (*Hierarchy, error) {
	// Not in another manager's cgroup, unless it was delegated: systemd would
	// take the controllers away again. Only root may use the top instead.
	if filepath.Base(own) == gatewayCgroup {
		own = filepath.Dir(own) // moved there by an earlier Sandbox
	}
	place := own
	if root && !delegated(own) {
		place = top
	}
	if err := enableControllers(place); err != nil {
		// The gateway itself is what is in the way, in a container or a unit.
		if moved := moveSelf(place); moved != nil {
			return nil, fmt.Errorf("%w: %w", ErrNoDelegation, errors.Join(err, moved))
		}
		if err := enableControllers(place); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNoDelegation, err)
		}
	}
	sweepCgroups(V2At(place))
	dir, lock, err := lockdir.Make(place)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoDelegation, err)
	}
	h := &Hierarchy{parent: V2At(dir), locks: []*os.File{lock}}
	if err := enableControllers(dir); err != nil {
		h.Close()
		return nil, fmt.Errorf("%w: %w", ErrNoDelegation, err)
	}
	if !offers(dir, freezeFile) {
		h.parent.freezer = ""
	}
	return h, nil
}

// gatewayCgroup is where the gateway goes to make room above.
const gatewayCgroup = "hearth-gateway"

// V2At is the cgroup of version 2 that has the folder dir.
func V2At(dir string) Cgroup {
	return Cgroup{v2: true, memory: dir, pids: dir, cpu: dir, freezer: dir}
}

// delegated reports whether systemd gave the cgroup away (Delegate=yes).
func delegated(dir string) bool {
	value := make([]byte, 4)
	for _, name := range []string{"trusted.delegate", "user.delegate"} {
		if n, err := unix.Getxattr(dir, name, value); err == nil && string(value[:n]) == "1" {
			return true
		}
	}
	return false
}

func enableControllers(dir string) error {
	return writeFile(filepath.Join(dir, "cgroup.subtree_control"), "+memory +pids +cpu")
}

func moveSelf(place string) error {
	dir := filepath.Join(place, gatewayCgroup)
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return writeFile(filepath.Join(dir, "cgroup.procs"), "0")
}

// child is the cgroup of that name below g.
func (g Cgroup) child(name string) Cgroup {
	child := Cgroup{
		v2:     g.v2,
		memory: filepath.Join(g.memory, name),
		pids:   filepath.Join(g.pids, name),
		cpu:    filepath.Join(g.cpu, name),
	}
	if g.freezer != "" {
		child.freezer = filepath.Join(g.freezer, name)
	}
	return child
}

// sweepCgroups removes what processes that died left below parent.
func sweepCgroups(parent Cgroup) {
	lockdir.Abandoned(parent.memory, func(dir string) {
		g := parent.child(filepath.Base(dir))
		g.removeAll()
	})
	if parent.v2 {
		return
	}
	// A predecessor in another cgroup of memory, whose lock is there, may have left the
	// others here. Nobody's processes are harmed: the kernel keeps folders with some.
	for _, dir := range parent.dirs()[1:] {
		lockdir.Abandoned(dir, func(left string) {
			children, err := os.ReadDir(left)
			if err != nil {
				return
			}
			for _, child := range children {
				if child.IsDir() {
					unix.Rmdir(filepath.Join(left, child.Name()))
				}
			}
			unix.Rmdir(left)
		})
	}
}

// removeAll removes g with its children, whatever runs in them.
func (g Cgroup) removeAll() error {
	var names []string
	for _, dir := range g.dirs() {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if e.IsDir() && !slices.Contains(names, e.Name()) {
				names = append(names, e.Name())
			}
		}
	}
	var errs []error
	for _, name := range names {
		child := g.child(name)
		child.Kill()
		errs = append(errs, child.Remove())
	}
	return errors.Join(append(errs, g.Remove())...)
}

// Add makes the cgroup of an environment.
func (h *Hierarchy) Add(id string, l Limits) (*Cgroup, error) {
	g := h.parent.child(id)
	for i, dir := range g.dirs() {
		if err := os.Mkdir(dir, 0o755); err != nil {
			for _, made := range g.dirs()[:i] {
				unix.Rmdir(made)
			}
			return nil, fmt.Errorf("make the cgroup of environment %s: %w", id, err)
		}
	}
	if err := g.limit(l); err != nil {
		g.Remove()
		return nil, fmt.Errorf("limit environment %s: %w", id, err)
	}
	return &g, nil
}

// Enter moves the calling thread, and so what it forks, to g (v1).
func (h *Hierarchy) Enter(g *Cgroup) error {
	for _, dir := range g.controllers() {
		if err := writeFile(filepath.Join(dir, "tasks"), "0"); err != nil {
			return fmt.Errorf("enter cgroup %s: %w", dir, err)
		}
	}
	return nil
}

// Leave undoes Enter.
func (h *Hierarchy) Leave() error {
	var errs []error
	for _, f := range h.home {
		_, err := f.WriteAt([]byte("0"), 0)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Version is that of the kernel's cgroups: 1 or 2.
func (h *Hierarchy) Version() int {
	if h.parent.v2 {
		return 2
	}
	return 1
}

// CanFreeze reports whether environments can be frozen (Cgroup.Freeze).
func (h *Hierarchy) CanFreeze() bool { return h.parent.freezer != "" }

// Dirs are the folders of the cgroup that environments are in.
func (h *Hierarchy) Dirs() []string { return h.parent.dirs() }

// Close removes the cgroup and those of all environments.
func (h *Hierarchy) Close() error {
	err := h.parent.removeAll()
	for _, f := range h.home {
		f.Close()
	}
	for _, f := range h.locks {
		f.Close()
	}
	return err
}
