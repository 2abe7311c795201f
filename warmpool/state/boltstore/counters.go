package boltstore

import (
	"context"
	"encoding/binary"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/hearthfn/hearth/warmpool/state"
)

const bucketCounters = "counters"

// maxSwept bounds how many counters one draw forgets.
const maxSwept = 1000

// Draw implements state.Counters.
func (s *Store) Draw(ctx context.Context, draw state.Draw) (got, total int64, err error) {
	if err := state.CheckDraw(draw); err != nil {
		return 0, 0, err
	}
	err = s.update(ctx, len(draw.Name)+16, func(tx *bbolt.Tx) error {
		counters := bucket(tx, bucketCounters)
		now := s.now().UnixMilli()
		got, total = 0, 0
		before := counters.Get([]byte(draw.Name))
		if until, units := counter(before); until > now {
			total = units
		}
		if got = draw.Change(total); got == 0 {
			return nil
		}
		total += got
		if before == nil { // a new period has begun
			if err := sweep(counters, now); err != nil {
				return err
			}
		}
		value := binary.BigEndian.AppendUint64(number(uint64(draw.Until.UnixMilli())), uint64(total))
		return counters.Put([]byte(draw.Name), value)
	}, nil)
	if err != nil {
		return 0, 0, err
	}
	return got, total, nil
}

// counter reads a counter, zeros if there is none.
func counter(value []byte) (until, total int64) {
	if len(value) != 16 {
		return 0, 0
	}
	return int64(binary.BigEndian.Uint64(value)), int64(binary.BigEndian.Uint64(value[8:]))
}

// sweep removes counters that are forgotten.
func sweep(counters *bbolt.Bucket, now int64) error {
	var gone [][]byte
	for c, k, v := first(counters); k != nil && len(gone) < maxSwept; k, v = c.Next() {
		if until, _ := counter(v); until <= now {
			gone = append(gone, slices.Clone(k))
		}
	}
	for _, name := range gone {
		if err := counters.Delete(name); err != nil {
			return err
		}
	}
	return nil
}

func first(b *bbolt.Bucket) (c *bbolt.Cursor, k, v []byte) {
	c = b.Cursor()
	k, v = c.First()
	return c, k, v
}

var _ state.Counters = (*Store)(nil)
