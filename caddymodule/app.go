package caddymodule

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/engine"
	"github.com/hearthfn/hearth/caddymodule/socket"
	"github.com/hearthfn/hearth/invoker"
	"github.com/hearthfn/hearth/warmpool/function"
)

func init() {
	caddy.RegisterModule(App{})
}

// App runs AWS Lambda functions on this machine: it has the functions of the
// configuration and the warm pool of their execution environments. Routes call
// them by the `hearth_function` handler.
type App struct {
	// The data directory, with logs, code and state. Default: the folder hearth in Caddy's
	// data directory.
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

	// The network of functions that do not set one.
	Connectivity

	// The memory in MB for all environments together, each counted with its
	// function's memory setting. Default: three quarters of the machine's.
	MemoryBudget int `json:"memory_budget,omitempty"`
	// How many times the memory budget the memory settings of all environments may be together. An
	// environment that is idle and frozen counts with the memory that it uses, and takes back the rest before its
	// next call. 1: each counts with its setting always. Default: 4.
	MemoryOvercommit float64 `json:"memory_overcommit,omitempty"`

	// How many environments there are at most. Default: 1000.
	Concurrency int `json:"concurrency,omitempty"`

	// How much memory the bodies of requests, and the events made of them, may take while
	// they wait, in MB; more are refused with 503. Default: 256. At least 24.
	BodyMemory int `json:"body_memory,omitempty"`

	// How much code the Lambda API keeps, in MB: the archives of all versions of functions
	// and layers together. Default: 76800 (75 GB), as on AWS.
	CodeStorage int `json:"code_storage,omitempty"`

	// How many callers wait for one function at most; more are throttled with
	// 429. Default: 1000.
	Queue int `json:"queue,omitempty"`

	// How long a call waits for an environment when all environments that the limits allow
	// are busy. After that it is throttled with 429. A function may set its own. Default: 2s.
	// Negative: calls do not wait, as on AWS.
	QueueTimeout caddy.Duration `json:"queue_timeout,omitempty"`

	// How many cold starts use a core at once. A start that waits in its init does not
	// count. Default: the number of cores.
	ColdStarts int `json:"cold_starts,omitempty"`

	// How many runtime processes of a kind are booted ahead of cold starts at most. Their
	// number follows the recent cold starts, and all of them take an eighth of the memory
	// budget at most. 0: none. Default: 64.
	Stems *int `json:"stems,omitempty"`

	// "on", or "off": compilers do not run ahead of cold starts, and nothing that they made is
	// used. Default: on.
	CompileCache string `json:"compile_cache,omitempty"`

	// Whether the policies of roles say what their credentials may do: on or off. Off: every
	// role may do everything. Default: on.
	EnforceRoles string `json:"enforce_roles,omitempty"`

	// Which of Python's stems are forked from a process that has booted before, if the server is
	// root. "on": those of functions that load the runtime's SDK, which it has loaded then;
	// "all": the others too, which then take less memory and longer to start; "off": none.
	// Default: "on".
	Zygotes string `json:"zygotes,omitempty"`

	// How long an idle environment is kept at most. An environment ends earlier if, by the
	// past idle times of its function, the next call is too unlikely to be worth its memory.
	// Default: 1h.
	IdleTimeout caddy.Duration `json:"idle_timeout,omitempty"`

	// How the output of functions is stored.
	Logs Logs `json:"logs,omitzero"`

	// The twelve digits that ARNs name as the account. Default: 000000000000.
	Account string `json:"account,omitempty"`

	// The region that ARNs name, and AWS_REGION in functions. Default: us-east-1.
	Region string `json:"region,omitempty"`

	// Keys that sign requests to the Lambda API and to function URLs, in addition to the key
	// in the data directory that the first start makes.
	AccessKeys []AccessKey `json:"access_keys,omitempty"`

	// The Redis that several nodes share. Default: this node is alone, and stores its
	// state in the data directory.
	Redis Redis `json:"redis,omitzero"`

	// The name of this node among the nodes of the Redis. Default: the host's name and a
	// part that differs for each data directory.
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

	// The addresses of APIs that AWS's API of API Gateway made, with a star for the ID, e.g.
	// https://*.execute-api.us-east-1.example.com. A site that gets their requests has the
	// handler hearth_lambda_api or hearth_apis. Default: AWS's API makes no APIs.
	APIURL string `json:"api_url,omitempty"`

	// The store that code comes from when the Lambda API is given a bucket and a key.
	// Default: such calls are refused.
	// Destinations in buckets are there, too.
	S3 *Service `json:"s3,omitempty"`

	// The server with the Lambda API that runs the functions, if this one only takes events
	// and delivers them there. Functions of this configuration still run here. Default:
	// functions run here.
	Gateway *Service `json:"gateway,omitempty"`

	// The services of destinations that are SQS queues and SNS topics. Default: none.
	SQS *Service `json:"sqs,omitempty"`
	SNS *Service `json:"sns,omitempty"`

	// The services of the Kinesis streams and the streams of DynamoDB tables that event
	// source mappings name; SQS queues are at sqs. Default: AWS's.
	Kinesis  *Service `json:"kinesis,omitempty"`
	DynamoDB *Service `json:"dynamodb,omitempty"`

	// Settings of functions that the Lambda API stores and returns though nothing here
	// acts on them: vpc_config, kms_key_arn, source_kms_key_arn, file_system_configs,
	// architectures, tenancy_config, runtime_management, metrics_config,
	// mapping_logging_config, certificate_arn, tracing_config. Default: none. Settings that are
	// not listed are refused by name, except for tracing_config.
	Ignore []string `json:"ignore,omitempty"`

	// Types of resources that a stack of CloudFormation may have though nothing is made of them,
	// e.g. AWS::CloudWatch::Dashboard. The events of the stack say so. Default: none. A stack with
	// any other type that Hearth does not know is refused.
	IgnoreResources []string `json:"ignore_resources,omitempty"`

	// Who may call routes of APIs, by the authorizer's name.
	Authorizers map[string]*Authorizer `json:"authorizers,omitempty"`

	// What owners of API keys may ask of routes, by the usage plan's name.
	UsagePlans map[string]*UsagePlan `json:"usage_plans,omitempty"`

	// Functions that run by the clock, by the schedule's name.
	Schedules map[string]*Schedule `json:"schedules,omitempty"`

	// The event sources that are polled for functions.
	EventSources []EventSource `json:"event_sources,omitempty"`

	// Has deliveries of events and batches of event sources traced. Default: requests are
	// traced where the handler tracing says so, and the rest is not.
	Tracing *Tracing `json:"tracing,omitempty"`

	ctx    caddy.Context
	log    *zap.Logger
	engine *pooledEngine
	setup  *engine.Setup
	undo   func() error // undoes Start

	sockets       map[stageName]*socket.Stage // of the directive websocket
	socketsOfAPIs *socketHosts                // nil: there are none
	following     *socket.Follower            // nil: sockets do not follow this configuration

	admin string // address of an admin endpoint that functions can reach
	// hostNetwork is set if functions without a network of their own setting have the
	// machine's network. It is known only if there is such an endpoint.
	hostNetwork bool
	network     function.NetworkDefault // of functions
	urlDomain   string                  // of function URLs, with a leading dot
	apiDomain   string                  // of APIs, with a leading dot
	hasAPI      bool                    // a handler answers the Lambda API
	takesEvents bool                    // a handler takes the events of notifications of buckets

	local, localBefore *localAPI // nil: there is none

	announcement *time.Timer // of ready, on a terminal; nil: there is none
}

