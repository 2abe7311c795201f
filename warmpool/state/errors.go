package state

import "errors"

// The errors of a store that refuses a call. Compare with errors.Is: stores wrap them in a
// text that names the thing. A refused call changed nothing.
var (
	// ErrNotFound: there is no such record or entry.
	ErrNotFound = errors.New("not found")
	// ErrConflict: a record does not have the revision that the change expects.
	// Read again, decide again, try again.
	ErrConflict = errors.New("changed meanwhile")
	// ErrLeaseLost: a lease or grant has ended, by its time or because its holder ended it.
	// Another process may have it now. The former holder must not write any more.
	ErrLeaseLost = errors.New("lease lost")
	// ErrInvalid: an argument is outside of what the contract allows.
	ErrInvalid = errors.New("invalid argument")
)

// The errors of a store that cannot work. The text names the store and the remedy.
var (
	// ErrUnavailable: the store cannot write or be reached now (disk full, server
	// away). What it accepted is not lost, and the same call may succeed later.
	ErrUnavailable = errors.New("state is unavailable")
	// ErrDamaged: the data of the store cannot be read.
	ErrDamaged = errors.New("state is damaged")
	// ErrNewer: a newer Hearth wrote the store in a format that this one does
	// not know.
	ErrNewer = errors.New("state is of a newer format")
	// ErrInUse: another process has opened the store, which allows only one.
	ErrInUse = errors.New("state is in use")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("state is closed")
)
