package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// An Assumption is what a stem (Spec.Stem) learns of its function.
type Assumption struct {
	// Mounts of the function's own, at TaskRoot and LayerRoot.
	Mounts []Mount
	// As in Spec, 0 for the default.
	MemoryMB, EphemeralStorageMB, MaxProcesses int
}

// CanAssume reports whether a stem can become a function's environment here: the
// gateway is root, and the kernel can make mounts in a namespace that is there
// (Linux 5.12).
func (s *Sandbox) CanAssume() bool { return s.canAssume }

// Assume makes the environment of a stem that of a function: its mounts are there
// and its limits hold when Assume returns. It is called once. After an error, the
// process has to be killed: nobody knows what it is.
//
// A process that was in TaskRoot before is in the empty folder below the mount
// until it enters TaskRoot anew.
func (p *Process) Assume(a Assumption) error {
	if err := p.assume(a); err != nil {
		return fmt.Errorf("environment %s: assume a function: %w", p.id, err)
	}
	return nil
}

func (p *Process) assume(a Assumption) error {
	if !p.sandbox.on {
		return errors.New("the sandbox is off")
	}
	spec, err := Spec{
		ID: p.id, Args: []string{"-"}, Mounts: a.Mounts,
		MemoryMB: a.MemoryMB, EphemeralStorageMB: a.EphemeralStorageMB, MaxProcesses: a.MaxProcesses,
	}.withDefaults()
	if err != nil {
		return err
	}
	l := limitsOf(spec)
	p.mu.Lock()
	p.limits = l
	p.mu.Unlock()
	if p.cgroup != nil {
		if err := p.cgroup.relimit(l); err != nil {
			return err
		}
	}
	trees := make([]*tree, 0, len(spec.Mounts))
	defer func() {
		for _, t := range trees {
			unix.Close(t.fd)
		}
	}()
	for _, m := range spec.Mounts {
		t, err := p.sandbox.openTree(m)
		if err != nil {
			return err
		}
		trees = append(trees, t)
	}
	namespace, err := p.namespace("mnt")
	if err != nil {
		return err
	}
	defer namespace.Close()
	return inMountNamespace(namespace, func() error {
		for _, t := range trees {
			if err := t.attach(); err != nil {
				return err
			}
		}
		err := unix.Mount("", "/tmp", "", unix.MS_REMOUNT|unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("size=%d", l.tmp))
		if err != nil {
			return fmt.Errorf("give /tmp its size: %w", err)
		}
		return nil
	})
}

// A tree is a mount that is not attached anywhere yet.
type tree struct {
	fd     int
	target string
	hidden []hiddenPath // to be covered once it is attached
}

// A hiddenPath is within a mount and not to be seen.
type hiddenPath struct {
	path string // inside
	dir  bool
}

// openTree makes the mount m, in the gateway's namespace but attached to nothing
// there: nobody sees it, and it goes with its descriptor.
func (s *Sandbox) openTree(m Mount) (*tree, error) {
	t := &tree{target: filepath.Clean(m.Target)}
	if t.target != TaskRoot && t.target != LayerRoot {
		return nil, fmt.Errorf("mount at %s: a stem has room at %s and %s only", t.target, TaskRoot, LayerRoot)
	}
	source, err := filepath.EvalSymlinks(m.Source)
	if err != nil {
		return nil, fmt.Errorf("mount at %s: %w", t.target, err)
	}
	if t.hidden, err = s.hiddenWithin(Mount{Source: source, Target: t.target}); err != nil {
		return nil, err
	}
	t.fd, err = unix.OpenTree(unix.AT_FDCWD, source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return nil, fmt.Errorf("mount of %s: %w", source, err)
	}
	err = unix.MountSetattr(t.fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &unix.MountAttr{
		Attr_set:    unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV,
		Propagation: unix.MS_PRIVATE,
	})
	if err != nil {
		unix.Close(t.fd)
		return nil, fmt.Errorf("make the mount of %s read-only: %w", source, err)
	}
	return t, nil
}

// attach puts the tree where it belongs. The thread is in the environment's
// namespace, where all that leads there is ours and read-only.
func (t *tree) attach() error {
	if err := unix.MoveMount(t.fd, "", unix.AT_FDCWD, t.target, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("mount at %s: %w", t.target, err)
	}
	for _, h := range t.hidden {
		var err error
		if h.dir {
			err = unix.Mount("tmpfs", h.path, "tmpfs", unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, "size=4096,mode=0555")
		} else {
			err = unix.Mount("/dev/null", h.path, "", unix.MS_BIND, "")
		}
		if err != nil {
			return fmt.Errorf("cover %s: %w", h.path, err)
		}
	}
	return nil
}

// namespace opens a namespace of the process, "mnt" or "net".
func (p *Process) namespace(name string) (*os.File, error) {
	p.mu.Lock() // while it is held, the pid is of this process
	defer p.mu.Unlock()
	if p.reaped || p.initPID == 0 {
		return nil, errors.New("the process has ended")
	}
	return os.Open(fmt.Sprintf("/proc/%d/ns/%s", p.initPID, name))
}

// probeAssume finds out by a stem whether stems work here.
func (s *Sandbox) probeAssume() {
	if s.identities == nil {
		s.log.Info("no stems: cold starts boot their interpreter, because mounts into a running environment need root")
		return
	}
	if err := s.tryAssume(); err != nil {
		s.log.Warn("no stems: cold starts boot their interpreter", zap.Error(err), zap.String("remedy", "Linux 5.12 or newer, with CAP_SYS_ADMIN"))
		return
	}
	s.canAssume = true
}

func (s *Sandbox) tryAssume() error {
	input, end, err := os.Pipe()
	if err != nil {
		return err
	}
	defer input.Close()
	defer end.Close()
	output, said, err := os.Pipe()
	if err != nil {
		return err
	}
	defer output.Close()
	// It says that all mounts of its own are there, and waits.
	p, err := s.Start(Spec{
		ID: "probe-stem", Args: []string{"sh", "-c", "echo booted; read -r line <&3"},
		Network: NetworkNone, Stem: true, Stdout: said, ExtraFiles: []*os.File{input},
	})
	said.Close()
	if err != nil {
		return err
	}
	defer func() {
		p.Kill()
		<-p.Done()
	}()
	if err := output.SetReadDeadline(time.Now().Add(probeTimeout)); err != nil {
		return err
	}
	if _, err := output.Read(make([]byte, 8)); err != nil {
		return fmt.Errorf("a trial start: %w", err)
	}
	return p.Assume(Assumption{Mounts: []Mount{{Source: s.skeleton.root, Target: TaskRoot}}})
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
