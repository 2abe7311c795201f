package events

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
	"github.com/hearthfn/hearth/invoker/bus"
	"github.com/hearthfn/hearth/invoker/pattern"
	"github.com/hearthfn/hearth/invoker/schedule"
	"github.com/hearthfn/hearth/warmpool/function"
)

// Service is the principal by which functions' policies let rules invoke them.
const Service = "events.amazonaws.com"

// Rules are all rules, ready to match. They are read again when they have changed, here or on
// another node. While the state cannot be read, those that were read go on.
type Rules struct {
	store *document.Store

	mu    sync.Mutex
	known *ruleSet // guarded by mu; nil: they were not read yet
	stale bool     // guarded by mu
	wake  chan struct{}

	stop  context.CancelFunc
	ended chan struct{}
}

// A ruleSet does not change.
type ruleSet struct {
	buses map[string]bool
	rules map[string][]*readyRule // by the name of the bus
}

type readyRule struct {
	*rule
	pattern *pattern.Pattern // nil: events of the bus do not match
}

// NewRules starts to follow changes, until Close.
func NewRules(store *document.Store) (*Rules, error) {
	ctx, stop := context.WithCancel(context.Background())
	hints, err := store.Watch(ctx, owner)
	if err != nil {
		stop()
		return nil, fmt.Errorf("following changes of rules: %w", err)
	}
	r := &Rules{store: store, stale: true, wake: make(chan struct{}, 1), stop: stop, ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		for of := range hints {
			if of == owner || of == "" {
				r.changed()
			}
		}
	}()
	return r, nil
}

// Close stops to follow changes. The store stays open.
func (r *Rules) Close() {
	r.stop()
	<-r.ended
}

// Changed receives when rules may have changed. It is for one receiver.
func (r *Rules) Changed() <-chan struct{} { return r.wake }

func (r *Rules) changed() {
	r.mu.Lock()
	r.stale = true
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// current reads the rules if they have changed.
func (r *Rules) current(ctx context.Context) (*ruleSet, error) {
	r.mu.Lock()
	known, stale := r.known, r.stale
	r.stale = false
	r.mu.Unlock()
	if known != nil && !stale {
		return known, nil
	}
	set, err := r.read(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.stale = true // the next one tries
		if known != nil {
			return known, nil
		}
		return nil, err
	}
	r.known = set
	return set, nil
}

func (r *Rules) read(ctx context.Context) (*ruleSet, error) {
	set, err := r.store.Read(ctx, owner)
	if err != nil {
		return nil, err
	}
	rules, err := document.All[rule](set, docRule)
	if err != nil {
		return nil, err
	}
	out := &ruleSet{map[string]bool{defaultBus: true}, make(map[string][]*readyRule)}
	for _, name := range set.Names(docBus) {
		out.buses[strings.TrimPrefix(name, docBus)] = true
	}
	for _, one := range rules {
		ready := &readyRule{rule: one}
		if one.EventPattern != "" {
			if ready.pattern, err = pattern.Parse([]byte(one.EventPattern)); err != nil {
				return nil, fmt.Errorf("pattern of rule %s: %w", one.Name, err)
			}
		}
		out.rules[one.Bus] = append(out.rules[one.Bus], ready)
	}
	return out, nil
}

// dispatch is an event, which is JSON, on its way to a target of a rule.
func (r *rule) dispatch(t *Target, account function.Account, event []byte, received time.Time) (*bus.Dispatch, error) {
	of := bus.Rule{Name: r.Name, ARN: "arn:aws:events:" + account.Region + ":" + account.ID + ":" + ruleResource(r.Bus, r.Name)}
	payload, err := t.input().Of(event, of, received)
	if err != nil {
		return nil, fmt.Errorf("input of target %s of rule %s: %w", t.Id, r.Name, err)
	}
	d := &bus.Dispatch{
		ID: function.NewRequestID(), To: t.Arn, Payload: payload, Since: received, Service: Service, Source: of.ARN, DeadLetter: t.queue(),
		Attributes: map[string]string{"RULE_ARN": of.ARN, "TARGET_ARN": t.Arn},
	}
	if t.RetryPolicy != nil {
		d.Retry = *t.RetryPolicy
	}
	if t.SqsParameters != nil {
		d.GroupID = t.SqsParameters.MessageGroupId
	}
	return d, nil
}

// catchUp is how late a tick may run that was missed while no node ran.
const catchUp = time.Minute

// Schedules are the schedules of the rules, one for each target. dispatch keeps an event.
func (r *Rules) Schedules(ctx context.Context, account function.Account, dispatch func(context.Context, *bus.Dispatch) error, log *zap.Logger) ([]schedule.Schedule, error) {
	set, err := r.current(ctx)
	if err != nil {
		return nil, err
	}
	var all []schedule.Schedule
	for _, one := range set.rules[defaultBus] {
		if one.ScheduleExpression == "" {
			continue
		}
		expression, err := schedule.Parse(one.ScheduleExpression, time.UTC)
		if err != nil {
			log.Error("a rule does not run", zap.String("rule", one.Name), zap.Error(err))
			continue
		}
		for _, t := range one.Targets {
			since := one.Since
			if t.Since != nil && t.Since.After(since) {
				since = *t.Since
			}
			name, qualifier, _ := account.Parse(t.Arn) // for lists; other targets have none
			all = append(all, schedule.Schedule{
				Name: "rule/" + one.Name + "/" + t.Id, Expression: expression, Function: name, Qualifier: qualifier, CatchUp: catchUp,
				Disabled: one.State != enabled, Since: since, Tries: retryOf(t).Tries(), Late: retryOf(t).Age(),
				Pusher: &clock{one.rule, t, account, dispatch},
			})
		}
	}
	return all, nil
}

func retryOf(t *Target) *bus.Retry {
	if t.RetryPolicy == nil {
		return new(bus.Retry)
	}
	return t.RetryPolicy
}

// A clock sends the events of a rule's ticks to a target.
type clock struct {
	rule     *rule
	target   *Target
	account  function.Account
	dispatch func(context.Context, *bus.Dispatch) error
}

// PushTick implements schedule.Pusher.
// https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-scheduled-events.html
func (c *clock) PushTick(ctx context.Context, e *schedule.Event) error {
	event := bus.Event{
		Version: "0", ID: e.RequestID, DetailType: "Scheduled Event", Source: "aws.events", Account: c.account.ID, Time: bus.Stamp(e.Tick), Region: c.account.Region,
		Resources: []string{"arn:aws:events:" + c.account.Region + ":" + c.account.ID + ":" + ruleResource(c.rule.Bus, c.rule.Name)}, Detail: []byte("{}"),
	}
	d, err := c.rule.dispatch(c.target, c.account, event.Encode(), e.Tick)
	if err != nil {
		return err
	}
	d.ID, d.Once, d.OnceFor = e.RequestID, e.Once, e.OnceFor
	return c.dispatch(ctx, d)
}

var _ schedule.Pusher = (*clock)(nil)
