package invoker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/state"
	"github.com/hearthfn/hearth/warmpool/trace"
)

// A Store stores events. Both stores of package state do.
type Store interface {
	state.Queue
	state.Backlog
}

// ErrFull says that as many events wait as may. The sender should come again.
var ErrFull = errors.New("as many events wait as may")

// ErrTooLarge says that an event is over MaxPayload.
var ErrTooLarge = errors.New("event is too large")

// Config of an Invoker. Store, Runner, Lookup and Log are required.
type Config struct {
	Store   Store
	Runner  warmpool.Runner // after an error that is not the function's own the event is tried again
	Lookup  SettingsLookup
	Sender  Sender // nil: destinations are not delivered to, their events are buried
	Account function.Account
	Log     *zap.Logger
	Spans   trace.Sources // of deliveries; nil: they are not traced

	Limits
}

// Limits of an Invoker, which Reconfigure changes.
type Limits struct {
	PerFunction int // how many events of one function run at once at most; default twice the cores, 4 at least
	Concurrency int // how many run at once in all; default 8 times the cores, 16 at least
	MaxWaiting  int // how many may wait in all; default 1,000,000
}

func (l Limits) withDefaults() *Limits {
	return &Limits{
		PerFunction: cmp.Or(l.PerFunction, max(2*runtime.NumCPU(), 4)),
		Concurrency: cmp.Or(l.Concurrency, max(8*runtime.NumCPU(), 16)),
		MaxWaiting:  cmp.Or(l.MaxWaiting, 1_000_000),
	}
}

// An Invoker delivers events. Make one with New, Start it, and Close it.
type Invoker struct {
	Config
	limits  atomic.Pointer[Limits]
	paused  atomic.Bool
	metrics *Metrics
	waiting atomic.Int64 // events in the store that are not buried, and those on their way into it

	intake context.Context // ends: no event is taken up any more
	stop   context.CancelFunc
	work   context.Context // ends: what runs is abandoned
	abort  context.CancelFunc
	all    sync.WaitGroup
	wake   chan struct{} // holds one token: something may be leased, or has room

	mu      sync.Mutex // guards what follows
	lines   map[string]*line
	running int // lines' workers
}

// New makes an invoker, which counts what the store holds.
func New(ctx context.Context, config Config) (*Invoker, error) {
	i := &Invoker{Config: config, metrics: newMetrics(), wake: make(chan struct{}, 1), lines: make(map[string]*line)}
	i.limits.Store(config.withDefaults())
	i.intake, i.stop = context.WithCancel(context.Background())
	i.work, i.abort = context.WithCancel(context.Background())
	if err := i.count(ctx); err != nil {
		return nil, fmt.Errorf("count the events that wait: %w", err)
	}
	i.metrics.invoker = i
	return i, nil
}

// count sets waiting by the store.
func (i *Invoker) count(ctx context.Context) error {
	var waiting int64
	before := i.waiting.Load()
	err := i.eachGroup(ctx, func(g state.GroupStat) { waiting += int64(g.Waiting) })
	if err == nil {
		i.waiting.Add(waiting - before) // what comes and goes meanwhile counts itself
	}
	return err
}

// Start begins to deliver.
func (i *Invoker) Start() error {
	hints, err := i.Store.Ready(i.intake)
	if err != nil {
		return err
	}
	i.all.Go(func() {
		for range hints {
			i.nudge()
		}
	})
	i.all.Go(i.dispatch)
	i.all.Go(i.extend)
	return nil
}

// Close takes no more events and waits for those that run, until ctx ends. Events that still
// run then are delivered again later.
func (i *Invoker) Close(ctx context.Context) {
	i.stop()
	stop := context.AfterFunc(ctx, i.abort)
	i.all.Wait()
	stop()
	i.abort()
}

// Reconfigure changes the limits. Lines that are under way end with the old ones.
func (i *Invoker) Reconfigure(l Limits) {
	i.limits.Store(l.withDefaults())
	i.nudge()
}

// Pause takes no more events, until it is called with false. Events that were leased and
// do not run yet go to other nodes.
func (i *Invoker) Pause(on bool) {
	i.paused.Store(on)
	i.nudge()
}

// Push stores messages for one function, all or none. When it returns nil they will
// be delivered.
func (i *Invoker) Push(ctx context.Context, messages ...*Message) error {
	// They count before they are stored, or many callers at once would all find the last place.
	left := int64(len(messages))
	if !i.reserve(left) {
		return ErrFull
	}
	defer func() { i.waiting.Add(-left) }()
	items := make(map[string][]state.Item)
	for _, m := range messages {
		if len(m.Payload) > MaxPayload {
			return fmt.Errorf("%w: %d bytes, %d at most", ErrTooLarge, len(m.Payload), MaxPayload)
		}
		if m.TraceID = trace.Of(ctx, m.TraceID); m.TraceID == "" {
			m.TraceID = trace.New() // of all attempts
		}
		if m.Accepted.IsZero() {
			m.Accepted = time.Now()
		}
		body, err := m.encode()
		if err != nil {
			return err
		}
		items[m.group()] = append(items[m.group()], state.Item{Body: body, Once: m.Once, OnceFor: m.OnceFor})
	}
	for group, batch := range items {
		for len(batch) > 0 {
			n := min(len(batch), state.MaxItems)
			if _, err := i.Store.Push(ctx, group, batch[:n]...); err != nil {
				return fmt.Errorf("keep the event: %w", err)
			}
			left -= int64(n)
			batch = batch[n:]
		}
	}
	for _, m := range messages {
		i.metrics.receive(m.Function)
	}
	return nil
}

// reserve counts events as waiting, if so many more may.
func (i *Invoker) reserve(n int64) bool {
	for {
		waiting := i.waiting.Load()
		if waiting+n > int64(i.limits.Load().MaxWaiting) {
			return false
		}
		if i.waiting.CompareAndSwap(waiting, waiting+n) {
			return true
		}
	}
}

// nudge wakes the dispatcher.
func (i *Invoker) nudge() {
	select {
	case i.wake <- struct{}{}:
	default:
	}
}
