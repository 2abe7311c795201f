package state

import (
	"context"
	"fmt"
	"time"
)

// A Claim asks for slots: units of the concurrency of something, or the one place
// of a poller with Limit 1.
type Claim struct {
	Name  string        // of the thing that has the slots, e.g. "function/thumb"; with the limits of an owner
	Limit int           // how many there are, 0 or more
	Count int           // how many are asked for, 1 or more
	For   time.Duration // how long they last if they are not renewed, above 0
}

// A Grant is slots that its holder has until Until. Token grows with each grant of a name and
// never repeats, so that other systems can refuse writes under an older grant.
type Grant struct {
	Name  string
	Count int
	Token int64
	Until time.Time
}

// Slots divides concurrency among nodes. The sum of the grants of a name never exceeds the
// smallest Limit under which they were taken. A grant ends by its time, so that the slots of
// a node that died become free. Grants of a store of one process need not survive its crash.
//
// The holder must stop its work under a grant before Until by its own clock, with a margin
// for differences of clocks and delays of networks.
type Slots interface {
	// Take grants up to Count slots: fewer if fewer are free. If none is free, it returns a
	// Grant of Count 0, which needs no Return.
	Take(ctx context.Context, claim Claim) (Grant, error)

	// Renew makes count slots of the grant, at most as many as it has, last for another while
	// from now. It returns ErrLeaseLost if the grant ended.
	Renew(ctx context.Context, grant Grant, count int, another time.Duration) (Grant, error)

	// Return gives the slots back; ErrLeaseLost if the grant ended.
	Return(ctx context.Context, grant Grant) error

	// Taken returns how many slots of name are granted now.
	Taken(ctx context.Context, name string) (int, error)
}

// CheckClaim returns ErrInvalid if claim violates the contract. Stores call it.
func CheckClaim(claim Claim) error {
	if err := CheckOwner(claim.Name); err != nil {
		return fmt.Errorf("slots: %w", err)
	}
	if claim.Limit < 0 || claim.Count < 1 || claim.For <= 0 {
		return fmt.Errorf("%w: slots of %q: %d of %d for %s", ErrInvalid, claim.Name, claim.Count, claim.Limit, claim.For)
	}
	return nil
}

// CheckRenewal returns ErrInvalid if a renewal violates the contract. Stores call it.
func CheckRenewal(grant Grant, count int, another time.Duration) error {
	if count < 1 || count > grant.Count || another <= 0 {
		return fmt.Errorf("%w: slots of %q: %d of the %d held, for %s", ErrInvalid, grant.Name, count, grant.Count, another)
	}
	return nil
}
