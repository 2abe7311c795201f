package state

import (
	"context"
	"fmt"
	"time"
)

// MaxLimit bounds the limit of a counter.
const MaxLimit = 1 << 40

// A Draw asks for units of a counter.
type Draw struct {
	Name  string    // of the counter, e.g. "usage/partners/acme/2026-11-29"; with the limits of an owner
	Count int64     // how many units are asked for; below 0: how many are given back
	Limit int64     // how many there are, 0 to MaxLimit
	Until time.Time // when the counter is forgotten, in whole milliseconds
}

// Counters count what was used up, over all nodes. A counter begins at 0 and never passes the
// limit of the draw that adds to it. Unlike slots, units do not come back by themselves.
type Counters interface {
	// Draw adds up to Count units: fewer if fewer are left. With a Count below 0 it takes
	// units away, down to 0 units. got is by how much the counter changed, total what it is
	// now. It answers when the change would survive a crash of the machine.
	Draw(ctx context.Context, draw Draw) (got, total int64, err error)
}

// CheckDraw returns ErrInvalid if a draw violates the contract. Stores call it.
func CheckDraw(d Draw) error {
	if err := CheckOwner(d.Name); err != nil {
		return fmt.Errorf("counter: %w", err)
	}
	if d.Limit < 0 || d.Limit > MaxLimit || d.Count > MaxLimit || d.Count < -MaxLimit || d.Until.UnixMilli() <= 0 {
		return fmt.Errorf("%w: counter %q: %d of %d until %s", ErrInvalid, d.Name, d.Count, d.Limit, d.Until)
	}
	return nil
}

// Change is by how much a draw changes a counter that has total units. Stores call it.
func (d Draw) Change(total int64) int64 {
	if d.Count < 0 {
		return max(d.Count, -total)
	}
	return max(min(d.Count, d.Limit-total), 0)
}
