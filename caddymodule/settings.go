package caddymodule

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/hearthfn/hearth/caddymodule/awsapi/lambda"
	"github.com/hearthfn/hearth/caddymodule/awsapi/s3/notification"
	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
	"github.com/hearthfn/hearth/caddymodule/console"
	"github.com/hearthfn/hearth/caddymodule/engine"
	"github.com/hearthfn/hearth/caddymodule/engine/services"
	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/bodies"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/launch"
	"github.com/hearthfn/hearth/warmpool/logs"
	"github.com/hearthfn/hearth/warmpool/sandbox"
	"github.com/hearthfn/hearth/warmpool/state/redisstore"
)

// engines outlive a reload, with their environments. Configurations with the same data
// directory and Redis have the same engine.
var engines = caddy.NewUsagePool()

// A pooledEngine is an engine in the usage pool.
type pooledEngine struct {
	*engine.Engine
	announced atomic.Pointer[string]   // what ready said last
	local     atomic.Pointer[localAPI] // that of the configuration in force; nil: there is none
	sessions  console.Sessions         // of browsers; they outlive a reload

	mu    sync.Mutex // guards what follows
	locks []func()   // release what lockState retains
}

func (p *pooledEngine) lock(release func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.locks = append(p.locks, release)
}

// unlock releases what lockState retains. The caller retains the engine itself.
func (p *pooledEngine) unlock() {
	p.mu.Lock()
	locks := p.locks
	p.locks = nil
	p.mu.Unlock()
	for _, release := range locks {
		release()
	}
}

// Destruct implements caddy.Destructor.
func (p *pooledEngine) Destruct() error { return p.Close(context.Background()) }

func (a *App) engineKey() string { return a.DataDir + "\n" + a.Redis.URL + "\n" + a.Redis.Prefix }

// openEngine returns the engine of a's data directory. It opens one if none is open.
func openEngine(a *App) (*pooledEngine, error) {
	value, _, err := engines.LoadOrNew(a.engineKey(), func() (caddy.Destructor, error) {
		e, err := engine.Open(engine.Config{
			Dir: a.DataDir, Redis: engine.Redis{URL: a.Redis.URL, Prefix: a.Redis.Prefix}, BodyMemoryMB: a.BodyMemory, Log: a.log,
			Logs: logs.Config{Retention: time.Duration(a.Logs.Retention), MaxFileMB: a.Logs.MaxFile, MaxTotalMB: a.Logs.MaxTotal},
		})
		return &pooledEngine{Engine: e}, err
	})
	if err != nil {
		return nil, err
	}
	return value.(*pooledEngine), nil
}

// replace replaces placeholders and fills in defaults of the fields of the app itself.
func (a *App) replace(repl *caddy.Replacer) error {
	a.DataDir = repl.ReplaceAll(a.DataDir, "")
	if a.DataDir == "" {
		a.DataDir = filepath.Join(caddy.AppDataDir(), "hearth")
	}
	dir, err := filepath.Abs(a.DataDir)
	if err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	a.DataDir = dir
	a.Account = cmp.Or(a.Account, function.DefaultAccount.ID)
	a.Region = cmp.Or(a.Region, function.DefaultAccount.Region)
	a.Node, a.PeerAddress = repl.ReplaceAll(a.Node, ""), repl.ReplaceAll(a.PeerAddress, "")
	a.Redis.URL, a.Redis.Prefix = repl.ReplaceAll(a.Redis.URL, ""), repl.ReplaceAll(a.Redis.Prefix, "")
	if a.Redis.URL == "" {
		return nil
	}
	if err := a.Redis.replaceSecret(repl); err != nil {
		return err
	}
	return redisstore.CheckURL(a.Redis.URL)
}

