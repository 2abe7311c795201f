package warmpool

import (
	"time"

	"github.com/hearthfn/hearth/warmpool/environment"
)

// A pace knows how long a function's calls take. It decides whether, and how
// many, calls may be written ahead to one environment.
type pace struct {
	mean  time.Duration // moving average over the last 16 calls or so
	calls int
}

const (
	// shortCall: a function whose calls take longer on average gains nothing
	// from frames written ahead, the gateway's wake-up is small beside them.
	shortCall = time.Millisecond
	// aheadTime is how long the calls written ahead to an environment may take
	// altogether, so how long the last of them waits.
	aheadTime = 2 * time.Millisecond
	// cycle is what a call costs the runtime beside the handler, about.
	cycle = 15 * time.Microsecond
	// aheadMost keeps some room in the pipe.
	aheadMost = environment.MaxAhead - 4
)

// observe counts a call in. One long call among short ones raises the average
// enough to stop writing ahead for some tens of calls.
func (p *pace) observe(d time.Duration) {
	if p.calls == 0 {
		p.mean = d
	}
	p.calls++
	p.mean += (d - p.mean) / 16
}

func (p *pace) short() bool { return p.calls >= 4 && p.mean < shortCall }

// ahead is how many calls may be with one environment.
func (p *pace) ahead() int {
	return max(1, min(aheadMost, int(aheadTime/(p.mean+cycle))))
}
