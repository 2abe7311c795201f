package notification

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
)

// A Target is where the object store sends events, so that they come to this server: the ARN of a
// webhook or a topic that the store knows, or All.
type Target string

// All is the target of a store that sends all events without being asked.
const All Target = "all"

// Check says what is wrong with a target.
func (t Target) Check() error {
	parts := strings.SplitN(string(t), ":", 6)
	if t == All || len(parts) == 6 && parts[0] == "arn" && (parts[2] == "sqs" || parts[2] == "sns") && parts[5] != "" {
		return nil
	}
	return fmt.Errorf("notify %q: the ARN of a target of the store is wanted, such as arn:minio:sqs::HEARTH:webhook, or all for a store that sends all events by itself", string(t))
}

// mark is what the IDs of this server's entries at the store begin with, and bridge the ID of the
// one for EventBridge.
const (
	mark   = "hearth-function-"
	bridge = "hearth-eventbridge"
)

type xmlQueue struct {
	XMLName xml.Name
	ID      string     `xml:"Id"`
	Queue   string     `xml:"Queue,omitempty"`
	Topic   string     `xml:"Topic,omitempty"`
	Events  []string   `xml:"Event"`
	Filter  *xmlFilter `xml:"Filter,omitempty"`
}

// Merge makes the body that has the store send here what a bucket notifies of. has is what the store
// has: entries of others stay.
func (t Target) Merge(has []byte, set Set) ([]byte, error) {
	var in struct {
		XMLName xml.Name     `xml:"NotificationConfiguration"`
		Entries []xmlElement `xml:",any"`
	}
	if err := xml.Unmarshal(has, &in); err != nil {
		return nil, fmt.Errorf("the notification configuration of the store: %w", err)
	}
	out := struct {
		XMLName   xml.Name `xml:"NotificationConfiguration"`
		Namespace string   `xml:"xmlns,attr"`
		Entries   []any
	}{Namespace: namespace}
	for _, entry := range in.Entries {
		if !t.has(&entry) {
			entry.XMLName.Space = ""
			out.Entries = append(out.Entries, entry)
		}
	}
	sent := []string(nil) // anyway, of all objects: some stores send twice what two entries are for
	if set.EventBridge {
		sent = []string{"s3:ObjectCreated:*", "s3:ObjectRemoved:*"}
		out.Entries = append(out.Entries, t.entry(bridge, &Configuration{Events: sent}))
	}
	for _, c := range set.Configurations {
		c.Events = slices.DeleteFunc(slices.Clone(c.Events), func(name string) bool {
			return slices.ContainsFunc(sent, func(s string) bool { return covers(s, name) })
		})
		if len(c.Events) > 0 {
			out.Entries = append(out.Entries, t.entry(mark+c.ID, &c))
		}
	}
	return encode(&out), nil
}

// has reports whether an entry was made by this server, or another of its cluster: a server with
// another target has entries of its own.
func (t Target) has(e *xmlElement) bool {
	var inner struct {
		ID    string `xml:"Id"`
		Queue string
		Topic string
	}
	whole := slices.Concat([]byte("<entry>"), e.Inner, []byte("</entry>"))
	return xml.Unmarshal(whole, &inner) == nil && (strings.HasPrefix(inner.ID, mark) || inner.ID == bridge) && t.is(inner.Queue+inner.Topic)
}

// is reports whether an ARN is that of the target. MinIO writes its region into ARNs that have none.
func (t Target) is(arn string) bool {
	own, other := strings.SplitN(string(t), ":", 6), strings.SplitN(strings.TrimSpace(arn), ":", 6)
	if len(own) < 6 || len(other) < 6 {
		return false
	}
	own[3], other[3] = "", ""
	return slices.Equal(own, other)
}

func (t Target) entry(id string, c *Configuration) *xmlQueue {
	q := &xmlQueue{XMLName: xml.Name{Local: "QueueConfiguration"}, ID: id, Queue: string(t)}
	if strings.Contains(string(t), ":sns:") {
		q.XMLName.Local, q.Queue, q.Topic = "TopicConfiguration", "", string(t)
	}
	for n, name := range c.Events {
		others := slices.Delete(slices.Clone(c.Events), n, n+1)
		if !slices.Contains(c.Events[:n], name) && !slices.ContainsFunc(others, func(o string) bool { return o != name && covers(o, name) }) {
			q.Events = append(q.Events, name)
		}
	}
	for _, name := range []string{"prefix", "suffix"} {
		value := c.value(name)
		if value == "" {
			continue
		}
		if q.Filter == nil {
			q.Filter = &xmlFilter{Key: new(xmlKey)}
		}
		q.Filter.Key.Rules = append(q.Filter.Key.Rules, xmlRule{name, value})
	}
	return q
}
