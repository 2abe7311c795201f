package insights

import (
	"encoding/base64"
	"strings"

	"github.com/hearthfn/hearth/warmpool/logs"
)

// Pointer is the @ptr of an event: the group as @log has it, and its place.
func Pointer(group string, at logs.Position) string {
	return base64.RawURLEncoding.EncodeToString([]byte(at.String() + " " + group))
}

// ParsePointer reads what Pointer made.
func ParsePointer(pointer string) (group string, at logs.Position, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(pointer)
	position, group, ok := strings.Cut(string(b), " ")
	if err != nil || !ok {
		return "", at, false
	}
	at, err = logs.ParsePosition(position)
	return group, at, err == nil
}

// Describe returns all fields of an event that GetLogRecord tells of.
func Describe(e logs.Event, group, text string) map[string]string {
	r := logs.Record{Millis: e.Time.UnixMilli(), Stream: e.Stream, RequestID: e.RequestID, Message: e.Message, Position: e.Position}
	of := &event{record: &r, text: text, group: group}
	fields := make(map[string]string)
	for _, name := range []string{
		"@timestamp", "@ingestionTime", "@message", "@logStream", "@log", "@ptr", "@requestId", "@type", "@duration", "@billedDuration",
		"@initDuration", "@memorySize", "@maxMemoryUsed",
	} {
		if v := discover(name)(of); v.kind == moment {
			fields[name] = numberOf(v.number).String()
		} else if v.kind != none {
			fields[name] = v.String()
		}
	}
	return fields
}
