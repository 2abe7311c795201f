package caddymodule

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/lambdaapi"
	"github.com/hearthfn/hearth/caddymodule/lambdaapi/sigv4"
	"github.com/hearthfn/hearth/invoker/schedule"
	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/bodies"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
	"github.com/hearthfn/hearth/warmpool/logs"
	"github.com/hearthfn/hearth/warmpool/sandbox"
	"github.com/hearthfn/hearth/warmpool/state/redisstore"
)

func init() {
	caddy.RegisterModule(App{})
}

// App runs AWS Lambda functions on this machine: it holds the functions of the
// configuration and the warm pool of their execution environments. Routes reach
// them by the `hearth_function` handler.
type App struct {
	// Where Hearth keeps logs and what else it must remember. Default: the folder
	// hearth in Caddy's data directory.
	DataDir string `json:"data_dir,omitempty"`

	// The functions, by name.
	Functions map[string]*Function `json:"functions,omitempty"`

	// Interpreters to use for a runtime, by its name, e.g.
	// {"nodejs22.x": "/opt/node22/bin/node"}, and folders with the AWS SDKs: aws-sdk and
	// aws-sdk-v2 (those that have a node_modules), boto3. Default: the best one found on
	// the machine, and what `caddy hearth runtimes install` has installed.
	Runtimes map[string]string `json:"runtimes,omitempty"`

	// How execution environments are kept apart from each other and the machine.
	Sandbox Sandbox `json:"sandbox,omitzero"`

	// What functions reach that do not say it themselves.
	Connectivity

	// The memory in MB for all environments together, each counted with its
	// function's memory setting. Default: three quarters of the machine's.
	MemoryBudget int `json:"memory_budget,omitempty"`

	// How many environments there are at most. Default: 1000.
	Concurrency int `json:"concurrency,omitempty"`

	// How much memory the bodies of requests and the events made of them may have while
	// they wait, in MB; more are refused with 503. Default: 256. At least 24.
	BodyMemory int `json:"body_memory,omitempty"`

	// How many callers wait for one function at most; more are throttled with
	// 429. Default: 1000.
	Queue int `json:"queue,omitempty"`

	// How long a call waits for an environment when all that the limits allow are busy,
	// before it is throttled with 429, unless its function says otherwise. Default: 2s.
	// Negative: not at all, as on AWS.
	QueueTimeout caddy.Duration `json:"queue_timeout,omitempty"`

	// How many cold starts use a core at once. One that waits in its init does not
	// count. Default: the number of cores.
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
	Logs Logs `json:"logs,omitzero"`

	// The twelve digits that ARNs name as the account. Default: 000000000000.
	Account string `json:"account,omitempty"`

	// The region that ARNs name, and AWS_REGION in functions. Default: us-east-1.
	Region string `json:"region,omitempty"`

	// Keys that sign requests to the Lambda API and to function URLs. They come beside
	// the one that is made at the first start and kept in the data directory.
	AccessKeys []AccessKey `json:"access_keys,omitempty"`

	// The Redis that several nodes share. Default: this node is alone, and keeps its
	// state in the data directory.
	Redis Redis `json:"redis,omitzero"`

	// The name of this node among those that share the Redis. Default: the host's name
	// and a part that tells its data directories apart.
	Node string `json:"node,omitempty"`

	// The HOST:PORT where other nodes reach this one. Default: the address that this
	// machine has on the way to Redis, and any port.
	PeerAddress string `json:"peer_address,omitempty"`

	// How asynchronous invocations and pushed events are delivered.
	Async Async `json:"async,omitzero"`

	// The addresses of function URLs, with a star for the ID, e.g.
	// https://*.fn.example.com. A site of that name has the handler
	// hearth_function_urls. Default: there are no function URLs.
	FunctionURL string `json:"function_url,omitempty"`

	// The store that code comes from when the Lambda API is given a bucket and a key.
	// Default: such calls are refused.
	// It also is where destinations in buckets are.
	S3 *Service `json:"s3,omitempty"`

	// The server that has the functions, with the Lambda API, when this one only takes
	// events and delivers them there. Functions of this configuration run here all the
	// same. Default: functions run here.
	Gateway *Service `json:"gateway,omitempty"`

	// Where destinations that are SQS queues and SNS topics are. Default: there are
	// none.
	SQS *Service `json:"sqs,omitempty"`
	SNS *Service `json:"sns,omitempty"`

	// Where the Kinesis streams and the streams of DynamoDB tables are that event source
	// mappings name; SQS queues are at sqs. Default: at AWS.
	Kinesis  *Service `json:"kinesis,omitempty"`
	DynamoDB *Service `json:"dynamodb,omitempty"`

	// Settings of functions that the Lambda API keeps and gives back though nothing here
	// acts on them: vpc_config, kms_key_arn, source_kms_key_arn, file_system_configs,
	// architectures, tenancy_config, runtime_management, metrics_config,
	// mapping_logging_config, tracing_config. Default: none, they are refused by name,
	// but for tracing_config.
	Ignore []string `json:"ignore,omitempty"`

	// Functions that run by the clock, by the schedule's name.
	Schedules map[string]*Schedule `json:"schedules,omitempty"`

	// What is polled for functions.
	EventSources []EventSource `json:"event_sources,omitempty"`

	ctx       caddy.Context
	log       *zap.Logger
	functions map[string]*function.Function
	network   function.NetworkDefault
	schedules []schedule.Schedule
	groups    map[string]*warmpool.Group
	hidden    []string // paths that no environment may see
	admin     string   // address of an admin endpoint that functions can reach
	machinery *machinery

	registry *registry.Registry
	catalog  *warmpool.Catalog
	unfollow context.CancelFunc // of other nodes' changes
	followed chan struct{}      // closed when that has ended
	hasAPI   bool               // a handler answers the Lambda API
	unknown  []unknown          // functions that the configuration names and does not define

	urlDomain  string // of function URLs, with a dot in front
	services   destinations
	signatures *sigv4.Verifier
	linkSecret string
	// What keepCredentials copies, of a cluster; nil: this node is alone.
	sharedCredentials []byte
	newKey            *sigv4.Key // to be kept by Start; nil: there is one
}

