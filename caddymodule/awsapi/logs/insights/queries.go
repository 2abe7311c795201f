package insights

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"
)

// Bounds of queries.
const (
	// MaxQueries is how many queries wait or run at a time, AWS's limit.
	MaxQueries = 30
	// maxRunning is how many of them run; the others are Scheduled.
	maxRunning = 2
	// maxTime is how long a query runs.
	maxTime = 15 * time.Minute
	// maxMemory is what a query keeps while it runs, in bytes.
	maxMemory = 64 << 20
	// maxKept is what all results take together, in bytes; the oldest go first.
	maxKept = 128 << 20
	// keepTime is how long a result is kept.
	keepTime = time.Hour
	// maxListed is how many queries are remembered.
	maxListed = 1000
)

// Statuses of queries, in AWS's words.
const (
	Scheduled = "Scheduled"
	Running   = "Running"
	Complete  = "Complete"
	Failed    = "Failed"
	Cancelled = "Cancelled"
	Timeout   = "Timeout"
)

// ErrTooMany says that MaxQueries run or wait.
var ErrTooMany = errors.New("too many queries run at a time")

// A Query is one that was started. Its fields do not change, but for what Queries guards.
type Query struct {
	ID       string
	Text     string
	Groups   []string
	Created  time.Time
	Progress *Progress

	status  string
	results [][]Field
	size    int
	ended   time.Time
	cancel  context.CancelFunc
}

// A State is a query as it was when it was asked for.
type State struct {
	*Query
	Status  string
	Results [][]Field
	Took    time.Duration
}

// Queries are the queries of a process and their results. Close ends them.
type Queries struct {
	// Pointers are those of the results.
	Pointers *Pointers

	log     *zap.Logger
	ctx     context.Context // of all queries
	end     context.CancelFunc
	running sync.WaitGroup
	turns   chan struct{}
	workers chan struct{}

	mu   sync.Mutex // guards what follows, and what changes of each query
	all  []*Query   // oldest first
	kept int        // bytes of results
}

// New makes one that logs failures.
func New(log *zap.Logger) *Queries {
	q := &Queries{Pointers: NewPointers(), log: log, turns: make(chan struct{}, maxRunning), workers: make(chan struct{}, runtime.GOMAXPROCS(0))}
	q.ctx, q.end = context.WithCancel(context.Background())
	return q
}

// Close ends all queries and waits for them.
func (q *Queries) Close() {
	q.end()
	q.running.Wait()
}

// Start starts a query over groups. It fails with ErrTooMany.
func (q *Queries) Start(run Run, groups []string) (*Query, error) {
	now := time.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ctx.Err() != nil {
		return nil, q.ctx.Err()
	}
	q.expire(now)
	active := 0
	for _, one := range q.all {
		if one.active() {
			active++
		}
	}
	if active >= MaxQueries {
		return nil, ErrTooMany
	}
	ctx, cancel := context.WithCancel(q.ctx)
	one := &Query{
		ID: uuid.NewString(), Text: run.Plan.query, Groups: groups, Created: now, Progress: new(Progress),
		status: Scheduled, cancel: cancel,
	}
	run.Progress, run.Workers, run.Memory, run.Pointers = one.Progress, q.workers, maxMemory, q.Pointers
	q.all = append(q.all, one)
	q.running.Go(func() {
		defer cancel()
		q.run(ctx, &run, one)
	})
	return one, nil
}

func (one *Query) active() bool { return one.status == Scheduled || one.status == Running }

func (q *Queries) run(ctx context.Context, run *Run, one *Query) {
	select {
	case q.turns <- struct{}{}:
		defer func() { <-q.turns }()
	case <-ctx.Done():
		q.finish(one, nil, context.Cause(ctx))
		return
	}
	q.mu.Lock()
	if one.active() {
		one.status = Running
	}
	q.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	results, err := run.Rows(ctx)
	q.finish(one, results, err)
}

func (q *Queries) finish(one *Query, results [][]Field, err error) {
	size := 0
	for _, r := range results {
		size += 24
		for _, f := range r {
			size += 32 + len(f.Value)
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	one.ended = time.Now()
	switch {
	case one.status == Cancelled:
		return
	case err == nil:
		one.status, one.results, one.size = Complete, results, size
		q.kept += size
		q.expire(one.ended)
	case errors.Is(err, context.DeadlineExceeded):
		one.status = Timeout
	case errors.Is(err, context.Canceled):
		one.status = Cancelled
	default:
		one.status = Failed
		q.log.Warn("query of logs failed", zap.String("query", one.Text), zap.Error(err))
	}
}

// expire forgets queries that are old or too many, and results that take too much. It needs mu.
func (q *Queries) expire(now time.Time) {
	over := len(q.all) - maxListed
	q.all = slices.DeleteFunc(q.all, func(one *Query) bool {
		if one.active() || one.ended.IsZero() || over <= 0 && now.Sub(one.ended) <= keepTime { // one that was stopped may still run
			return false
		}
		over--
		q.kept -= one.size
		return true
	})
	for _, one := range q.all {
		if q.kept <= maxKept {
			break
		}
		q.kept -= one.size
		one.results, one.size = nil, 0
		if one.status == Complete {
			one.status = Failed
		}
	}
}

// Stop ends a query. ended says whether it had ended before; ok, whether there is one.
func (q *Queries) Stop(id string) (ended, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, one := range q.all {
		if one.ID == id {
			ended = !one.active()
			if !ended {
				one.status = Cancelled
				one.cancel()
			}
			return ended, true
		}
	}
	return false, false
}

// Query returns the query of an ID.
func (q *Queries) Query(id string) (State, bool) {
	all := q.List()
	i := slices.IndexFunc(all, func(s State) bool { return s.ID == id })
	if i < 0 {
		return State{}, false
	}
	return all[i], true
}

// List returns all queries, the newest first.
func (q *Queries) List() []State {
	now := time.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.expire(now)
	states := make([]State, 0, len(q.all))
	for _, one := range slices.Backward(q.all) {
		s := State{Query: one, Status: one.status, Results: one.results, Took: now.Sub(one.Created)}
		if !one.active() && !one.ended.IsZero() {
			s.Took = one.ended.Sub(one.Created)
		}
		states = append(states, s)
	}
	return states
}
