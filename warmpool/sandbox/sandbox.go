package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/sandbox/cgroup"
	"github.com/hearthfn/hearth/warmpool/sandbox/lockdir"
)

// Values of Config.Mode.
const (
	On  = "on"
	Off = "off"
)

// Config says how execution environments are kept apart.
type Config struct {
	// "on", or "off" for plain processes that can do whatever the gateway's user
	// can. Default: on.
	Mode string

	// Paths of the machine that no environment may see, such as the folder of the
	// gateway's data and its admin socket, even when a mount lies around them. A
	// mount of something within such a folder is shown.
	Hide []string

	// The bubblewrap program, version 0.7 or newer. Default: bwrap, from PATH.
	Bwrap string
}

// A Sandbox starts processes, each in an execution environment of its own. It
// may be used by several goroutines at once.
type Sandbox struct {
	log        *zap.Logger
	on         bool
	hide       []string
	dir        string // of this Sandbox's own, for the skeleton and temporary files
	lock       *os.File
	tools      tools
	starter    *starter
	skeleton   *skeleton              // nil when off
	bash       Mount                  // over dash, which sh is otherwise; empty when there is no need
	seccomp    *os.File               // nil when off
	hostFilter *os.File               // seccomp with NetworkHost; nil when off
	cgroups    *cgroup.Hierarchy      // nil when there are none for us
	identities *identityPool          // nil unless root
	lent       *subordinate           // nil as root, and where the machine lends no users
	users      *userRange             // of lent
	holder     atomic.Pointer[holder] // nil as root, and where there can be none
	canAssume  bool
	private    private

	warnFreeze sync.Once

	quit chan struct{}
	once sync.Once
	work sync.WaitGroup // the memory watch and one reaper per process

	mu     sync.Mutex
	live   map[string]*Process // guarded by mu; nil while being started
	closed bool                // guarded by mu
	held   chan struct{}       // guarded by mu; closed and made anew when there is another holder
}

// ErrClosed is returned by Start after Close.
var ErrClosed = errors.New("sandbox is closed")

// probeTimeout bounds the trial start in New.
const probeTimeout = 10 * time.Second

// New removes what a predecessor that died left behind, finds out what the machine can do,
// and starts a process in a full sandbox to test that. The error says what must be
// installed or allowed. New logs what is only missing, such as limits of memory for a user
// to whom no cgroup is delegated.
func New(cfg Config, log *zap.Logger) (*Sandbox, error) {
	s := &Sandbox{log: log, quit: make(chan struct{}), held: make(chan struct{}), live: map[string]*Process{}}
	switch cfg.Mode {
	case "", On:
		s.on = true
	case Off:
	default:
		return nil, fmt.Errorf(`sandbox %q: neither "on" nor "off"`, cfg.Mode)
	}
	for _, path := range cfg.Hide {
		s.hide = append(s.hide, clean(path))
	}

	lockdir.Abandoned(os.TempDir(), func(dir string) { os.RemoveAll(dir) })
	var err error
	if s.dir, s.lock, err = lockdir.Make(os.TempDir()); err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	s.starter = newStarter()
	if err := s.open(cfg); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.work.Go(s.watchMemory)
	if h := s.holder.Load(); h != nil {
		s.work.Go(func() { s.keepHolder(h) })
	}
	return s, nil
}

func (s *Sandbox) open(cfg Config) error {
	if !s.on {
		s.log.Warn("sandbox is off: functions can read, change and stop whatever the user of this server can",
			zap.String("remedy", "remove \"sandbox off\""))
		return nil
	}
	if err := s.findTools(cfg); err != nil {
		return err
	}
	var err error
	if s.skeleton, err = newSkeleton(filepath.Join(s.dir, "root")); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	if err := s.findShell(); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	for file, onHost := range map[**os.File]bool{&s.seccomp: false, &s.hostFilter: true} {
		program, err := seccompProgram(onHost)
		if err != nil {
			return fmt.Errorf("sandbox: %w", err)
		}
		if *file, err = memfile("seccomp", program); err != nil {
			return fmt.Errorf("sandbox: %w", err)
		}
	}
	if err := s.probe(); err != nil {
		return err
	}
	s.probeAssume(newHolder)
	return nil
}

