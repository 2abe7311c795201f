package schedule

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/backoff"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/state"
)

// A Schedule is a function that runs by the clock.
type Schedule struct {
	Name                string
	Expression          *Expression
	Function, Qualifier string
	Input               json.RawMessage // nil: the event of EventBridge
	Window              time.Duration   // within which a tick runs at some time; 0: at once
	CatchUp             time.Duration   // how late a tick that was missed runs
	Start, End          time.Time       // zero: none
	Disabled            bool

	// What follows is of schedules that an API made.

	// Since is when the schedule became as it is; zero: the engine remembers when it saw it
	// first.
	Since time.Time
	// Pusher keeps the events of the schedule; nil: the engine's does. Its events have no
	// payload unless there is an Input.
	Pusher Pusher
	// Tries and Late bound how often, and until how long after a tick, its event is tried
	// again that could not be kept. Late zero: until the next tick.
	Tries int
	Late  time.Duration
	// Ended is told when the last tick is pushed, or given up; nil: nobody is. It must not
	// block.
	Ended func()
}

// An Event is one tick, for the queue of asynchronous events.
type Event struct {
	Function, Qualifier, RequestID string
	Payload                        []byte
	Tick                           time.Time
	// Once names the tick: of all events of this name, one is kept within OnceFor.
	Once    string
	OnceFor time.Duration
}

// A Pusher keeps events and has them delivered.
type Pusher interface {
	PushTick(ctx context.Context, e *Event) error
}

// Config of an Engine. All fields are required.
type Config struct {
	Store   state.Records
	Pusher  Pusher
	Account function.Account
	Log     *zap.Logger
}

// An Engine pushes an event for each tick of each schedule. Make one with New, then Set
// its schedules.
type Engine struct {
	Config
	metrics *Metrics

	ctx  context.Context
	stop context.CancelFunc
	done chan struct{}
	wake chan struct{} // has room for one

	mu      sync.Mutex
	entries []*entry // guarded by mu
	// covered is, for each owner of schedules, until when their ticks are pushed or known to
	// the entries; guarded by mu.
	covered map[string]time.Time
}

// An entry is a schedule with its next tick.
type entry struct {
	Schedule
	owner string
	tick  time.Time // zero: there is none any more
	due   time.Time // tick, and its part of the window
	tries int
}

// Times of an Engine.
const (
	remembered = time.Hour        // how long a tick is known again at least
	longestNap = time.Minute      // so that a clock that is set is noticed
	retryEvery = time.Second      // an event that is not kept
	pushWithin = 10 * time.Second // one try
	missed     = time.Second      // a tick that is later was missed
)

// retries are the pauses after events of APIs' schedules that are not kept.
var retries = backoff.Backoff{First: retryEvery, Most: time.Minute}

// New starts an engine without schedules.
func New(c Config) *Engine {
	e := &Engine{Config: c, metrics: newMetrics(), covered: make(map[string]time.Time), done: make(chan struct{}), wake: make(chan struct{}, 1)}
	e.ctx, e.stop = context.WithCancel(context.Background())
	go e.run()
	return e
}

// Close ends the engine. Events that were pushed are still delivered.
func (e *Engine) Close() {
	e.stop()
	<-e.done
}

