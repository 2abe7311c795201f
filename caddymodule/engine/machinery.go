package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/code"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/launch"
	"github.com/hearthfn/hearth/warmpool/runtimes"
	"github.com/hearthfn/hearth/warmpool/sandbox"
	"github.com/hearthfn/hearth/warmpool/state/redisstore"
)

// A machinery makes environments and keeps them warm. Settings with the same sandbox,
// interpreters, account and network have one machinery in common. During a reload that
// changes these there are two machineries.
type machinery struct {
	key      string
	refs     int // setups that retain it; guarded by the engine's mu
	engine   *Engine
	sandbox  *sandbox.Sandbox
	code     *code.Watcher
	launcher *launch.Launcher
	pool     *warmpool.Pool
	shield   *shield // nil: this node is alone
}

// retain returns the machinery of settings. It makes one if there is none yet. release undoes
// it.
func (e *Engine) retain(s *Settings) (*machinery, error) {
	key, err := json.Marshal([]any{s.Sandbox, s.Interpreters, s.Account, s.Network, s.HostNetwork, s.CompileCache, s.Zygotes})
	if err != nil {
		return nil, fmt.Errorf("identify the sandbox: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	m := e.machineries[string(key)]
	if m == nil {
		if e.machineries == nil {
			return nil, warmpool.ErrClosed
		}
		if m, err = newMachinery(e, s); err != nil {
			return nil, err
		}
		m.key = string(key)
		e.machineries[m.key] = m
	}
	m.refs++
	return m, nil
}

// release undoes retain. The last release ends the machinery with its environments.
func (e *Engine) release(m *machinery) error {
	e.mu.Lock()
	m.refs--
	last := m.refs == 0 && e.machineries[m.key] == m
	if last {
		delete(e.machineries, m.key)
	}
	e.mu.Unlock()
	if !last {
		return nil
	}
	return m.close(context.Background())
}

func newMachinery(e *Engine, s *Settings) (_ *machinery, err error) {
	m := &machinery{engine: e}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.close(context.Background()))
		}
	}()
	if m.sandbox, err = sandbox.New(s.Sandbox, s.Log); err != nil {
		return nil, err
	}
	network := m.networkOf(s)
	if e.shared() {
		m.shield = newShield(m, e.Redis.URL, s.Log)
	}
	if m.code, err = code.NewWatcher(s.Log); err != nil {
		return nil, err
	}
	m.launcher, err = launch.New(launch.Config{
		Dir: e.Dir, Account: s.Account, Sandbox: m.sandbox, Logs: e.logs,
		Interpreters: runtimes.NewFinder(s.Interpreters, runtimes.Installed(e.Dir)), Code: m.code, Archives: e.archives,
		CompileCache: s.CompileCache, Zygotes: s.Zygotes, Network: network, Exposed: exposed(s.HostNetwork, e.Redis.URL), Keys: e, Traces: e,
	}, s.Log)
	if err != nil {
		return nil, err
	}
	config := s.Pool
	if e.shared() {
		config.Slots, config.Alone = e.records, e.isAlone
	}
	if m.pool, err = warmpool.New(config, m.launcher, s.Log); err == nil && e.sampler != nil {
		e.sampler.add(m.pool)
	}
	return m, err
}

// networkOf is the network of functions that do not name one. If this machine cannot give
// environments a network of their own, and the configuration does not ask for one, functions
// have no network. They never have the machine's instead.
func (m *machinery) networkOf(s *Settings) function.NetworkDefault {
	network := s.Network
	if s.NetworkNamed || !m.sandbox.HasNetworks() {
		return network
	}
	if err := m.sandbox.Private(); err != nil {
		s.Log.Warn("functions have no network, unless they say which: they cannot have one of their own here", zap.Error(err),
			zap.String("remedy", "what the error says; or \"network host\" in the hearth option, with which they reach all that listens on this machine; or \"network none\""))
		network.Network = function.NetworkNone
	}
	return network
}

// close ends all environments, and the parts that made them.
func (m *machinery) close(ctx context.Context) error {
	var errs []error
	if m.pool != nil {
		ctx, cancel := context.WithTimeout(ctx, drainTimeout)
		m.pool.Close(ctx)
		cancel()
		if m.engine.sampler != nil {
			m.engine.sampler.remove(m.pool)
		}
	}
	if m.shield != nil {
		m.shield.close()
	}
	if m.launcher != nil {
		m.launcher.Close()
	}
	if m.code != nil {
		errs = append(errs, m.code.Close())
	}
	if m.sandbox != nil {
		errs = append(errs, m.sandbox.Close())
	}
	return errors.Join(errs...)
}

// openFor is how long an answer is valid to the question whether Redis asks for a password.
const openFor = 30 * time.Second

// exposed returns a check that runs before each start of an environment with the machine's
// network. Its error says what such an environment could do to this server.
func exposed(refused, redis string) func() error {
	var mu sync.Mutex
	var asked time.Time // guarded by mu
	var open bool       // guarded by mu
	return func() error {
		if refused != "" {
			return errors.New(refused)
		}
		if redis == "" {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if time.Since(asked) > openFor {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			asked, open = time.Now(), redisstore.IsOpen(ctx, redis)
		}
		if open {
			return errors.New("functions on the machine's network could reach its Redis, which asks for no password, and through it change this server; " +
				`give Redis a password, or set "network private"`)
		}
		return nil
	}
}