// settings makes the engine's settings from the configuration. It reports errors in the order
// of names.
func (a *App) settings(repl *caddy.Replacer) (*engine.Settings, error) {
	if err := lambda.CheckIgnore(a.Ignore); err != nil {
		return nil, err
	}
	if err := a.checkFunctionURL(); err != nil {
		return nil, err
	}
	if err := a.checkAPIURL(); err != nil {
		return nil, err
	}
	if err := a.checkBodyMemory(); err != nil {
		return nil, err
	}
	if err := a.checkAccount(); err != nil {
		return nil, err
	}
	if a.CodeStorage < 0 {
		return nil, fmt.Errorf("code_storage: %d MB are less than nothing", a.CodeStorage)
	}
	if v := a.CompileCache; v != "" && v != "on" && v != "off" {
		return nil, fmt.Errorf("compile_cache: it is on or off, not %q", v)
	}
	if v := a.EnforceRoles; v != "" && v != "on" && v != "off" {
		return nil, fmt.Errorf("enforce_roles: it is on or off, not %q", v)
	}
	if v := a.Zygotes; v != "" && v != launch.ForkNone && v != launch.ForkSDK && v != launch.ForkAll {
		return nil, fmt.Errorf("zygotes: it is on, off or all, not %q", v)
	}
	if a.Stems != nil && *a.Stems < 0 {
		return nil, fmt.Errorf("stems: %d is not a whole number of at least 0", *a.Stems)
	}
	s := &engine.Settings{
		Account: a.account(), Interpreters: a.Runtimes, Pool: a.poolConfig(), Async: a.Async.limits(), BodyMemoryMB: a.BodyMemory,
		ClusterSecret: a.Redis.Secret, Unprotected: a.Redis.Unprotected,
		CodeStorage:  int64(a.CodeStorage) << 20,
		CompileCache: a.CompileCache != "off", RolesOff: a.EnforceRoles == "off", Zygotes: cmp.Or(a.Zygotes, launch.ForkSDK),
		NetworkNamed: a.Connectivity.Network != "", Ignore: a.Ignore, IgnoreResources: a.IgnoreResources, Node: a.Node, PeerAddress: a.PeerAddress,
		Metrics: a.ctx.GetMetricsRegistry(), Log: a.log, HasAPI: configures(a.ctx, "hearth_lambda_api") || configures(a.ctx, "hearth_console"),
	}
	var err error
	if s.Services, err = a.services(repl); err != nil {
		return nil, err
	}
	if s.Network.Network, s.Network.Rules, err = a.Connectivity.resolve(repl); err != nil {
		return nil, err
	}
	s.Network.Network = cmp.Or(s.Network.Network, function.NetworkPrivate)
	a.network = s.Network
	for _, name := range slices.Sorted(maps.Keys(a.Functions)) {
		f, err := a.Functions[name].resolve(name, repl)
		if err != nil {
			return nil, err
		}
		if network, _ := s.Network.Of(f); network != function.NetworkPrivate && !f.Rules.Equal(function.NetworkRules{}) {
			return nil, fmt.Errorf("function %q: reach, allow and deny are of network private, and it has network %s", name, network)
		}
		s.Functions = append(s.Functions, engine.Function{Function: f, Events: a.Functions[name].Async.settings()})
	}
	s.Sandbox = sandbox.Config{Mode: a.Sandbox.Mode, Bwrap: a.Sandbox.Bwrap, Hide: []string{a.DataDir, caddy.AppDataDir(), caddy.AppConfigDir()}}
	if err := a.checkAdmin(a.ctx, s); err != nil {
		return nil, err
	}
	if s.Mappings, err = a.mappings(); err != nil {
		return nil, err
	}
	if s.Schedules, err = a.resolveSchedules(); err != nil {
		return nil, err
	}
	for _, key := range a.AccessKeys {
		s.AccessKeys = append(s.AccessKeys, sigv4.Key{ID: repl.ReplaceAll(key.ID, ""), Secret: repl.ReplaceAll(key.Secret, ""), ReadOnly: key.ReadOnly})
	}
	return s, nil
}

