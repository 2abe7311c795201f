package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/sandbox/cgroup"
	"github.com/hearthfn/hearth/warmpool/sandbox/network"
)

// An Assumption is what a stem (Spec.Stem) learns of its function.
type Assumption struct {
	// Function is its name, for the log.
	Function string
	// Mounts of the function's own, at TaskRoot, LayerRoot and CacheRoot.
	Mounts []Mount
	// As in Spec, 0 for the default.
	MemoryMB, EphemeralStorageMB, MaxProcesses int
	// Policy is of a stem's NetworkPrivate.
	Policy network.Policy
}

// CanAssume reports whether a stem can become a function's environment here: the
// sandbox is on, and the kernel can make mounts in a namespace that is there (Linux
// 5.12). It is false for a moment when the process is lost that does it for a gateway
// that is not root.
func (s *Sandbox) CanAssume() bool {
	return s.canAssume && (s.identities != nil || s.holder.Load().works())
}

// Ready has a stem that has booted wait for its function: it does not run in the background any
// more, and what Assume does for most functions is done. It waits in a read, so it takes no core from
// anybody; but when its function comes, it has the share of a core that its caller expects. After an
// error the caller must kill the process.
func (p *Process) Ready() error {
	if err := p.ready(); err != nil {
		return fmt.Errorf("environment %s: get a stem ready: %w", p.id, err)
	}
	return nil
}

func (p *Process) ready() error {
	if !p.sandbox.on || !p.stem {
		return nil
	}
	size, err := p.foreground()
	if err != nil {
		return err
	}
	namespace, err := p.namespace("mnt")
	if err != nil {
		return err
	}
	if err := p.mount(namespace, lateMounts{Tmp: size}); err != nil {
		namespace.Close()
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		namespace.Close()
		return errHasEnded
	}
	p.mounts, p.tmpSize = namespace, size
	return nil
}

// foreground gives a stem the share of a core that a function has, and returns the size of its /tmp.
func (p *Process) foreground() (tmp int64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return 0, errHasEnded
	}
	before := p.limits
	p.limits.Background = false
	if p.cgroup != nil {
		err = p.cgroup.Relimit(before, p.limits)
	}
	return p.limits.Tmp, err
}

// mount makes late mounts in the mount namespace of the environment.
func (p *Process) mount(namespace *os.File, late lateMounts) error {
	if p.holder != nil {
		return p.holder.mount(namespace, late)
	}
	return late.make(namespace)
}

// mountNamespace opens the mount namespace of a stem, unless Ready has. It returns the size that
// /tmp has there, 0 if none has been given to it.
func (p *Process) mountNamespace() (namespace *os.File, tmp int64, err error) {
	p.mu.Lock()
	namespace, tmp, p.mounts = p.mounts, p.tmpSize, nil
	p.mu.Unlock()
	if namespace == nil {
		namespace, err = p.namespace("mnt")
	}
	return namespace, tmp, err
}

// Assume turns the environment of a stem into that of a function: its mounts are there and
// its limits hold when Assume returns. Call it once. After an error the caller must kill
// the process, because its state is unknown.
//
// A process that was in TaskRoot before is in the empty folder below the mount until it
// enters TaskRoot anew.
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
	if !p.stem {
		return errors.New("it was not started as a stem")
	}
	spec, err := Spec{
		ID: p.id, Args: []string{"-"}, Mounts: a.Mounts,
		MemoryMB: a.MemoryMB, EphemeralStorageMB: a.EphemeralStorageMB, MaxProcesses: a.MaxProcesses,
	}.withDefaults()
	if err != nil {
		return err
	}
	l := limitsOf(spec)
	if p.commandIsBorn() {
		l.Processes++ // the placeholder
		if err := p.confined(); err != nil {
			return err
		}
	}
	late, err := p.sandbox.late(spec.Mounts, l)
	if err != nil {
		return err
	}
	if err := p.relimit(l, a.Function); err != nil {
		return err
	}
	if err := p.restrictStem(l); err != nil {
		return err
	}
	if p.network != nil {
		if err := p.allow(a.Policy); err != nil {
			return err
		}
	}
	namespace, tmp, err := p.mountNamespace()
	if err != nil {
		return err
	}
	defer namespace.Close()
	if late.Tmp == tmp {
		late.Tmp = 0
	}
	return p.mount(namespace, late)
}

// relimit sets the limits but that of /tmp, once, and whose they are.
func (p *Process) relimit(l cgroup.Limits, function string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.reaped:
		return errHasEnded
	case p.assumed:
		return errors.New("it has assumed one already")
	case p.cgroup == nil && l.Processes != p.limits.Processes:
		return fmt.Errorf("a limit of %d processes, where the stem has %d: changing it needs a cgroup", l.Processes-wrappers, p.limits.Processes-wrappers)
	}
	before := p.limits
	p.assumed, p.limits, p.function = true, l, function
	if p.cgroup == nil {
		return nil
	}
	return p.cgroup.Relimit(before, l)
}

// probeAssume starts a stem to find out whether stems work here. The caller passes the
// function that makes a holder, because not every machine allows one.
func (s *Sandbox) probeAssume(start startHolder) {
	if s.identities != nil {
		s.stems(s.tryAssume(), "Linux 5.12 or newer, with CAP_SYS_ADMIN")
		return
	}
	err := s.tryUsers(start)
	if err == nil {
		s.canAssume = true
		s.log.Info("each environment runs as a user of its own", zap.Int("first", s.lent.firstUID), zap.Int("users", s.lent.count))
		return
	}
	remedy := "run the server as root"
	var none *noUsersError
	if errors.As(err, &none) {
		remedy = none.remedy + "; or " + remedy
	}
	s.log.Warn("functions run as the user of this server, within a user namespace", zap.Int("uid", os.Geteuid()), zap.Error(err), zap.String("remedy", remedy))
	s.stems(s.tryHolder(start), "Linux 5.12 or newer, which lets this program itself make user namespaces (AppArmor: a profile with \"userns,\"), "+
		"and no capabilities on its file: give those by systemd's AmbientCapabilities")
}

// startHolder is newHolder, and in tests what fails.
type startHolder func(*starter, *subordinate, *userRange) (*holder, error)

// tryUsers finds out whether environments can have users of their own, and if so starts a
// holder that has them.
func (s *Sandbox) tryUsers(start startHolder) error {
	lent, err := findSubordinate()
	if err != nil {
		return err
	}
	if s.tools.setpriv, err = exec.LookPath("setpriv"); err != nil {
		return &noUsersError{err, "install util-linux"}
	}
	s.lent, s.users = lent, newUserRange(lent.firstUID, lent.count)
	if err := s.tryHolder(start); err != nil {
		s.lent, s.users = nil, nil
		return err
	}
	return nil
}

// tryHolder starts a holder, and a stem by it.
func (s *Sandbox) tryHolder(start startHolder) error {
	h, err := start(s.starter, s.lent, s.users)
	if err != nil {
		return err
	}
	s.holder.Store(h)
	if err := s.tryAssume(); err != nil {
		s.holder.Store(nil)
		h.close()
		return err
	}
	return nil
}

// stems says that there are none because of err, if it is not nil.
func (s *Sandbox) stems(err error, remedy string) {
	if s.canAssume = err == nil; !s.canAssume {
		s.log.Warn("no stems: cold starts boot their interpreter", zap.Error(err), zap.String("remedy", remedy))
	}
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
