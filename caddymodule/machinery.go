package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/bodies"
	"github.com/hearthfn/hearth/warmpool/code"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/launch"
	"github.com/hearthfn/hearth/warmpool/runtimes"
	"github.com/hearthfn/hearth/warmpool/sandbox"
)

// nodes outlive a reload, with their environments.
var machineries = caddy.NewUsagePool()

// A node is what all configurations with the same data directory, sandbox,
// interpreters and account share.
type machinery struct {
	key      string
	engine   *Engine
	sandbox  *sandbox.Sandbox
	code     *code.Watcher
	launcher *launch.Launcher
	pool     *warmpool.Pool
	bodies   *bodies.Budget
	shield   *shield // nil: this node is alone
}

// drainTimeout is how long invocations in flight may go on when the last
// configuration that has the node is gone. The longest takes 90 minutes;
// Caddy has waited for its grace period already.
const drainTimeout = 10 * time.Second

// openMachinery returns the node of a's configuration, the one that is there already
// if there is one. closeMachinery undoes it.
func openMachinery(a *App) (*machinery, error) {
	key, err := json.Marshal([]any{a.DataDir, a.Sandbox, a.Runtimes, a.Account, a.Region, a.hidden, a.network, a.admin})
	if err != nil {
		return nil, fmt.Errorf("identify the node: %w", err)
	}
	value, _, err := machineries.LoadOrNew(string(key), func() (caddy.Destructor, error) { return newMachinery(a, string(key)) })
	if err != nil {
		return nil, err
	}
	return value.(*machinery), nil
}

func newMachinery(a *App, key string) (*machinery, error) {
	s, err := openEngine(a)
	if err != nil {
		return nil, err
	}
	n := &machinery{key: key, engine: s, bodies: s.bodies}
	if n.sandbox, err = sandbox.New(a.sandboxConfig(), a.log); err != nil {
		return nil, errors.Join(err, closeEngine(s))
	}
	network := n.networkOf(a)
	if s.shared {
		n.shield = newShield(n, a.Redis.URL, a.log)
		defer func() {
			if err != nil {
				n.shield.close()
			}
		}()
	}
	if n.code, err = code.NewWatcher(a.log); err != nil {
		return nil, errors.Join(err, n.sandbox.Close(), closeEngine(s))
	}
	n.launcher, err = launch.New(launch.Config{
		Dir: a.DataDir, Account: a.account(), Sandbox: n.sandbox, Logs: s.logs,
		Interpreters: runtimes.NewFinder(a.Runtimes, runtimes.Installed(a.DataDir)), Code: n.code, Archives: s.archives,
		Network: network, Exposed: a.exposed(),
	}, a.log)
	if err == nil {
		config := a.poolConfig()
		if s.shared {
			config.Slots, config.Alone = s.records, s.isAlone
		}
		n.pool, err = warmpool.New(config, n.launcher, a.log)
	}
	if err != nil {
		return nil, errors.Join(err, n.code.Close(), n.sandbox.Close(), closeEngine(s))
	}
	return n, nil
}

// networkOf is what functions reach that do not say it. Where a network of their own
// cannot be had, and nobody has asked for it, they have none: never the machine's.
func (n *machinery) networkOf(a *App) function.NetworkDefault {
	network := a.network
	if a.Connectivity.Network != "" || !n.sandbox.HasNetworks() {
		return network
	}
	if err := n.sandbox.Private(); err != nil {
		a.log.Warn("functions have no network, unless they say which: they cannot have one of their own here", zap.Error(err),
			zap.String("remedy", "what the error says; or \"network host\" in the hearth option, with which they reach all that listens on this machine; or \"network none\""))
		network.Network = function.NetworkNone
	}
	return network
}

func closeMachinery(n *machinery) error {
	_, err := machineries.Delete(n.key)
	return err
}

// Destruct implements caddy.Destructor: it ends all environments.
func (n *machinery) Destruct() error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	n.pool.Close(ctx)
	if n.shield != nil {
		n.shield.close()
	}
	return errors.Join(n.code.Close(), n.sandbox.Close(), closeEngine(n.engine))
}

var _ caddy.Destructor = (*machinery)(nil)
