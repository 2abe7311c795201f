package warmpool

import (
	"time"

	"github.com/hearthfn/hearth/warmpool/environment"
)

// A pace knows how long a function's calls take. It decides whether, and how
// many, calls may be written ahead to one environment. Both figures move over
// the last 16 calls or so.
type pace struct {
	mean  time.Duration // of calls, each counted with longCall at most
	long  float64       // share of calls that took longCall or more
	calls int
}

const (
	// shortCall: a function whose calls take longer on average gains nothing
	// from frames written ahead, the gateway's wake-up is small beside them.
	shortCall = time.Millisecond
	// longCall: what takes this long is not what the function usually does, or
	// the machine was busy with something else meanwhile.
	longCall = 2 * time.Millisecond
	// longShare of long calls is too much: too often those behind are taken back.
	longShare = 1.0 / 8
	// aheadTime is how long the calls written ahead to an environment may take
	// altogether, so how long the last of them waits.
	aheadTime = 2 * time.Millisecond
	// cycle is what a call costs the runtime beside the handler, about.
	cycle = 15 * time.Microsecond
	// aheadMost keeps some room in the pipe.
	aheadMost = environment.MaxAhead - 4
)

// observe counts a call in. A single long call among short ones changes little,
// however long it was: those behind it are taken back, and a machine that is
// short of cores makes some calls long. Two in a row stop writing ahead for a
// few calls.
func (p *pace) observe(d time.Duration) {
	const weight = 16
	isLong := 0.0
	if d >= longCall {
		d, isLong = longCall, 1
	}
	if p.calls == 0 {
		p.mean, p.long = d, isLong
	}
	p.calls++
	p.mean += (d - p.mean) / weight
	p.long += (isLong - p.long) / weight
}

func (p *pace) short() bool { return p.calls >= 4 && p.mean < shortCall && p.long < longShare }

// ahead is how many calls may be with one environment.
func (p *pace) ahead() int {
	return max(1, min(aheadMost, int(aheadTime/(p.mean+cycle))))
}