// Redis says where several nodes have their common state.
type Redis struct {
	// redis://[USER[:PASSWORD]@]HOST[:PORT][,...][/DB], or rediss:// for TLS.
	// ?master=NAME says that the hosts are Sentinels, ?cluster=true that they are
	// nodes of a Redis Cluster.
	URL string `json:"url,omitempty"`
	// The prefix of all keys. Default: hearth.
	Prefix string `json:"prefix,omitempty"`

	// The secret of the cluster, at least 16 bytes, the same on all nodes. Redis does not
	// get it: the access key is sealed by it there, and nodes know each other by it.
	// Placeholders such as {env.SECRET} or {file./run/secrets/cluster} keep it out of the
	// configuration. Default: the first node makes one, in the file cluster-secret of its
	// data directory.
	Secret string `json:"secret,omitempty"`

	// Use a Redis that asks for no password. Whoever reaches it controls all functions.
	// Default: false.
	Unprotected bool `json:"unprotected,omitempty"`
}

// replaceSecret replaces the placeholders of the secret.
func (r *Redis) replaceSecret(repl *caddy.Replacer) error {
	if r.Secret == "" {
		return nil
	}
	// A file ends in a newline mostly.
	secret := strings.TrimSpace(repl.ReplaceAll(r.Secret, ""))
	if len(secret) < engine.LeastSecret {
		return fmt.Errorf("redis: the secret has %d bytes, at least %d are needed: openssl rand -hex 32 makes one", len(secret), engine.LeastSecret)
	}
	r.Secret = secret
	return nil
}

