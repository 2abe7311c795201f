package sandbox

import (
	"errors"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/sandbox/cgroup"
	"github.com/hearthfn/hearth/warmpool/sandbox/network"
)

// An Assumption is what a stem (Spec.Stem) learns of its function.
type Assumption struct {
	// Mounts of the function's own, at TaskRoot and LayerRoot.
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
	late, err := p.sandbox.late(spec.Mounts, l)
	if err != nil {
		return err
	}
	if err := p.relimit(l); err != nil {
		return err
	}
	if err := p.restrictFiles(l); err != nil {
		return err
	}
	if p.network != nil {
		if err := p.allow(a.Policy); err != nil {
			return err
		}
	}
	namespace, err := p.namespace("mnt")
	if err != nil {
		return err
	}
	defer namespace.Close()
	if p.userns != nil {
		return p.holder.mount(namespace, late)
	}
	return late.make(namespace)
}

// relimit sets the limits but that of /tmp, once.
func (p *Process) relimit(l cgroup.Limits) error {
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
	p.assumed, p.limits = true, l
	if p.cgroup == nil {
		return nil
	}
	return p.cgroup.Relimit(l)
}

// probeAssume starts a stem to find out whether stems work here. The caller passes the
// function that makes a holder, because not every machine allows one.
func (s *Sandbox) probeAssume(start func(*starter) (*holder, error)) {
	remedy := "Linux 5.12 or newer, with CAP_SYS_ADMIN"
	var err error
	if s.identities == nil {
		remedy = "Linux 5.12 or newer, which lets this program itself make user namespaces (AppArmor: a profile with \"userns,\"), " +
			"and no capabilities on its file: give those by systemd's AmbientCapabilities"
		var h *holder
		if h, err = start(s.starter); err == nil {
			s.holder.Store(h)
		}
	}
	if err == nil {
		err = s.tryAssume()
	}
	if err == nil {
		s.canAssume = true
		return
	}
	s.log.Warn("no stems: cold starts boot their interpreter", zap.Error(err), zap.String("remedy", remedy))
	if h := s.holder.Swap(nil); h != nil {
		h.close()
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
