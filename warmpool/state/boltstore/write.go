package boltstore

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"go.etcd.io/bbolt"

	"github.com/hearthfn/hearth/warmpool/state"
)

// What bounds the writes that share a commit, and so the memory of one. A commit
// that has maxBytes takes no more.
const (
	maxBatch = 256
	maxBytes = 16 << 20
)

// A write waits for the commit that carries it.
type write struct {
	ctx  context.Context
	size int // bytes that it puts, about
	// apply must check everything before it changes anything: a refusal leaves
	// the other writes of the commit as they are.
	apply func(tx *bbolt.Tx) error
	// onCommit, if set, runs once the write would survive a crash, before its
	// caller is answered and before the next write is applied.
	onCommit func()
	err      error
	done     chan struct{}
}

// update has apply committed together with the writes of other callers, so that
// one sync serves them all. It outwaits ctx while the write is in a commit: so
// its caller always knows what happened.
func (s *Store) update(ctx context.Context, size int, apply func(tx *bbolt.Tx) error, onCommit func()) error {
	w := &write{ctx: ctx, size: size, apply: apply, onCommit: onCommit, done: make(chan struct{})}
	select {
	case <-s.closed:
		return s.closedError()
	default:
	}
	select {
	case s.writes <- w:
	case <-s.closed:
		return s.closedError()
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-w.done:
		return w.err
	case <-s.done:
		// It was queued while the writer ended; the writer answered what it took.
		select {
		case <-w.done:
			return w.err
		default:
			return s.closedError()
		}
	}
}

// write is the only goroutine that changes the file. While it syncs, the next
// commit gathers.
func (s *Store) write() {
	defer close(s.done)
	batch := make([]*write, 0, maxBatch)
	for {
		select {
		case w := <-s.writes:
			batch = append(batch[:0], w)
		case <-s.closed:
			return
		}
		bytes := batch[0].size
	gather:
		for len(batch) < maxBatch && bytes < maxBytes {
			select {
			case w := <-s.writes:
				batch = append(batch, w)
				bytes += w.size
			default:
				break gather
			}
		}
		s.commit(batch)
		for _, w := range batch {
			close(w.done)
		}
		clear(batch)
	}
}

// commit applies the batch in one transaction and sets the error of each write.
func (s *Store) commit(batch []*write) {
	err := s.failed
	if err == nil {
		err = s.judge(s.inUpdate(func(tx *bbolt.Tx) error {
			for _, w := range batch {
				if w.err = w.ctx.Err(); w.err != nil {
					continue
				}
				if w.err = w.apply(tx); w.err != nil && !refusal(w.err) {
					return w.err
				}
			}
			return nil
		}))
	}
	for _, w := range batch {
		switch {
		case err != nil:
			w.err = err
		case w.err == nil && w.onCommit != nil:
			w.onCommit()
		}
	}
}

// judge remembers that a commit failed in a way after which the kernel's word on
// later syncs cannot be trusted: it may drop the pages it could not write and
// then report success.
func (s *Store) judge(err error) error {
	if errors.Is(err, syscall.EIO) {
		s.failed = fmt.Errorf("%w: file %s could not be written: check the disk, then restart Hearth: %w", state.ErrUnavailable, s.path, err)
		return s.failed
	}
	return err
}

func refusal(err error) bool {
	return errors.Is(err, state.ErrConflict) || errors.Is(err, state.ErrNotFound) ||
		errors.Is(err, state.ErrLeaseLost) || errors.Is(err, state.ErrInvalid)
}
