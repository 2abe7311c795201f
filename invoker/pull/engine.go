package pull

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/backoff"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
	"github.com/hearthfn/hearth/warmpool/state"
	"github.com/hearthfn/hearth/warmpool/trace"
)

// A Delivery is what an on-failure destination gets.
type Delivery struct {
	Body   []byte // JSON
	Folder string // the folder in a bucket: UUID/SHARD
	Trace  string // X-Amzn-Trace-Id of the invocation; "" for none
}

// A Sender delivers to on-failure destinations.
type Sender interface {
	Send(ctx context.Context, destination string, d *Delivery) error
}

// Clients reach the sources that have the API of AWS's.
type Clients interface {
	// Reach says how a source is reached; when that changes the others make new clients.
	// It may hold secrets.
	Reach(m *registry.Mapping) string

	SQS(m *registry.Mapping) *sqs.Client
	Kinesis(m *registry.Mapping) *kinesis.Client
	DynamoDB(m *registry.Mapping) *dynamodbstreams.Client
	S3(m *registry.Mapping) Bucket
}

// A Store keeps checkpoints and says which node reads what.
type Store interface {
	state.Records
	state.Slots
}

// Config of an Engine. All fields are required.
type Config struct {
	Registry func() *registry.Registry // that of the configuration that is current
	Store    Store
	Runner   warmpool.Runner
	Sender   Sender
	Clients  func() Clients // those of the configuration that is current
	Account  function.Account
	Log      *zap.Logger
	Spans    trace.Sources // of batches; nil: they are not traced
}

// An Engine runs a worker for each mapping. Make one with New, Start it, Close it.
type Engine struct {
	Config
	metrics *Metrics
	results results
	lags    lags

	ctx  context.Context
	stop context.CancelFunc
	all  sync.WaitGroup

	changed chan struct{} // has room for one: the configuration is another
	paused  atomic.Bool

	workers map[string]*worker // by UUID; the engine's own goroutine's
}

// A worker polls for one mapping as it was.
type worker struct {
	mapping registry.Mapping
	reach   string // how its source is reached: what Clients.Reach said
	ending  bool   // stop was called
	stop    context.CancelFunc
	done    chan struct{}
}

// New makes an engine.
func New(c Config) *Engine {
	e := &Engine{Config: c, metrics: newMetrics(), changed: make(chan struct{}, 1), workers: make(map[string]*worker)}
	e.ctx, e.stop = context.WithCancel(context.Background())
	return e
}

// Reconfigure has the mappings of a new configuration polled.
func (e *Engine) Reconfigure() {
	select {
	case e.changed <- struct{}{}:
	default:
	}
}

// Pause has nothing polled, until it is called with false. Batches that run end
// as ever, and shards go to other nodes.
func (e *Engine) Pause(on bool) {
	e.paused.Store(on)
	e.Reconfigure()
}

// mappingOwner begins the owners of mappings' records; see package registry.
const mappingOwner = "mapping/"

// reconcileEvery is how often the mappings are read without a hint.
const reconcileEvery = time.Minute

// Start begins to poll.
func (e *Engine) Start() error {
	changed, err := e.Store.Watch(e.ctx, mappingOwner)
	if err != nil {
		return err
	}
	e.all.Go(func() {
		ticker := time.NewTicker(reconcileEvery)
		defer ticker.Stop()
		for {
			if err := e.reconcile(); err != nil && e.ctx.Err() == nil {
				e.Log.Error("event source mappings cannot be read", zap.Error(err))
			}
			select {
			case _, more := <-changed:
				if !more {
					return
				}
			case <-e.changed:
			case <-ticker.C:
			case <-e.ctx.Done():
				return
			}
		}
	})
	return nil
}

// Close ends all polling. Batches that functions have run to their end, until ctx ends.
func (e *Engine) Close(ctx context.Context) {
	e.stop()
	e.all.Wait()
	for _, w := range e.workers {
		select {
		case <-w.done:
		case <-ctx.Done():
		}
	}
}