// Redis says where the state is that several nodes share.
type Redis struct {
	// redis://[USER[:PASSWORD]@]HOST[:PORT][,...][/DB], or rediss:// for TLS.
	// ?master=NAME says that the hosts are Sentinels, ?cluster=true that they are
	// nodes of a Redis Cluster.
	URL string `json:"url,omitempty"`
	// What all keys begin with. Default: hearth.
	Prefix string `json:"prefix,omitempty"`
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
	a.ctx, a.log = ctx, ctx.Logger()
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
	a.Node, a.PeerAddress = repl.ReplaceAll(a.Node, ""), repl.ReplaceAll(a.PeerAddress, "")
	a.Redis.URL, a.Redis.Prefix = repl.ReplaceAll(a.Redis.URL, ""), repl.ReplaceAll(a.Redis.Prefix, "")
	if a.Redis.URL != "" {
		if err := redisstore.CheckURL(a.Redis.URL); err != nil {
			return err
		}
	}
	if err := lambdaapi.CheckIgnore(a.Ignore); err != nil {
		return err
	}
	if err := a.checkFunctionURL(); err != nil {
		return err
	}
	if err := a.resolveServices(); err != nil {
		return err
	}
	if a.BodyMemory != 0 && a.BodyMemory < bodies.LeastMB {
		return fmt.Errorf("body_memory: %d MB are too little for the largest event, at least %d are needed", a.BodyMemory, bodies.LeastMB)
	}
	if a.Stems != nil && *a.Stems < 0 {
		return fmt.Errorf("stems: %d is not a whole number of at least 0", *a.Stems)
	}
	if a.network.Network, a.network.Rules, err = a.Connectivity.resolve(repl); err != nil {
		return err
	}
	a.network.Network = cmp.Or(a.network.Network, function.NetworkPrivate)
	a.functions = make(map[string]*function.Function, len(a.Functions))
	for name, f := range a.Functions {
		if a.functions[name], err = f.resolve(name, repl); err != nil {
			return err
		}
		if network, _ := a.network.Of(a.functions[name]); network != function.NetworkPrivate && !a.functions[name].Rules.Equal(function.NetworkRules{}) {
			return fmt.Errorf("function %q: reach, allow and deny are of network private, and it has network %s", name, network)
		}
	}
	a.hidden = []string{a.DataDir, caddy.AppDataDir(), caddy.AppConfigDir()}
	if err := a.checkAdmin(ctx); err != nil {
		return err
	}
	if a.machinery, err = openMachinery(a); err != nil {
		return err
	}
	a.groups = make(map[string]*warmpool.Group, len(a.functions))
	for name, f := range a.functions {
		if err := a.machinery.launcher.Check(ctx, f); err != nil {
			return err
		}
		a.groups[name] = a.machinery.pool.Retain(f)
	}
	mappings, err := a.mappings()
	if err != nil {
		return err
	}
	if a.schedules, err = a.resolveSchedules(); err != nil {
		return err
	}
	if err := a.checkTargets(mappings); err != nil {
		return err
	}
	a.registry = a.machinery.engine.registry.With(slices.Collect(maps.Values(a.functions)), mappings...)
	a.catalog = warmpool.NewCatalog(a.machinery.pool, a.registry)
	if a.machinery.engine.shared {
		a.catalog.HandTo(others{a.machinery.engine})
	}
	if err := errors.Join(a.registerMetrics(a.machinery.pool.Metrics()), a.registerMetrics(a.machinery.bodies.Metrics())); err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	return nil
}

