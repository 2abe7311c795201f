package boltstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/hearthfn/hearth/warmpool/disk"
	"github.com/hearthfn/hearth/warmpool/state"
	"github.com/hearthfn/hearth/warmpool/state/internal/hints"
)

// Config says where the file of a store is.
type Config struct {
	// Path of the file, made with mode 0600 if there is none.
	Path string
	// Now is the clock of leases and slots; default time.Now.
	Now func() time.Time
	// LockTimeout is how long Open waits for another process to close the file;
	// default 1s.
	LockTimeout time.Duration
}

// A Store keeps state in one file, which it holds alone until Close.
type Store struct {
	db   *bbolt.DB
	path string
	now  func() time.Time

	records hints.Watches // of owners
	ready   hints.Watches // of groups
	queue   queue
	slots   slots
	token   atomic.Int64 // the last one of a lease or grant

	writes chan *write
	closed chan struct{} // closed by Close: no write is taken any more
	done   chan struct{} // closed by the writer when it has ended
	once   sync.Once
	failed error // the writer's: a sync failed, so the file may lack what the kernel claims
}

// The buckets and the format that this package reads. doc.go draws them.
const (
	bucketMeta     = "meta"
	bucketRecords  = "records"
	bucketEntries  = "entries"
	bucketDue      = "due"
	bucketBuried   = "buried"
	bucketOnce     = "once"
	bucketOnceEnds = "once_ends"

	keyFormat = "format"
	keyOpened = "opened"
)

const format = 1

// Open opens or makes the file. The error is state.ErrInUse, ErrDamaged,
// ErrNewer or ErrUnavailable, or the file's own.
func Open(c Config) (*Store, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.LockTimeout == 0 {
		c.LockTimeout = time.Second
	}
	isNew, err := inspect(c)
	if err != nil {
		return nil, err
	}
	options := *bbolt.DefaultOptions
	options.Timeout = c.LockTimeout
	options.FreelistType = bbolt.FreelistMapType
	// Writing the list of free pages with every commit costs more than the commit
	// once a long queue was worked off. It is written at Close alone: only after
	// a crash does Open look for the free pages itself.
	options.NoFreelistSync = true
	options.NoStatistics = true
	db, err := openBolt(c.Path, options)
	if err != nil {
		return nil, err
	}
	err = secure(c.Path, isNew)
	if err == nil && isNew {
		err = disk.SyncDir(filepath.Dir(c.Path)) // or a power cut might take the file's name
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("state file: %w", err), db.Close())
	}
	s := &Store{
		db: db, path: c.Path, now: c.Now,
		writes: make(chan *write, maxBatch), closed: make(chan struct{}), done: make(chan struct{}),
	}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	go s.write()
	return s, nil
}

// openBolt opens the database and leaves no descriptor behind if it cannot.
func openBolt(path string, options bbolt.Options) (db *bbolt.DB, err error) {
	var file *os.File
	options.OpenFile = func(name string, flag int, mode os.FileMode) (_ *os.File, err error) {
		file, err = os.OpenFile(name, flag, mode)
		return file, err
	}
	err = guard(path, func() (err error) {
		if db, err = bbolt.Open(path, 0o600, &options); err != nil {
			return openError(path, err)
		}
		return nil
	})
	if err != nil && file != nil {
		// bbolt did this already, unless it panicked. Then its mapping keeps the
		// file, and the lock with it, beyond the end of the descriptor.
		_ = syscall.Flock(int(file.Fd()), syscall.LOCK_UN)
		_ = file.Close()
	}
	return db, err
}

// guard makes an error of what bbolt panics with, a text, when a page is not what
// it has to be: the disk or somebody changed the file.
func guard(path string, do func() error) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case string:
			err = fmt.Errorf("%w: file %s (%s): put a backup in its place", state.ErrDamaged, path, p)
		default:
			panic(p)
		}
	}()
	return do()
}

