package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/sandbox/cgroup"
)

// lateMounts are what changes in the mount namespace of a stem. They are made by
// the gateway, or sent to its holder.
type lateMounts struct {
	Mounts []lateMount
	Tmp    int64 // size of /tmp, in bytes; 0: as it is
}

// A lateMount is a Mount without links on its way, and what of it not to show.
type lateMount struct {
	Mount
	Hidden []hiddenPath
}

// A hiddenPath is within a mount and not to be seen.
type hiddenPath struct {
	Path string // inside
	Dir  bool
}

// late checks what mounts a stem is to have.
func (s *Sandbox) late(mounts []Mount, l cgroup.Limits) (lateMounts, error) {
	late := lateMounts{Tmp: l.Tmp}
	for _, m := range mounts {
		m.Target = filepath.Clean(m.Target)
		if m.Target != TaskRoot && m.Target != LayerRoot && m.Target != CacheRoot {
			return late, fmt.Errorf("mount at %s: a stem has room at %s, %s and %s only", m.Target, TaskRoot, LayerRoot, CacheRoot)
		}
		source, err := filepath.EvalSymlinks(m.Source)
		if err != nil {
			return late, fmt.Errorf("mount at %s: %w", m.Target, err)
		}
		m.Source = source
		hidden, err := s.hiddenWithin(m)
		if err != nil {
			return late, err
		}
		late.Mounts = append(late.Mounts, lateMount{m, hidden})
	}
	return late, nil
}

// make makes the mounts in the namespace of this process without attaching them there. So they
// are invisible, and end with their descriptors. Then it attaches them in the other namespace.
func (l lateMounts) make(namespace *os.File) error {
	trees := make([]int, 0, len(l.Mounts))
	defer func() {
		for _, tree := range trees {
			unix.Close(tree)
		}
	}()
	for _, m := range l.Mounts {
		tree, err := openTree(m.Source)
		if err != nil {
			return err
		}
		trees = append(trees, tree)
	}
	return inMountNamespace(namespace, func() error {
		for i, m := range l.Mounts {
			if err := m.attach(trees[i]); err != nil {
				return err
			}
		}
		if l.Tmp == 0 {
			return nil
		}
		err := unix.Mount("", "/tmp", "", unix.MS_REMOUNT|unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("size=%d,nr_inodes=%d", l.Tmp, l.Tmp/perFile))
		if err != nil {
			return fmt.Errorf("give /tmp its size: %w", err)
		}
		return nil
	})
}

// perFile is for how many bytes of /tmp there may be a file, as ext4 has it. Files
// without content take memory too, and nothing counts it where there is no cgroup.
const perFile = 16 << 10

func openTree(source string) (int, error) {
	tree, err := unix.OpenTree(unix.AT_FDCWD, source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return -1, fmt.Errorf("mount of %s: %w", source, err)
	}
	err = unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &unix.MountAttr{
		Attr_set:    unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV,
		Propagation: unix.MS_PRIVATE,
	})
	if err != nil {
		unix.Close(tree)
		return -1, fmt.Errorf("make the mount of %s read-only: %w", source, err)
	}
	return tree, nil
}

// attach puts the tree where it belongs. The thread is in the environment's
// namespace, where all that leads there is ours and read-only.
func (m lateMount) attach(tree int) error {
	if err := unix.MoveMount(tree, "", unix.AT_FDCWD, m.Target, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("mount at %s: %w", m.Target, err)
	}
	for _, h := range m.Hidden {
		var err error
		if h.Dir {
			err = unix.Mount("tmpfs", h.Path, "tmpfs", unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, "size=4096,mode=0555")
		} else {
			err = unix.Mount("/dev/null", h.Path, "", unix.MS_BIND, "")
		}
		if err != nil {
			return fmt.Errorf("cover %s: %w", h.Path, err)
		}
	}
	return nil
}

// hiddenWithin is what of the hidden paths a mount would show.
func (s *Sandbox) hiddenWithin(m Mount) ([]hiddenPath, error) {
	var found []hiddenPath
	for _, hide := range s.hide {
		if !within(hide, m.Source) {
			continue
		}
		info, err := os.Lstat(hide)
		if hide == m.Source || err != nil {
			return nil, fmt.Errorf("mount of %s at %s would show %s, which is the gateway's own: move one of them", m.Source, m.Target, hide)
		}
		found = append(found, hiddenPath{filepath.Join(m.Target, strings.TrimPrefix(hide, m.Source)), info.IsDir()})
	}
	return found, nil
}

var errHasEnded = errors.New("the process has ended")

// namespace opens a namespace of the process, "mnt" or "net".
func (p *Process) namespace(name string) (*os.File, error) {
	p.mu.Lock() // while it is held, the pid is of this process
	defer p.mu.Unlock()
	if p.reaped || p.initPID == 0 {
		return nil, errHasEnded
	}
	return os.Open(fmt.Sprintf("/proc/%d/ns/%s", p.initPID, name))
}
