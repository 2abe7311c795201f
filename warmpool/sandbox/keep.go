package sandbox

import (
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/backoff"
)

const (
	// holderWait is how long the start of an environment waits for a holder that is being
	// started again.
	holderWait = 5 * time.Second
	// holderSettled is how long a holder has to have lived, so that its end is no reason to
	// wait with the next.
	holderSettled = time.Minute
)

// keepHolder starts the holder again when it is lost.
func (s *Sandbox) keepHolder(h *holder) {
	pause := backoff.Backoff{First: 250 * time.Millisecond, Most: time.Minute}
	failures := 0
	for began := time.Now(); ; began = time.Now() {
		select {
		case <-s.quit:
			return
		case <-h.gone:
		}
		if s.holder.Load() != h {
			return // it was given up
		}
		s.log.Error("the process that holds namespaces has ended, and is started again: environments with a network of their own end with it",
			zap.String("process", holderName))
		s.dropHolder(h)
		if time.Since(began) > holderSettled {
			failures = 0
		}
		for {
			if failures > 0 {
				select {
				case <-s.quit:
					return
				case <-time.After(pause.After(failures)):
				}
			}
			failures++
			next, err := newHolder(s.starter, s.lent, s.users)
			if err == nil {
				h = next
				break
			}
			s.log.Error("the process that holds namespaces does not start", zap.String("process", holderName), zap.Error(err))
		}
		s.holder.Store(h)
		s.mu.Lock()
		close(s.held)
		s.held = make(chan struct{})
		s.mu.Unlock()
		s.log.Info("the process that holds namespaces is back", zap.String("process", holderName))
	}
}

// dropHolder ends what cannot be without a holder that is lost.
func (s *Sandbox) dropHolder(h *holder) {
	h.mu.Lock()
	if h.lost == nil {
		_ = h.lose(ErrClosed) // of the other end
	}
	h.mu.Unlock()
	if err := s.private.forget(); err != nil {
		s.log.Warn("the network of functions left something behind", zap.Error(err))
	}
	s.mu.Lock()
	var lost []*Process
	for _, p := range s.live {
		if p != nil && p.lostWith(h) {
			lost = append(lost, p)
		}
	}
	s.mu.Unlock()
	for _, p := range lost {
		p.Kill()
	}
	h.close()
}

// lostWith reports whether the environment is of no use without the holder h: its network
// ended with that, or it is a stem, which nobody can show a function any more.
func (p *Process) lostWith(h *holder) bool {
	if h == nil || p.holder != h {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.network != nil || p.stem && !p.assumed
}

// hold gets the environment a user namespace from the holder, if there is one. What needs
// one waits for a holder that is about to be started again.
func (p *Process) hold(spec Spec) error {
	s := p.sandbox
	if s.holder.Load() == nil {
		return nil
	}
	needs := spec.Network == NetworkPrivate || spec.Stem || s.lent != nil
	h := s.awaitHolder(needs)
	if h == nil && s.lent != nil {
		return errors.New("the process that holds namespaces is being started again")
	}
	if h == nil {
		return nil
	}
	err := p.holdBy(h)
	if err != nil && needs && !h.works() { // it is the first to find that out
		if h = s.awaitHolder(needs); h == nil {
			return err
		}
		err = p.holdBy(h)
	}
	if err != nil && needs {
		return err
	}
	if err != nil {
		s.log.Warn("an environment starts without the process that holds namespaces", zap.String("environment", p.id), zap.Error(err))
	}
	return nil
}

// holdBy gets the environment its user namespace from a holder.
func (p *Process) holdBy(h *holder) (err error) {
	if h.identities != nil {
		p.identity, err = h.identities.acquire()
	} else {
		p.userns, err = h.acquire()
	}
	if err == nil {
		p.holder = h
	}
	return err
}

// awaitHolder is a holder that works, or nil.
func (s *Sandbox) awaitHolder(patient bool) *holder {
	for end := time.After(holderWait); ; {
		s.mu.Lock()
		held := s.held
		s.mu.Unlock()
		h := s.holder.Load()
		if h.works() {
			return h
		}
		if !patient {
			return nil
		}
		select {
		case <-held:
		case <-end:
			return nil
		case <-s.quit:
			return nil
		}
	}
}
