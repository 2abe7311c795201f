package timeseries

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
)

// What is in the directory of a store. A NUMBER is that of the journal that it comes of.
//
//	names             the keys of series by their IDs: a journal
//	journal-NUMBER    values of minutes, those since the last file
//	minutes-NUMBER    points of a minute
//	hours-A-B         points of an hour, of the journals from A to B

// writeEvery is how often values go to the journal: what a crash loses.
const writeEvery = 5 * time.Second

// files are those that readers read. They do not change in place.
type files struct{ minutes, hours []*file }

// diskState is of the goroutine that writes.
type diskState struct {
	names, journal *journal
	number         int   // of the journal
	hour           int64 // that the journal is of
	told           time.Time
}

func (s *Store) path(format string, args ...any) string {
	return filepath.Join(s.Dir, fmt.Sprintf(format, args...))
}

func (s *Store) openDisk() (err error) {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return err
	}
	if err := s.openFiles(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.closeDisk())
		}
	}()
	if s.disk.names, err = openJournal(s.path("names"), s.readNames); err != nil {
		return err
	}
	if err := s.touchAll(); err != nil {
		return err
	}
	if s.disk.journal, err = openJournal(s.path("journal-%08d", s.disk.number), s.readValues); err != nil {
		return err
	}
	if err := s.dropUnused(); err != nil {
		return err
	}
	s.disk.hour = s.Now().Unix() / hour
	ctx, stop := context.WithCancel(context.Background())
	s.stop, s.done = stop, make(chan struct{})
	go s.run(ctx)
	return nil
}

// openFiles finds the files, and undoes what a crash has left half done.
func (s *Store) openFiles() error {
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		return err
	}
	var journals []int
	covered := 0 // the number of the newest journal that is in a file of hours
	for _, e := range entries {
		var a, b int
		path := filepath.Join(s.Dir, e.Name())
		switch {
		case strings.HasPrefix(e.Name(), ".new-"):
			if err := os.Remove(path); err != nil {
				return err
			}
		case scan(e.Name(), "journal-%08d", &a):
			journals = append(journals, a)
		case scan(e.Name(), "minutes-%08d", &a):
			s.files.minutes = s.openOr(s.files.minutes, path)
			s.disk.number = max(s.disk.number, a+1)
		case scan(e.Name(), "hours-%08d-%08d", &a, &b):
			s.files.hours = s.openOr(s.files.hours, path)
			covered = max(covered, b)
		}
	}
	s.files.hours = s.dropCovered(s.files.hours)
	for _, f := range slices.Clone(s.files.minutes) {
		var n int
		if scan(filepath.Base(f.path), "minutes-%08d", &n); n > covered {
			h, err := s.writeHours(n, f)
			if err != nil {
				return err
			}
			s.files.hours = append(s.files.hours, h)
		}
	}
	for _, n := range journals {
		if n < s.disk.number { // a file has it
			if err := os.Remove(s.path("journal-%08d", n)); err != nil {
				return err
			}
		} else {
			s.disk.number = n
		}
	}
	s.disk.number = max(s.disk.number, covered+1, 1)
	return nil
}

func scan(name, format string, into ...any) bool {
	n, err := fmt.Sscanf(name, format, into...)
	if err != nil || n != len(into) {
		return false
	}
	args := make([]any, len(into))
	for i, p := range into {
		args[i] = *p.(*int)
	}
	return fmt.Sprintf(format, args...) == name
}

// openOr opens a file, or puts one that is damaged aside.
func (s *Store) openOr(all []*file, path string) []*file {
	f, err := openFile(path)
	if err != nil {
		s.Log.Error("metrics of a file are lost: it is put aside", zap.String("path", path), zap.Error(err))
		if err := os.Rename(path, filepath.Join(s.Dir, "damaged-"+filepath.Base(path))); err != nil {
			s.Log.Error("a damaged file cannot be put aside", zap.Error(err))
		}
		return all
	}
	return append(all, f)
}

// dropCovered removes the files of hours that are in a larger one, whose writer has not come to it.
func (s *Store) dropCovered(all []*file) (out []*file) {
	ranges := func(f *file) (a, b int) { scan(filepath.Base(f.path), "hours-%08d-%08d", &a, &b); return a, b }
	for n, f := range all {
		a, b := ranges(f)
		if slices.ContainsFunc(all, func(o *file) bool {
			c, d := ranges(o)
			return o != all[n] && c <= a && b <= d
		}) {
			if err := f.remove(); err != nil {
				s.Log.Error("an old file of metrics cannot be removed", zap.Error(err))
			}
			continue
		}
		out = append(out, f)
	}
	return out
}

func (s *Store) readNames(frame []byte) error {
	for len(frame) > 0 {
		id, n := binary.Uvarint(frame)
		length, m := binary.Uvarint(frame[max(n, 0):])
		if n <= 0 || m <= 0 || id == 0 || id > 1<<31 || length > uint64(len(frame)-n-m) {
			return errDamaged
		}
		key := string(frame[n+m : n+m+int(length)])
		frame = frame[n+m+int(length):]
		if s.series[key] == nil && s.ids[uint32(id)] == nil && len(s.series) < maxSeries && s.keyBytes+len(key) <= maxKeys {
			s.define(uint32(id), key)
		}
	}
	return nil
}

