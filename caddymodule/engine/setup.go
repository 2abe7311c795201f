package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/hearthfn/hearth/caddymodule/engine/services"
	"github.com/hearthfn/hearth/invoker"
	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// A Setup is settings that have been found good. It holds what they need of the engine,
// from Prepare to Release, and is in force from Apply until what Apply returned is called,
// or newer settings are applied. Two may be in use at once: requests that came by the old
// one end by the old one.
type Setup struct {
	Settings
	engine    *Engine
	machinery *machinery
	functions map[string]*Function // of the settings, by name
	groups    map[string]*warmpool.Group
	registry  *registry.Registry // with the functions and mappings of the settings
	catalog   *warmpool.Catalog
	services  *services.Services

	unknown     []unknown // functions that something names and nothing defines
	hasAPI      bool      // somebody answers the Lambda API
	credentials credentials
	addresses   Addresses

	stopFollowing context.CancelFunc // of other nodes' changes; nil: it does not
	followed      chan struct{}      // closed when that has ended
}

// Prepare checks settings and takes hold of what they need. It starts no environment and
// changes nothing for the settings that are in force. Release undoes it.
func (e *Engine) Prepare(ctx context.Context, settings Settings) (_ *Setup, err error) {
	s := &Setup{Settings: settings, engine: e, functions: make(map[string]*Function), groups: make(map[string]*warmpool.Group)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Release())
		}
	}()
	if s.services, err = services.New(s.Services); err != nil {
		return nil, err
	}
	if s.machinery, err = e.retain(&s.Settings); err != nil {
		return nil, err
	}
	fixed := make([]*function.Function, len(s.Functions))
	for n := range s.Functions {
		f := &s.Functions[n]
		if err := s.machinery.launcher.Check(ctx, f.Function); err != nil {
			return nil, err
		}
		s.functions[f.Name], s.groups[f.Name], fixed[n] = f, s.machinery.pool.Retain(f.Function), f.Function
	}
	if err := s.checkTargets(); err != nil {
		return nil, err
	}
	s.registry = e.registry.With(fixed, s.Mappings...)
	s.catalog = warmpool.NewCatalog(s.machinery.pool, s.registry)
	if e.shared() {
		s.catalog.HandTo(others{e})
	}
	if err := s.show(s.machinery.pool.Metrics(), e.bodies.Metrics()); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return s, nil
}

// Release lets go of what Prepare took hold of. Environments go when nobody else holds
// them.
func (s *Setup) Release() error {
	if s.catalog != nil {
		s.catalog.Close()
	}
	if s.machinery == nil {
		return nil
	}
	for _, g := range s.groups {
		s.machinery.pool.Release(g)
	}
	return s.engine.release(s.machinery)
}

// A Runner runs the calls of one function.
type Runner interface {
	// Invoke runs a call and returns nil when it has an outcome. Errors are those of
	// warmpool.Catalog.
	Invoke(ctx context.Context, call *environment.Call) error
}

// Runner returns what runs a function that a route names: of the settings, or one that the
// Lambda API makes, now or later.
func (s *Setup) Runner(name, qualifier string) (Runner, error) {
	if g := s.groups[name]; g != nil {
		if qualifier != "" && qualifier != function.Latest {
			return nil, noQualifier(name, qualifier)
		}
		return g, nil
	}
	s.unknown = append(s.unknown, unknown{byRoute, name})
	return s.Registered(name, cmp.Or(qualifier, function.Latest)), nil
}

// Registered returns what runs a function that the Lambda API made.
func (s *Setup) Registered(name, qualifier string) Runner {
	return &registered{s.catalog, name, qualifier}
}

// A registered is a qualifier of a function that the Lambda API made, or may make.
type registered struct {
	catalog         *warmpool.Catalog
	name, qualifier string
}

func (f *registered) Invoke(ctx context.Context, call *environment.Call) error {
	return f.catalog.Invoke(ctx, f.name, f.qualifier, call)
}

// Registry knows the functions and event source mappings of the settings, and those that
// the Lambda API made.
func (s *Setup) Registry() *registry.Registry { return s.registry }

// isElsewhere reports whether a function is the gateway's.
func (s *Setup) isElsewhere(name string) bool {
	return s.services.Gateway != nil && s.functions[name] == nil
}

// run runs a call that nobody waits for, here or by the gateway.
func (s *Setup) run(ctx context.Context, name, qualifier, clientContext string, event []byte, call *environment.Call) error {
	if s.isElsewhere(name) {
		return s.services.Gateway.Invoke(ctx, &invoker.Message{Function: name, Qualifier: qualifier, ClientContext: clientContext, Payload: event}, call)
	}
	return s.catalog.Invoke(ctx, name, qualifier, call)
}
