package caddymodule

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hearthfn/hearth/caddymodule/lambdaapi"
	"github.com/hearthfn/hearth/invoker"
	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// Async says how events are delivered: those of Invoke with type Event and those that
// sources push.
type Async struct {
	// How many events of one function run at once at most. Default: twice the number
	// of cores, 4 at least.
	PerFunction int `json:"per_function,omitempty"`
	// How many events run at once in all. Default: 8 times the number of cores, 16 at
	// least.
	Concurrency int `json:"concurrency,omitempty"`
	// How many events may wait; more are refused with 503, or 429 by the Lambda API.
	// Default: 1,000,000.
	MaxWaiting int `json:"max_waiting,omitempty"`
}

// FunctionAsync is what becomes of the events of a function of the configuration.
type FunctionAsync struct {
	// How often an event is tried again after the function failed: 0 to 2, after one
	// and two minutes. Default: 2.
	Retries *int `json:"retries,omitempty"`
	// How old an event may become, 1m to 6h. Default: 6h.
	MaxAge caddy.Duration `json:"max_age,omitempty"`
	// Where a record of each result goes: the ARN of a function, an SQS queue, an SNS
	// topic or an S3 bucket, or a URL. Default: nowhere.
	OnSuccess string `json:"on_success,omitempty"`
	// Where a record of each event that is given up goes. Default: it is kept aside,
	// see `caddy hearth events`.
	OnFailure string `json:"on_failure,omitempty"`
}

// Limits of settings, as Lambda has them.
// https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html
const (
	maxRetries = 2
	minMaxAge  = time.Minute
	maxMaxAge  = 6 * time.Hour
)

func (f *FunctionAsync) check(name string) error {
	if f.Retries != nil && (*f.Retries < 0 || *f.Retries > maxRetries) {
		return fmt.Errorf("function %q: async: retries %d: 0 to %d are allowed", name, *f.Retries, maxRetries)
	}
	if age := time.Duration(f.MaxAge); age != 0 && (age < minMaxAge || age > maxMaxAge) {
		return fmt.Errorf("function %q: async: max_age %s: %s to %s are allowed", name, age, minMaxAge, maxMaxAge)
	}
	for _, to := range []string{f.OnSuccess, f.OnFailure} {
		if to == "" {
			continue
		}
		if err := checkDestination(to); err != nil {
			return fmt.Errorf("function %q: async: %w", name, err)
		}
	}
	return nil
}

func (f *FunctionAsync) settings() invoker.Settings {
	s := invoker.Settings{
		MaxRetries: invoker.DefaultMaxRetries, MaxAge: cmp.Or(time.Duration(f.MaxAge), invoker.DefaultMaxAge),
		OnSuccess: f.OnSuccess, OnFailure: f.OnFailure,
	}
	if f.Retries != nil {
		s.MaxRetries = *f.Retries
	}
	return s
}

func (a *Async) limits() invoker.Limits {
	return invoker.Limits{PerFunction: a.PerFunction, Concurrency: a.Concurrency, MaxWaiting: a.MaxWaiting}
}

// deliverBy has events run by the functions of a configuration that starts.
func (s *Engine) deliverBy(a *App) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current.Store(a)
	if s.invoker != nil {
		s.invoker.Reconfigure(a.Async.limits())
		return s.pollAndSchedule(a)
	}
	i, err := invoker.New(context.Background(), invoker.Config{
		Store: s.records, Runner: s, Book: s, Sender: s, Account: a.account(), Log: a.log, Limits: a.Async.limits(),
	})
	if err != nil {
		return err
	}
	if err := i.Start(); err != nil {
		return err
	}
	s.invoker = i
	return s.pollAndSchedule(a)
}

// pollAndSchedule has the sources and schedules of a configuration run, too.
func (s *Engine) pollAndSchedule(a *App) error {
	if err := s.pullBy(a); err != nil {
		return err
	}
	s.scheduleBy(a)
	return errors.Join(a.registerMetrics(s.invoker.Metrics()), a.registerMetrics(s.puller.Metrics()), a.registerMetrics(s.scheduler.Metrics()))
}

func (a *App) registerMetrics(c prometheus.Collector) error {
	err := a.ctx.GetMetricsRegistry().Register(c)
	if errors.As(err, new(prometheus.AlreadyRegisteredError)) {
		return nil
	}
	return err
}

// Invoke implements invoker.Runner by the configuration that is current.
func (s *Engine) Invoke(ctx context.Context, m *invoker.Message, call *environment.Call) error {
	a := s.current.Load()
	if a == nil {
		return warmpool.ErrClosed // between two configurations, or at the end
	}
	if a.isElsewhere(m.Function) {
		return a.services.gateway.Invoke(ctx, m, call)
	}
	return a.catalog.Invoke(ctx, m.Function, m.Qualifier, call)
}

// isElsewhere reports whether a function is the gateway's.
func (a *App) isElsewhere(name string) bool {
	return a.services.gateway != nil && a.Functions[name] == nil
}

// Settings implements invoker.Book.
func (s *Engine) Settings(ctx context.Context, name, qualifier string) (invoker.Settings, error) {
	a := s.current.Load()
	if a == nil {
		return invoker.Settings{}, warmpool.ErrClosed
	}
	if f := a.Functions[name]; f != nil {
		return f.Async.settings(), nil
	}
	settings := (&FunctionAsync{}).settings()
	if a.isElsewhere(name) {
		return settings, nil
	}
	version, err := a.registry.Resolve(ctx, name, qualifier)
	if err != nil {
		return settings, err
	}
	settings.DeadLetter = version.DeadLetterTarget
	c, err := a.registry.InvokeConfig.Read(ctx, name, qualifier)
	if errors.Is(err, registry.ErrNotFound) {
		return settings, nil
	}
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

// Push implements lambdaapi.Queue.
func (s *Engine) Push(ctx context.Context, e lambdaapi.Event) error {
	i := s.delivers()
	if i == nil {
		return warmpool.ErrClosed
	}
	err := i.Push(ctx, &invoker.Message{
		RequestID: e.RequestID, Function: e.Function, Qualifier: cmp.Or(e.Qualifier, function.Latest), TraceID: e.TraceID,
		ClientContext: e.ClientContext, Payload: e.Payload, Qualified: e.Qualifier != "",
	})
	if errors.Is(err, invoker.ErrFull) {
		return &lambdaapi.Exception{Name: "TooManyRequestsException", Message: "Rate Exceeded.", Reason: "CallerRateLimitExceeded"}
	}
	return err
}

// delivers is the invoker, nil before the first start.
func (s *Engine) delivers() *invoker.Invoker {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.invoker
}

var (
	_ invoker.Runner  = (*Engine)(nil)
	_ invoker.Book    = (*Engine)(nil)
	_ invoker.Sender  = (*Engine)(nil)
	_ lambdaapi.Queue = (*Engine)(nil)
)
