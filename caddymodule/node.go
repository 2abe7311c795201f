package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/code"
	"github.com/hearthfn/hearth/warmpool/logs"
	"github.com/hearthfn/hearth/warmpool/runtimes"
	"github.com/hearthfn/hearth/warmpool/sandbox"
)

// What must outlive a reload: the node with its environments, and the log store
// below it, which stays open when a new node takes the place of an old one.
var (
	nodes  = caddy.NewUsagePool()
	stores = caddy.NewUsagePool()
)

// A node is what all configurations with the same data directory, sandbox,
// interpreters and account share.
type node struct {
	key      string
	store    *store
	sandbox  *sandbox.Sandbox
	code     *code.Watcher
	launcher *warmpool.Launcher
	pool     *warmpool.Pool
}

// drainTimeout is how long invocations in flight may go on when the last
// configuration that has the node is gone. Lambda's longest takes 15 minutes;
// Caddy has waited for its grace period already.
const drainTimeout = 10 * time.Second

// openNode returns the node of a's configuration, the one that is there already
// if there is one. closeNode undoes it.
func openNode(a *App) (*node, error) {
	key, err := json.Marshal([]any{a.DataDir, a.Sandbox, a.Runtimes, a.Account, a.Region, a.hidden})
	if err != nil {
		return nil, fmt.Errorf("identify the node: %w", err)
	}
	value, _, err := nodes.LoadOrNew(string(key), func() (caddy.Destructor, error) { return newNode(a, string(key)) })
	if err != nil {
		return nil, err
	}
	return value.(*node), nil
}

func newNode(a *App, key string) (*node, error) {
	if err := os.MkdirAll(a.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("data_dir: %w", err)
	}
	box, err := sandbox.New(a.sandboxConfig(), a.log)
	if err != nil {
		return nil, err
	}
	s, err := openStore(a)
	if err != nil {
		return nil, errors.Join(err, box.Close())
	}
	n := &node{key: key, store: s, sandbox: box}
	if n.code, err = code.NewWatcher(a.log); err != nil {
		return nil, errors.Join(err, closeStore(s), box.Close())
	}
	archives, err := code.OpenStore(filepath.Join(a.DataDir, "code"), a.log)
	if err != nil {
		return nil, errors.Join(err, n.code.Close(), closeStore(s), box.Close())
	}
	n.launcher, err = warmpool.NewLauncher(warmpool.LauncherConfig{
		Dir: a.DataDir, Account: a.account(), Sandbox: box, Logs: s.Store,
		Interpreters: runtimes.NewFinder(a.Runtimes), Code: n.code, Archives: archives,
	}, a.log)
	if err == nil {
		n.pool, err = warmpool.New(a.poolConfig(), n.launcher, a.log)
	}
	if err != nil {
		return nil, errors.Join(err, n.code.Close(), closeStore(s), box.Close())
	}
	return n, nil
}

func closeNode(n *node) error {
	_, err := nodes.Delete(n.key)
	return err
}

// Destruct implements caddy.Destructor: it ends all environments.
func (n *node) Destruct() error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	n.pool.Close(ctx)
	return errors.Join(n.code.Close(), closeStore(n.store), n.sandbox.Close())
}

// A store is the log store of a data directory.
type store struct {
	*logs.Store
	dir string
}

func openStore(a *App) (*store, error) {
	config := a.logsConfig()
	value, _, err := stores.LoadOrNew(config.Dir, func() (caddy.Destructor, error) {
		s, err := logs.Open(config, a.log)
		if err != nil {
			return nil, err
		}
		return &store{s, config.Dir}, nil
	})
	if err != nil {
		return nil, err
	}
	return value.(*store), nil
}

func closeStore(s *store) error {
	_, err := stores.Delete(s.dir)
	return err
}

// Destruct implements caddy.Destructor.
func (s *store) Destruct() error { return s.Close() }

var (
	_ caddy.Destructor = (*node)(nil)
	_ caddy.Destructor = (*store)(nil)
)
