package bus

import (
	"encoding/json"
	"time"
)

// An Event is an event as EventBridge's targets get it.
// https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
type Event struct {
	Version    string          `json:"version"`
	ID         string          `json:"id"`
	DetailType string          `json:"detail-type"`
	Source     string          `json:"source"`
	Account    string          `json:"account"`
	Time       string          `json:"time"`
	Region     string          `json:"region"`
	Resources  []string        `json:"resources"`
	Detail     json.RawMessage `json:"detail"`
}

// Stamp writes a time as events have it, to the second.
func Stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Encode writes the event.
func (e *Event) Encode() []byte {
	if e.Resources == nil {
		e.Resources = []string{}
	}
	text, err := json.Marshal(e)
	if err != nil {
		panic(err) // Detail was read as JSON
	}
	return text
}

// A Dispatch is an event on its way to one target.
type Dispatch struct {
	ID      string    // of the event, which is the request ID of all attempts
	To      string    // ARN of the target
	Payload []byte    // JSON
	Since   time.Time // its age counts from

	// Service is who sends, such as events.amazonaws.com, and Source the ARN of the rule or
	// the schedule.
	Service, Source string
	// Role is the ARN of the role by which the target is called; "": the target's own policy
	// must allow it.
	Role string
	// RoleHere: the role was here when the target was given it. If it is gone, the target is not called.
	RoleHere bool
	Trace    string // X-Amzn-Trace-Id; "": none
	// GroupID is the message group in a FIFO queue; "": none.
	GroupID string

	Retry      Retry
	DeadLetter string            // ARN of a queue that gets the event if the target does not; "": none
	Attributes map[string]string // of the message in the dead-letter queue, beside those that say why

	// Once and OnceFor have a second dispatch of that name within that time recognised.
	Once    string
	OnceFor time.Duration
}

// Retry bounds how often a target is tried again.
type Retry struct {
	MaximumRetryAttempts     *int `json:",omitempty"` // default 185
	MaximumEventAgeInSeconds *int `json:",omitempty"` // default a day
}

// Tries is how often a target is tried again at most.
func (r *Retry) Tries() int {
	if r.MaximumRetryAttempts == nil {
		return 185
	}
	return *r.MaximumRetryAttempts
}

// Age is how old an event gets at most.
func (r *Retry) Age() time.Duration {
	if r.MaximumEventAgeInSeconds == nil {
		return 24 * time.Hour
	}
	return time.Duration(*r.MaximumEventAgeInSeconds) * time.Second
}