// Start takes over the limits of this configuration and starts what is
// provisioned.
func (a *App) Start() error {
	tuneGC()
	if err := a.machinery.engine.inUse; err != nil {
		return fmt.Errorf("data_dir %s: %w", a.DataDir, err)
	}
	if err := a.checkUnknown(); err != nil {
		return err
	}
	if err := a.keepCredentials(); err != nil {
		return err
	}
	if err := a.machinery.engine.started.begin(a); err != nil {
		return err
	}
	if err := a.provision(); err != nil {
		return err
	}
	if err := a.tellEndpoints(); err != nil {
		return err
	}
	if err := a.machinery.engine.joinCluster(a); err != nil {
		return fmt.Errorf("join the other nodes: %w", err)
	}
	if a.machinery.engine.shared {
		ctx, stop := context.WithCancel(context.Background())
		a.unfollow, a.followed = stop, make(chan struct{})
		go func() {
			defer close(a.followed)
			a.follow(ctx)
		}()
	}
	a.log.Info("functions ready", zap.Int("functions", len(a.groups)))
	return nil
}

// takeOver has the pool, the functions and the delivery of events obey this
// configuration.
func (a *App) takeOver() error {
	if err := a.machinery.pool.Reconfigure(a.poolConfig()); err != nil {
		return err
	}
	a.machinery.bodies.Resize(a.BodyMemory)
	for name, g := range a.groups {
		g.Configure(a.functions[name])
	}
	if err := a.machinery.engine.deliverBy(a); err != nil {
		return fmt.Errorf("deliver events: %w", err)
	}
	return nil
}

// provision starts what the API was asked to keep initialised.
func (a *App) provision() error {
	return a.registry.Provisioned.Each(context.Background(), func(name string, q registry.Qualified[registry.Provisioned]) error {
		err := a.catalog.Refresh(context.Background(), name, q.Qualifier)
		if err != nil && !errors.Is(err, registry.ErrNotFound) {
			// Its calls will say so too; the others are none the worse.
			a.log.Error("provisioned concurrency cannot be started", zap.String("function", name), zap.String("qualifier", q.Qualifier), zap.Error(err))
		}
		return nil
	})
}

// Stop implements caddy.App. Environments go when the last configuration that
// knows their function is cleaned up.
func (a *App) Stop() error { return nil }

// Cleanup lets go of what Provision took hold of.
func (a *App) Cleanup() error {
	if a.machinery == nil {
		return nil
	}
	if a.unfollow != nil {
		a.unfollow()
		<-a.followed
	}
	a.machinery.engine.current.CompareAndSwap(a, nil)
	var err error
	if a.catalog != nil {
		err = a.machinery.engine.started.end(a)
	}
	for _, g := range a.groups {
		a.machinery.pool.Release(g)
	}
	return errors.Join(err, closeMachinery(a.machinery))
}

// runner returns what runs a function: of the configuration, or one that the Lambda
// API makes, now or later.
func (a *App) runner(name, qualifier string) (runner, error) {
	g := a.groups[name]
	if g == nil {
		a.unknown = append(a.unknown, unknown{"a route", name})
		return &registered{a.catalog, name, cmp.Or(qualifier, function.Latest)}, nil
	}
	if qualifier != "" && qualifier != function.Latest {
		return nil, noQualifier(name, qualifier)
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

		QueueTimeout: time.Duration(a.QueueTimeout),
	}
}

// concurrency is how many invocations run at once at most.
func (a *App) concurrency() int { return cmp.Or(a.Concurrency, warmpool.DefaultConcurrency) }

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