// Async says how events are delivered: events of Invoke with type Event, and events that
// sources push.
type Async struct {
	// How many events of one function run at once at most. Default: twice the number
	// of cores, 4 at least.
	PerFunction int `json:"per_function,omitempty"`
	// How many events run at once in all. Default: 8 times the number of cores, 16 at
	// least.
	Concurrency int `json:"concurrency,omitempty"`
	// How many events may wait. More are refused with 503, or with 429 by the Lambda API.
	// Default: 1,000,000.
	MaxWaiting int `json:"max_waiting,omitempty"`
}

func (a *Async) limits() invoker.Limits {
	return invoker.Limits{PerFunction: a.PerFunction, Concurrency: a.Concurrency, MaxWaiting: a.MaxWaiting}
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

// Logs says how the log groups of functions are stored.
type Logs struct {
	// How long events are kept. Default: 720h (30 days).
	Retention caddy.Duration `json:"retention,omitempty"`

	// The size in MB at which a log group begins a new file. Default: 16.
	MaxFile int `json:"max_file,omitempty"`

	// The size of all log groups together, in MB. Above it the largest group loses its
	// oldest file first. Default: 1024.
	MaxTotal int `json:"max_total,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "hearth",
		New: func() caddy.Module { return new(App) },
	}
}

// Provision reads and checks the configuration, and retains the parts of the engine that it
// needs. It starts no environment.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx, a.log = ctx, ctx.Logger()
	repl := caddy.NewReplacer()
	if err := a.replace(repl); err != nil {
		return err
	}
	settings, err := a.settings(repl)
	if err != nil {
		return err
	}
	if settings.Spans, err = a.Tracing.provision(); err != nil {
		return err
	}
	for _, name := range sortedKeys(a.Authorizers) {
		if err := a.Authorizers[name].provision(a, repl); err != nil {
			return fmt.Errorf("authorizer %q: %w", name, err)
		}
	}
	if a.engine, err = openEngine(a); err != nil {
		return err
	}
	a.engine.unlock()
	if a.setup, err = a.engine.Prepare(ctx, *settings); err != nil {
		return err
	}
	for _, name := range sortedKeys(a.UsagePlans) {
		if err := a.UsagePlans[name].provision(a, name, repl); err != nil {
			return fmt.Errorf("usage plan %q: %w", name, err)
		}
	}
	if err := a.provisionLocal(); err != nil {
		return err
	}
	if err := (ready{a}).subscribe(ctx); err != nil {
		return err
	}
	for _, name := range sortedKeys(a.Authorizers) {
		if by := a.Authorizers[name]; by.Function != "" {
			if err := a.setup.NamedByRoute(by.Function, by.Qualifier); err != nil {
				return fmt.Errorf("authorizer %q: %w", name, err)
			}
		}
	}
	return nil
}

// Start makes the engine follow this configuration.
func (a *App) Start() error {
	admin, err := adminListen(a.ctx)
	if err != nil {
		return err
	}
	a.setup.ConfiguredAPIs = a.configuredAPIs
	if a.undo, err = a.engine.Apply(a.setup, engine.Addresses{API: a.endpoint(), Admin: admin}); err != nil {
		return err
	}
	a.following = a.engine.Sockets().Follow(a.findSocketStage)
	a.serveLocal()
	if key := a.setup.FreshKey(); key != nil && a.hasAPI {
		a.show(key)
	}
	if a.setup.Notifies() && !a.takesEvents {
		a.log.Warn("the option s3 has notify, and no route has receive s3 with notifications: events of buckets do not come here")
	}
	return nil
}

// Stop implements caddy.App. Environments end when the last configuration with their function
// is cleaned up.
func (a *App) Stop() error { return nil }

// Cleanup undoes Start and Provision.
func (a *App) Cleanup() error {
	var errs []error
	if a.announcement != nil {
		a.announcement.Stop()
	}
	for _, authorizer := range a.Authorizers {
		errs = append(errs, authorizer.release())
	}
	for _, plan := range a.UsagePlans {
		plan.release()
	}
	if a.engine == nil {
		return errors.Join(append(errs, a.Tracing.release())...)
	}
	if a.undo != nil {
		a.stopLocal()
	}
	a.endSockets()
	a.socketsOfAPIs.close()
	if a.undo != nil {
		errs = append(errs, a.undo())
	}
	if a.setup != nil {
		errs = append(errs, a.setup.Release())
	}
	_, err := engines.Delete(a.engineKey())
	return errors.Join(append(errs, err, a.Tracing.release())...)
}

var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
