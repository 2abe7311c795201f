package logs

import (
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"
)

// maxSegmentAge is when a segment is closed though it is not full, so that the
// retention can remove it. A shorter retention closes it sooner.
const maxSegmentAge = 24 * time.Hour

// An appendFunc appends b to the file at path, making it when missing, and
// returns how many bytes it wrote.
type appendFunc func(path string, b []byte) (int, error)

// A writer is the goroutine that brings batches to the disk and removes old
// segments. Only it writes, so only its fields say what is open and how large
// the store is.
type writer struct {
	store      *Store
	append     appendFunc
	total      int64     // bytes in all segments
	reported   uint64    // of the dropped lines, those that the node's log reports
	reportedAt time.Time // when it last did
}

func (w *writer) run() {
	s := w.store
	defer close(s.done)
	sweep := time.NewTicker(sweepInterval)
	defer sweep.Stop()
	var due <-chan time.Time
	for {
		select {
		case <-s.wake:
			if due == nil {
				due = time.After(s.interval())
			}
		case <-due:
			due = nil
			w.writeDirty()
		case <-s.hurry:
			w.writeFull()
		case done := <-s.flushes:
			w.writeDirty()
			close(done)
		case r := <-s.removals:
			r.done <- w.removeGroup(r.group)
		case now := <-sweep.C:
			w.sweep(now)
		case <-s.closing:
			w.writeDirty()
			return
		}
	}
}

// interval is how long lines wait for others: not for long while somebody follows.
func (s *Store) interval() time.Duration {
	if s.followers.Load() > 0 {
		return followInterval
	}
	return flushInterval
}

// writeFull writes full batches. Others wait for the interval: a write of a few
// bytes costs as much as one of 64 KB.
func (w *writer) writeFull() {
	s := w.store
	s.mu.Lock()
	groups := s.full
	s.full = nil
	s.mu.Unlock()
	for _, g := range groups {
		w.write(g, true)
	}
}

func (w *writer) writeDirty() {
	s := w.store
	s.mu.Lock()
	groups := s.dirty
	s.dirty = nil
	for _, g := range groups {
		g.dirty = false
	}
	s.mu.Unlock()
	for _, g := range groups {
		w.write(g, false)
	}
	w.warn()
}

// warn tells the node's log that lines were dropped, not more often than it helps.
func (w *writer) warn() {
	dropped := w.store.Dropped()
	if dropped == w.reported || time.Since(w.reportedAt) < warnInterval {
		return
	}
	w.store.log.Warn("log lines dropped, the disk does not keep up", zap.Uint64("lines", dropped-w.reported))
	w.reported, w.reportedAt = dropped, time.Now()
}

// write brings what g has buffered to the disk.
func (w *writer) write(g *Group, onlyFull bool) {
	for _, b := range g.take(onlyFull) {
		err := w.writeSegment(g, b.data)
		switch {
		case err != nil:
			g.lose(b)
			if !g.failing {
				w.store.log.Error("log lines dropped, the disk fails",
					zap.String("log_group", g.name), zap.Error(err))
			}
		case g.failing:
			w.store.log.Info("log lines are written again", zap.String("log_group", g.name))
		}
		g.failing = err != nil
		g.recycle(b)
		w.evict()
	}
}

// writeSegment appends data to the open segment of g, or to a new one.
func (w *writer) writeSegment(g *Group, data []byte) error {
	now := time.Now()
	maxFile, maxAge := int64(w.store.config.MaxFileMB)<<20, maxSegmentAge
	if limit := g.maxAge(); limit > 0 {
		maxAge = min(maxAge, limit)
	}
	seg, ok := g.openSegment()
	if !ok || seg.size+int64(len(data)) > maxFile || now.Sub(seg.begun()) > maxAge {
		// Also when an older process has left one of this millisecond, or of the
		// future: names go up.
		seg = segment{id: max(now.UnixMilli(), seg.id+1)}
		if err := g.makeDir(); err != nil {
			return err
		}
	}
	path := filepath.Join(g.dir, seg.name())
	n, err := w.append(path, data)
	if err != nil {
		// A batch is written whole or not at all, so that what is lost can be
		// counted. The next one tries a new file: the folder may be gone.
		undo := os.Remove
		if seg.size > 0 {
			undo = func(path string) error { return os.Truncate(path, seg.size) }
		}
		if undo(path) == nil {
			n = 0
		}
		g.seal()
	}
	if n > 0 {
		seg.size += int64(n)
		seg.modified = now
		w.total += int64(n)
		g.putSegment(seg, err == nil)
	}
	return err
}

// sweep removes segments that are past the retention or over the total.
func (w *writer) sweep(now time.Time) {
	if w.store.config.Keep {
		return
	}
	for _, g := range w.groups() {
		limit := g.maxAge()
		for limit > 0 {
			seg, ok := g.oldest()
			if !ok || now.Sub(seg.modified) < limit {
				break
			}
			w.remove(g, seg)
		}
	}
	w.evict()
}

// evict removes the oldest segment of the largest group until the total is kept.
func (w *writer) evict() {
	for !w.store.config.Keep && w.total > int64(w.store.config.MaxTotalMB)<<20 {
		var largest *Group
		var size int64
		for _, g := range w.groups() {
			if n := g.Size(); n > size {
				largest, size = g, n
			}
		}
		if largest == nil {
			return
		}
		seg, _ := largest.oldest()
		w.remove(largest, seg)
	}
}

// remove forgets the oldest segment of g even if the file cannot be removed. Otherwise the
// writer would try again forever.
func (w *writer) remove(g *Group, seg segment) {
	if err := os.Remove(filepath.Join(g.dir, seg.name())); err != nil && !os.IsNotExist(err) {
		w.store.log.Error("cannot remove old logs", zap.String("log_group", g.name), zap.Error(err))
	}
	g.dropOldest()
	w.total -= seg.size
}

func (w *writer) groups() []*Group {
	s := w.store
	s.mu.Lock()
	defer s.mu.Unlock()
	groups := make([]*Group, 0, len(s.groups))
	for _, g := range s.groups {
		groups = append(groups, g)
	}
	return groups
}

// appendFile opens the file for each batch: that costs some 10 us for 64 KB, and
// saves keeping a descriptor per function and knowing when to close it.
func appendFile(path string, b []byte) (int, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return 0, err
	}
	n, err := f.Write(b)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return n, err
}
