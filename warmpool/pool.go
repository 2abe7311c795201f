package warmpool

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/keepalive"
	"github.com/hearthfn/hearth/warmpool/quota"
	"github.com/hearthfn/hearth/warmpool/state"
)

// DefaultConcurrency is Lambda's own limit of an account.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const DefaultConcurrency = 1000

// DefaultQueueTimeout is the default of Config.QueueTimeout.
const DefaultQueueTimeout = 2 * time.Second

// A Config configures a Pool. The zero value of a field stands for its default.
type Config struct {
	// MemoryMB is the budget for all environments, each counted with its function's memory
	// setting, or with the memory that it uses while it is idle and frozen. Default: three
	// quarters of the machine's memory.
	MemoryMB int
	// Overcommit is how many times MemoryMB the settings of all environments may be together, the
	// idle ones included. 1: each counts with its setting always. Default 4.
	Overcommit float64
	// Concurrency is how many environments there are at most. Default 1000, as
	// an AWS account's.
	Concurrency int
	// Descriptors is how many files this process may have open. Half of them are for
	// environments. Default: its limit (RLIMIT_NOFILE), which Go raises as far as it may.
	Descriptors int
	// Starts is how many cold starts run at once. Default: the number of cores.
	Starts int
	// Stems is how many processes of one kind are kept booted ahead of cold starts
	// at most. Their number follows the recent cold starts, and all of them take an eighth of
	// the memory budget at most. Default 64. Negative: none.
	Stems int
	// Queue is how many callers wait for one function at most. Default 1000.
	Queue int
	// QueueTimeout is how long a call waits for an environment when all that the limits
	// allow are busy, before it is throttled, unless its function says otherwise. AWS
	// does not wait; negative means the same here. Default 2s. A cold start in progress
	// is always waited for.
	QueueTimeout time.Duration
	// IdleTimeout is how long an idle environment is kept at most; package keepalive
	// decides within it. Default 1 hour.
	IdleTimeout time.Duration
	// Slots are the slots of reserved concurrency that several nodes share. nil: this node is
	// alone. Reconfigure does not change it.
	Slots state.Slots
	// Alone reports whether no other live node could want slots. nil: one may. Reconfigure
	// does not change it.
	Alone func() bool
	// ShutdownGrace is how long a runtime may take to end when asked to. Default 2s.
	ShutdownGrace time.Duration
}

func (c *Config) setDefaults() error {
	if c.MemoryMB == 0 {
		total, err := machineMemoryMB()
		if err != nil {
			return fmt.Errorf("find the machine's memory (set the memory budget to go without): %w", err)
		}
		c.MemoryMB = total / 4 * 3
	}
	if c.Overcommit == 0 {
		c.Overcommit = DefaultOvercommit
	}
	if c.Overcommit < 1 {
		return fmt.Errorf("a memory overcommit of %v: the least is 1, for none", c.Overcommit)
	}
	if c.Concurrency == 0 {
		c.Concurrency = DefaultConcurrency
	}
	if c.Descriptors == 0 {
		limit, err := descriptorLimit()
		if err != nil {
			return fmt.Errorf("find the limit of open files: %w", err)
		}
		c.Descriptors = limit
	}
	if c.Starts == 0 {
		c.Starts = runtime.GOMAXPROCS(0)
	}
	if c.Stems == 0 {
		c.Stems = defaultStems
	}
	if c.Queue == 0 {
		c.Queue = 1000
	}
	if c.QueueTimeout == 0 {
		c.QueueTimeout = DefaultQueueTimeout
	}
	if c.IdleTimeout == 0 {
		c.IdleTimeout = time.Hour
	}
	if c.ShutdownGrace == 0 {
		c.ShutdownGrace = 2 * time.Second
	}
	return nil
}

// total is how much environments may take.
func (c *Config) total() need {
	return need{memoryMB: c.MemoryMB, environments: c.Concurrency, descriptors: c.Descriptors / 2}
}

// A Starter makes environments.
type Starter interface {
	// Start makes an Idle environment. If the function itself fails, the error is an
	// *environment.InitError.
	Start(ctx context.Context, s Start) (*environment.Environment, error)
	// StemKind is the kind of stems that can become environments of f; false when
	// none can.
	StemKind(f *function.Function) (StemKind, bool)
	// Boot makes a stem of a kind, within BootTimeout. It calls ended when the stem has ended
	// unused, perhaps before Boot returns.
	Boot(ctx context.Context, kind StemKind, ended func()) (*Stem, error)
}

// A Start says which environment is wanted.
type Start struct {
	Function       *function.Function
	Initialization string // OnDemand or Provisioned
	Stem           *Stem  // the environment is made from it; nil: from nothing

	// Those of environment.Spec.
	Begun   func(*environment.Environment)
	Loading func()
	Busy    *atomic.Int32
	Ended   func(*environment.Environment)
}

// settings are replaced as a whole, never changed.
type settings struct{ Config }

