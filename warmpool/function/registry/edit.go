package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/hearthfn/hearth/warmpool/state"
)

// maxTries is how often a writer reads and decides again because others wrote.
const maxTries = 32

// head is the record that every write of an owner writes.
type head struct {
	Last      uint64 `json:",omitempty"` // the last version number given out
	Published string `json:",omitempty"` // digest of what $LATEST was then
}

// An edit is one attempt to change records of an owner. It decides by what it reads.
type edit struct {
	ctx      context.Context
	r        *Registry
	owner    string
	head     head
	revision state.Revision // of head
	changes  []state.Change
	gone     bool  // nothing of the owner is left, the head goes too
	moreCode int64 // bytes of archives that are added
}

// change lets decide read and change records of owner until no other writer came
// between.
func (r *Registry) change(ctx context.Context, owner string, decide func(e *edit) error) error {
	for range maxTries {
		e := &edit{ctx: ctx, r: r, owner: owner}
		record, err := r.records.Read(ctx, state.Key{Owner: owner, Name: recordHead})
		switch {
		case err == nil:
			e.revision = record.Revision
			if err := decode(record, &e.head); err != nil {
				return err
			}
		case !isNotFound(err):
			return err
		}
		if err := decide(e); err != nil {
			return err
		}
		if len(e.changes) == 0 {
			return nil
		}
		value, err := encode(e.head)
		if err != nil {
			return err
		}
		last := state.Put(recordHead, e.revision, value)
		if e.gone {
			last = state.Delete(recordHead, e.revision)
		}
		done, err := r.admitCode(ctx, e.moreCode)
		if err != nil {
			return err
		}
		_, err = r.records.Change(ctx, owner, append(e.changes, last)...)
		done()
		// Even a change that failed may have been kept.
		r.views.drop(owner)
		if !errors.Is(err, state.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("%q is changed by too many at once: %w", owner, ErrConflict)
}

// read decodes a record; found is false if there is none.
func (e *edit) read(name string, value any) (found bool, err error) {
	return e.r.read(e.ctx, e.owner, name, value)
}

func (r *Registry) read(ctx context.Context, owner, name string, value any) (found bool, err error) {
	record, err := r.records.Read(ctx, state.Key{Owner: owner, Name: name})
	if isNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, decode(record, value)
}

func (e *edit) put(name string, value any) error {
	encoded, err := encode(value)
	if err != nil {
		return err
	}
	if len(encoded) > state.MaxValue {
		return fmt.Errorf("%q of %q is %d bytes, %d at most: %w", name, e.owner, len(encoded), state.MaxValue, ErrInvalid)
	}
	e.changes = append(e.changes, state.Put(name, state.Any, encoded))
	return nil
}

func (e *edit) delete(name string) {
	e.changes = append(e.changes, state.Delete(name, state.Any))
}

// each calls visit with the records of owner that begin with prefix.
func (r *Registry) each(ctx context.Context, owner, prefix string, visit func(state.Record) error) error {
	const page = 256
	for after := ""; ; {
		records, err := r.records.List(ctx, owner, prefix, after, page)
		if err != nil {
			return err
		}
		for _, record := range records {
			if err := visit(record); err != nil {
				return err
			}
			after = record.Name
		}
		if len(records) < page {
			return nil
		}
	}
}
