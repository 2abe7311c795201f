package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Start starts spec.Args in an environment of its own. When it returns, the
// environment is there and held to its limits; the command itself may be some
// milliseconds away. A mount that cannot be made or a command that cannot be run
// ends the process with exit status 1, the reason on Stderr.
func (s *Sandbox) Start(spec Spec) (*Process, error) {
	spec, err := spec.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("start environment: %w", err)
	}
	if err := s.reserve(spec.ID); err != nil {
		return nil, fmt.Errorf("start environment %s: %w", spec.ID, err)
	}
	p := &Process{sandbox: s, id: spec.ID, function: spec.Function, limits: limitsOf(spec), stem: spec.Stem, waits: spec.Stem && !spec.zygote, onHost: spec.Network == NetworkHost || !s.HasNetworks(), done: make(chan struct{})}
	if s.on {
		err = p.startInside(spec)
	} else {
		err = p.startPlain(spec)
	}
	if err != nil {
		err = errors.Join(err, p.release())
		s.forget(spec.ID)
		return nil, fmt.Errorf("start environment %s: %w", spec.ID, err)
	}
	go p.reap() // counted since reserve

	s.mu.Lock()
	s.live[spec.ID] = p
	closed := s.closed || p.lostWith(p.holder) && !p.holder.works()
	s.mu.Unlock()
	if closed {
		p.Kill()
	}
	return p, nil
}

// reserve takes the id, and has Close wait until it is forgotten.
func (s *Sandbox) reserve(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if _, taken := s.live[id]; taken {
		return errors.New("there is one of that id already")
	}
	s.live[id] = nil
	s.work.Add(1)
	return nil
}

func (s *Sandbox) forget(id string) {
	s.remove(id)
	s.work.Done()
}

func (s *Sandbox) remove(id string) {
	s.mu.Lock()
	delete(s.live, id)
	s.mu.Unlock()
}

// startInside starts bwrap, and waits until it has made the namespaces.
func (p *Process) startInside(spec Spec) error {
	s := p.sandbox
	s.skeleton.refresh()
	options, err := s.options(spec)
	if err != nil {
		return err
	}
	if spec.zygote {
		options = zygoteOptions(options)
	} else if s.identities != nil {
		if p.identity, err = s.identities.acquire(); err != nil {
			return err
		}
	}
	if err := p.hold(spec); err != nil {
		return err
	}
	if p.identity != nil {
		if err := errors.Join(p.identity.own(spec.Stdout), p.identity.own(spec.Stderr)); err != nil {
			return err
		}
		for _, f := range spec.owned {
			if err := p.identity.own(f); err != nil {
				return err
			}
		}
	}
	if s.cgroups != nil {
		if p.cgroup, err = s.cgroups.Add(p.id, p.limits); err != nil {
			return err
		}
	}

	var ours fdTable
	defer ours.close()
	ours.next = 3 + len(spec.ExtraFiles)
	filter := s.seccomp
	if spec.Network == NetworkHost {
		filter = s.hostFilter
	}
	options = append(options, "--info-fd", ours.pipe())
	if !spec.zygote {
		options = append(options, "--seccomp", ours.reopen(filter))
	}
	switch {
	case spec.zygote:
		options = append(options, "--cap-add", "ALL")
	case p.identity != nil && p.holder != nil:
		// bwrap is root there, and setpriv becomes the user.
		userns := ours.reopen(p.identity.userns)
		options = append(options, "--userns", userns, "--sync-fd", userns,
			"--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP")
	case p.identity != nil:
		// bwrap leaves userns2 open for the command, but closes sync-fd there.
		userns := ours.reopen(p.identity.userns)
		options = append(options, "--userns2", userns, "--sync-fd", userns,
			"--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP")
	case p.userns != nil:
		userns := ours.reopen(p.userns)
		options = append(options, "--userns", userns, "--sync-fd", userns, "--uid", strconv.Itoa(insideUID), "--gid", strconv.Itoa(insideGID), "--cap-drop", "ALL")
	default:
		options = append(options, "--unshare-user", "--uid", strconv.Itoa(insideUID), "--gid", strconv.Itoa(insideGID), "--cap-drop", "ALL")
	}
	wait, gate, err := ours.gate()
	if err != nil {
		return err
	}
	defer gate.Close()
	options = append(options, "--block-fd", wait)
	command, env, script := s.command(spec, p.identity != nil)
	args, err := argsFile(options, env)
	if err != nil {
		return err
	}
	var stdin *os.File
	if script != nil {
		if stdin, err = memfile("environment", script); err != nil {
			return err
		}
		defer stdin.Close()
	}
	argsFD := ours.add(args)
	if ours.err != nil {
		return ours.err
	}

	cmd := &exec.Cmd{
		Path:   s.tools.bwrap,
		Args:   append([]string{"bwrap", "--args", argsFD, "--"}, command...),
		Env:    []string{},
		Dir:    "/",
		Stdin:  asReader(stdin),
		Stdout: asWriter(spec.Stdout), Stderr: asWriter(spec.Stderr),
		ExtraFiles: append(spec.ExtraFiles[:len(spec.ExtraFiles):len(spec.ExtraFiles)], ours.files...),
	}
	if err := p.fork(cmd); err != nil {
		return err
	}
	ours.closeFiles()
	if err := p.readInfo(ours.read); err != nil {
		return errors.Join(err, p.abandon())
	}
	if err := p.prepare(spec); err != nil {
		return errors.Join(err, p.abandon())
	}
	if _, err := gate.WriteString("\n"); err != nil {
		if p.endpoint != nil {
			_ = p.endpoint.Close() // it was not used
		}
		return errors.Join(err, p.abandon())
	}
	return nil
}

