package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/engine/services"
	"github.com/hearthfn/hearth/invoker"
	"github.com/hearthfn/hearth/invoker/pull"
	"github.com/hearthfn/hearth/invoker/scaling"
	"github.com/hearthfn/hearth/invoker/schedule"
	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// A delivery runs functions without a waiting caller: for stored events, for sources that are
// polled, and by the clock. By the clock it also changes how many are kept initialised. It begins with the first settings, follows the settings in force,
// and ends with the engine.
type delivery struct {
	invoker   *invoker.Invoker
	puller    *pull.Engine
	scheduler *schedule.Engine
	scaler    *scaling.Scaler
	clock     *clock
}

// deliver makes events, sources and schedules follow a setup, which is the current one. It
// needs mu.
func (e *Engine) deliver(s *Setup) error {
	e.spans.Store(s.Spans)
	d := e.delivery.Load()
	if d != nil {
		d.invoker.Reconfigure(s.Async)
		d.puller.Reconfigure()
	} else {
		var err error
		if d, err = e.startDelivery(s); err != nil {
			return err
		}
		e.delivery.Store(d)
	}
	d.scheduler.Set(context.Background(), ownConfiguration, s.Schedules)
	return nil
}

func (e *Engine) startDelivery(s *Setup) (*delivery, error) {
	i, err := invoker.New(context.Background(), invoker.Config{
		Store: e.records, Runner: e, Lookup: e, Sender: e, Account: s.Account, Log: s.Log, Limits: s.Async, Spans: e.spans.Load,
	})
	if err != nil {
		return nil, err
	}
	if err := i.Start(); err != nil {
		return nil, err
	}
	p := pull.New(pull.Config{
		Registry: func() *registry.Registry { return e.current.Load().registry }, Store: e.records, Runner: e, Sender: puller{e},
		Clients: func() pull.Clients { return e.current.Load().services }, Account: s.Account, Log: s.Log, Spans: e.spans.Load,
	})
	if err := p.Start(); err != nil {
		ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
		defer cancel()
		i.Close(ctx)
		return nil, err
	}
	scaler, err := scaling.New(scaling.Config{Store: scaling.Store{Records: e.records}, Node: s.nodeName(), Functions: e.scaled, Log: s.Log})
	if err != nil {
		ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
		defer cancel()
		p.Close(ctx)
		i.Close(ctx)
		return nil, err
	}
	ticks := schedule.New(schedule.Config{Store: e.records, Pusher: ticker{e}, Account: s.Account, Log: s.Log})
	return &delivery{i, p, ticks, scaler, newClock(e, ticks)}, nil
}

// Invoke implements warmpool.Runner, for callers who do not wait, by the settings in force.
func (e *Engine) Invoke(ctx context.Context, call *environment.Call) error {
	s := e.current.Load()
	if s.isRemote(call.Function) {
		return s.services.Gateway.Invoke(ctx, call)
	}
	return s.catalog.Invoke(ctx, call)
}

// Settings implements invoker.SettingsLookup.
func (e *Engine) Settings(ctx context.Context, name, qualifier string) (invoker.Settings, error) {
	s := e.current.Load()
	if f := s.functions[name]; f != nil {
		return f.Events, nil
	}
	settings := invoker.Settings{MaxRetries: invoker.DefaultMaxRetries, MaxAge: invoker.DefaultMaxAge}
	if s.isRemote(name) {
		return settings, nil
	}
	version, err := s.registry.Resolve(ctx, name, qualifier)
	if err != nil {
		return settings, err
	}
	// The version that runs must be the one that these settings belong to. An alias with
	// weights could resolve to the other version if it were resolved again.
	settings.DeadLetter, settings.Runner = version.DeadLetterTarget, s.catalog.Of(version)
	c, err := s.registry.EventConfig(ctx, name, qualifier)
	if err != nil {
		return settings, err
	}
	settings.OnSuccess, settings.OnFailure = c.OnSuccess, c.OnFailure
	if c.MaximumRetryAttempts != nil {
		settings.MaxRetries = *c.MaximumRetryAttempts
	}
	if c.MaximumEventAgeInSeconds != nil {
		settings.MaxAge = time.Duration(*c.MaximumEventAgeInSeconds) * time.Second
	}
	return settings, nil
}

// Push stores events. It returns nil when all of them will be delivered, whatever happens to
// this process. Until the first settings are applied the error is warmpool.ErrClosed. Later
// the errors are those of invoker.Invoker.
func (e *Engine) Push(ctx context.Context, messages ...*invoker.Message) error {
	d := e.delivery.Load()
	if d == nil {
		return fmt.Errorf("the server is starting: %w", warmpool.ErrClosed)
	}
	return d.invoker.Push(ctx, messages...)
}

// Send implements invoker.Sender.
func (e *Engine) Send(ctx context.Context, to string, d *invoker.Delivery) error {
	s := e.current.Load()
	if !strings.HasPrefix(to, services.LambdaARN) {
		return s.services.Send(ctx, to, d)
	}
	// The destination is a function. It is invoked with the record, asynchronously.
	name, qualifier, err := s.Account.Parse(to)
	if err != nil {
		return err
	}
	if qualifier == "" {
		qualifier = function.Latest
	}
	if err := s.CheckTarget(ctx, name, qualifier); err != nil {
		return err
	}
	return e.Push(ctx, &invoker.Message{RequestID: function.NewRequestID(), Function: name, Qualifier: qualifier, TraceID: d.Trace, Payload: d.Body})
}

// A puller sends the records of pollers to destinations.
type puller struct{ engine *Engine }

// Send implements pull.Sender.
func (p puller) Send(ctx context.Context, destination string, d *pull.Delivery) error {
	return p.engine.Send(ctx, destination, &invoker.Delivery{Body: d.Body, Folder: d.Folder, Trace: d.Trace})
}

// A ticker stores the events of ticks.
type ticker struct{ engine *Engine }

// PushTick implements schedule.Pusher.
func (t ticker) PushTick(ctx context.Context, e *schedule.Event) error {
	return t.engine.Push(ctx, &invoker.Message{
		RequestID: e.RequestID, Function: e.Function, Qualifier: e.Qualifier, Source: "schedule", Payload: e.Payload, Once: e.Once, OnceFor: e.OnceFor,
	})
}

var (
	_ warmpool.Runner        = (*Engine)(nil)
	_ invoker.SettingsLookup = (*Engine)(nil)
	_ invoker.Sender         = (*Engine)(nil)
	_ pull.Sender            = puller{}
	_ schedule.Pusher        = ticker{}
)