// findTools looks for programs and for what this user may do.
func (s *Sandbox) findTools(cfg Config) error {
	name := cfg.Bwrap
	if name == "" {
		name = "bwrap"
	}
	var err error
	if s.tools.bwrap, err = exec.LookPath(name); err != nil {
		return fmt.Errorf("sandbox: install bubblewrap 0.7 or newer (the package is called bubblewrap everywhere), or choose to go without by \"sandbox off\": %w", err)
	}
	s.cgroups, err = cgroup.Open()
	if err != nil && !errors.Is(err, cgroup.ErrNoDelegation) {
		return fmt.Errorf("sandbox: %w", err)
	}
	if err != nil {
		s.log.Warn("no cgroup: memory is checked now and then instead of held by the kernel, and CPU time is not shared by memory size",
			zap.Error(err), zap.String("remedy", "run as root, or under systemd with Delegate=yes (systemd-run --user --scope -p Delegate=yes)"))
		if s.tools.prlimit, err = exec.LookPath("prlimit"); err != nil {
			return fmt.Errorf("sandbox: install util-linux: %w", err)
		}
	}
	if s.tools.sh, err = exec.LookPath("sh"); err != nil {
		return fmt.Errorf("sandbox: a shell is needed: %w", err)
	}
	if !ownsIdentities() {
		return nil
	}
	if s.tools.setpriv, err = exec.LookPath("setpriv"); err != nil {
		return fmt.Errorf("sandbox: install util-linux (or run this server as another user than root): %w", err)
	}
	create, err := forkedBy(s.starter)
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	s.identities = newIdentityPool(newUserRange(firstUID, identities), create)
	return nil
}

// probe starts a process with everything a function gets.
func (s *Sandbox) probe() error {
	said, err := memfile("probe", nil)
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	defer said.Close()
	p, err := s.Start(Spec{ID: "probe", Args: []string{"true"}, Network: NetworkNone, Stderr: said})
	status := ""
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
		defer cancel()
		select {
		case <-p.Done():
		case <-ctx.Done():
			p.Kill()
			<-p.Done()
		}
		if p.Exit().Code == 0 && p.Exit().Signal == 0 {
			return nil
		}
		status = p.Exit().String()
	}
	text, readErr := os.ReadFile(fmt.Sprintf("/proc/self/fd/%d", said.Fd()))
	if readErr != nil {
		text = nil
	}
	output := strings.TrimSpace(string(text))
	return fmt.Errorf("sandbox: a trial start failed: %w", errors.Join(err, errors.New(strings.TrimSpace(output+" "+status)),
		fmt.Errorf("%s, or choose to go without by \"sandbox off\"", remedy(output))))
}

// remedy is what to do about what bwrap printed.
func remedy(output string) string {
	switch {
	case strings.Contains(output, "Unknown option"):
		return "install bubblewrap 0.7 or newer"
	case strings.Contains(output, "mount proc"):
		return "in a container, start it with --security-opt systempaths=unconfined"
	case strings.Contains(output, "ENOSPC"):
		return "raise the sysctls user.max_user_namespaces, user.max_mnt_namespaces and their like"
	case strings.Contains(output, "uid map"), strings.Contains(output, "RTM_NEWADDR"):
		return "allow bwrap user namespaces: sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for it with \"userns,\""
	case strings.Contains(output, "namespace"), strings.Contains(output, "slave"), strings.Contains(output, "not permitted"):
		return "allow user namespaces: sysctl kernel.unprivileged_userns_clone=1 and user.max_user_namespaces above 0; " +
			"in a container, start it with --cap-add SYS_ADMIN --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined"
	}
	return "see that bwrap --ro-bind / / true works"
}

// Close kills what runs, waits until it is gone, and removes what the Sandbox
// made on the machine. It may be called again.
func (s *Sandbox) Close() error {
	var err error
	s.once.Do(func() { err = s.close() })
	return err
}

func (s *Sandbox) close() error {
	s.mu.Lock()
	s.closed = true
	var live []*Process
	for _, p := range s.live {
		if p != nil {
			live = append(live, p)
		}
	}
	s.mu.Unlock()
	for _, p := range live {
		p.Kill()
	}
	close(s.quit)
	s.work.Wait()
	privateErr := s.private.close()
	if h := s.holder.Load(); h != nil {
		h.close()
	}
	if s.identities != nil {
		s.identities.close() // forks by the starter
	}
	s.starter.close()

	errs := []error{privateErr}
	if s.cgroups != nil {
		errs = append(errs, s.cgroups.Close())
	}
	for _, file := range []*os.File{s.seccomp, s.hostFilter} {
		if file != nil {
			file.Close()
		}
	}
	errs = append(errs, os.RemoveAll(s.dir))
	s.lock.Close()
	return errors.Join(errs...)
}
