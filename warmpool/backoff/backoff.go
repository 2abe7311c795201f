// Package backoff says how long to wait before something that has failed is tried again.
package backoff

import "time"

// A Backoff is a wait that doubles with each failure in a row.
type Backoff struct {
	First time.Duration // after one failure
	Most  time.Duration // after many
}

// After is the wait after so many failures in a row. One is the least.
func (b Backoff) After(failures int) time.Duration {
	wait := b.First
	for ; failures > 1 && wait < b.Most; failures-- {
		wait *= 2
	}
	return min(wait, b.Most)
}
