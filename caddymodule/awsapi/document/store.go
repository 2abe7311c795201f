package document

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/warmpool/state"
)

// Errors of a Store, besides those of package state.
var (
	// ErrNotFound: there is no such document.
	ErrNotFound = errors.New("not found")
	// ErrTooLarge: a document is larger than a record may be.
	ErrTooLarge = errors.New("too large")
)

// maxTries is how often a writer reads and decides again because others wrote.
const maxTries = 32

// page is how many records are read, and maxRemoved how many are removed, at once.
const (
	page       = 256
	maxRemoved = state.MaxChanges - 1
)

const head = "head"

// A Store keeps documents.
type Store struct{ records state.Records }

// New makes a store of records.
func New(records state.Records) *Store { return &Store{records} }

// recordFormat is the format of the records that this package writes.
const recordFormat = 1

type envelope struct {
	Format int             `json:"format"`
	Data   json.RawMessage `json:"data"`
}

func encode(value any) ([]byte, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return json.Marshal(envelope{recordFormat, data})
}

func decode(r state.Record) (json.RawMessage, error) {
	var e envelope
	if err := json.Unmarshal(r.Value, &e); err != nil {
		return nil, fmt.Errorf("record %q of %q: %w: %w", r.Name, r.Owner, state.ErrDamaged, err)
	}
	if e.Format > recordFormat {
		return nil, fmt.Errorf("record %q of %q has format %d, this Hearth knows %d: %w", r.Name, r.Owner, e.Format, recordFormat, state.ErrNewer)
	}
	return e.Data, nil
}

// A Set is the documents of an owner, by name.
type Set struct {
	owner     string
	documents map[string]json.RawMessage
}

// Read reads all documents of an owner, which may be none.
func (s *Store) Read(ctx context.Context, owner string) (*Set, error) {
	set, _, err := s.read(ctx, owner)
	return set, err
}

// read returns the revision of the head, too. The head is read first: a writer that comes
// between is noticed.
func (s *Store) read(ctx context.Context, owner string) (*Set, state.Revision, error) {
	set := &Set{owner: owner, documents: make(map[string]json.RawMessage)}
	revision := state.Absent
	switch record, err := s.records.Read(ctx, state.Key{Owner: owner, Name: head}); {
	case err == nil:
		revision = record.Revision
	case errors.Is(err, state.ErrNotFound):
		return set, revision, nil // the head comes with the first document
	default:
		return nil, 0, err
	}
	for after := ""; ; {
		records, err := s.records.List(ctx, owner, "", after, page)
		if err != nil {
			return nil, 0, err
		}
		for _, r := range records {
			if after = r.Name; r.Name == head {
				continue
			}
			if set.documents[r.Name], err = decode(r); err != nil {
				return nil, 0, err
			}
		}
		if len(records) < page {
			return set, revision, nil
		}
	}
}

// Owners are the owners of documents whose names begin with prefix, in order.
func (s *Store) Owners(ctx context.Context, prefix string) (owners []string, err error) {
	for after := ""; ; {
		some, err := s.records.Owners(ctx, prefix, after, page)
		if err != nil {
			return nil, err
		}
		owners = append(owners, some...)
		if len(some) < page {
			return owners, nil
		}
		after = some[len(some)-1]
	}
}

// Watch sends the owners beginning with prefix that changed; see state.Records.
func (s *Store) Watch(ctx context.Context, prefix string) (<-chan string, error) {
	return s.records.Watch(ctx, prefix)
}

// Names are the names of the documents that begin with prefix, in order.
func (s *Set) Names(prefix string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(s.documents)), func(name string) bool { return !strings.HasPrefix(name, prefix) })
}

// Has reports whether there is a document.
func (s *Set) Has(name string) bool { return s.documents[name] != nil }

// Get reads a document into the value that into points to, ErrNotFound if there is none.
func (s *Set) Get(name string, into any) error {
	data := s.documents[name]
	if data == nil {
		return fmt.Errorf("%q of %q: %w", name, s.owner, ErrNotFound)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("record %q of %q: %w: %w", name, s.owner, state.ErrDamaged, err)
	}
	return nil
}

// All reads the documents whose names begin with prefix, in the order of their names.
func All[T any](s *Set, prefix string) ([]*T, error) {
	names := s.Names(prefix)
	all := make([]*T, len(names))
	for n, name := range names {
		all[n] = new(T)
		if err := s.Get(name, all[n]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// An Edit is one attempt to change documents of an owner. What it reads has what it wrote.
type Edit struct {
	Set
	changed map[string]bool
}

// Put writes a document.
func (e *Edit) Put(name string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if len(data) > state.MaxValue-len(`{"format":1,"data":}`) {
		return fmt.Errorf("%q of %q has %d bytes: %w", name, e.owner, len(data), ErrTooLarge)
	}
	e.documents[name] = data
	e.changed[name] = true
	return nil
}

// Delete removes a document.
func (e *Edit) Delete(name string) {
	delete(e.documents, name)
	e.changed[name] = true
}

// Change lets decide read and change documents of owner until no other writer came between.
// decide may be called several times. A change of more documents than a transaction has is
// ErrTooLarge.
func (s *Store) Change(ctx context.Context, owner string, decide func(e *Edit) error) error {
	for range maxTries {
		set, revision, err := s.read(ctx, owner)
		if err != nil {
			return err
		}
		e := &Edit{Set: *set, changed: make(map[string]bool)}
		if err := decide(e); err != nil {
			return err
		}
		if len(e.changed) == 0 {
			return nil
		}
		if len(e.changed) >= state.MaxChanges {
			return fmt.Errorf("%d documents of %q at once: %w", len(e.changed), owner, ErrTooLarge)
		}
		if err := s.write(ctx, e, revision); !errors.Is(err, state.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("%q is changed by too many at once: %w", owner, state.ErrConflict)
}

func (s *Store) write(ctx context.Context, e *Edit, revision state.Revision) error {
	value, err := encode(struct{}{})
	if err != nil {
		return err
	}
	changes := []state.Change{state.Put(head, revision, value)}
	for name := range e.changed {
		data := e.documents[name]
		if data == nil {
			changes = append(changes, state.Delete(name, state.Any))
			continue
		}
		if value, err = encode(data); err != nil {
			return err
		}
		changes = append(changes, state.Put(name, state.Any, value))
	}
	_, err = s.records.Change(ctx, e.owner, changes...)
	return err
}

// Remove removes an owner with all its documents, main first: without it nobody reads the
// others, so a removal that a crash ends midway is whole to readers. The owner's name must not
// be used again.
func (s *Store) Remove(ctx context.Context, owner, main string) error {
	if _, err := s.records.Change(ctx, owner, state.Delete(main, state.Any)); err != nil {
		return err
	}
	for {
		records, err := s.records.List(ctx, owner, "", "", maxRemoved)
		if err != nil || len(records) == 0 {
			return err
		}
		changes := make([]state.Change, len(records))
		for n, r := range records {
			changes[n] = state.Delete(r.Name, state.Any)
		}
		if _, err := s.records.Change(ctx, owner, changes...); err != nil {
			return err
		}
	}
}
