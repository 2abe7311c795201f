package invoker

import (
	"context"
	"time"

	"github.com/hearthfn/hearth/warmpool"
)

// Defaults of Settings, as Lambda has them.
// https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html
const (
	DefaultMaxRetries = 2
	DefaultMaxAge     = 6 * time.Hour
)

// Settings say what becomes of a function's events.
type Settings struct {
	MaxRetries int           // after errors of the function: 0, 1 or 2
	MaxAge     time.Duration // an event that is older is given up
	OnSuccess  string        // destination of what it returned; "": none
	OnFailure  string        // destination of events that are given up; "": see DeadLetter
	DeadLetter string        // gets the event alone; "": none

	// Runner runs one attempt by what the settings were found for. nil: the invoker's does,
	// which finds it itself.
	Runner warmpool.Runner
}

// A SettingsLookup finds the settings of functions.
type SettingsLookup interface {
	// Settings returns the settings of a qualifier of a function, for one attempt.
	// registry.ErrNotFound says that the function does not exist, any more or yet.
	Settings(ctx context.Context, name, qualifier string) (Settings, error)
}

// retryDelay is how long an event waits after its attempt failed.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
func retryDelay(attempt int) time.Duration { return time.Duration(max(attempt, 1)) * time.Minute }

// Waits of a line whose function cannot be had: throttled, or this node cannot start
// it. They are no attempts.
const (
	minPause = time.Second
	maxPause = 5 * time.Minute
)
