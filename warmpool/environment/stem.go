package environment

import (
	"context"
	"fmt"
	"time"

	"github.com/hearthfn/hearth/warmpool/runtimes"
)

// A Stem is a booted runtime process that has no function yet. It becomes the
// environment of one function, for the rest of its life, or is closed.
type Stem struct {
	e *Environment

	// Complaint says what went wrong while it got ready, such that only its first call takes
	// longer; "" for nothing.
	Complaint string
}

// Boot starts a process by spec.Start and returns when it has loaded all that
// needs no function, or has not within spec.InitTimeout. Of spec only those two,
// ID, Booted and Ended count, which is called with nil when the stem ends unused. Whatever
// the error, nothing of the stem is left when Boot returns.
func Boot(ctx context.Context, spec Spec) (*Stem, error) {
	e := newEnvironment(StateBoot, spec)
	if err := e.spawn(); err != nil {
		return nil, fmt.Errorf("stem %s: %w", spec.ID, err)
	}
	if ended := spec.Ended; ended != nil {
		e.spec.Ended = func(*Environment) { ended(nil) }
	}
	go e.reap()
	complaint, err := e.awaitBoot(ctx)
	if err == nil && spec.Booted != nil {
		if err = spec.Booted(e.proc); err != nil {
			e.kill(err)
		}
	}
	e.mu.Lock()
	e.reading = false
	if err == nil && e.state == StateBoot {
		e.started = true
		e.mu.Unlock()
		return &Stem{e: e, Complaint: complaint}, nil
	}
	e.toShutdown()
	e.collapse()
	cause := e.cause
	e.mu.Unlock()
	<-e.gone
	if cause != nil {
		err = cause
	}
	status, _ := e.proc.Exit()
	return nil, fmt.Errorf("stem %s: the runtime did not boot (%s): %w", spec.ID, status, err)
}

func (e *Environment) awaitBoot(ctx context.Context) (complaint string, err error) {
	timer := time.AfterFunc(e.spec.InitTimeout, func() {
		e.kill(fmt.Errorf("it took longer than %s", e.spec.InitTimeout))
	})
	defer timer.Stop()
	stop := context.AfterFunc(ctx, func() { e.kill(context.Cause(ctx)) })
	defer stop()
	for {
		head, payload, err := e.nextFrame()
		switch {
		case err == errIncomplete:
			if err := e.fill(); err != nil {
				return "", err
			}
		case err != nil:
			return "", err
		case head.Kind == runtimes.KindBooted:
			return string(payload), nil
		default:
			return "", fmt.Errorf("%w: %s while booting", runtimes.ErrProtocol, head.Kind)
		}
	}
}

// Start makes the stem the environment that spec describes, except for spec.ID and
// spec.Start, which it already has. prepare makes the code visible to the process before
// it loads the code. ErrNotStarted says that the stem has ended meanwhile or could not be
// prepared, which says nothing about the function. Otherwise Start behaves like the
// function Start.
func (s *Stem) Start(ctx context.Context, spec Spec, prepare func() error) (*Environment, error) {
	began := time.Now()
	e := s.e
	e.mu.Lock()
	if err := transition(&e.state, StateInit); err != nil {
		e.mu.Unlock()
		return nil, ErrNotStarted
	}
	spec.ID, spec.Start = e.spec.ID, e.spec.Start
	e.spec = spec
	e.started = false
	e.reading = true
	e.spin.watch(spec.Busy)
	e.mu.Unlock()
	e.name()
	e.tellBegun()
	return e.begun(began, e.initialise(ctx, prepare))
}

// prepare kills the process if it cannot be prepared.
func (e *Environment) prepare(prepare func() error) error {
	err := prepare()
	if err != nil {
		// It may have ended while it was prepared, which looks like any other failure.
		err = fmt.Errorf("environment %s: %w: %w", e.ID, ErrNotStarted, err)
		e.kill(err)
	}
	return err
}

// Close ends a stem that is not needed and returns when it is gone. A stem that
// has been started is left as it is.
func (s *Stem) Close() {
	e := s.e
	e.mu.Lock()
	unused := e.state == StateBoot || e.state >= StateShutdown && e.started
	if e.state == StateBoot {
		e.toShutdown()
	}
	e.mu.Unlock()
	if unused {
		e.proc.Kill()
		<-e.gone
	}
}

// Process is the stem's, as spec.Start of Boot returned it.
func (s *Stem) Process() Process { return s.e.proc }

// Memory is the peak memory of the stem in bytes, 0 when unknown.
func (s *Stem) Memory() int64 { return s.e.proc.Memory() }