// reconcile starts, changes and ends workers by what the mappings are now.
func (e *Engine) reconcile() error {
	wanted := make(map[string]registry.Mapping)
	for after := ""; ; {
		page, next, err := e.Registry().Mappings(e.ctx, after, 100, nil)
		if err != nil {
			return err
		}
		for _, m := range page {
			if m.State == "Enabled" && !e.paused.Load() {
				wanted[m.UUID] = settingsOf(m)
			}
		}
		if after = next; after == "" {
			break
		}
	}
	for id, w := range e.workers {
		m, ok := wanted[id]
		if !w.ending && (!ok || !reflect.DeepEqual(m, w.mapping) || e.Clients().Reach(&m) != w.reach) {
			w.ending = true
			w.stop()
		}
		select {
		case <-w.done:
			delete(e.workers, id)
			if w.mapping.Declared {
				continue // its checkpoints are there when it is declared again
			}
			if err := e.forget(id); err != nil {
				return err
			}
		default: // its last batch runs: the end of it has the mappings looked through again
		}
	}
	for id, m := range wanted {
		if e.workers[id] == nil {
			e.workers[id] = e.work(m)
		}
	}
	return nil
}

// forget removes the checkpoints of a mapping that was deleted.
func (e *Engine) forget(id string) error {
	if _, err := e.Registry().Mapping(e.ctx, id); !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	for {
		page, err := e.Store.List(e.ctx, checkpointOwner+id, "", "", 100)
		if err != nil || len(page) == 0 {
			return err
		}
		var changes []state.Change
		for _, r := range page {
			changes = append(changes, state.Delete(r.Name, state.Any))
		}
		if _, err := e.Store.Change(e.ctx, checkpointOwner+id, changes...); err != nil {
			return err
		}
	}
}

// checkpointOwner begins the owners of checkpoints: one for each mapping, with a record
// for each shard.
const checkpointOwner = "checkpoint/"

// settingsOf is a mapping without what its own worker writes.
func settingsOf(m registry.Mapping) registry.Mapping {
	m.LastResult, m.LastModified, m.StateReason = "", time.Time{}, ""
	return m
}

// Pauses of a worker whose source is away.
const (
	minPause = time.Second
	maxPause = time.Minute

	steadyAfter = 10 * time.Second // a worker that ran this long starts with the first pause again
)

func (e *Engine) work(m registry.Mapping) *worker {
	ctx, stop := context.WithCancel(e.ctx)
	w := &worker{mapping: m, reach: e.Clients().Reach(&m), stop: stop, done: make(chan struct{})}
	go func() {
		defer e.Reconfigure()
		defer close(w.done)
		defer e.results.forget(m.UUID)
		defer e.lags.forget(m.UUID)
		p, err := newPoller(e, m)
		if err != nil {
			e.result(m.UUID, "PROBLEM: "+err.Error())
			<-ctx.Done() // until the mapping is another one
			return
		}
		for failures := 1; ctx.Err() == nil; failures++ {
			began := time.Now()
			err := p.run(ctx)
			if ctx.Err() != nil {
				return
			}
			if time.Since(began) > steadyAfter {
				failures = 1
			}
			e.Log.Warn("an event source cannot be polled", zap.String("source", sourceName(&m)), zap.String("function", m.FunctionName), zap.Error(err))
			e.metrics.problems.WithLabelValues(m.FunctionName).Inc()
			e.result(m.UUID, "PROBLEM: "+err.Error())
			sleep(ctx, backoff.Backoff{First: minPause, Most: maxPause}.After(failures))
		}
	}()
	return w
}

// A poller reads one source until ctx ends, or it cannot.
type poller interface {
	run(ctx context.Context) error
}

func newPoller(e *Engine, m registry.Mapping) (poller, error) {
	b, err := newBatcher(e, m)
	if err != nil {
		return nil, err
	}
	switch kindOf(&m) {
	case "sqs":
		return &queue{batcher: b, client: e.Clients().SQS(&m)}, nil
	case "kinesis":
		return &stream{batcher: b, source: &kinesisStream{e.Clients().Kinesis(&m), m.EventSourceArn, b.role}}, nil
	case "kafka":
		return newTopic(b)
	case "s3":
		return newListing(b)
	case "redis", "rediss":
		return newRedisStream(b)
	case "dynamodb":
		return &stream{batcher: b, source: &dynamoStream{e.Clients().DynamoDB(&m), m.EventSourceArn}}, nil
	}
	return nil, fmt.Errorf("event source %s is not polled", m.EventSourceArn)
}

// kindOf is which kind of source a mapping has: the service of its ARN, or the scheme of
// its URL; "" is none.
func kindOf(m *registry.Mapping) string {
	if source, err := arn.Parse(m.EventSourceArn); err == nil {
		return source.Service
	}
	if scheme, _, ok := strings.Cut(m.EventSourceArn, "://"); ok {
		return scheme
	}
	if isSelfManaged(m) {
		return "kafka"
	}
	return ""
}

func regionOf(source string) string {
	a, _ := arn.Parse(source) // the source was found by it
	return a.Region
}

// sleep returns early when ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
