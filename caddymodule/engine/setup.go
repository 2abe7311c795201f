package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/hearthfn/hearth/caddymodule/awsapi/lambda"
	"github.com/hearthfn/hearth/caddymodule/engine/services"
	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/flood"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// A Setup is settings that were checked. It retains what they need of the engine, from
// Prepare to Release. It is in force from Apply until the undo of Apply is called, or newer
// settings are applied. Two setups may be in use at once: requests that arrived under the old
// one end under it.
type Setup struct {
	Settings
	// ConfiguredAPIs lists the APIs of the configuration. It is set before the setup is applied;
	// nil: there are none.
	ConfiguredAPIs func() ConfiguredAPIList

	engine    *Engine
	machinery *machinery
	functions map[string]*Function // of the settings, by name
	registry  *registry.Registry   // with the functions and mappings of the settings
	catalog   *warmpool.Catalog
	services  *services.Services

	unknown     []unknown                  // functions that something names and nothing defines
	inside      http.Handler               // answers AWS's APIs to functions; nil: nothing does
	provisioner atomic.Pointer[lambda.API] // the API of this server, nil without
	calls       calls
	credentials credentials
	refusals    flood.Gate // bounds the log messages about refused requests
	addresses   Addresses

	stopFollowing context.CancelFunc // of other nodes' changes; nil: it does not
	followed      chan struct{}      // closed when that has ended
}

// Prepare checks settings and retains what they need. It starts no environment and changes
// nothing for the settings that are in force. Release undoes it.
func (e *Engine) Prepare(ctx context.Context, settings Settings) (_ *Setup, err error) {
	s := &Setup{Settings: settings, engine: e, functions: make(map[string]*Function)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Release())
		}
	}()
	if err := s.checkRedis(ctx); err != nil {
		return nil, err
	}
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
		s.functions[f.Name], fixed[n] = f, f.Function
	}
	s.registry = e.registry.With(fixed, s.Mappings...)
	if err := s.checkTargets(); err != nil {
		return nil, err
	}
	s.catalog = warmpool.NewCatalog(s.machinery.pool, s.registry)
	if e.shared() {
		s.catalog.HandTo(peers{e})
	}
	if err := s.show(append(e.apiMetrics.Collectors(), s.machinery.pool.Metrics(), e.bodies.Metrics(), e.sockets.Metrics())...); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return s, nil
}

// Release undoes Prepare. Environments end unless another setup retains them.
func (s *Setup) Release() error {
	s.refusals.Close()
	if s.catalog != nil {
		s.catalog.Close()
	}
	if s.machinery == nil {
		return nil
	}
	if now := s.engine.current.Load(); now != nil && now.machinery == s.machinery {
		now.catalog.Configure() // a request may have configured the groups by this setup
	}
	return s.engine.release(s.machinery)
}

// Runner runs the functions of the settings, and those that the Lambda API made, for
// callers who wait.
func (s *Setup) Runner() warmpool.Runner { return s.catalog }

// Refusals bounds the log messages about refused requests.
func (s *Setup) Refusals() *flood.Gate { return &s.refusals }

// Registry knows the functions and event source mappings of the settings, and those that
// the Lambda API made.
func (s *Setup) Registry() *registry.Registry { return s.registry }

// isRemote reports whether the gateway runs a function.
func (s *Setup) isRemote(name string) bool {
	return s.services.Gateway != nil && s.functions[name] == nil
}
