package push

import (
	"strings"
	"time"
)

// envelope wraps a webhook's body as EventBridge does with what its partners send, so
// that a function, and patterns, find the kind of the event.
// https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
func envelope(id, source, detailType, region string, at time.Time, detail any) ([]byte, error) {
	return encodeJSON(object{
		"version": "0", "id": id, "detail-type": detailType, "source": source,
		"account": "000000000000", "time": at.UTC().Format("2006-01-02T15:04:05Z"),
		"region": region, "resources": []any{}, "detail": detail,
	})
}

// isToken accepts what may stand in names and IDs of headers: visible ASCII.
func isToken(s string, most int) bool {
	return s != "" && len(s) <= most && strings.IndexFunc(s, func(c rune) bool { return c <= ' ' || c > '~' }) < 0
}