// Set replaces the schedules of an owner: the configuration or one API, which have names of
// their own. Unchanged schedules continue. Schedules that existed before make up for ticks that
// were missed while no node ran.
func (e *Engine) Set(ctx context.Context, owner string, schedules []Schedule) {
	now := time.Now()
	e.mu.Lock()
	covered := e.covered[owner]
	before := make(map[string]entry)
	for _, one := range e.entries {
		if one.owner == owner {
			before[one.Name] = *one
		}
	}
	e.mu.Unlock()
	var entries []*entry
	for _, s := range schedules {
		if s.Disabled {
			continue
		}
		one := &entry{Schedule: s, owner: owner}
		if old, ok := before[s.Name]; ok && old.continues(&s, now) {
			one.tick, one.due, one.tries = old.tick, old.due, old.tries
		} else {
			e.begin(ctx, one, covered, now)
		}
		if one.tick.IsZero() && one.Ended != nil {
			one.Ended()
		}
		entries = append(entries, one)
	}
	e.mu.Lock()
	for _, one := range e.entries {
		if one.owner != owner {
			entries = append(entries, one)
		}
	}
	e.entries, e.covered[owner] = entries, now
	e.mu.Unlock()
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// continues reports whether a schedule keeps the tick that it waits for: its event is not kept
// yet, or nothing has changed.
func (n *entry) continues(s *Schedule, now time.Time) bool {
	if n.Expression.String() != s.Expression.String() {
		return false
	}
	if !s.Since.IsZero() {
		return s.Since.Equal(n.Since)
	}
	return !n.tick.IsZero() && !n.tick.After(now)
}

// begin finds the first tick of a schedule.
func (e *Engine) begin(ctx context.Context, one *entry, covered, now time.Time) {
	since, err := one.Since, error(nil)
	if since.IsZero() {
		since, err = e.since(ctx, &one.Schedule, now)
	}
	if err != nil { // it runs from now on, all the same
		e.Log.Warn("it is not known what a schedule has missed", zap.String("schedule", one.Name), zap.Error(err))
	}
	from := now
	if !covered.IsZero() {
		from = covered // of the schedules before: nothing is missed by a reload
	} else if one.CatchUp > 0 {
		from = now.Add(-one.CatchUp)
	}
	from = from.Add(-one.Window) // what is due may have ticked before
	if from.Before(since) {
		from = since
	}
	one.next(from)
	// Of several that were missed the newest runs.
	for !one.tick.IsZero() {
		later := *one
		if later.next(one.tick); later.tick.IsZero() || later.tick.After(now) {
			break
		}
		*one = later
	}
	if one.tick.IsZero() && one.Since.IsZero() {
		e.Log.Warn("a schedule does not run any more: its times are over", zap.String("schedule", one.Name), zap.Stringer("expression", one.Expression))
	}
}

// recordOwner begins the owners of schedules' records.
const recordOwner = "schedule/"

// A definition is stored for each schedule, so that a new one does not catch up with ticks
// from before it existed.
type definition struct {
	Expression string    `json:"expression"`
	Since      time.Time `json:"since"`
}

// since is when a schedule was seen for the first time as it is.
func (e *Engine) since(ctx context.Context, s *Schedule, now time.Time) (time.Time, error) {
	const name = "definition"
	owner := recordOwner + s.Name
	var d definition
	var revision state.Revision // none
	r, err := e.Store.Read(ctx, state.Key{Owner: owner, Name: name})
	switch {
	case err == nil:
		if err := json.Unmarshal(r.Value, &d); err != nil {
			return now, err
		}
		revision = r.Revision
	case !errors.Is(err, state.ErrNotFound):
		return now, err
	}
	if d.Expression == s.Expression.String() {
		return d.Since, nil
	}
	value, err := json.Marshal(definition{s.Expression.String(), now})
	if err != nil {
		return now, err
	}
	_, err = e.Store.Change(ctx, owner, state.Put(name, revision, value))
	if errors.Is(err, state.ErrConflict) {
		err = nil // another node was as quick
	}
	return now, err
}

// next goes to the first tick after a time.
func (n *entry) next(after time.Time) {
	if after.Before(n.Start) {
		after = n.Start.Add(-time.Second) // a tick at the start counts
	}
	tick, ok := n.Expression.Next(after)
	if !ok || !n.End.IsZero() && tick.After(n.End) {
		n.tick = time.Time{}
		return
	}
	n.tick, n.due, n.tries = tick, tick, 0
	if n.Window > 0 {
		// The same on all nodes.
		sum := sha256.Sum256([]byte(n.once()))
		n.due = tick.Add(time.Duration(binary.BigEndian.Uint64(sum[:]) % uint64(n.Window)))
	}
}

// once names a tick.
func (n *entry) once() string { return fmt.Sprintf("schedule/%s/%d", n.Name, n.tick.Unix()) }

func (e *Engine) run() {
	defer close(e.done)
	timer := time.NewTimer(longestNap)
	defer timer.Stop()
	for e.ctx.Err() == nil {
		nap := longestNap
		for _, one := range e.dueNow() {
			e.push(one)
		}
		e.mu.Lock()
		for _, one := range e.entries {
			if !one.tick.IsZero() {
				nap = min(nap, time.Until(one.due))
			}
		}
		e.mu.Unlock()
		timer.Reset(max(nap, 0))
		select {
		case <-timer.C:
		case <-e.wake:
		case <-e.ctx.Done():
		}
	}
}

func (e *Engine) dueNow() (due []*entry) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	for _, one := range e.entries {
		if !one.tick.IsZero() && !one.due.After(now) {
			due = append(due, one)
		}
	}
	return due
}

// push keeps the event of a tick. It is tried again until the next tick comes.
func (e *Engine) push(one *entry) {
	event, err := e.event(one)
	if err == nil {
		pusher := e.Pusher
		if one.Pusher != nil {
			pusher = one.Pusher
		}
		ctx, cancel := context.WithTimeout(e.ctx, pushWithin)
		err = pusher.PushTick(ctx, event)
		cancel()
	}
	if e.ctx.Err() != nil {
		return
	}
	if e.pushed(one, err) && one.Ended != nil {
		one.Ended()
	}
}

