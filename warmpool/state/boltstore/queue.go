package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hearthfn/hearth/warmpool/state"
)

var (
	_ state.Queue   = (*Store)(nil)
	_ state.Backlog = (*Store)(nil)
)

// The keys of the queue. seq is the number of an entry, one sequence for all.
func entryKey(group string, seq uint64) []byte {
	key := recordKey(group, "")
	return binary.BigEndian.AppendUint64(key, seq)
}

func dueKey(group string, at time.Time, seq uint64) []byte {
	key := recordKey(group, "")
	key = binary.BigEndian.AppendUint64(key, instant(at))
	return binary.BigEndian.AppendUint64(key, seq)
}

// instant is t as a number that sorts as time does, from 1970 to 2262.
func instant(t time.Time) uint64 {
	switch {
	case t.Before(time.Unix(0, 0)):
		return 0
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return uint64(t.UnixNano())
}

func timeOf(instant []byte) time.Time {
	return time.Unix(0, int64(binary.BigEndian.Uint64(instant))).UTC()
}

// splitDue reads a key of bucketDue.
func splitDue(key []byte) (group []byte, at time.Time, seq uint64, ok bool) {
	group, rest, found := bytes.Cut(key, []byte{0})
	if !found || len(rest) != 16 {
		return nil, time.Time{}, 0, false
	}
	return group, timeOf(rest[:8]), binary.BigEndian.Uint64(rest[8:]), true
}

func entryID(seq uint64) string { return fmt.Sprintf("%016x", seq) }

func parseID(id string) (uint64, bool) {
	seq, err := strconv.ParseUint(id, 16, 64)
	return seq, err == nil && entryID(seq) == id
}

// A remark is what is stored with the place of an entry and changes with it:
// attempts (4 bytes) and note.
func remark(attempts int, note []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(attempts)), note...)
}

// readEntry puts together an entry from its body and its remark.
func readEntry(tx *bbolt.Tx, group string, seq uint64, at time.Time, remark []byte) (state.Entry, error) {
	stored := bucket(tx, bucketEntries).Get(entryKey(group, seq))
	if len(stored) < 8 || len(remark) < 4 {
		return state.Entry{}, fmt.Errorf("%w: entry %s of %q lacks a part", state.ErrDamaged, entryID(seq), group)
	}
	return state.Entry{
		Group: group, ID: entryID(seq), Pushed: timeOf(stored), Body: bytes.Clone(stored[8:]),
		At: at, Attempts: int(binary.BigEndian.Uint32(remark)), Note: bytes.Clone(remark[4:]),
	}, nil
}

// Push implements state.Queue.
func (s *Store) Push(ctx context.Context, group string, items ...state.Item) ([]string, error) {
	if err := state.CheckPush(group, items); err != nil {
		return nil, err
	}
	var ids []string
	var first time.Time
	stored, size := 0, 0
	for _, item := range items {
		size += len(item.Body)
	}
	err := s.update(ctx, size, func(tx *bbolt.Tx) error {
		ids, stored, first = make([]string, 0, len(items)), 0, time.Time{}
		now := s.now()
		for _, item := range items {
			seq, again, err := once(tx, group, item, now)
			if err != nil {
				return err
			}
			ids = append(ids, entryID(seq))
			if again {
				continue
			}
			at := item.At
			if at.Before(now) {
				at = now
			}
			if err := push(tx, group, seq, item.Body, now, at); err != nil {
				return err
			}
			if stored++; first.IsZero() || at.Before(first) {
				first = at
			}
		}
		return nil
	}, func() {
		if stored > 0 {
			s.queue.pushed(group, stored, first)
			s.ready.Changed(group)
		}
	})
	if err != nil {
		return nil, err
	}
	return ids, nil
}

// once gives the item its number: a new one, or that of the item of the same name.
func once(tx *bbolt.Tx, group string, item state.Item, now time.Time) (seq uint64, again bool, err error) {
	entries, names, ends := bucket(tx, bucketEntries), bucket(tx, bucketOnce), bucket(tx, bucketOnceEnds)
	if item.Once == "" {
		seq, err = entries.NextSequence()
		return seq, false, err
	}
	key := recordKey(group, item.Once)
	if have := names.Get(key); len(have) == 16 {
		if now.Before(timeOf(have)) {
			return binary.BigEndian.Uint64(have[8:]), true, nil
		}
		if err := ends.Delete(append(bytes.Clone(have[:8]), key...)); err != nil {
			return 0, false, err
		}
	}
	if seq, err = entries.NextSequence(); err != nil {
		return 0, false, err
	}
	end := number(instant(now.Add(item.OnceFor)))
	if err := names.Put(key, append(bytes.Clone(end), number(seq)...)); err != nil {
		return 0, false, err
	}
	if err := ends.Put(append(end, key...), nil); err != nil {
		return 0, false, err
	}
	return seq, false, forgetNames(names, ends, now)
}

