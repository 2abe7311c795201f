package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/hearthfn/hearth/warmpool/state"
)

var _ state.Records = (*Store)(nil)

// A record is stored under OWNER NUL NAME as its revision (8 bytes) and its value.
func recordKey(owner, name string) []byte {
	key := make([]byte, 0, len(owner)+1+len(name))
	key = append(key, owner...)
	key = append(key, 0)
	return append(key, name...)
}

func revisionOf(stored []byte) state.Revision {
	if len(stored) < 8 {
		return state.Absent
	}
	return state.Revision(binary.BigEndian.Uint64(stored))
}

func record(owner, name string, stored []byte) (state.Record, error) {
	key := state.Key{Owner: owner, Name: name}
	if len(stored) < 8 {
		return state.Record{}, fmt.Errorf("%w: record %q of %q has no revision", state.ErrDamaged, name, owner)
	}
	return state.Record{Key: key, Value: slices.Clone(stored[8:]), Revision: revisionOf(stored)}, nil
}

// Read implements state.Records.
func (s *Store) Read(ctx context.Context, key state.Key) (found state.Record, err error) {
	if err := state.CheckKey(key); err != nil {
		return state.Record{}, err
	}
	err = s.view(ctx, func(tx *bbolt.Tx) error {
		stored := bucket(tx, bucketRecords).Get(recordKey(key.Owner, key.Name))
		if stored == nil {
			return fmt.Errorf("record %q of %q: %w", key.Name, key.Owner, state.ErrNotFound)
		}
		found, err = record(key.Owner, key.Name, stored)
		return err
	})
	return found, err
}

// List implements state.Records.
func (s *Store) List(ctx context.Context, owner, prefix, after string, limit int) (found []state.Record, err error) {
	if err := state.CheckOwner(owner); err != nil {
		return nil, err
	}
	if err := state.CheckLimit(limit); err != nil {
		return nil, err
	}
	begin := recordKey(owner, prefix)
	err = s.view(ctx, func(tx *bbolt.Tx) error {
		cursor := bucket(tx, bucketRecords).Cursor()
		key, stored := cursor.Seek(begin)
		if after >= prefix {
			// The first key after the name: names hold no NUL.
			key, stored = cursor.Seek(append(recordKey(owner, after), 0))
		}
		for ; bytes.HasPrefix(key, begin) && len(found) < limit; key, stored = cursor.Next() {
			r, err := record(owner, string(key[len(owner)+1:]), stored)
			if err != nil {
				return err
			}
			found = append(found, r)
		}
		return nil
	})
	return found, err
}

// Owners implements state.Records.
func (s *Store) Owners(ctx context.Context, prefix, after string, limit int) (found []string, err error) {
	if err := state.CheckLimit(limit); err != nil {
		return nil, err
	}
	err = s.view(ctx, func(tx *bbolt.Tx) error {
		cursor := bucket(tx, bucketRecords).Cursor()
		begin := []byte(prefix)
		if after >= prefix && after != "" {
			begin = append([]byte(after), 1)
		}
		key, _ := cursor.Seek(begin)
		for key != nil && len(found) < limit && bytes.HasPrefix(key, []byte(prefix)) {
			owner, _, _ := bytes.Cut(key, []byte{0})
			found = append(found, string(owner))
			// No owner holds a NUL, so 1 is after all records of this one and before
			// every other owner that begins with it.
			key, _ = cursor.Seek(append(slices.Clone(owner), 1))
		}
		return nil
	})
	return found, err
}

// Change implements state.Records.
func (s *Store) Change(ctx context.Context, owner string, changes ...state.Change) (state.Revision, error) {
	if err := state.CheckChanges(owner, changes); err != nil {
		return state.Absent, err
	}
	var revision state.Revision
	size := 0
	for _, c := range changes {
		size += len(c.Value)
	}
	err := s.update(ctx, size, func(tx *bbolt.Tx) (err error) {
		revision, err = change(bucket(tx, bucketRecords), owner, changes)
		return err
	}, func() { s.records.Changed(owner) })
	if err != nil {
		return state.Absent, err
	}
	return revision, nil
}

func change(records *bbolt.Bucket, owner string, changes []state.Change) (state.Revision, error) {
	for _, c := range changes {
		have := revisionOf(records.Get(recordKey(owner, c.Name)))
		if c.If != state.Any && c.If != have {
			return state.Absent, fmt.Errorf("record %q of %q has revision %d, not %d: %w", c.Name, owner, have, c.If, state.ErrConflict)
		}
	}
	sequence, err := records.NextSequence()
	if err != nil {
		return state.Absent, err
	}
	for _, c := range changes {
		key := recordKey(owner, c.Name)
		switch c.Op {
		case state.OpPut:
			err = records.Put(key, append(number(sequence), c.Value...))
		case state.OpDelete:
			err = records.Delete(key)
		}
		if err != nil {
			return state.Absent, fmt.Errorf("record %q of %q: %w", c.Name, owner, err)
		}
	}
	return state.Revision(sequence), nil
}
