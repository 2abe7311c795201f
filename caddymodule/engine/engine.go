package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hearthfn/hearth/caddymodule/apigateway/metrics"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv1"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv2"
	"github.com/hearthfn/hearth/caddymodule/awsapi/cloudwatch"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
	"github.com/hearthfn/hearth/caddymodule/awsapi/domain"
	"github.com/hearthfn/hearth/caddymodule/awsapi/events"
	"github.com/hearthfn/hearth/caddymodule/awsapi/iam"
	"github.com/hearthfn/hearth/caddymodule/awsapi/logs/insights"
	"github.com/hearthfn/hearth/caddymodule/awsapi/logs/subscription"
	"github.com/hearthfn/hearth/caddymodule/awsapi/s3/artefact"
	"github.com/hearthfn/hearth/caddymodule/awsapi/s3/notification"
	"github.com/hearthfn/hearth/caddymodule/awsapi/scheduler"
	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
	"github.com/hearthfn/hearth/caddymodule/awsapi/usage"
	"github.com/hearthfn/hearth/caddymodule/socket"
	"github.com/hearthfn/hearth/caddymodule/stack"
	"github.com/hearthfn/hearth/warmpool/bodies"
	"github.com/hearthfn/hearth/warmpool/cluster"
	"github.com/hearthfn/hearth/warmpool/code"
	"github.com/hearthfn/hearth/warmpool/function/registry"
	"github.com/hearthfn/hearth/warmpool/logs"
	"github.com/hearthfn/hearth/warmpool/state"
	"github.com/hearthfn/hearth/warmpool/state/boltstore"
	"github.com/hearthfn/hearth/warmpool/state/redisstore"
	"github.com/hearthfn/hearth/warmpool/timeseries"
	"github.com/hearthfn/hearth/warmpool/trace"
)

// An Engine runs functions. It is everything that works on one data directory. Only one
// process locks and writes the files there; see the documentation of the package.
//
//	DIR/logs/         log groups
//	DIR/code/         code archives
//	DIR/subscriptions/  how far each subscription filter has sent the logs
//	DIR/artefacts/    what deployments upload by S3
//	DIR/metrics/      metrics over time
//	DIR/state.db      functions that the API made, and events to deliver
//	DIR/credentials   access keys of the API
//	DIR/node          what a node of a cluster is called
//	DIR/endpoint      where `caddy hearth` finds the API, and
//	DIR/admin         the admin endpoint
type Engine struct {
	Config
	process  string         // what only this process is called
	identity identity       // of the data directory
	bodies   *bodies.Budget // of all requests
	logs     *logs.Store
	queries  *insights.Queries            // of the logs; they outlive a reload as their results do
	spans    atomic.Pointer[trace.Source] // that of the settings in force
	archives *code.Store
	records  stateStore // nil: see inUse
	registry *registry.Registry
	// documents are what other services than Lambda keep.
	documents *document.Store
	// notifications are which functions run for events of buckets.
	notifications *notification.Store
	apis          *apigatewayv2.APIs
	artefacts     *artefact.Store // nil: this process serves no S3
	domains       *domain.Domains
	roles         *iam.Roles
	rules         *events.Rules
	// environments have credentials of the roles of their functions.
	environments *sigv4.Environments
	inside       inside
	daemon       daemon
	schedules    *scheduler.Schedules
	plans        *usage.Plans
	// apiMetrics outlive a reload, as all metrics do.
	apiMetrics *metrics.APIs
	sockets    *socket.Hub   // of WebSocket APIs
	stacks     *stack.Engine // nil: see inUse
	series     *timeseries.Store
	measured   *cloudwatch.Metrics
	sampler    *sampler // nil: see inUse
	alarms     *alarms  // nil: see inUse
	// subscriptions send logs to functions; nil: see inUse.
	subscriptions *subscription.Node
	listener      *listener // nil: nothing is open
	resume        sync.Once // of the operations of stacks
	// inUse is set if another process has the state. This process may check settings then, as
	// `caddy validate` does beside a server. It may not apply any.
	inUse error

	stop context.CancelFunc // ends the collection of code
	done chan struct{}

	mu          sync.Mutex // guards what follows; held while settings are applied
	applied     []*Setup   // and not undone, the newest last: two during a reload
	machineries map[string]*machinery

	current  atomic.Pointer[Setup]           // in force; nil until the first is applied
	delivery atomic.Pointer[delivery]        // likewise
	cluster  atomic.Pointer[cluster.Cluster] // nil: this node is alone, or not started
}

// A stateStore stores what survives a restart.
type stateStore interface {
	state.Records
	state.Queue
	state.Backlog
	state.Slots
	state.Counters
	io.Closer
}

// connectWithin bounds how long a start waits for Redis.
const connectWithin = 15 * time.Second