// prepare does to the first process inside what all have from it. It waits before it
// starts the command.
func (p *Process) prepare(spec Spec) error {
	if p.initPID == 0 {
		return nil // gone already
	}
	if err := p.restrict(spec); err != nil {
		return err
	}
	if spec.Network == NetworkPrivate {
		if err := p.attach(spec.Policy); err != nil {
			return err
		}
	}
	if spec.Endpoint == "" {
		return nil
	}
	var err error
	p.endpoint, err = p.Listen(spec.Endpoint)
	return err
}

func asReader(f *os.File) io.Reader {
	if f == nil {
		return nil
	}
	return f
}

// asWriter keeps a nil *os.File from becoming a Writer that is not nil.
func asWriter(f *os.File) io.Writer {
	if f == nil {
		return nil
	}
	return f
}

// fork starts cmd in the environment's cgroup.
func (p *Process) fork(cmd *exec.Cmd) error {
	monitor := -1
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, PidFD: &monitor}
	cmd.SysProcAttr = attr
	if p.sandbox.identities != nil {
		attr.Credential = &syscall.Credential{} // root, without root's groups
	}
	if !p.sandbox.on {
		attr.Setpgid = true
	}
	h := p.sandbox.cgroups
	var enter, leave func() error
	if p.cgroup != nil {
		dir, err := p.cgroup.OpenDir()
		if err != nil {
			return err
		}
		if dir != nil {
			defer dir.Close()
			attr.UseCgroupFD, attr.CgroupFD = true, int(dir.Fd())
		}
		if !p.cgroup.V2() {
			enter, leave = func() error { return h.Enter(p.cgroup) }, h.Leave
		}
	}
	var err error
	p.sandbox.starter.do(func() {
		// Go closes what it opened itself on exec, not what the gateway was started
		// with or what C code opened. Kernels before 5.11 cannot, and do without.
		_ = unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
		if enter != nil {
			if err = enter(); err == nil {
				err = cmd.Start()
			}
			err = errors.Join(err, leave())
			return
		}
		err = cmd.Start()
	})
	if err != nil && cmd.Process == nil {
		return err
	}
	p.cmd = cmd
	if monitor >= 0 {
		p.main = newPidfd(monitor)
	}
	if err != nil { // forked, and then stuck in its cgroup
		return errors.Join(err, p.abandon())
	}
	return nil
}

// readInfo reads which process is the first inside.
func (p *Process) readInfo(r *os.File) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("read what bwrap says: %w", err)
	}
	var info struct {
		ChildPID int `json:"child-pid"`
	}
	if err := json.Unmarshal(text, &info); err != nil || info.ChildPID <= 0 {
		return fmt.Errorf("bwrap ended before it made the namespaces; its reason is on stderr")
	}
	fd, err := unix.PidfdOpen(info.ChildPID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil // it has run, and is gone already
	}
	if err != nil {
		return fmt.Errorf("open process %d: %w", info.ChildPID, err)
	}
	p.initPID, p.init = info.ChildPID, newPidfd(fd)
	return nil
}

// abandon ends a process that was forked and cannot be used.
func (p *Process) abandon() error {
	killErr := p.cmd.Process.Kill()
	if errors.Is(killErr, os.ErrProcessDone) {
		killErr = nil
	}
	p.cmd.Wait() // how it ends is not the news
	return killErr
}

// startPlain starts the command as a process group, the sandbox being off.
func (p *Process) startPlain(spec Spec) error {
	s := p.sandbox
	p.tmp = filepath.Join(s.dir, "tmp-"+p.id)
	if err := os.Mkdir(p.tmp, 0o700); err != nil {
		return err
	}
	path, err := exec.LookPath(spec.Args[0])
	if err != nil {
		return err
	}
	dir := s.Path(spec.Mounts, TaskRoot)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		dir = p.tmp
	}
	return p.fork(&exec.Cmd{
		Path: path, Args: spec.Args, Dir: dir,
		Env:    append([]string{"TMPDIR=" + p.tmp, "PWD=" + dir}, spec.Env...),
		Stdout: asWriter(spec.Stdout), Stderr: asWriter(spec.Stderr),
		ExtraFiles: spec.ExtraFiles,
	})
}

// An fdTable collects the descriptors that bwrap gets beside those of the
// command, and keeps the first error.
type fdTable struct {
	next  int
	files []*os.File
	read  *os.File // our end of the pipe
	err   error
}

// add takes f and is its number in bwrap.
func (t *fdTable) add(f *os.File) string {
	t.files = append(t.files, f)
	t.next++
	return fmt.Sprint(t.next - 1)
}

// reopen adds f as it is at its beginning: all that have f open share one offset.
func (t *fdTable) reopen(f *os.File) string {
	again, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	if err != nil {
		t.err = errors.Join(t.err, err)
		return ""
	}
	return t.add(again)
}

func (t *fdTable) pipe() string {
	r, w, err := os.Pipe()
	if err != nil {
		t.err = errors.Join(t.err, err)
		return ""
	}
	t.read = r
	return t.add(w)
}

// gate is the number of a descriptor that bwrap waits at, and the file that is written
// to so that it goes on.
func (t *fdTable) gate() (string, *os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return "", nil, err
	}
	return t.add(r), w, nil
}

func (t *fdTable) closeFiles() {
	for _, f := range t.files {
		f.Close()
	}
	t.files = nil
}

func (t *fdTable) close() {
	t.closeFiles()
	if t.read != nil {
		t.read.Close()
	}
}
