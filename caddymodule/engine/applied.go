package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// Apply puts a setup in force: its limits, functions, schedules and event sources, and the
// addresses of this server. It retains what the setup before retains, so that environments
// outlive a reload. If Apply fails, everything is as it was before.
//
// The caller calls undo once: when the setup is no longer used, or because a later step of a
// reload failed. If the setup is still in force then, the one before comes into force again.
func (e *Engine) Apply(s *Setup, at Addresses) (undo func() error, err error) {
	if err := e.InUse(); err != nil {
		return nil, err
	}
	if err := s.checkUnknown(); err != nil {
		return nil, err
	}
	if err := s.storeCredentials(); err != nil {
		return nil, err
	}
	s.addresses = at
	if err := e.begin(s); err != nil {
		return nil, errors.Join(err, e.end(s))
	}
	if err := e.complete(s); err != nil {
		return nil, errors.Join(err, e.end(s))
	}
	s.follow()
	return func() error { return e.end(s) }, nil
}

// complete does what a setup needs once it is in force.
func (e *Engine) complete(s *Setup) error {
	if err := s.provide(); err != nil {
		return err
	}
	if err := e.writeAddresses(s); err != nil {
		return err
	}
	if err := e.joinCluster(s); err != nil {
		return fmt.Errorf("join the other nodes: %w", err)
	}
	if s.HasAPI {
		e.resume.Do(e.stacks.Resume)
	}
	return nil
}

// begin makes a setup the newest.
func (e *Engine) begin(s *Setup) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, before := range e.applied {
		if before.machinery == s.machinery {
			s.catalog.Adopt(context.Background(), before.catalog)
		}
	}
	e.applied = append(e.applied, s)
	return e.obey(s)
}

// end takes a setup out of force. If it is the newest, the one before is in force again.
func (e *Engine) end(s *Setup) error {
	s.unfollow()
	e.mu.Lock()
	defer e.mu.Unlock()
	at := slices.Index(e.applied, s)
	if at < 0 {
		return nil // the engine has been closed
	}
	e.applied = slices.Delete(e.applied, at, at+1)
	if at == 0 || at < len(e.applied) {
		return nil
	}
	before := e.applied[at-1]
	return errors.Join(e.obey(before), e.writeAddresses(before))
}

// obey makes the pool, the functions and the delivery of events follow a setup. It needs mu.
func (e *Engine) obey(s *Setup) error {
	if err := s.machinery.pool.Reconfigure(s.Pool); err != nil {
		return err
	}
	if s.inside != nil {
		if err := e.openInside(s.Log); err != nil {
			return fmt.Errorf("listen for calls of functions: %w", err)
		}
	}
	if s.Spans != nil {
		if err := e.daemon.open(s.Log); err != nil {
			return err
		}
	}
	e.roles.Forget() // the account may have another name
	e.bodies.Resize(s.BodyMemoryMB)
	e.registry.SetCodeQuota(cmp.Or(s.CodeStorage, registry.DefaultCodeQuota))
	if e.artefacts != nil {
		e.artefacts.Resize(cmp.Or(s.CodeStorage, registry.DefaultCodeQuota))
	}
	for _, f := range s.Functions {
		if _, err := s.catalog.Group(context.Background(), f.Name, function.Latest); err != nil {
			return err
		}
	}
	s.catalog.Configure()
	e.current.Store(s)
	if err := e.deliver(s); err != nil {
		return fmt.Errorf("deliver events: %w", err)
	}
	d := e.delivery.Load()
	return s.show(d.invoker.Metrics(), d.puller.Metrics(), d.scheduler.Metrics())
}

// provide starts the environments that the API was asked to keep initialised.
func (s *Setup) provide() error {
	return s.registry.Provisioned.Each(context.Background(), func(name string, q registry.Qualified[registry.Provisioned]) error {
		err := s.catalog.Refresh(context.Background(), name, q.Qualifier)
		if err != nil && !errors.Is(err, registry.ErrNotFound) {
			// Its calls will report the error too. The other functions are not affected.
			s.Log.Error("provisioned concurrency cannot be started", zap.String("function", name), zap.String("qualifier", q.Qualifier), zap.Error(err))
		}
		return nil
	})
}

// show registers the metrics, unless they are registered already.
func (s *Setup) show(all ...prometheus.Collector) error {
	var errs []error
	for _, c := range all {
		if err := s.Metrics.Register(c); !errors.As(err, new(prometheus.AlreadyRegisteredError)) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
