package invoker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/environment"
)

// A pending says of an event that its function is done with it, and that a destination
// does not have it yet. It is the event's note meanwhile: a destination that is away holds
// up no other event, and the function does not run again.
type pending struct {
	Condition string          `json:"condition"`
	Reason    string          `json:"reason,omitempty"`
	Tries     int             `json:"tries"`
	Lettered  bool            `json:"lettered,omitempty"` // the dead-letter queue has it
	Answered  bool            `json:"answered,omitempty"`
	Version   string          `json:"version,omitempty"`
	Response  json.RawMessage `json:"response,omitempty"`
}

// A note is the data that a waiting event carries, apart from a verdict.
type note struct {
	Pending *pending  `json:"pending,omitempty"`
	Since   time.Time `json:"since,omitzero"`  // its age counts from, when it was replayed
	Error   string    `json:"error,omitempty"` // of the last attempt
}

// Deliveries to a destination that fail are tried again, after these pauses, before the
// event is buried.
var handoverPauses = []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute}

// maxReason is how many bytes of an event's error are stored and logged.
const maxReason = 1 << 10

// handoverTimeout bounds one delivery.
const handoverTimeout = 30 * time.Second

// maxResponse is how much of a response a note keeps; a note has 64 KB at most. If the
// destination was away at first, the record leaves out a larger response.
const maxResponse = 48 << 10

var errNoSender = fmt.Errorf("%w: it delivers to no destinations", ErrNoDestination)

// readNote is the note of an event that waits, empty if there is none.
func readNote(text []byte) note {
	var n note
	if len(text) == 0 || json.Unmarshal(text, &n) != nil {
		return note{}
	}
	return n
}

// resume hands an event over whose destination was away.
func (r *run) resume(p *pending) error {
	r.answered = p.Answered
	r.call = environment.NewCall()
	r.call.Version, r.call.Payload = p.Version, p.Response
	return r.handOver(p)
}

// finish hands the event over as its function's settings say, for the first time.
func (r *run) finish(condition, reason string) error {
	p := &pending{Condition: condition, Reason: cut(reason, 4<<10), Answered: r.answered}
	if r.call != nil {
		p.Version = r.call.Version
		if len(r.call.Payload) <= maxResponse && json.Valid(r.call.Payload) {
			p.Response = r.call.Payload
		}
	}
	return r.handOver(p)
}

// handOver brings the event to all of its destinations. Then it removes the event, or puts
// it aside if it has no destination.
func (r *run) handOver(p *pending) error {
	received := p.Condition == ConditionSuccess
	if to := r.settings.DeadLetter; to != "" && p.Condition != ConditionSuccess {
		received = true
		if !p.Lettered {
			letter := &Letter{RequestID: r.message.RequestID, ErrorCode: 200, ErrorMessage: cut(p.Reason, 1<<10)}
			if err := r.send(to, r.message.Payload, letter); err != nil {
				return r.postpone(p, fmt.Errorf("dead-letter queue: %w", err))
			}
			p.Lettered = true
		}
	}
	to := r.settings.OnFailure
	if p.Condition == ConditionSuccess {
		to = r.settings.OnSuccess
	}
	if to != "" {
		received = true
		body, err := r.record(p.Condition)
		if err == nil {
			err = r.send(to, body, nil)
		}
		if err != nil {
			return r.postpone(p, fmt.Errorf("destination: %w", err))
		}
	}
	if received {
		return r.done()
	}
	return r.bury(verdict{p.Condition, p.Reason})
}

// postpone has the event handed over later, or aside if that is no use any more.
func (r *run) postpone(p *pending, failure error) error {
	i := r.invoker
	if i.work.Err() != nil {
		return nil // the process ends, and so does the lease
	}
	if p.Tries == len(handoverPauses) || errors.Is(failure, ErrNoDestination) {
		condition := p.Condition
		if condition == ConditionSuccess {
			condition = "DestinationFailed"
		}
		return r.bury(verdict{condition, failure.Error()})
	}
	pause := handoverPauses[p.Tries]
	p.Tries++
	i.Log.Warn("a destination does not take an event: it is told again", zap.String("function", r.message.Function), zap.String("request_id", r.message.RequestID),
		zap.Int("attempt", p.Tries), zap.Duration("retry_in", pause), zap.Error(failure))
	text, err := json.Marshal(note{Pending: p, Error: cut(failure.Error(), maxReason)})
	if err != nil {
		return err
	}
	i.mu.Lock()
	r.event.At, r.event.Attempts, r.event.Note = time.Now().Add(pause), r.attempts, text
	lease := r.event.Lease
	i.mu.Unlock()
	err = i.Store.Retry(i.work, lease)
	i.forgetLease(r.line, r.event)
	i.nudge() // the dispatcher learns when it is due
	return err
}

func (r *run) send(to string, body []byte, letter *Letter) error {
	d := &Delivery{Body: body, Folder: "async/" + r.message.Function, Trace: r.message.TraceID, Letter: letter}
	i := r.invoker
	if i.Sender == nil {
		return errNoSender
	}
	ctx, cancel := context.WithTimeout(i.work, handoverTimeout)
	defer cancel()
	if err := i.Sender.Send(ctx, to, d); err != nil {
		i.metrics.count(i.metrics.undelivered, r.message.Function)
		return fmt.Errorf("%s: %w", to, err)
	}
	return nil
}
