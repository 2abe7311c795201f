package invoker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"
)

// MaxPayload is Lambda's limit of an asynchronous event, in bytes.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const MaxPayload = 1 << 20

// A Message is one event on its way to one function.
type Message struct {
	RequestID     string    `json:"id"` // of all attempts
	Function      string    `json:"function"`
	Qualifier     string    `json:"qualifier"`           // a version, an alias or $LATEST
	Qualified     bool      `json:"qualified,omitempty"` // the caller named Qualifier: it did not just stand for none
	Accepted      time.Time `json:"accepted"`
	TraceID       string    `json:"trace,omitempty"`   // X-Amzn-Trace-Id
	ClientContext string    `json:"context,omitempty"` // JSON
	Source        string    `json:"source,omitempty"`  // of a pushed event: s3, github ...
	Subject       string    `json:"subject,omitempty"` // what it is about: BUCKET/KEY
	// Order, if set, is common to events that run one after the other.
	Order string `json:"order,omitempty"`
	// Relay, if set, is where the message goes instead of to Function, which is RelayGroup then.
	Relay *Relay `json:"relay,omitempty"`

	Payload []byte `json:"-"` // JSON

	// Once and OnceFor have a second message of that name within that time
	// recognised, and not run.
	Once    string        `json:"-"`
	OnceFor time.Duration `json:"-"`
}

// errMessage says that an entry of the queue is not one of ours.
var errMessage = errors.New("malformed queue entry")

// format is the first byte of an entry.
const format = 1

// encode is a message as it is stored: the format, a line of JSON, the payload.
func (m *Message) encode() ([]byte, error) {
	head, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	body := make([]byte, 0, 2+len(head)+len(m.Payload))
	body = append(body, format)
	body = append(append(body, head...), '\n')
	return append(body, m.Payload...), nil
}

func decode(body []byte) (*Message, error) {
	if len(body) == 0 || body[0] != format {
		return nil, fmt.Errorf("%w: of an unknown format", errMessage)
	}
	head, payload, found := bytes.Cut(body[1:], []byte{'\n'})
	m := new(Message)
	if !found || json.Unmarshal(head, m) != nil || m.Function == "" {
		return nil, errMessage
	}
	m.Payload = payload
	return m, nil
}

// groups begin the names of ours in the queue.
const groups = "async/"

// orderedGroups is over how many groups the ordered events of a function are spread: so many
// run at once, and a failing one holds up so small a part of the others.
const orderedGroups = 64

// group is where a message waits.
func (m *Message) group() string {
	if m.Order == "" {
		return groups + m.Function
	}
	h := fnv.New32a()
	h.Write([]byte(m.Order))
	return fmt.Sprintf("%s%s/%02d", groups, m.Function, h.Sum32()%orderedGroups)
}

// functionOf is the function of a group, and whether its events are ordered; "" for
// groups that are not ours.
func functionOf(group string) (function string, ordered bool) {
	name, ours := strings.CutPrefix(group, groups)
	if !ours {
		return "", false
	}
	function, _, ordered = strings.Cut(name, "/")
	return function, ordered
}
