package state

import (
	"context"
	"fmt"
	"time"
)

// A Claim asks for slots: units of the concurrency of something, or the one place
// of a poller with Limit 1.
type Claim struct {
	Name  string        // what has the slots, e.g. "function/thumb"; as an owner
	Limit int           // how many there are, 0 or more
	Count int           // how many are wanted, 1 or more
	For   time.Duration // how long they are held if they are not renewed, above 0
}

// A Grant is slots that are held until Until. Token grows with each grant of a
// name and never repeats: what is written elsewhere on behalf of a grant can be
// fenced by it.
type Grant struct {
	Name  string
	Count int
	Token int64
	Until time.Time
}

// Slots share out concurrency. The grants of a name never sum up to more than the
// smallest Limit that they were taken under allows; a grant ends by its time, so
// that those of a node that died come back. Grants need not survive a crash of
// a store whose process is the only one.
//
// The holder must stop what it does under a grant before Until by its own clock,
// with a margin for what clocks and networks do.
type Slots interface {
	// Take grants up to Count slots: fewer if fewer are free, and a Grant of Count
	// 0, which needs no Return, if none is.
	Take(ctx context.Context, claim Claim) (Grant, error)

	// Renew holds the grant for another while from now, with count slots of it: no
	// more than it has. ErrLeaseLost if it ended.
	Renew(ctx context.Context, grant Grant, count int, another time.Duration) (Grant, error)

	// Return gives the slots back; ErrLeaseLost if the grant ended.
	Return(ctx context.Context, grant Grant) error

	// Taken returns how many slots of name are held.
	Taken(ctx context.Context, name string) (int, error)
}

// CheckClaim says whether a store has to accept claim. For stores.
func CheckClaim(claim Claim) error {
	if err := CheckOwner(claim.Name); err != nil {
		return fmt.Errorf("slots: %w", err)
	}
	if claim.Limit < 0 || claim.Count < 1 || claim.For <= 0 {
		return fmt.Errorf("%w: slots of %q: %d of %d for %s", ErrInvalid, claim.Name, claim.Count, claim.Limit, claim.For)
	}
	return nil
}

// CheckRenewal says whether a store has to accept a renewal. For stores.
func CheckRenewal(grant Grant, count int, another time.Duration) error {
	if count < 1 || count > grant.Count || another <= 0 {
		return fmt.Errorf("%w: slots of %q: %d of the %d held, for %s", ErrInvalid, grant.Name, count, grant.Count, another)
	}
	return nil
}
