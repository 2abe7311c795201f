package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/awsapi/access"
	"github.com/hearthfn/hearth/caddymodule/engine/services"
	"github.com/hearthfn/hearth/invoker"
	"github.com/hearthfn/hearth/invoker/bus"
	"github.com/hearthfn/hearth/invoker/schedule"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// Owners of schedules.
const (
	ownConfiguration = "configuration"
	ofRules          = "events"
	ofSchedules      = "scheduler"
)

// A clock keeps the schedules that APIs made as the state has them, on every node.
type clock struct {
	engine    *Engine
	scheduler *schedule.Engine
	stop      context.CancelFunc
	ended     chan struct{}
}

// Times of a clock: it reads again when something changed, after readAgain when it could not,
// and from time to time anyway, because hints may be lost.
const (
	readAgain  = time.Second
	readAnyway = time.Minute
)

func newClock(e *Engine, scheduler *schedule.Engine) *clock {
	ctx, stop := context.WithCancel(context.Background())
	c := &clock{e, scheduler, stop, make(chan struct{})}
	go c.run(ctx)
	return c
}

func (c *clock) close() {
	c.stop()
	<-c.ended
}

func (c *clock) run(ctx context.Context) {
	defer close(c.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	rules, schedules := true, true // is to be read
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.engine.rules.Changed():
			rules = true
		case <-c.engine.schedules.Changed():
			schedules = true
		case <-timer.C:
			rules, schedules = true, true
		}
		next := readAnyway
		if rules && !c.read(ctx, ofRules, c.engine.rules.Schedules) || schedules && !c.read(ctx, ofSchedules, c.engine.schedules.Schedules) {
			next = readAgain
		}
		rules, schedules = false, false
		timer.Reset(next)
	}
}

// A reader reads schedules.
type reader func(context.Context, function.Account, func(context.Context, *bus.Dispatch) error, *zap.Logger) ([]schedule.Schedule, error)

func (c *clock) read(ctx context.Context, owner string, from reader) bool {
	s := c.engine.current.Load()
	if s == nil { // it will be there in a moment
		return false
	}
	all, err := from(ctx, s.Account, c.engine.dispatch, s.Log)
	if err != nil {
		if ctx.Err() == nil {
			s.Log.Warn("schedules cannot be read, and are tried again", zap.String("source", owner), zap.Error(err))
		}
		return false
	}
	c.scheduler.Set(ctx, owner, all)
	return true
}

// Codes of what EventBridge cannot deliver.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
const (
	noPermissions = "NO_PERMISSIONS"
	noResource    = "NO_RESOURCE"
)

// A refusal says why a target does not get an event, now or later.
type refusal struct{ code, reason string }

// dispatch keeps an event of a rule or a schedule for its target. What the target's policy does
// not allow goes to the target's dead-letter queue, or is told in the log.
func (e *Engine) dispatch(ctx context.Context, d *bus.Dispatch) error {
	s := e.current.Load()
	if s == nil {
		return errors.New("the server is starting")
	}
	refused, err := s.permitRole(ctx, d)
	if err != nil {
		return err
	}
	m := &invoker.Message{RequestID: d.ID, Source: "events", Subject: d.Source, TraceID: d.Trace, Payload: d.Payload, Once: d.Once, OnceFor: d.OnceFor}
	if refused == nil && !strings.HasPrefix(d.To, services.LambdaARN) {
		m.Function, m.Qualifier = invoker.RelayGroup(d.To), function.Latest
		m.Relay = &invoker.Relay{To: d.To, GroupID: d.GroupID, MaxTries: d.Retry.Tries(), MaxAge: d.Retry.Age(), DeadLetter: d.DeadLetter}
		if d.DeadLetter != "" {
			m.Relay.Why = d.Attributes
		}
		return e.Push(ctx, m)
	}
	if refused == nil {
		if m.Function, m.Qualifier, refused, err = s.permit(ctx, d); err != nil {
			return err
		}
	}
	if refused == nil {
		return e.Push(ctx, m)
	}
	if d.DeadLetter == "" {
		s.refusals.Tell(s.Log, zap.WarnLevel, "an event is dropped: its target does not take it", d.Source+d.To, func() []zap.Field {
			return []zap.Field{zap.String("source", d.Source), zap.String("function", d.To), zap.String("error", refused.reason)}
		})
		return nil
	}
	m.Function, m.Qualifier = invoker.RelayGroup(d.DeadLetter), function.Latest
	m.Relay = invoker.DeadLetter(d.DeadLetter, d.Attributes, refused.code, refused.reason)
	return e.Push(ctx, m)
}

// permitRole asks the policies of the role by which a target is called. A role that was never
// here is taken, as that of a function.
func (s *Setup) permitRole(ctx context.Context, d *bus.Dispatch) (*refusal, error) {
	if d.Role == "" {
		return nil, nil
	}
	grant, err := s.engine.roles.ByARN(ctx, d.Role)
	if err == nil && grant == nil && d.RoleHere && !s.RolesOff {
		return &refusal{noPermissions, "The role is not there any more: " + d.Role}, nil
	}
	if grant == nil || err != nil {
		return nil, err
	}
	action := map[string]string{"lambda": "lambda:InvokeFunction", "sqs": "sqs:SendMessage", "sns": "sns:Publish"}[strings.SplitN(d.To, ":", 4)[2]]
	err = s.Access().Acts(grant, d.Service, d.ID, action, d.To)
	if denied := new(access.Denied); errors.As(err, &denied) {
		return &refusal{noPermissions, denied.Message}, nil
	}
	return nil, err
}

// permit finds the function of an event, and asks whether it may be invoked. Functions of the
// configuration have no policies: everybody here may.
func (s *Setup) permit(ctx context.Context, d *bus.Dispatch) (name, qualifier string, refused *refusal, err error) {
	name, qualifier, err = s.Account.Parse(d.To)
	if err != nil {
		return "", "", &refusal{noResource, err.Error()}, nil
	}
	if qualifier == "" {
		qualifier = function.Latest
	}
	if s.isRemote(name) || s.registry.ReadOnly(name) {
		return name, qualifier, nil, nil
	}
	switch err := s.CheckTarget(ctx, name, qualifier); {
	case errors.Is(err, registry.ErrNotFound):
		return name, qualifier, &refusal{noResource, "Function not found: " + d.To}, nil
	case err != nil:
		return name, qualifier, nil, err
	}
	if d.Role != "" { // the role says it, not the function
		return name, qualifier, nil, nil
	}
	policy, err := s.registry.Policies.Read(ctx, name, qualifier)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return name, qualifier, nil, err
	}
	caller := registry.Caller{Service: d.Service, ARN: d.Source, Account: s.Account.ID}
	regional := caller // as policies have it that are older
	regional.Service = strings.Replace(d.Service, ".", "."+s.Account.Region+".", 1)
	if err == nil && (policy.Allows(caller) || policy.Allows(regional)) {
		return name, qualifier, nil, nil
	}
	return name, qualifier, &refusal{noPermissions, fmt.Sprintf(
		"User: %s is not authorized to perform: lambda:InvokeFunction on resource: %s because no resource-based policy allows the lambda:InvokeFunction action", d.Service, d.To)}, nil
}
