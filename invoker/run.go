package invoker

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool"
	"github.com/hearthfn/hearth/warmpool/environment"
	"github.com/hearthfn/hearth/warmpool/function/registry"
	"github.com/hearthfn/hearth/warmpool/state"
	"github.com/hearthfn/hearth/warmpool/trace"
)

// A run is one attempt to deliver one event.
type run struct {
	invoker  *Invoker
	line     *line
	event    *leasedEvent
	message  *Message
	settings Settings
	call     *environment.Call
	attempts int  // with this one, once it counts
	answered bool // the function has, with a result or an error
}

// A verdict says what is wrong with an event that is buried, stored as its note.
type verdict struct {
	Condition string `json:"condition"`
	Error     string `json:"error,omitempty"`
}

// run delivers an event and ends its lease.
func (i *Invoker) run(l *line, e *leasedEvent) {
	r := &run{invoker: i, line: l, event: e, attempts: e.Attempts}
	if err := r.deliver(); err != nil {
		r.endFailed(err)
	}
}

// endFailed is for a lease whose end could not be written.
func (r *run) endFailed(err error) {
	i, name := r.invoker, zap.String("function", r.line.function)
	switch {
	case errors.Is(err, state.ErrLeaseLost):
		// Somebody else has the lease now; functions must tolerate an event twice.
		i.Log.Warn("the lease of an event was lost", name, zap.Error(err))
	case i.work.Err() == nil:
		i.Log.Error("an event could not be settled: it is delivered again", name, zap.Error(err))
	}
	i.forgetLease(r.line, r.event)
}

// deliver returns an error only when the end of the lease could not be written.
func (r *run) deliver() error {
	i := r.invoker
	var err error
	if r.message, err = decode(r.event.Body); err != nil {
		return r.bury(verdict{Condition: "Malformed", Error: err.Error()})
	}
	m := r.message
	if m.Relay != nil {
		return r.relay(m.Relay)
	}
	if r.settings, err = i.Lookup.Settings(i.work, m.Function, m.Qualifier); err != nil {
		return r.unavailable(err)
	}
	if p := readNote(r.event.Note).Pending; p != nil {
		return r.resume(p)
	}
	if r.age() > r.settings.MaxAge {
		return r.fail(ConditionAge, "the event is older than "+r.settings.MaxAge.String())
	}
	i.metrics.delivered(m.Function, time.Since(m.Accepted))
	if err := r.invoke(); err != nil {
		return r.unavailable(err)
	}
	i.resetPauses(r.line)
	r.answered = true
	r.attempts++
	if r.call.Outcome == environment.OutcomeResult {
		return r.finish(ConditionSuccess, "")
	}
	if r.attempts > r.settings.MaxRetries {
		return r.fail(ConditionRetries, errorMessage(r.call.Payload))
	}
	delay := retryDelay(r.attempts)
	if r.age()+delay > r.settings.MaxAge {
		return r.fail(ConditionAge, errorMessage(r.call.Payload))
	}
	return r.again(delay, errorMessage(r.call.Payload))
}

// invoke runs the function. Errors are not the function's own.
func (r *run) invoke() (err error) {
	i, m := r.invoker, r.message
	r.call = environment.NewCall()
	r.call.Function, r.call.Qualifier, r.call.RequestID, r.call.ClientContext = m.Function, m.Qualifier, m.RequestID, m.ClientContext
	arn := i.Account.InvokedARN(m.Function, m.Qualifier)
	if m.Qualified {
		arn = i.Account.ARN(m.Function, m.Qualifier)
	}
	ctx, work := i.Spans.Source().Begin(i.work, "deliver", m.Function, "pubsub", "", []string{m.TraceID})
	defer func() { work.End(r.failure(err)) }()
	r.call.TraceID, r.call.Runs = trace.Next(work.Header(m.TraceID), i.Account.Key(m.Function))
	m.TraceID = r.call.TraceID // of this attempt; destinations get it
	if err := r.call.Begin(arn); err != nil {
		return err
	}
	r.call.Frame = append(r.call.Frame, m.Payload...)
	runner := r.settings.Runner
	if runner == nil {
		runner = i.Runner
	}
	err = runner.Invoke(ctx, r.call)
	var failed *environment.InitError
	if errors.As(err, &failed) {
		// Lambda counts an init phase that fails as the function's error.
		r.call.Outcome, r.call.Payload = environment.OutcomeError, append(r.call.Payload[:0], failed.Payload...)
		return nil
	}
	return err
}

// failure is what a span says of an attempt; "" for success.
func (r *run) failure(err error) string {
	switch {
	case err != nil:
		return err.Error()
	case r.call.Outcome != environment.OutcomeResult:
		return "the function failed"
	}
	return ""
}

// unavailable ends the attempt of an event whose function did not run.
func (r *run) unavailable(err error) error {
	i := r.invoker
	var throttled *warmpool.ThrottledError
	switch {
	case errors.Is(err, context.Canceled) && i.work.Err() != nil:
		return nil // the process ends: the lease does so too
	case errors.Is(err, registry.ErrNotFound):
		return r.bury(verdict{Condition: "FunctionNotFound", Error: err.Error()})
	case errors.As(err, &throttled) && throttled.Off:
		return r.fail(ConditionZero, err.Error())
	case errors.As(err, new(*warmpool.LoopError)):
		return r.fail(ConditionLoop, err.Error())
	}
	if errors.As(err, &throttled) {
		i.metrics.count(i.metrics.throttles, r.line.function)
	} else if !errors.Is(err, warmpool.ErrClosed) {
		i.Log.Warn("an event's function cannot be run now", zap.String("function", r.line.function), zap.Error(err))
	}
	if r.message != nil && r.settings.MaxAge > 0 && r.age() > r.settings.MaxAge {
		return r.fail(ConditionAge, err.Error())
	}
	i.requeue(r.line, r.event)
	return nil
}

