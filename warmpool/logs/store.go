package logs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/function"
)

// Defaults of Config.
const (
	DefaultMaxFileMB  = 16
	DefaultMaxTotalMB = 1024
	DefaultRetention  = 30 * 24 * time.Hour
)

const (
	flushInterval  = 250 * time.Millisecond
	followInterval = 50 * time.Millisecond // while somebody follows
	sweepInterval  = time.Hour
	warnInterval   = 10 * time.Second
	batchSize      = 64 << 10 // a batch this large is full and does not wait for the flush
	maxGroupBuffer = 4 << 20  // bytes in full batches of a group, when the disk is slow
	maxBuffers     = 64 << 20 // bytes in full batches of all groups
)

// ErrClosed says that the store is closed.
var ErrClosed = errors.New("log store is closed")

// A Config says where logs are kept and how many of them.
type Config struct {
	// Dir is the folder of the store; it is made, with mode 0700, when missing.
	// It belongs to one store at a time.
	Dir string
	// MaxFileMB is the size in MB at which a group begins a new file. Default: 16.
	MaxFileMB int
	// MaxTotalMB is what the files of all groups together may take, in MB, at
	// least twice MaxFileMB. The largest group loses its oldest file first.
	// Default: 1024, or twice MaxFileMB when that is more.
	MaxTotalMB int
	// Retention is the age at which events are removed, give or take the day
	// that one file may cover. Negative: never. Default: 30 days.
	Retention time.Duration
	// Keep has nothing removed, whatever the limits: the folder is another store's,
	// and this one only looks.
	Keep bool
	// Heard gets the lines of functions, before they are kept. It must not block, and not retain
	// what it gets. nil: nobody does.
	Heard func(group string, line []byte)
}

func (c *Config) normalize() error {
	if c.Dir == "" {
		return errors.New("log store has no folder: set its dir")
	}
	if c.MaxFileMB < 0 || c.MaxTotalMB < 0 {
		return fmt.Errorf("log store with files of %d MB and %d MB in total: sizes cannot be negative", c.MaxFileMB, c.MaxTotalMB)
	}
	if c.MaxFileMB == 0 {
		c.MaxFileMB = DefaultMaxFileMB
		if c.MaxTotalMB > 0 {
			c.MaxFileMB = max(1, min(c.MaxFileMB, c.MaxTotalMB/2))
		}
	}
	if c.MaxTotalMB == 0 {
		c.MaxTotalMB = max(DefaultMaxTotalMB, 2*c.MaxFileMB)
	}
	if c.MaxTotalMB < 2*c.MaxFileMB {
		return fmt.Errorf("log store of %d MB in total cannot rotate files of %d MB: allow at least %d MB in total",
			c.MaxTotalMB, c.MaxFileMB, 2*c.MaxFileMB)
	}
	if c.Retention == 0 {
		c.Retention = DefaultRetention
	}
	return nil
}

// A Store holds the log groups of a node. Its methods, and those of its groups
// and streams, may be called from many goroutines.
type Store struct {
	config Config
	log    *zap.Logger

	batches  sync.Pool    // of *batch
	buffered atomic.Int64 // bytes in full batches
	dropped  atomic.Uint64
	closed   atomic.Bool

	followers atomic.Int64 // calls of Events that wait for more

	wake     chan struct{}      // of capacity 1: a group is dirty
	hurry    chan struct{}      // of capacity 1: a group is full
	flushes  chan chan struct{} // requests to write everything now
	removals chan removal
	closing  chan struct{}
	done     chan struct{} // closed when the writer has ended

	mu     sync.Mutex // guards what follows
	groups map[string]*Group
	dirty  []*Group // have something to write
	full   []*Group // should not wait for the flush interval

	writer writer // the writer's goroutine's own
}

// Open opens the store in cfg.Dir, or makes it. Before it returns, it removes events that
// are past their retention or over the total. It logs problems with the disk to log. Close
// ends the store.
func Open(cfg Config, log *zap.Logger) (*Store, error) {
	return open(cfg, log, appendFile)
}

