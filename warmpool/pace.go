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
	// shortCall is the longest average call that gains from frames written ahead. For longer
	// calls the wake-up of the gateway is negligible.
	shortCall = time.Millisecond
	// longCall is the length from which a call is unusual for the function, or the machine
	// was busy with something else meanwhile.
	longCall = 2 * time.Millisecond
	// longShare is the share of long calls that is too much: the calls behind them are taken
	// back too often.
	longShare = 1.0 / 8
	// aheadTime is how long all calls written ahead to an environment may take together, which
	// is how long the last of them waits.
	aheadTime = 2 * time.Millisecond
	// cycle is about the time that a call takes in the runtime beside the handler.
	cycle = 15 * time.Microsecond
	// aheadMost keeps some room in the pipe.
	aheadMost = environment.MaxAhead - 4
)

// observe counts a call. A single long call among short ones changes little, however long
// it was: the calls behind it are taken back, and some calls are long on a machine that is
// short of cores. After two long calls in a row no frames are written ahead for a few calls.
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
