package sandbox

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// A pidfd is a process that cannot be mistaken for a later one of the same
// number. Waiting for it occupies no thread, as waiting in the kernel would for
// each of hundreds of environments.
type pidfd struct{ file *os.File }

func newPidfd(fd int) *pidfd {
	// The runtime does not poll a descriptor that is not non-blocking. On failure wait
	// returns at once, and the wait of os/exec that follows holds a thread instead.
	_ = unix.SetNonblock(fd, true)
	return &pidfd{file: os.NewFile(uintptr(fd), "pidfd")}
}

// wait returns when the process has ended, of a pid namespace's first process
// that is when all others in it are gone. A nil pidfd, of a kernel without, does
// not wait.
func (p *pidfd) wait() {
	if p == nil {
		return
	}
	conn, err := p.file.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Read(func(fd uintptr) bool {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, 0)
		return err == nil && n == 1
	})
}

func (p *pidfd) kill() {
	conn, err := p.file.SyscallConn()
	if err != nil {
		return
	}
	// ESRCH, that it has ended, is as good.
	_ = conn.Control(func(fd uintptr) { _ = unix.PidfdSendSignal(int(fd), unix.SIGKILL, nil, 0) })
}

// signal sends a signal. That the process has ended is no error.
func (p *pidfd) signal(signal unix.Signal) error {
	conn, err := p.file.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = conn.Control(func(fd uintptr) { sent = unix.PidfdSendSignal(int(fd), signal, nil, 0) })
	if errors.Is(sent, unix.ESRCH) {
		sent = nil
	}
	return errors.Join(err, sent)
}

// reaped reports whether the process has ended and its parent has waited for it.
func (p *pidfd) reaped() bool {
	conn, err := p.file.SyscallConn()
	if err != nil {
		return false
	}
	var sent error
	err = conn.Control(func(fd uintptr) { sent = unix.PidfdSendSignal(int(fd), 0, nil, 0) })
	return err == nil && errors.Is(sent, unix.ESRCH)
}

func (p *pidfd) close() { p.file.Close() }
