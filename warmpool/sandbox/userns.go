package sandbox

import "os"

// maxUncounted is how many user namespaces may wait until the end of their last
// environment is noticed. If nothing reaps orphans, that never happens.
const maxUncounted = 16

// A usernsStock is the user namespaces that environments may have next.
//
// The kernel counts the processes of each (RLIMIT_NPROC), and the count is the
// environment's limit where there is no cgroup. The first process of a pid namespace
// counts until it is reaped. bwrap outside leaves that to the first process of the
// machine, which may take its time. Until then the namespace rests here: used at once,
// it would give the next function fewer processes, again and again.
type usernsStock struct {
	ready   []*os.File
	resting []resting // the oldest first
}

// A resting user namespace has a count until last is reaped.
type resting struct {
	userns *os.File
	last   *pidfd
}

// take returns a namespace without processes, or nil.
func (s *usernsStock) take() *os.File {
	s.refresh()
	n := len(s.ready)
	if n == 0 {
		return nil
	}
	userns := s.ready[n-1]
	s.ready = s.ready[:n-1]
	return userns
}

// put takes a namespace back, and the first process of the environment that was in
// it. Without that, nobody knows when the count is 0.
func (s *usernsStock) put(userns *os.File, last *pidfd) {
	if last == nil {
		userns.Close()
		return
	}
	s.resting = append(s.resting, resting{userns, last})
	s.refresh()
	if len(s.resting) > maxUncounted {
		s.resting[0].close()
		s.resting = s.resting[1:]
	}
}

// refresh finds out which namespaces are without processes.
func (s *usernsStock) refresh() {
	left := s.resting[:0]
	for _, r := range s.resting {
		if r.last.reaped() {
			r.last.close()
			s.ready = append(s.ready, r.userns)
		} else {
			left = append(left, r)
		}
	}
	s.resting = left
}

func (r resting) close() {
	r.userns.Close()
	r.last.close()
}

func (s *usernsStock) close() {
	for _, userns := range s.ready {
		userns.Close()
	}
	for _, r := range s.resting {
		r.close()
	}
	s.ready, s.resting = nil, nil
}
