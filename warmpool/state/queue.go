package state

import (
	"context"
	"fmt"
	"time"
)

// Limits of an entry of the queue.
const (
	MaxBody  = 8 << 20  // bytes
	MaxNote  = 64 << 10 // bytes
	MaxOnce  = 512      // bytes
	MaxItems = 512      // of one Push
	MaxPush  = 16 << 20 // bytes of all bodies of one Push
)

// An Item is one item of a push.
type Item struct {
	Body []byte
	// At is when it may be leased; the zero time is at once.
	At time.Time
	// Once, if set, names the item. Until OnceFor has passed since an item of that name was
	// pushed to the group, another one is not stored, whatever happened to the first.
	Once    string
	OnceFor time.Duration
}

// An Entry is a stored item of a group. Groups are the unit of fairness: by convention there
// is one for each function.
type Entry struct {
	Group string
	ID    string // opaque; unique in the group and never reused
	Body  []byte

	Pushed   time.Time
	At       time.Time // when it may be leased, or was buried
	Attempts int       // as the last Retry or Bury said; 0 at first
	Note     []byte    // likewise
}

// A Lease is the right to work on an entry until Until. Token grows with each lease of an
// entry, so that other systems can refuse writes under an older lease.
type Lease struct {
	Entry
	Token int64
	Until time.Time
}

// Want says which entries Lease may return.
type Want struct {
	Max      int           // entries in all, 1 or more
	PerGroup int           // entries of one group; 0 for no bound
	Except   []string      // groups that get nothing, because they are busy
	For      time.Duration // how long the leases last, above 0
}

// Queue stores entries until they are Done. Each entry that Push accepted is leased at least
// once, in each group about in the order of At. An entry has one valid lease at a time. A call
// with a lease that has ended returns ErrLeaseLost and changes nothing.
//
// Done, Retry, Bury and Push answer when the change would survive a crash of the
// machine. Lease and Extend need not survive one: a store of one process forgets its leases
// when the process ends, and its entries are free again.
type Queue interface {
	// Push stores the items of one group, all or none, and returns their IDs. An item that Once
	// rules out gets the ID of the first one, which may be gone.
	Push(ctx context.Context, group string, items ...Item) ([]string, error)

	// Lease returns entries that are due and not leased. It does not wait: it returns none if
	// there are none. Each group gets its part before one gets more, and groups that got none
	// come first the next time. next is when another call may find more: now or earlier if
	// there may be more already, the zero time if no entry is known to wait.
	Lease(ctx context.Context, want Want) (leases []Lease, next time.Time, err error)

	// Extend makes a lease last for another while from now.
	Extend(ctx context.Context, lease Lease, another time.Duration) (Lease, error)

	// Done removes the entry.
	Done(ctx context.Context, lease Lease) error

	// Retry gives the entry back with the At, Attempts and Note that the lease
	// has now. The holder of the lease decides what counts as an attempt.
	Retry(ctx context.Context, lease Lease) error

	// Bury puts the entry aside, with the Attempts and Note that the lease has
	// now, until it is replayed or purged.
	Bury(ctx context.Context, lease Lease) error

	// Ready sends groups that got an entry, until ctx ends; then it closes the channel. It
	// is a hint as Records.Watch is: the receiver calls Lease.
	Ready(ctx context.Context) (<-chan string, error)
}

// GroupStat counts the entries of a group.
type GroupStat struct {
	Group   string
	Waiting int       // leased ones included
	Leased  int       // whose lease lasts
	Buried  int       //
	Due     time.Time // At of the first one waiting; zero if none is
}

// Backlog shows, replays and removes entries that wait or are buried.
type Backlog interface {
	// Groups returns, in byte order, up to limit groups that have an entry, after
	// the group after.
	Groups(ctx context.Context, after string, limit int) ([]GroupStat, error)

	// Entries returns up to limit entries of a group, those that wait in the order
	// of At or those that are buried in the order of their IDs. after is "" or
	// the next of the page before; next is "" on the last page.
	Entries(ctx context.Context, group string, buried bool, after string, limit int) (page []Entry, next string, err error)

	// Replay makes a buried entry wait again, due at once and with 0 attempts. It returns
	// ErrNotFound if no buried entry has that ID.
	Replay(ctx context.Context, group, id string) error

	// Purge removes an entry that Entries returned, and its lease. It returns ErrNotFound if
	// the entry has moved or is gone.
	Purge(ctx context.Context, entry Entry, buried bool) error
}

// CheckPush returns ErrInvalid if a push violates the contract. Stores call it.
func CheckPush(group string, items []Item) error {
	if err := CheckOwner(group); err != nil {
		return fmt.Errorf("group: %w", err)
	}
	if len(items) == 0 || len(items) > MaxItems {
		return fmt.Errorf("%w: %d items for %q: 1 to %d are allowed", ErrInvalid, len(items), group, MaxItems)
	}
	size := 0
	for _, item := range items {
		size += len(item.Body)
		switch {
		case len(item.Body) > MaxBody:
			return fmt.Errorf("%w: an item for %q is %d bytes, %d at most", ErrInvalid, group, len(item.Body), MaxBody)
		case len(item.Once) > MaxOnce:
			return fmt.Errorf("%w: an item for %q has a name of %d bytes, %d at most", ErrInvalid, group, len(item.Once), MaxOnce)
		case item.Once != "" && item.OnceFor <= 0:
			return fmt.Errorf("%w: an item for %q has a name and no time that it holds", ErrInvalid, group)
		case size > MaxPush:
			return fmt.Errorf("%w: the items for %q are over %d bytes in all", ErrInvalid, group, MaxPush)
		}
	}
	return nil
}

// CheckWant returns ErrInvalid if want violates the contract. Stores call it.
func CheckWant(want Want) error {
	if want.Max < 1 || want.PerGroup < 0 || want.For <= 0 {
		return fmt.Errorf("%w: leases: %d in all, %d of a group, for %s", ErrInvalid, want.Max, want.PerGroup, want.For)
	}
	return nil
}

// CheckNote returns ErrInvalid if the values of a lease violate the contract. Stores call it.
func CheckNote(lease Lease) error {
	if len(lease.Note) > MaxNote || lease.Attempts < 0 {
		return fmt.Errorf("%w: entry %s of %q: note of %d bytes, %d attempts", ErrInvalid, lease.ID, lease.Group, len(lease.Note), lease.Attempts)
	}
	return nil
}
