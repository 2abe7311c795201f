package caddymodule

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/logs"
	"github.com/hearthfn/hearth/warmpool/sandbox"
)

func init() {
	caddy.RegisterModule(App{})
}

// App runs AWS Lambda functions on this machine: it holds the functions of the
// configuration and the warm pool of their execution environments. Routes reach
// them by the `hearth_invoke` handler.
type App struct {
	// Where Hearth keeps logs and what else it must remember. Default: the folder
	// hearth in Caddy's data directory.
	DataDir string `json:"data_dir,omitempty"`

	// The functions, by name.
	Functions map[string]*Function `json:"functions,omitempty"`

	// Interpreters to use for a runtime, by its name, e.g.
	// {"nodejs22.x": "/opt/node22/bin/node"}. Default: the best one found on the
	// machine.
	Runtimes map[string]string `json:"runtimes,omitempty"`

	// How execution environments are kept apart from each other and the machine.
	Sandbox Sandbox `json:"sandbox,omitempty"`

	// The memory in MB for all environments together, each counted with its
	// function's memory setting. Default: three quarters of the machine's.
	MemoryBudget int `json:"memory_budget,omitempty"`

	// How many environments there are at most. Default: 1000.
	Concurrency int `json:"concurrency,omitempty"`

	// How many callers wait for one function at most; more are throttled with
	// 429. Default: 1000.
	Queue int `json:"queue,omitempty"`

	// How many cold starts run at once. Default: the number of cores.
	ColdStarts int `json:"cold_starts,omitempty"`

	// How many runtime processes of a kind are kept booted ahead of cold starts at
	// most; how many there are follows the cold starts of late. 0: none. Default:
	// twice the number of cores, but 4 at least.
	Stems *int `json:"stems,omitempty"`

	// How long an idle environment is kept at most. Within it, one is given up when
	// the idle times that its function has shown say that the next call is not worth
	// the wait. Default: 1h.
	IdleTimeout caddy.Duration `json:"idle_timeout,omitempty"`

	// How the output of functions is kept.
	Logs Logs `json:"logs,omitempty"`

	// The twelve digits that ARNs name as the account. Default: 000000000000.
	Account string `json:"account,omitempty"`

	// The region that ARNs name, and AWS_REGION in functions. Default: us-east-1.
	Region string `json:"region,omitempty"`

	log       *zap.Logger
	functions map[string]*function.Function
	groups    map[string]*warmpool.Group
	hidden    []string // paths that no environment may see
	node      *node
}

// Sandbox says how execution environments are kept apart.
type Sandbox struct {
	// "on" or "off". Without a sandbox a function can do whatever the user that
	// runs Caddy can. Default: on.
	Mode string `json:"mode,omitempty"`

	// Let functions on the host's network run beside an admin endpoint of Caddy
	// that they can reach by TCP, and so change this server. Default: false.
	AllowAdminEndpoint bool `json:"allow_admin_endpoint,omitempty"`

	// The bubblewrap program. Default: bwrap, found on PATH.
	Bwrap string `json:"bwrap,omitempty"`
}

// Logs says how the log groups of functions are kept.
type Logs struct {
	// How long events are kept. Default: 720h (30 days).
	Retention caddy.Duration `json:"retention,omitempty"`

	// The size in MB at which a log group begins a new file. Default: 16.
	MaxFile int `json:"max_file,omitempty"`

	// How much all log groups together keep, in MB; the largest loses its oldest
	// file first. Default: 1024.
	MaxTotal int `json:"max_total,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "hearth",
		New: func() caddy.Module { return new(App) },
	}
}

// Provision reads and checks the configuration, and takes hold of what serves
// the functions. It starts no environment.
func (a *App) Provision(ctx caddy.Context) error {
	a.log = ctx.Logger()
	repl := caddy.NewReplacer()
	a.DataDir = repl.ReplaceAll(a.DataDir, "")
	if a.DataDir == "" {
		a.DataDir = filepath.Join(caddy.AppDataDir(), "hearth")
	}
	dir, err := filepath.Abs(a.DataDir)
	if err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	a.DataDir = dir
	if a.Account == "" {
		a.Account = function.DefaultAccount.ID
	}
	if a.Region == "" {
		a.Region = function.DefaultAccount.Region
	}
	if a.Stems != nil && *a.Stems < 0 {
		return fmt.Errorf("stems: %d is not a whole number of at least 0", *a.Stems)
	}
	a.functions = make(map[string]*function.Function, len(a.Functions))
	for name, f := range a.Functions {
		if a.functions[name], err = f.resolve(name, repl); err != nil {
			return err
		}
	}
	a.hidden = []string{a.DataDir, caddy.AppDataDir(), caddy.AppConfigDir()}
	if err := a.checkAdmin(ctx); err != nil {
		return err
	}
	if a.node, err = openNode(a); err != nil {
		return err
	}
	a.groups = make(map[string]*warmpool.Group, len(a.functions))
	for name, f := range a.functions {
		if err := a.node.launcher.Check(ctx, f); err != nil {
			return err
		}
		a.groups[name] = a.node.pool.Retain(f)
	}
	metrics := a.node.pool.Metrics()
	if err := ctx.GetMetricsRegistry().Register(metrics); err != nil && !errors.As(err, new(prometheus.AlreadyRegisteredError)) {
		return fmt.Errorf("register metrics: %w", err)
	}
	return nil
}

// Start takes over the limits of this configuration and starts what is
// provisioned.
func (a *App) Start() error {
	tuneGC()
	if err := a.node.pool.Reconfigure(a.poolConfig()); err != nil {
		return err
	}
	for name, g := range a.groups {
		g.Configure(a.functions[name])
	}
	a.log.Info("functions ready", zap.Int("functions", len(a.groups)))
	return nil
}

// Stop implements caddy.App. Environments go when the last configuration that
// knows their function is cleaned up.
func (a *App) Stop() error { return nil }

// Cleanup lets go of what Provision took hold of.
func (a *App) Cleanup() error {
	if a.node == nil {
		return nil
	}
	for _, g := range a.groups {
		a.node.pool.Release(g)
	}
	return closeNode(a.node)
}

// group returns what serves a function, or an error that names it.
func (a *App) group(name string) (*warmpool.Group, error) {
	g := a.groups[name]
	if g == nil {
		return nil, fmt.Errorf("function %q is not defined in the hearth global option; defined are %q", name, slices.Sorted(maps.Keys(a.groups)))
	}
	return g, nil
}

func (a *App) poolConfig() warmpool.Config {
	stems := 0 // stands for the default
	if a.Stems != nil {
		if stems = *a.Stems; stems == 0 {
			stems = -1
		}
	}
	return warmpool.Config{
		Stems:       stems,
		MemoryMB:    a.MemoryBudget,
		Concurrency: a.Concurrency,
		Starts:      a.ColdStarts,
		Queue:       a.Queue,
		IdleTimeout: time.Duration(a.IdleTimeout),
	}
}

func (a *App) account() function.Account {
	return function.Account{ID: a.Account, Region: a.Region}
}

func (a *App) logsConfig() logs.Config {
	return logs.Config{
		Dir:        filepath.Join(a.DataDir, "logs"),
		Retention:  time.Duration(a.Logs.Retention),
		MaxFileMB:  a.Logs.MaxFile,
		MaxTotalMB: a.Logs.MaxTotal,
	}
}

func (a *App) sandboxConfig() sandbox.Config {
	return sandbox.Config{Mode: a.Sandbox.Mode, Bwrap: a.Sandbox.Bwrap, Hide: a.hidden}
}

var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
