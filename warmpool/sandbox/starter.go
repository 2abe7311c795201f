package sandbox

import (
	"golang.org/x/sys/unix"

	"github.com/hearthfn/hearth/warmpool/sandbox/network"
)

// A starter is one OS thread from which all processes are forked, because two
// things of the kernel belong to the thread that forks: the signal of
// die-with-parent is sent when that thread ends, not the process, and Go ends
// threads as it likes; and on cgroup v1 a child begins in the cgroups of that
// thread, so it has to go there and back. Nor has the thread any ambient
// capabilities, which children inherit: systemd gives those of ports below 1024 to
// Caddy, and bwrap refuses to run with some that it did not ask for.
type starter struct {
	jobs chan func()
	done chan struct{}
}

func newStarter() *starter {
	s := &starter{jobs: make(chan func()), done: make(chan struct{})}
	go s.run()
	return s
}

func (s *starter) run() {
	defer close(s.done)
	_ = network.OnThread(func() error {
		// Kernels before 4.3 have none.
		_ = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
		for job := range s.jobs {
			job()
		}
		return nil
	})
}

// do runs job on the thread and returns when it has run.
func (s *starter) do(job func()) {
	finished := make(chan struct{})
	s.jobs <- func() {
		defer close(finished)
		job()
	}
	<-finished
}

// close ends the thread, and so whatever process it started.
func (s *starter) close() {
	close(s.jobs)
	<-s.done
}
