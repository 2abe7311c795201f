package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/hearthfn/hearth/warmpool/state"
)

// Groups implements state.Backlog.
func (s *Store) Groups(ctx context.Context, after string, limit int) ([]state.GroupStat, error) {
	if err := state.CheckLimit(limit); err != nil {
		return nil, err
	}
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	now := s.now()
	s.queue.mu.Lock()
	s.queue.expire(now)
	var stats []state.GroupStat
	for _, name := range slices.Sorted(maps.Keys(s.queue.groups)) {
		if name > after && len(stats) < limit {
			g := s.queue.groups[name]
			stats = append(stats, state.GroupStat{Group: name, Waiting: g.waiting, Leased: g.leased, Buried: g.buried})
		}
	}
	s.queue.mu.Unlock()
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		cursor := bucket(tx, bucketDue).Cursor()
		for i := range stats {
			prefix := recordKey(stats[i].Group, "")
			if key, _ := cursor.Seek(prefix); bytes.HasPrefix(key, prefix) {
				_, stats[i].Due, _, _ = splitDue(key)
			}
		}
		return nil
	})
	return stats, err
}

// Entries implements state.Backlog.
func (s *Store) Entries(ctx context.Context, group string, buried bool, after string, limit int) (page []state.Entry, next string, err error) {
	if err := state.CheckOwner(group); err != nil {
		return nil, "", err
	}
	if err := state.CheckLimit(limit); err != nil {
		return nil, "", err
	}
	position, err := hex.DecodeString(after)
	if err != nil {
		return nil, "", fmt.Errorf("%w: no page begins after %.80q", state.ErrInvalid, after)
	}
	prefix := recordKey(group, "")
	begin := append(bytes.Clone(prefix), position...)
	err = s.view(ctx, func(tx *bbolt.Tx) error {
		place := bucket(tx, bucketDue)
		if buried {
			place = bucket(tx, bucketBuried)
		}
		cursor := place.Cursor()
		key, value := cursor.Seek(begin)
		if after != "" && bytes.Equal(key, begin) {
			key, value = cursor.Next()
		}
		for ; bytes.HasPrefix(key, prefix); key, value = cursor.Next() {
			if len(page) == limit {
				next = hex.EncodeToString(begin[len(prefix):])
				return nil
			}
			begin = key
			entry, err := listed(tx, group, buried, key, value)
			if err != nil {
				return err
			}
			page = append(page, entry)
		}
		return nil
	})
	return page, next, err
}

// listed reads the entry of a key of bucketDue or bucketBuried.
func listed(tx *bbolt.Tx, group string, buried bool, key, value []byte) (state.Entry, error) {
	_, at, seq, ok := splitDue(key)
	if buried {
		if len(value) < 8 || len(key) < 8 {
			return state.Entry{}, fmt.Errorf("%w: a buried entry of %q lacks its time", state.ErrDamaged, group)
		}
		at, seq, ok, value = timeOf(value), binary.BigEndian.Uint64(key[len(key)-8:]), true, value[8:]
	}
	if !ok {
		return state.Entry{}, fmt.Errorf("%w: an entry of %q has no place", state.ErrDamaged, group)
	}
	return readEntry(tx, group, seq, at, value)
}

// Replay implements state.Backlog.
func (s *Store) Replay(ctx context.Context, group, id string) error {
	seq, ok := parseID(id)
	if err := state.CheckOwner(group); err != nil || !ok {
		return notThere(group, id)
	}
	now := s.now()
	err := s.update(ctx, 0, func(tx *bbolt.Tx) error {
		key := entryKey(group, seq)
		if bucket(tx, bucketBuried).Get(key) == nil {
			return notThere(group, id)
		}
		if err := bucket(tx, bucketBuried).Delete(key); err != nil {
			return err
		}
		return bucket(tx, bucketDue).Put(dueKey(group, now, seq), remark(0, nil))
	}, func() { s.queue.replayed(group, now) })
	if err == nil {
		s.ready.Changed(group)
	}
	return err
}

// Purge implements state.Backlog.
func (s *Store) Purge(ctx context.Context, entry state.Entry, buried bool) error {
	seq, ok := parseID(entry.ID)
	if err := state.CheckOwner(entry.Group); err != nil || !ok {
		return notThere(entry.Group, entry.ID)
	}
	return s.update(ctx, 0, func(tx *bbolt.Tx) error {
		place, key := bucket(tx, bucketDue), dueKey(entry.Group, entry.At, seq)
		if buried {
			place, key = bucket(tx, bucketBuried), entryKey(entry.Group, seq)
		}
		if place.Get(key) == nil {
			return notThere(entry.Group, entry.ID)
		}
		if err := place.Delete(key); err != nil {
			return err
		}
		return bucket(tx, bucketEntries).Delete(entryKey(entry.Group, seq))
	}, func() { s.queue.purged(entry.Group, seq, buried) })
}

func notThere(group, id string) error {
	return fmt.Errorf("entry %.80q of %.80q: %w", id, group, state.ErrNotFound)
}