// forgetNames removes a few names that no longer hold: more than one push adds, so
// that they do not pile up.
func forgetNames(names, ends *bbolt.Bucket, now time.Time) error {
	cursor := ends.Cursor()
	for range 4 {
		end, _ := cursor.First()
		if len(end) < 8 || now.Before(timeOf(end)) {
			return nil
		}
		if err := names.Delete(end[8:]); err != nil {
			return err
		}
		if err := ends.Delete(end); err != nil {
			return err
		}
	}
	return nil
}

func push(tx *bbolt.Tx, group string, seq uint64, body []byte, now, at time.Time) error {
	entries, due := bucket(tx, bucketEntries), bucket(tx, bucketDue)
	// Numbers only grow, so a page that is split stays as full as it is.
	entries.FillPercent = 0.9
	stored := make([]byte, 0, 8+len(body))
	stored = binary.BigEndian.AppendUint64(stored, instant(now))
	if err := entries.Put(entryKey(group, seq), append(stored, body...)); err != nil {
		return err
	}
	return due.Put(dueKey(group, at, seq), remark(0, nil))
}

// Done implements state.Queue.
func (s *Store) Done(ctx context.Context, lease state.Lease) error {
	return s.end(ctx, lease, func(tx *bbolt.Tx, e *leasedEntry) error {
		return bucket(tx, bucketEntries).Delete(entryKey(e.group.name, e.seq))
	}, func(e *leasedEntry) { e.group.waiting-- })
}

// Retry implements state.Queue.
func (s *Store) Retry(ctx context.Context, lease state.Lease) error {
	if err := state.CheckNote(lease); err != nil {
		return err
	}
	err := s.end(ctx, lease, func(tx *bbolt.Tx, e *leasedEntry) error {
		return bucket(tx, bucketDue).Put(dueKey(e.group.name, lease.At, e.seq), remark(lease.Attempts, lease.Note))
	}, func(e *leasedEntry) { e.group.lower(lease.At) })
	if err == nil {
		s.ready.Changed(lease.Group)
	}
	return err
}

// Bury implements state.Queue.
func (s *Store) Bury(ctx context.Context, lease state.Lease) error {
	if err := state.CheckNote(lease); err != nil {
		return err
	}
	return s.end(ctx, lease, func(tx *bbolt.Tx, e *leasedEntry) error {
		value := append(number(instant(s.now())), remark(lease.Attempts, lease.Note)...)
		return bucket(tx, bucketBuried).Put(entryKey(e.group.name, e.seq), value)
	}, func(e *leasedEntry) {
		e.group.waiting--
		e.group.buried++
	})
}

// end takes the entry of a lease off what is due and lets then put it elsewhere.
func (s *Store) end(ctx context.Context, lease state.Lease, then func(*bbolt.Tx, *leasedEntry) error, onCommit func(*leasedEntry)) error {
	e, err := s.queue.claim(lease, s.now())
	if err != nil {
		return err
	}
	err = s.update(ctx, len(lease.Note), func(tx *bbolt.Tx) error {
		due := bucket(tx, bucketDue)
		if due.Get(e.key) == nil {
			return lost(lease) // purged meanwhile
		}
		if err := due.Delete(e.key); err != nil {
			return err
		}
		return then(tx, e)
	}, func() { s.queue.ended(e, onCommit) })
	if err != nil {
		s.queue.unclaim(e)
	}
	return err
}

// Extend implements state.Queue.
func (s *Store) Extend(ctx context.Context, lease state.Lease, another time.Duration) (state.Lease, error) {
	if another <= 0 {
		return state.Lease{}, fmt.Errorf("%w: a lease for another %s", state.ErrInvalid, another)
	}
	if err := s.usable(ctx); err != nil {
		return state.Lease{}, err
	}
	return s.queue.extend(lease, s.now(), another)
}