func (a *App) checkBodyMemory() error {
	if a.BodyMemory != 0 && a.BodyMemory < bodies.LeastMB {
		return fmt.Errorf("body_memory: %d MB are too little for the largest event, at least %d are needed", a.BodyMemory, bodies.LeastMB)
	}
	return nil
}

var accountID = regexp.MustCompile(`^[0-9]{12}$`)

func (a *App) checkAccount() error {
	if !accountID.MatchString(a.Account) {
		return fmt.Errorf("account: %q is not twelve digits", a.Account)
	}
	return nil
}

func (a *App) checkConnectivity() error {
	_, _, err := a.Connectivity.resolve(caddy.NewReplacer())
	return err
}

func (a *App) poolConfig() warmpool.Config {
	stems := 0 // stands for the default
	if a.Stems != nil {
		if stems = *a.Stems; stems == 0 {
			stems = -1
		}
	}
	return warmpool.Config{
		Stems:        stems,
		MemoryMB:     a.MemoryBudget,
		Overcommit:   a.MemoryOvercommit,
		Concurrency:  a.Concurrency,
		Starts:       a.ColdStarts,
		Queue:        a.Queue,
		IdleTimeout:  time.Duration(a.IdleTimeout),
		QueueTimeout: time.Duration(a.QueueTimeout),
	}
}

func (a *App) account() function.Account {
	return function.Account{ID: a.Account, Region: a.Region}
}

// Service is a service with the API of an AWS service: S3 (MinIO, SeaweedFS, Ceph,
// Versity), SQS (ElasticMQ), SNS, or the one of AWS itself.
type Service struct {
	// The address, e.g. http://minio:9000. Default: AWS's own. S3 needs an address, and the
	// bucket is the first part of the path there.
	Endpoint string `json:"endpoint,omitempty"`

	// The region that requests are signed for. Default: us-east-1.
	Region string `json:"region,omitempty"`

	// The access key. Placeholders such as {env.SECRET} keep it out of the
	// configuration.
	AccessKeyID     string `json:"access_key_id,omitempty"`
	SecretAccessKey string `json:"secret_access_key,omitempty"`

	// Of S3: the ARN of a target that the store knows, such as arn:minio:sqs::HEARTH:webhook, by
	// which it posts events to a route with receive s3 and notifications; or all, for a store that
	// posts all events without being asked. With it PutBucketNotificationConfiguration has
	// functions run. Default: it does not.
	Notify string `json:"notify,omitempty"`
}

func (s *Service) resolve(repl *caddy.Replacer) (*services.Service, error) {
	made, err := services.NewService(repl.ReplaceAll(s.Endpoint, ""), repl.ReplaceAll(s.Region, ""),
		repl.ReplaceAll(s.AccessKeyID, ""), repl.ReplaceAll(s.SecretAccessKey, ""))
	if err != nil || s.Notify == "" {
		return made, err
	}
	made.Notify = notification.Target(repl.ReplaceAll(s.Notify, ""))
	return made, made.Notify.Check()
}

// services returns the services of the configuration.
func (a *App) services(repl *caddy.Replacer) (services.Config, error) {
	var c services.Config
	for _, of := range []struct {
		name string
		from *Service
		to   **services.Service
	}{
		{"gateway", a.Gateway, &c.Gateway}, {"s3", a.S3, &c.S3}, {"sqs", a.SQS, &c.SQS}, {"sns", a.SNS, &c.SNS},
		{"kinesis", a.Kinesis, &c.Kinesis}, {"dynamodb", a.DynamoDB, &c.DynamoDB},
	} {
		if of.from == nil {
			continue
		}
		var err error
		if *of.to, err = of.from.resolve(repl); err != nil {
			return c, fmt.Errorf("%s: %w", of.name, err)
		}
		if of.from.Notify != "" && of.name != "s3" {
			return c, fmt.Errorf("%s: notify is an option of s3", of.name)
		}
	}
	return c, nil
}

// sortedKeys are the names of what a configuration has by name, in their order.
func sortedKeys[T any](of map[string]T) []string { return slices.Sorted(maps.Keys(of)) }