// secure takes a file that was put back with a wider mode from others, who could
// read what functions are configured with, and makes the name of a new one
// survive a crash.
func secure(path string, isNew bool) error {
	if err := os.Chmod(path, 0o600); err != nil || !isNew {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// inspect looks at an existing file without writing. bbolt would run into a
// fault that cannot be caught if the file ended before its last page.
func inspect(c Config) (isNew bool, err error) {
	info, err := os.Stat(c.Path)
	if errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("state file: %w", err)
	}
	options := *bbolt.DefaultOptions
	options.Timeout, options.ReadOnly = c.LockTimeout, true
	db, err := openBolt(c.Path, options)
	if err != nil {
		return false, err
	}
	defer db.Close()
	tx, err := db.Begin(false)
	if err != nil {
		return false, openError(c.Path, err)
	}
	defer func() { _ = tx.Rollback() }()
	// Again, now that the file is locked: it may have grown meanwhile.
	if info, err = os.Stat(c.Path); err != nil {
		return false, fmt.Errorf("state file: %w", err)
	}
	if tx.Size() > info.Size() {
		return false, fmt.Errorf("%w: file %s has %d bytes of %d: put a backup in its place", state.ErrDamaged, c.Path, info.Size(), tx.Size())
	}
	return false, nil
}

func openError(path string, err error) error {
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("%w: file %s is locked: stop the other Hearth that runs with this data directory", state.ErrInUse, path)
	case isFull(err):
		return full(path, err)
	case errors.As(err, new(syscall.Errno)):
		return fmt.Errorf("state file %s: %w", path, err)
	}
	return fmt.Errorf("%w: file %s is no state file or its head is torn (%w): put a backup in its place", state.ErrDamaged, path, err)
}

// prepare checks the format, makes the buckets and counts what they hold.
func (s *Store) prepare() error {
	return s.inUpdate(func(tx *bbolt.Tx) error {
		meta, err := tx.CreateBucketIfNotExists([]byte(bucketMeta))
		if err != nil {
			return err
		}
		if have := meta.Get([]byte(keyFormat)); have == nil {
			if err := meta.Put([]byte(keyFormat), number(format)); err != nil {
				return err
			}
		} else if len(have) != 8 {
			return fmt.Errorf("%w: file %s names no format: put a backup in its place", state.ErrDamaged, s.path)
		} else if n := binary.BigEndian.Uint64(have); n > format {
			return fmt.Errorf("%w: file %s has format %d, this Hearth knows %d: run the newer Hearth that wrote it", state.ErrNewer, s.path, n, format)
		}
		for _, name := range []string{bucketRecords, bucketEntries, bucketDue, bucketBuried, bucketOnce, bucketOnceEnds, bucketCounters} {
			if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
				return err
			}
		}
		s.queue.count(tx)
		return s.countOpening(meta)
	})
}

// inUpdate runs change in a transaction that writes.
func (s *Store) inUpdate(change func(tx *bbolt.Tx) error) error {
	return s.explain(guard(s.path, func() error { return s.db.Update(change) }))
}

// countOpening makes tokens go on above those of the processes before, which kept
// no record of theirs.
func (s *Store) countOpening(meta *bbolt.Bucket) error {
	opened := uint64(1)
	if have := meta.Get([]byte(keyOpened)); len(have) == 8 {
		opened += binary.BigEndian.Uint64(have)
	}
	s.token.Store(int64(opened << 40))
	s.queue.token = &s.token
	return meta.Put([]byte(keyOpened), number(opened))
}

// explain adds file and remedy to an error of the file.
func (s *Store) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case isFull(err):
		return full(s.path, err)
	case errors.Is(err, bolterrors.ErrDatabaseNotOpen):
		return s.closedError()
	}
	return err
}

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

func full(path string, err error) error {
	return fmt.Errorf("%w: no space is left for file %s: free some (what was accepted is kept): %w", state.ErrUnavailable, path, err)
}

func (s *Store) closedError() error {
	return fmt.Errorf("%w: file %s", state.ErrClosed, s.path)
}

// Close ends the writes in progress and gives the file back.
func (s *Store) Close() error {
	var err error
	s.once.Do(func() {
		close(s.closed)
		<-s.done
		s.records.Close()
		s.ready.Close()
		if s.failed == nil {
			s.db.NoFreelistSync = false
			// A commit that changes nothing else: the next Open need not look for
			// free pages. Without it all is still there.
			_ = s.db.Update(func(*bbolt.Tx) error { return nil })
		}
		err = s.db.Close()
	})
	return err
}

// usable is for what touches no file.
func (s *Store) usable(ctx context.Context) error {
	select {
	case <-s.closed:
		return s.closedError()
	default:
		return ctx.Err()
	}
}

// view runs read in a transaction of its own.
func (s *Store) view(ctx context.Context, read func(tx *bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.explain(guard(s.path, func() error { return s.db.View(read) }))
}

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func bucket(tx *bbolt.Tx, name string) *bbolt.Bucket { return tx.Bucket([]byte(name)) }
