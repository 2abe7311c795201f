package caddymodule

import (
	"cmp"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/hearthfn/hearth/caddymodule/engine/services"
	"github.com/hearthfn/hearth/invoker"
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
	// The destination for a record of each result: the ARN of a function, an SQS queue, an
	// SNS topic or an S3 bucket, or a URL. Default: none.
	OnSuccess string `json:"on_success,omitempty"`
	// The destination for a record of each event that is given up. Default: none; the
	// event is kept aside, see `caddy hearth events`.
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
		if err := services.CheckDestination(to); err != nil {
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
