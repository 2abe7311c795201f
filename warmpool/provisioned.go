package warmpool

import (
	"time"

	"github.com/hearthfn/hearth/warmpool/backoff"
)

// Provisioned environments are initialised ahead, as on Lambda. An environment that a call has
// started does not count as a provisioned one, and calls go to provisioned ones first. If the
// init phase of a provisioned one fails, callers do not get the error. Their calls start
// environments on demand.

// An ahead says how the starts of provisioned environments go.
type ahead struct {
	failures int         // in a row
	failed   error       // of the last start; nil: it succeeded
	retry    *time.Timer // of the next start, after a failure
	excess   bool        // there may be more environments than are wanted: count them
}

// forget drops the failures, because the code has changed or a start has succeeded.
func (a *ahead) forget() {
	a.failures, a.failed = 0, nil
	if a.retry != nil && a.retry.Stop() {
		a.retry = nil
	}
}

// initialized is the number of provisioned environments that have had their init phase. It
// needs mu.
func (g *Group) initialized() int {
	n := 0
	for _, m := range g.members {
		if m.provisioned && !m.dead && !m.leaving && m.generation == g.generation {
			n++
		}
	}
	return n
}

// Initialized is the number of provisioned environments that have had their init phase, and
// the error of the last start of one. The error is nil if that start succeeded.
func (g *Group) Initialized() (n int, failed error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.initialized(), g.ahead.failed
}

// missingProvisioned is the number of environments that are still to be initialised ahead.
// Those that are being started do not count. It needs mu.
func (g *Group) missingProvisioned() int {
	if g.fn.ProvisionedConcurrency == 0 || g.ahead.retry != nil {
		return 0
	}
	return g.fn.ProvisionedConcurrency - g.starting - g.initialized()
}

// full reports whether the function has as many environments as it may have. It needs mu.
func (g *Group) full() bool { return len(g.members)+g.starting >= g.most() }

// displaced reports whether m has to go: there are more provisioned environments than are
// wanted, or m takes the room of one. m has no call. It needs mu.
func (g *Group) displaced(m *member) bool {
	if m.provisioned {
		// Each call that ends asks: the environments are not counted for each.
		g.ahead.excess = g.ahead.excess && g.initialized() > g.fn.ProvisionedConcurrency
		return g.ahead.excess
	}
	return g.fn.ProvisionedConcurrency > 0 && g.full() && g.missingProvisioned() > g.ending()
}

// ending is the number of environments that are ending. Their room becomes free. It needs mu.
func (g *Group) ending() int {
	n := 0
	for _, m := range g.members {
		if m.dead {
			n++
		}
	}
	return n
}

// displace retires the idle environments that have to go. It needs mu.
func (g *Group) displace() {
	for _, m := range g.members {
		if !m.dead && m.load == 0 && g.displaced(m) {
			g.retire(m)
		}
	}
}

// initFailed counts a failed start of a provisioned environment. The group tries again after
// a back-off of 1 s, doubled up to about a minute. It needs mu.
func (g *Group) initFailed(err error) {
	a := &g.ahead
	a.failures++
	a.failed = err
	if a.retry == nil {
		wait := backoff.Backoff{First: time.Second, Most: 64 * time.Second}
		a.retry = time.AfterFunc(wait.After(a.failures), func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			a.retry = nil
			g.growLocked()
		})
	}
	g.growLocked() // for callers that waited for this start
}