// since is when the event came, or was replayed: it is due since then at its first
// attempt, and later ones have it in their note.
func (r *run) since() time.Time {
	if n := readNote(r.event.Note); n.Since.After(r.message.Accepted) {
		return n.Since
	}
	if r.event.Attempts == 0 && r.event.At.After(r.message.Accepted) {
		return r.event.At
	}
	return r.message.Accepted
}

func (r *run) age() time.Duration { return time.Since(r.since()) }

// again gives the event back until its next attempt.
func (r *run) again(delay time.Duration, reason string) error {
	i := r.invoker
	i.metrics.count(i.metrics.retries, r.message.Function)
	reason = cut(reason, maxReason)
	i.Log.Warn("an event failed: it is tried again", zap.String("function", r.message.Function), zap.String("request_id", r.message.RequestID),
		zap.Int("attempt", r.attempts), zap.Duration("retry_in", delay), zap.String("error", reason))
	next := note{Error: reason}
	if since := r.since(); since.After(r.message.Accepted) {
		next.Since = since
	}
	text, err := json.Marshal(next)
	if err != nil {
		return err
	}
	i.mu.Lock()
	r.event.Attempts, r.event.Note = r.attempts, text
	i.mu.Unlock()
	if r.message.Order != "" {
		err = i.retryInOrder(r.line, r.event, delay)
		i.forgetLease(r.line, r.event)
		return err
	}
	lease := i.leaseOf(r.event)
	lease.At = time.Now().Add(delay)
	err = i.Store.Retry(i.work, lease)
	i.forgetLease(r.line, r.event)
	i.nudge() // the dispatcher learns when it is due
	return err
}

// fail gives an event up: it goes to the destination of its function, or is put aside.
func (r *run) fail(condition, reason string) error {
	r.invoker.metrics.drop(r.message.Function, condition)
	if r.settings.DeadLetter != "" || r.settings.OnFailure != "" { // else bury says it
		r.invoker.Log.Warn("an event is given up: its destination is told", zap.String("function", r.message.Function), zap.String("request_id", r.message.RequestID),
			zap.String("condition", condition), zap.Int("attempt", r.attempts), zap.String("error", cut(reason, maxReason)))
	}
	return r.finish(condition, reason)
}

// done removes the event. The worker does not wait until the removal would survive a crash,
// because that takes longer than many functions do. The number of leases bounds how many
// removals are under way. The worker waits for the removal of an ordered event: otherwise the
// first event could run again after the second if this process crashed.
func (r *run) done() error {
	if r.message.Order != "" {
		return r.remove()
	}
	r.invoker.all.Go(func() {
		if err := r.remove(); err != nil {
			r.endFailed(err)
		}
		r.invoker.nudge() // there is room to lease another
	})
	return nil
}

func (r *run) remove() error {
	i := r.invoker
	lease := i.leaseOf(r.event)
	err := i.Store.Done(i.work, lease)
	// The event has run. While the store is away for a moment, no other node should run it.
	for errors.Is(err, state.ErrUnavailable) && time.Now().Before(lease.Until) && i.intake.Err() == nil {
		select {
		case <-time.After(leaseRetry):
		case <-i.intake.Done():
		}
		err = i.Store.Done(i.work, i.leaseOf(r.event))
	}
	i.forgetLease(r.line, r.event)
	if err == nil {
		i.waiting.Add(-1)
	}
	return err
}

// bury puts the event aside, where a person finds it.
func (r *run) bury(v verdict) error {
	i := r.invoker
	if i.work.Err() != nil {
		return nil // the process ends, and so does the attempt
	}
	v.Error = cut(v.Error, 4<<10)
	note, err := json.Marshal(v)
	if err != nil {
		return err
	}
	i.mu.Lock()
	r.event.Attempts, r.event.Note = r.attempts, note
	lease := r.event.Lease
	i.mu.Unlock()
	err = i.Store.Bury(i.work, lease)
	i.forgetLease(r.line, r.event)
	if err != nil {
		return err
	}
	i.waiting.Add(-1)
	i.metrics.count(i.metrics.buried, r.line.function)
	id := ""
	if r.message != nil {
		id = r.message.RequestID
	}
	i.Log.Warn("an event is given up and kept aside", zap.String("function", r.line.function), zap.String("request_id", id),
		zap.String("condition", v.Condition), zap.Int("attempt", r.attempts), zap.String("error", cut(v.Error, maxReason)))
	return nil
}

func cut(s string, most int) string { return s[:min(len(s), most)] }

// errorMessage is the message of a function's error.
func errorMessage(payload []byte) string {
	var e struct{ ErrorMessage string }
	if json.Unmarshal(payload, &e) == nil && e.ErrorMessage != "" {
		return e.ErrorMessage
	}
	return string(payload)
}