// pushed goes to the next tick after an event was pushed, or could not be, and reports whether
// there is none.
func (e *Engine) pushed(one *entry, err error) (ended bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	if e.covered[one.owner].Before(one.tick) {
		e.covered[one.owner] = one.tick
	}
	if err != nil {
		if again, ok := one.again(now); ok {
			if one.tries++; one.tries == 1 {
				e.Log.Error("the event of a schedule cannot be kept, and is tried again", zap.String("schedule", one.Name), zap.Error(err))
			}
			one.due = again
			return false
		}
		e.Log.Error("a tick of a schedule is lost", zap.String("schedule", one.Name), zap.Time("tick", one.tick), zap.Error(err))
		e.metrics.lost.WithLabelValues(one.label()).Inc()
		one.next(one.tick)
		return one.tick.IsZero()
	}
	e.metrics.ticks.WithLabelValues(one.label()).Inc()
	if late := now.Sub(one.due); late > missed && one.tries == 0 {
		e.Log.Info("a tick of a schedule runs late", zap.String("schedule", one.Name), zap.Time("tick", one.tick), zap.Duration("late", late))
	}
	// Ticks that passed meanwhile, while the machine slept for instance, run once.
	from := one.tick
	for {
		later := *one
		if later.next(from); later.tick.IsZero() || later.tick.After(now.Add(-missed)) {
			break
		}
		from = later.tick
	}
	one.next(from)
	return one.tick.IsZero()
}

// again is when an event that could not be kept is tried again: not when the next tick is due,
// and as often and as long as the schedule says.
func (n *entry) again(now time.Time) (time.Time, bool) {
	at := now.Add(retryEvery)
	later := *n
	if later.next(n.tick); !later.tick.IsZero() && !later.due.After(at) {
		return at, false
	}
	if n.Late == 0 {
		return at, true
	}
	at = now.Add(retries.After(n.tries + 1))
	return at, n.tries < n.Tries && at.Before(n.tick.Add(n.Late+n.Window)) && (later.tick.IsZero() || later.due.After(at))
}

// event is what EventBridge sends for a tick, or what was asked for.
// https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-scheduled-events.html
func (e *Engine) event(one *entry) (*Event, error) {
	sum := sha256.Sum256([]byte(one.once()))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	id := uuid.UUID(sum[:16]).String()
	payload := []byte(one.Input)
	if payload == nil && one.Pusher == nil {
		var err error
		payload, err = json.Marshal(scheduled{
			"0", id, "Scheduled Event", "aws.events", e.Account.ID, one.tick.UTC().Format(time.RFC3339), e.Account.Region,
			[]string{fmt.Sprintf("arn:aws:events:%s:%s:rule/%s", e.Account.Region, e.Account.ID, one.Name)}, struct{}{},
		})
		if err != nil {
			return nil, err
		}
	}
	return &Event{
		Function: one.Function, Qualifier: one.Qualifier, RequestID: id, Payload: payload, Tick: one.tick,
		Once: one.once(), OnceFor: max(remembered, 2*one.CatchUp+one.Window),
	}, nil
}

type scheduled struct {
	Version    string   `json:"version"`
	ID         string   `json:"id"`
	DetailType string   `json:"detail-type"`
	Source     string   `json:"source"`
	Account    string   `json:"account"`
	Time       string   `json:"time"`
	Region     string   `json:"region"`
	Resources  []string `json:"resources"`
	Detail     struct{} `json:"detail"`
}

// A Listed schedule is one with its next tick.
type Listed struct {
	Name       string     `json:"name"`
	Expression string     `json:"expression"`
	Function   string     `json:"function"`
	Next       *time.Time `json:"next,omitempty"` // none: it does not run any more
}

// List is the running schedules, by name.
func (e *Engine) List() []Listed {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := make([]Listed, 0, len(e.entries))
	for _, one := range e.entries {
		l := Listed{Name: one.Name, Expression: one.Expression.String(), Function: one.Function}
		if one.Qualifier != function.Latest {
			l.Function += ":" + one.Qualifier
		}
		if !one.tick.IsZero() {
			due := one.due
			l.Next = &due
		}
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b Listed) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// label is the schedule in metrics. Those of an API are one, because there may be many.
func (n *entry) label() string {
	if n.Pusher != nil {
		return n.owner
	}
	return n.Name
}