// touchAll finds which series have points in files.
func (s *Store) touchAll() error {
	for _, f := range slices.Concat(s.files.hours, s.files.minutes) {
		err := f.ids(func(id uint32) {
			if to := s.ids[id]; to != nil {
				to.last = max(to.last, f.last)
			}
		})
		if errors.Is(err, errDamaged) {
			s.Log.Error("a file of metrics is damaged: what is readable is kept", zap.Error(err))
		} else if err != nil {
			return err
		}
	}
	return nil
}

// dropUnused forgets series that have no points any more, and writes the names again without them.
func (s *Store) dropUnused() error {
	dropped := 0
	var frame []byte
	for key, p := range s.series {
		if p.last == 0 {
			delete(s.series, key)
			delete(s.ids, p.id)
			s.keyBytes -= len(key)
			dropped++
			continue
		}
		frame = appendName(frame, p.id, key)
	}
	if dropped == 0 {
		return nil
	}
	old := s.disk.names
	path := s.path(".new-names")
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	names, err := openJournal(path, func([]byte) error { return nil })
	if err != nil {
		return err
	}
	s.disk.names = names
	if len(frame) > 0 {
		err = names.append(frame)
	}
	return errors.Join(err, old.close(), names.f.Sync(), os.Rename(path, s.path("names")))
}

func appendName(b []byte, id uint32, key string) []byte {
	b = binary.AppendUvarint(b, uint64(id))
	b = binary.AppendUvarint(b, uint64(len(key)))
	return append(b, key...)
}

// note keeps values for the journal. It needs mu.
func (s *Store) note(to *Series, of int64, values *Stat) {
	if s.Dir == "" {
		return
	}
	u := &to.unsaved
	if u.stat.Count > 0 && u.at != of { // it is rare
		s.unsaved = append(s.unsaved, &Series{id: to.id, unsaved: *u})
		u.stat = Stat{}
		u.at = of
		u.stat.Merge(values)
		return
	}
	if u.stat.Count == 0 {
		s.unsaved = append(s.unsaved, to)
	}
	u.at = of
	u.stat.Merge(values)
}

// readValues takes a frame of the journal: of each point the ID, the length and the point.
func (s *Store) readValues(frame []byte) error {
	for len(frame) > 0 {
		id, n := binary.Uvarint(frame)
		length, m := binary.Uvarint(frame[max(n, 0):])
		if n <= 0 || m <= 0 || length > uint64(len(frame)-n-m) {
			return errDamaged
		}
		p := points{data: frame[n+m : n+m+int(length)]}
		frame = frame[n+m+int(length):]
		to := s.ids[uint32(id)]
		for p.next() {
			if to != nil {
				to.last = max(to.last, p.at)
				s.wake(to)
				to.addMinute(p.at, &p.stat)
			}
		}
		if p.err != nil {
			return p.err
		}
	}
	return nil
}

func (s *Store) run(ctx context.Context) {
	defer close(s.done)
	ticker := time.NewTicker(writeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		s.Write()
	}
}

// Write writes what is not on disk yet, and ends files whose time is over. The store does so by
// itself every few seconds.
func (s *Store) Write() {
	err := s.flush()
	if now := s.Now().Unix() / hour; err == nil && (now > s.disk.hour || s.disk.journal.size > maxJournal) {
		s.disk.hour = now
		err = errors.Join(s.seal(), s.retain())
	}
	if err != nil && s.Now().Sub(s.disk.told) > time.Minute {
		s.disk.told = s.Now()
		s.Log.Error("metrics cannot be written", zap.Error(err))
	}
}

// flush writes new names, then new values.
func (s *Store) flush() error {
	s.mu.Lock()
	names, some := s.fresh, s.unsaved
	s.fresh, s.unsaved = nil, nil
	var frame, one []byte
	for _, p := range some {
		one = appendPoint(one[:0], 0, p.unsaved.at, &p.unsaved.stat)
		p.unsaved.stat.Reset()
		frame = binary.AppendUvarint(frame, uint64(p.id))
		frame = binary.AppendUvarint(frame, uint64(len(one)))
		frame = append(frame, one...)
	}
	s.mu.Unlock()
	if len(names) > 0 {
		if err := s.disk.names.append(names); err != nil {
			s.mu.Lock()
			s.fresh = append(names, s.fresh...)
			s.mu.Unlock()
			return err
		}
	}
	if len(frame) == 0 {
		return nil
	}
	return s.disk.journal.append(frame)
}

// closeDisk ends the files that are open.
func (s *Store) closeDisk() error {
	var err error
	if s.disk.journal != nil {
		err = errors.Join(s.flush(), s.disk.journal.close())
	}
	if s.disk.names != nil {
		err = errors.Join(err, s.disk.names.close())
	}
	return err
}
