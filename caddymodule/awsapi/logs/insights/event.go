package insights

import (
	"regexp"
	"strings"

	"github.com/hearthfn/hearth/warmpool/logs"
)

// An event is a log event in a query.
type event struct {
	record   *logs.Record
	text     string // as CloudWatch has it
	group    string // "ACCOUNT:NAME"
	pointers *Pointers
}

// discover is how the field of a name is found in an event that no step has given it.
func discover(name string) func(*event) value {
	switch name {
	case "@timestamp", "@ingestionTime":
		return func(e *event) value { return momentOf(float64(e.record.Millis)) }
	case "@message":
		return func(e *event) value { return textOf(e.text) }
	case "@logStream":
		return func(e *event) value { return textOf(e.record.Stream) }
	case "@log":
		return func(e *event) value { return textOf(e.group) }
	case "@ptr":
		return func(e *event) value { return textOf(e.pointers.make(e.group, e.record.Position)) }
	case "@requestId":
		return func(e *event) value {
			if e.record.RequestID == "" {
				return value{}
			}
			return textOf(e.record.RequestID)
		}
	case "@type":
		return func(e *event) value {
			for _, t := range []string{"START", "END", "REPORT"} {
				if rest, ok := strings.CutPrefix(e.text, t); ok && strings.HasPrefix(rest, " RequestId: ") {
					return textOf(t)
				}
			}
			return value{}
		}
	case "@duration":
		return reported("\tDuration: ", 1)
	case "@billedDuration":
		return reported("\tBilled Duration: ", 1)
	case "@initDuration":
		return reported("\tInit Duration: ", 1)
	case "@memorySize":
		return reported("\tMemory Size: ", 1e6)
	case "@maxMemoryUsed":
		return reported("\tMax Memory Used: ", 1e6)
	case "@xrayTraceId":
		return reportedText("\tXRAY TraceId: ")
	case "@xraySegmentId":
		return reportedText("\tSegmentId: ")
	}
	key := name
	if strings.HasPrefix(name, "@") {
		// A field of JSON that begins with @ is written with another one.
		if key = name[1:]; !strings.HasPrefix(key, "@") {
			return func(*event) value { return value{} }
		}
	}
	return func(e *event) value { return jsonField(e.text, key) }
}

const reportPrefix = "REPORT RequestId: "

// reported finds a number in a REPORT line of Lambda's.
func reported(label string, unit float64) func(*event) value {
	find := reportedText(label)
	return func(e *event) value {
		n, ok := find(e).asNumber()
		if !ok {
			return value{}
		}
		return numberOf(n * unit)
	}
}

func reportedText(label string) func(*event) value {
	return func(e *event) value {
		if !strings.HasPrefix(e.text, reportPrefix) {
			return value{}
		}
		_, v, ok := strings.Cut(e.text, label)
		if !ok {
			return value{}
		}
		if end := strings.IndexAny(v, " \t\n"); end >= 0 {
			v = v[:end]
		}
		return textOf(v)
	}
}

// An extract is a parse command: a glob's literals, or a regular expression with the numbers of
// its groups.
type extract struct {
	of     node
	glob   []string
	regex  *regexp.Regexp
	groups []int
	slots  []int
}

func (x extract) apply(r *row) bool {
	for _, slot := range x.slots {
		r.set(slot, value{})
	}
	v := x.of.eval(r)
	if v.kind == none {
		return true
	}
	s := v.String()
	if x.regex != nil {
		if at := x.regex.FindStringSubmatchIndex(s); at != nil {
			for i, slot := range x.slots {
				if g := 2 * x.groups[i]; at[g] >= 0 {
					r.set(slot, textOf(s[at[g]:at[g+1]]))
				}
			}
		}
		return true
	}
	var room [8]string
	found := room[:0]
	i := strings.Index(s, x.glob[0])
	if i < 0 {
		return true
	}
	s = s[i+len(x.glob[0]):]
	for n, literal := range x.glob[1:] {
		if literal == "" && n == len(x.glob)-2 {
			found = append(found, strings.TrimSuffix(s, "\n"))
			break
		}
		i := strings.Index(s, literal)
		if i < 0 {
			return true
		}
		found = append(found, s[:i])
		s = s[i+len(literal):]
	}
	for i, slot := range x.slots {
		r.set(slot, textOf(found[i]))
	}
	return true
}