// A Pool holds the environments of one node.
type Pool struct {
	settings atomic.Pointer[settings]
	starter  Starter
	stems    stems
	turns    *turns // of cold starts
	quotas   *quota.Quotas
	cores    int
	clock    keepalive.Clock
	log      *zap.Logger
	metrics  *Metrics
	samples  samples

	ctx    context.Context // ends when the pool closes: starts are abandoned
	cancel context.CancelFunc
	tasks  sync.WaitGroup // every goroutine of the pool's own

	// busy counts the calls that are with an environment.
	busy atomic.Int32
	// busyReserved are those of busy whose function has reserved concurrency.
	busyReserved atomic.Int32

	// pagingOut says that memory of environments is being moved to swap.
	pagingOut atomic.Bool

	// wanted says which environments are to be given up for other functions; nil: none.
	wanted   atomic.Pointer[wanted]
	yielding atomic.Int32 // environments that are being given up for others

	mu         sync.Mutex          // guards what follows; taken before that of a Group
	groups     map[version]*Group  // of the functions that are retained
	ending     map[*Group]struct{} // released, with environments left
	budget     budget
	claims     claims
	head       *claim    // the first of the claims when they were last arranged
	complained time.Time // when the pool last logged that there is no room
}

// New makes a pool and starts its janitor. Close ends it.
func New(config Config, starter Starter, log *zap.Logger) (*Pool, error) {
	if err := config.setDefaults(); err != nil {
		return nil, err
	}
	p := &Pool{
		starter: starter, log: log,
		groups: make(map[version]*Group),
		ending: make(map[*Group]struct{}),
		budget: budget{total: config.total()},
		cores:  runtime.GOMAXPROCS(0),
	}
	p.settings.Store(&settings{config})
	p.stems = stems{pool: p, stocks: make(map[StemKind]*stock)}
	p.metrics = newMetrics(p)
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.turns = newTurns(p.ctx, &p.tasks, config.Starts)
	if config.Descriptors < lowDescriptors {
		log.Warn("the limit of open files is low: few environments are kept warm at once",
			zap.Int("limit", config.Descriptors), zap.Int("environments", p.budget.total.descriptors/environmentDescriptors),
			zap.String("remedy", "raise it: LimitNOFILE= in the unit of systemd, ulimit -n in a shell"))
	}
	p.quotas = quota.New(p.ctx, config.Slots, config.Alone, log)
	p.tasks.Go(p.janitor)
	return p, nil
}

// Reconfigure changes the limits to those of another configuration. Environments over a
// lowered limit are not killed. They end when they are idle.
func (p *Pool) Reconfigure(config Config) error {
	if err := config.setDefaults(); err != nil {
		return err
	}
	p.mu.Lock()
	p.settings.Store(&settings{config})
	p.turns.resize(config.Starts)
	p.budget.total = config.total()
	for _, g := range p.snapshot() {
		g.part.Store(g.takes.partOf(p.budget.total))
	}
	p.mu.Unlock()
	p.arrange()
	return nil
}

// Metrics is the collector of the pool's metrics.
func (p *Pool) Metrics() *Metrics { return p.metrics }

// A version is what a group is of.
type version struct{ function, version string }

func versionOf(f *function.Function) version { return version{f.Name, f.Version} }

// Retain returns the group that serves f: the existing one if its environments suit f. f must
// be normalized, and nobody changes it later. One Release undoes one Retain.
//
// Retain starts nothing. Group.Configure applies the limits of f.
func (p *Pool) Retain(f *function.Function) *Group {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := versionOf(f)
	if g := p.groups[key]; g != nil && g.Function().SameEnvironment(f) {
		g.refs++
		return g
	}
	g := newGroup(p, f)
	if old := p.groups[key]; old != nil {
		p.ending[old] = struct{}{} // those who retain it release it soon
	}
	p.groups[key] = g
	return g
}

// Release undoes Retain. The last Release ends the group: calls in flight run to their end,
// and it takes no new ones.
func (p *Pool) Release(g *Group) {
	p.mu.Lock()
	g.refs--
	last := g.refs == 0
	if key := (version{g.name, g.version}); last && p.groups[key] == g {
		delete(p.groups, key)
		p.ending[g] = struct{}{}
	}
	p.mu.Unlock()
	if last {
		g.close()
	}
}

// Close ends all environments and returns when they have ended. Calls in flight
// may run to their end until ctx is done; then their environments are killed.
func (p *Pool) Close(ctx context.Context) {
	p.mu.Lock()
	groups := p.snapshot()
	p.mu.Unlock()
	p.cancel()
	p.stems.close()
	for _, g := range groups {
		g.close()
	}
	idle := make(chan struct{})
	go func() {
		p.tasks.Wait()
		close(idle)
	}()
	select {
	case <-idle:
	case <-ctx.Done():
		for _, g := range groups {
			g.kill()
		}
		<-idle
	}
	p.quotas.Close()
}

// snapshot returns all groups that have, or may have, environments. It needs mu.
func (p *Pool) snapshot() []*Group {
	groups := make([]*Group, 0, len(p.groups)+len(p.ending))
	for _, g := range p.groups {
		groups = append(groups, g)
	}
	for g := range p.ending {
		groups = append(groups, g)
	}
	return groups
}
