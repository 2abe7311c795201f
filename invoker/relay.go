package invoker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/backoff"
)

// A Relay has a message go to a destination instead of to a function: to a queue that is the
// target of a rule, or to the dead-letter queue of a target.
type Relay struct {
	To         string            `json:"to"` // ARN
	Attributes map[string]string `json:"attributes,omitempty"`
	GroupID    string            `json:"group_id,omitempty"` // in a FIFO queue

	MaxTries int           `json:"max_tries"` // after the first
	MaxAge   time.Duration `json:"max_age"`   // 0: none
	// DeadLetter gets the message if To does not, with why in attributes; "": it is put aside.
	DeadLetter string `json:"dead_letter,omitempty"`
	// Why are attributes of the message in the dead-letter queue, beside those that say why.
	Why map[string]string `json:"why,omitempty"`
}

// RelayGroup is what stands for the function of messages that are relayed: those of one
// destination wait together.
func RelayGroup(to string) string {
	return "@" + strings.ReplaceAll(to[max(0, len(to)-120):], "/", "_")
}

// Pauses between the tries of a relay.
var relayPauses = backoff.Backoff{First: time.Second, Most: 10 * time.Minute}

// relay brings the message to its destination.
func (r *run) relay(to *Relay) error {
	i := r.invoker
	if r.event.Attempts > 0 && to.MaxAge > 0 && r.age() > to.MaxAge {
		return r.relayFailed(to, "MaximumEventAgeInSeconds", readNote(r.event.Note).Error)
	}
	err := r.relayOnce(to)
	if err == nil {
		return r.done()
	}
	if i.work.Err() != nil {
		return nil // the process ends, and so does the lease
	}
	if r.attempts++; errors.Is(err, ErrNoDestination) {
		return r.relayFailed(to, "", err.Error())
	}
	if r.attempts > to.MaxTries {
		return r.relayFailed(to, "MaximumRetryAttempts", err.Error())
	}
	return r.again(relayPauses.After(r.attempts), err.Error())
}

func (r *run) relayOnce(to *Relay) error {
	i := r.invoker
	if i.Sender == nil {
		return errNoSender
	}
	ctx, cancel := context.WithTimeout(i.work, handoverTimeout)
	defer cancel()
	err := i.Sender.Send(ctx, to.To, &Delivery{
		Body: r.message.Payload, Folder: "async/events", Trace: r.message.TraceID, Attributes: to.Attributes, GroupID: to.GroupID, Once: r.message.RequestID,
	})
	if err != nil {
		i.metrics.count(i.metrics.undelivered, r.message.Function)
	}
	return err
}

// relayFailed gives up: the message goes to its dead-letter queue, which is tried as the
// destination was, or is put aside.
func (r *run) relayFailed(to *Relay, condition, reason string) error {
	if to.DeadLetter == "" {
		return r.bury(verdict{"Undelivered", fmt.Sprintf("%s: %s", to.To, reason)})
	}
	letter := DeadLetter(to.DeadLetter, to.Why, "SDK_CLIENT_ERROR", reason)
	if condition != "" {
		letter.Attributes["EXHAUSTED_RETRY_CONDITION"] = condition
	}
	letter.Attributes["RETRY_ATTEMPTS"] = fmt.Sprint(max(r.attempts-1, 0))
	if r.invoker.Sender == nil {
		return r.bury(verdict{"Undelivered", reason})
	}
	m := *r.message
	m.Relay, m.Function = letter, RelayGroup(letter.To)
	m.Once, m.OnceFor = "relay/"+m.RequestID+"/"+to.To, time.Hour // this may run twice
	if err := r.invoker.Push(r.invoker.work, &m); err != nil {
		r.invoker.Log.Warn("a dead-letter queue cannot be told now", zap.String("request_id", m.RequestID), zap.Error(err))
		return r.again(relayPauses.After(r.attempts), reason)
	}
	return r.done()
}

// DeadLetter is a relay to the dead-letter queue of a target of EventBridge.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
func DeadLetter(queue string, more map[string]string, code, reason string) *Relay {
	attributes := map[string]string{"ERROR_CODE": code, "ERROR_MESSAGE": cut(reason, 1<<10)}
	for name, value := range more {
		attributes[name] = value
	}
	return &Relay{To: queue, Attributes: attributes, MaxTries: 12}
}
