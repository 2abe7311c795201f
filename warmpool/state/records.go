package state

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of a record. They make sure that each change is one small atomic step on every store.
const (
	MaxOwner   = 256     // bytes
	MaxName    = 256     // bytes
	MaxValue   = 1 << 20 // bytes
	MaxChanges = 512     // of one Change
)

// A Key names a record: Name within Owner. Records of one owner can change
// together; those of different owners cannot (on a cluster they are on
// different nodes). By convention an owner reads "kind/id", e.g.
// "function/thumb".
type Key struct {
	Owner string // 1..MaxOwner bytes of UTF-8 without NUL, { or }
	Name  string // 1..MaxName bytes of UTF-8 without NUL
}

// A Record is the value of a key with its revision.
type Record struct {
	Key
	Value    []byte // the caller may keep and change it
	Revision Revision
}

// A Revision tells the states of a record apart. It grows with each change of a
// record and never repeats, not even after the record was deleted and made
// again.
type Revision int64

const (
	// Absent is the revision of a record that does not exist.
	Absent Revision = 0
	// Any expects nothing.
	Any Revision = -1
)

// An Op is what a Change does with its record.
type Op int

const (
	OpPut    Op = iota + 1 // write Value
	OpDelete               // remove the record, if it exists
	OpCheck                // only compare the revision
)

// A Change is one part of a transaction: if the record has the revision If, do
// Op.
type Change struct {
	Op    Op
	Name  string
	If    Revision
	Value []byte
}

// Put writes a record; with If: Absent it must not exist yet.
func Put(name string, expected Revision, value []byte) Change {
	return Change{Op: OpPut, Name: name, If: expected, Value: value}
}

// Delete removes a record.
func Delete(name string, expected Revision) Change {
	return Change{Op: OpDelete, Name: name, If: expected}
}

// Check makes the transaction depend on a record without changing it.
func Check(name string, expected Revision) Change {
	return Change{Op: OpCheck, Name: name, If: expected}
}

// Records stores small values under names, each with a revision.
//
// Every method is one atomic step and sees every change that was answered
// before it began. A store may be used by any number of goroutines. A cancelled
// context ends the wait, not always the work: a change that returns the
// context's error may have been applied.
type Records interface {
	// Read returns one record, ErrNotFound if there is none.
	Read(ctx context.Context, key Key) (Record, error)

	// List returns, in byte order of their names, up to limit records of owner
	// whose names begin with prefix and come after the name after; "" is before
	// all. An owner without records has an empty list. limit is 1 or more.
	List(ctx context.Context, owner, prefix, after string, limit int) ([]Record, error)

	// Owners returns, in byte order, up to limit owners that have a record, begin
	// with prefix and come after the owner after. limit is 1 or more.
	//
	// On a cluster this is not atomic with a Change that is running. It sees each Change that
	// was answered before.
	Owners(ctx context.Context, prefix, after string, limit int) ([]string, error)

	// Change applies all changes to records of owner, or none: ErrConflict if one
	// record does not have its expected revision. It answers when the changes
	// would survive a crash of the machine. A name may occur once. The returned revision is
	// that of every record that it put.
	Change(ctx context.Context, owner string, changes ...Change) (Revision, error)

	// Watch sends the owners beginning with prefix that changed, until ctx ends; then it
	// closes the channel. It is a hint and no log: hints come late or twice, several
	// changes make one, and "" says that any owner may have changed, because hints were
	// lost or the receiver was slow. The receiver reads again.
	Watch(ctx context.Context, prefix string) (<-chan string, error)
}

// CheckKey returns ErrInvalid if key violates the contract. Stores call it.
func CheckKey(key Key) error {
	if err := CheckOwner(key.Owner); err != nil {
		return err
	}
	return checkName(key.Name)
}

// CheckOwner returns ErrInvalid if owner violates the contract. Stores call it.
func CheckOwner(owner string) error {
	if owner == "" || len(owner) > MaxOwner || strings.ContainsAny(owner, "\x00{}") || !utf8.ValidString(owner) {
		return fmt.Errorf("%w: owner %.80q: 1 to %d bytes of UTF-8 without NUL, { and } are allowed", ErrInvalid, owner, MaxOwner)
	}
	return nil
}

func checkName(name string) error {
	if name == "" || len(name) > MaxName || strings.ContainsRune(name, 0) || !utf8.ValidString(name) {
		return fmt.Errorf("%w: record name %.80q: 1 to %d bytes of UTF-8 without NUL are allowed", ErrInvalid, name, MaxName)
	}
	return nil
}

// CheckLimit returns ErrInvalid if the limit of a list violates the contract. Stores call it.
func CheckLimit(limit int) error {
	if limit < 1 {
		return fmt.Errorf("%w: limit %d: 1 or more", ErrInvalid, limit)
	}
	return nil
}

// CheckChanges returns ErrInvalid if a transaction violates the contract. Stores call it.
func CheckChanges(owner string, changes []Change) error {
	if err := CheckOwner(owner); err != nil {
		return err
	}
	if len(changes) == 0 || len(changes) > MaxChanges {
		return fmt.Errorf("%w: %d changes of %q: 1 to %d are allowed", ErrInvalid, len(changes), owner, MaxChanges)
	}
	seen := make(map[string]bool, len(changes))
	for _, c := range changes {
		switch {
		case checkName(c.Name) != nil:
			return checkName(c.Name)
		case seen[c.Name]:
			return fmt.Errorf("%w: record %q of %q is changed twice in one transaction", ErrInvalid, c.Name, owner)
		case c.Op < OpPut || c.Op > OpCheck:
			return fmt.Errorf("%w: record %q of %q: no such operation %d", ErrInvalid, c.Name, owner, c.Op)
		case c.If < Any:
			return fmt.Errorf("%w: record %q of %q: revision %d", ErrInvalid, c.Name, owner, c.If)
		case len(c.Value) > MaxValue:
			return fmt.Errorf("%w: record %q of %q is %d bytes, %d at most", ErrInvalid, c.Name, owner, len(c.Value), MaxValue)
		}
		seen[c.Name] = true
	}
	return nil
}