func openState(c *Config) (stateStore, error) {
	if c.Redis.URL == "" {
		s, err := boltstore.Open(boltstore.Config{Path: filepath.Join(c.Dir, "state.db")})
		if err != nil {
			return nil, err // else the interface would not be nil
		}
		return s, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectWithin)
	defer cancel()
	s, err := redisstore.Open(ctx, redisstore.Config{URL: c.Redis.URL, Prefix: c.Redis.Prefix, Log: c.Log})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Open opens the files of the data directory. Close closes them.
func Open(config Config) (_ *Engine, err error) {
	process := rand.Text()
	e := &Engine{Config: config, process: process, bodies: bodies.New(config.BodyMemoryMB), apiMetrics: metrics.New(), environments: sigv4.NewEnvironments(process), machineries: make(map[string]*machinery), stop: func() {}}
	e.daemon.engine = e
	e.sockets = socket.New(socket.Config{Tag: socket.TagOf(e.process), Bodies: e.bodies, Log: config.Log})
	defer func() {
		if err != nil {
			err = errors.Join(err, e.Close(context.Background()))
		}
	}()
	if err := os.MkdirAll(e.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("data_dir: %w", err)
	}
	if e.archives, err = code.OpenStore(filepath.Join(e.Dir, "code"), config.Log); err != nil {
		return nil, err
	}
	var records state.Records
	switch opened, err := openState(&config); {
	case errors.Is(err, state.ErrInUse):
		e.inUse, records = err, unavailable{err}
	case err != nil:
		return nil, err
	default:
		e.records, records = opened, opened
	}
	if e.shared() {
		e.archives.Share(code.NewShared(records))
		e.identity = e.identify()
	}
	// The logs open after the state, whose lock belongs to the running server. A process that
	// only checks limits must not remove logs of a running server.
	store := config.Logs
	e.listener = newListener(e.Log)
	store.Heard = e.listener.hear
	store.Dir, store.Keep = filepath.Join(e.Dir, "logs"), e.inUse != nil
	if e.logs, err = logs.Open(store, config.Log); err != nil {
		return nil, err
	}
	e.queries = insights.New(config.Log)
	e.registry, err = registry.New(registry.Config{Records: records, CodePath: e.codePath})
	if err != nil {
		return nil, err
	}
	e.documents = document.New(records)
	e.notifications = notification.NewStore(e.documents)
	if err := e.openMetrics(); err != nil {
		return nil, err
	}
	if e.apis, err = apigatewayv2.NewAPIs(e.documents, apigatewayv1.Served); err != nil {
		return nil, err
	}
	if e.domains, err = domain.New(e.documents); err != nil {
		return nil, err
	}
	if e.roles, err = iam.NewRoles(e.documents, e.account); err != nil {
		return nil, err
	}
	if e.rules, err = events.NewRules(e.documents); err != nil {
		return nil, err
	}
	if e.schedules, err = scheduler.NewSchedules(records); err != nil {
		return nil, err
	}
	if e.plans, err = usage.New(e.documents, e.records); err != nil {
		return nil, err
	}
	if e.inUse == nil && !e.shared() {
		if e.artefacts, err = artefact.Open(filepath.Join(e.Dir, "artefacts"), registry.DefaultCodeQuota); err != nil {
			return nil, err
		}
	}
	if e.inUse == nil {
		if e.subscriptions, err = e.newSubscriptions(); err != nil {
			return nil, err
		}
		e.stacks = e.newStacks(&config)
		e.collect()
	}
	return e, nil
}

// shared reports whether other nodes may have the same Redis.
func (e *Engine) shared() bool { return e.Redis.URL != "" }

// InUse is the error that names the data directory if another process has the state; else nil.
func (e *Engine) InUse() error {
	if e.inUse == nil {
		return nil
	}
	return fmt.Errorf("data_dir %s: %w", e.Dir, e.inUse)
}

// Bodies is the memory for bodies and events that wait.
func (e *Engine) Bodies() *bodies.Budget { return e.bodies }

// Sockets are the connections of WebSocket APIs.
func (e *Engine) Sockets() *socket.Hub { return e.sockets }

// Close ends everything, in the order that the documentation of the package gives. ctx bounds
// the wait for what is under way, and so does drainTimeout for each part. Setups may be
// released after Close.
func (e *Engine) Close(ctx context.Context) error {
	e.stop()
	if e.done != nil {
		<-e.done
	}
	within := func(end func(context.Context)) {
		ctx, cancel := context.WithTimeout(ctx, drainTimeout)
		defer cancel()
		end(ctx)
	}
	within(e.sockets.Close)
	if e.stacks != nil {
		e.stacks.Close()
	}
	if e.subscriptions != nil {
		e.subscriptions.Close()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var errs []error
	for _, s := range e.applied {
		s.unfollow()
	}
	e.applied = nil
	for _, m := range e.machineries { // those that a setup still retains
		errs = append(errs, m.close(ctx))
	}
	e.machineries = nil
	within(e.inside.close)
	e.daemon.close()
	if e.alarms != nil {
		e.alarms.close()
	}
	if d := e.delivery.Load(); d != nil {
		d.scaler.Close()
		d.clock.close()
		d.scheduler.Close()
		within(d.puller.Close)
	}
	if c := e.cluster.Load(); c != nil {
		within(c.Close)
	}
	if d := e.delivery.Load(); d != nil {
		within(d.invoker.Close)
	}
	if e.listener != nil {
		e.listener.close()
	}
	if e.sampler != nil {
		e.sampler.close()
	}
	if e.series != nil {
		errs = append(errs, e.series.Close())
	}
	if e.apis != nil {
		e.apis.Close()
	}
	if e.domains != nil {
		e.domains.Close()
	}
	if e.plans != nil {
		e.plans.Close()
	}
	if e.roles != nil {
		e.roles.Close()
	}
	if e.rules != nil {
		e.rules.Close()
	}
	if e.schedules != nil {
		e.schedules.Close()
	}
	if e.registry != nil {
		e.registry.Close()
	}
	if e.records != nil {
		errs = append(errs, e.records.Close())
	}
	if e.queries != nil {
		e.queries.Close()
	}
	if e.logs != nil {
		errs = append(errs, e.logs.Close())
	}
	if e.archives != nil {
		errs = append(errs, e.archives.Close())
	}
	e.identity.release()
	return errors.Join(errs...)
}