func open(cfg Config, log *zap.Logger, appendTo appendFunc) (*Store, error) {
	if err := cfg.normalize(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of the logs: %w", err)
	}
	s := &Store{
		config:   cfg,
		log:      log,
		batches:  sync.Pool{New: func() any { return new(batch) }},
		wake:     make(chan struct{}, 1),
		hurry:    make(chan struct{}, 1),
		flushes:  make(chan chan struct{}),
		removals: make(chan removal),
		closing:  make(chan struct{}),
		done:     make(chan struct{}),
		groups:   make(map[string]*Group),
	}
	s.writer = writer{store: s, append: appendTo}
	if err := s.load(); err != nil {
		return nil, fmt.Errorf("reading the folder of the logs: %w", err)
	}
	s.writer.sweep(time.Now())
	go s.writer.run()
	return s, nil
}

// load finds the groups and segments that an earlier store has left.
func (s *Store) load() error {
	entries, err := os.ReadDir(s.config.Dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name, ok := groupOf(filepath.Join(s.config.Dir, entry.Name()))
		if !entry.IsDir() || !ok {
			continue
		}
		g := newGroup(s, name)
		if g.segments, err = findSegments(g.dir); err != nil {
			return err
		}
		if g.retention, err = readRetention(g.dir); err != nil {
			return err
		}
		if g.meta, err = readMeta(g.dir); err != nil {
			return fmt.Errorf("%s: %w: correct the file, or remove it", filepath.Join(g.dir, metaFile), err)
		}
		s.groups[g.name] = g
		s.writer.total += g.Size()
	}
	return nil
}

// Group returns the log group of a function, which need not have logged before.
// It fails for what Lambda takes for no function name, so a name is safe as the
// name of a folder.
func (s *Store) Group(name string) (*Group, error) {
	if !function.ValidName(name) {
		return nil, fmt.Errorf("log group of function %q: 1 to 64 letters, digits, hyphens and underscores are allowed in a name", name)
	}
	return s.Named(function.DefaultLogGroup(name))
}

// Named returns the log group of a name, which need not have logged before.
func (s *Store) Named(name string) (*Group, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.groups[name]; g != nil {
		return g, nil
	}
	if !function.ValidLogGroup(name) {
		return nil, fmt.Errorf("log group %.99q: 1 to 512 letters, digits and _ - / . # are allowed in a name", name)
	}
	g := newGroup(s, name)
	s.groups[name] = g
	return g, nil
}

// Groups returns the log groups that hold events on disk or were made by Create, in the order of their
// names.
func (s *Store) Groups() []*Group {
	s.mu.Lock()
	groups := make([]*Group, 0, len(s.groups))
	for _, g := range s.groups {
		groups = append(groups, g)
	}
	s.mu.Unlock()
	groups = slices.DeleteFunc(groups, func(g *Group) bool { return !g.Exists() })
	slices.SortFunc(groups, func(a, b *Group) int { return strings.Compare(a.name, b.name) })
	return groups
}

// Dropped returns how many lines were lost since Open because the disk could not
// follow, or failed.
func (s *Store) Dropped() uint64 { return s.dropped.Load() }

// Flush writes the buffered lines and returns when they are on disk (not synced). It fails
// with ErrClosed, or with the error of ctx.
func (s *Store) Flush(ctx context.Context) error {
	done := make(chan struct{})
	select {
	case s.flushes <- done:
	case <-s.done:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close writes the buffered lines and ends the store; it waits for the disk. The store
// drops lines that are logged later. Readers can still read what is on disk.
func (s *Store) Close() error {
	if !s.closed.Swap(true) {
		close(s.closing)
	}
	<-s.done
	return nil
}

// enqueue asks the writer to take g's batch within the flush interval.
func (s *Store) enqueue(g *Group) {
	s.mu.Lock()
	if !g.dirty {
		g.dirty = true
		s.dirty = append(s.dirty, g)
	}
	s.mu.Unlock()
	signal(s.wake)
}

// expedite asks the writer to take g's full batches now.
func (s *Store) expedite(g *Group) {
	s.mu.Lock()
	s.full = append(s.full, g)
	s.mu.Unlock()
	signal(s.hurry)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // one is on its way already
	}
}
