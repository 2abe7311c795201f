package timeseries

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Resolutions and for how long there is data in them, in seconds.
const (
	minute = 60
	hour   = 3600
	day    = 24 * hour

	keepSeconds = 15 * minute
	keepMinutes = 24 * hour
	keepHours   = 60 * day
)

// Bounds of a store.
const (
	// maxSeries is how many series there are at most.
	maxSeries = 200_000
	// maxKey bounds a key, in bytes.
	maxKey = 16 << 10
	// maxKeys bounds all keys together, in bytes: memory, and one frame of the file of names.
	maxKeys = 48 << 20
	// maxSecondBytes bounds the memory for points of a second. Past it the oldest go early.
	maxSecondBytes = 64 << 20
	// piecesOf is how many seconds a piece of those points has.
	piecesOf = 5 * minute
	// maxJournal is the size of the journal that ends an hour early, in bytes.
	maxJournal = 64 << 20
	// defaultMaxBytes is the default of Config.MaxBytes.
	defaultMaxBytes = 1 << 30
)

// ErrFull is the error if there are too many series.
var ErrFull = errors.New("there are too many time series")

// Config of a store.
type Config struct {
	Dir string // "": nothing is kept on disk
	// MaxBytes bounds the files. Past it the oldest points of a minute go, then those of an hour.
	// Default: 1 GB.
	MaxBytes int64
	Now      func() time.Time // default time.Now
	Log      *zap.Logger
}

// A Store has series of points.
type Store struct {
	Config

	stop context.CancelFunc // nil: nothing is kept on disk
	done chan struct{}

	mu          sync.Mutex // guards what follows, and the series
	series      map[string]*Series
	ids         map[uint32]*Series
	lastID      uint32
	keyBytes    int                  // of all series
	live        map[*Series]struct{} // those with points in memory
	unsaved     []*Series            // those with values that the journal does not have
	fresh       []byte               // frames of names that the file of names does not have
	secondBytes int
	swept       int64 // the minute of the last sweep
	files       files

	disk diskState // of the goroutine that writes
}

// A Series is the points of one thing that is measured.
type Series struct {
	id   uint32
	key  string
	last int64 // the time of the newest point

	alive   bool    // in live
	seconds []piece // the oldest first
	now     open    // the minute that is not over
	minutes tail    // what is over
	sealing tail    // what is being written to a file

	unsaved open // what the journal does not have
}

// A piece is points of a span of time.
type piece struct {
	from int64
	tail
}

// A tail is encoded points that more are appended to.
type tail struct {
	data []byte
	last int64 // the time of the last point
}

// open is values of a minute.
type open struct {
	at   int64
	stat Stat
}

func (t *tail) append(at int64, s *Stat) {
	t.data = appendPoint(t.data, t.last, at, s)
	t.last = at
}

// Open opens a store. Close closes it.
func Open(c Config) (*Store, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = defaultMaxBytes
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	s := &Store{Config: c, series: make(map[string]*Series), ids: make(map[uint32]*Series), live: make(map[*Series]struct{})}
	if c.Dir == "" {
		return s, nil
	}
	if err := s.openDisk(); err != nil {
		return nil, err
	}
	return s, nil
}

// Series is the series of a key, which is made if there is none. The error is ErrFull.
func (s *Store) Series(key string) (*Series, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.series[key]; known != nil {
		return known, nil
	}
	if len(s.series) >= maxSeries || len(key) > maxKey || s.keyBytes+len(key) > maxKeys {
		return nil, ErrFull
	}
	made := s.define(s.lastID+1, key)
	if s.Dir != "" {
		s.fresh = appendName(s.fresh, made.id, key)
	}
	return made, nil
}

// define needs mu.
func (s *Store) define(id uint32, key string) *Series {
	made := &Series{id: id, key: key}
	s.series[key], s.ids[id] = made, made
	s.lastID = max(s.lastID, id)
	s.keyBytes += len(key)
	return made
}

// An Entry is values of a series.
type Entry struct {
	Series *Series
	Stat   *Stat
}

// Add adds values of a second, which may be past. It does not retain them.
func (s *Store) Add(at time.Time, entries ...Entry) {
	second := at.Unix()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Now().Unix()
	for _, e := range entries {
		if e.Stat.Count > 0 {
			s.add(e.Series, second, now, e.Stat)
		}
	}
	if now/minute > s.swept {
		s.swept = now / minute
		s.sweep(now)
	}
}

// add needs mu.
func (s *Store) add(to *Series, second, now int64, values *Stat) {
	s.wake(to)
	to.last = max(to.last, second)
	if second > now-keepSeconds {
		from := second - second%piecesOf
		if n := len(to.seconds); n == 0 || to.seconds[n-1].from < from {
			to.seconds = append(to.seconds, piece{from: from, tail: tail{last: from}})
		}
		p := &to.seconds[len(to.seconds)-1]
		before := cap(p.data)
		p.append(second, values)
		s.secondBytes += cap(p.data) - before
	}
	of := second - second%minute
	s.note(to, of, values)
	to.addMinute(of, values)
}

// wake has a series swept. It needs mu.
func (s *Store) wake(p *Series) {
	if !p.alive {
		p.alive = true
		s.live[p] = struct{}{}
	}
}

// addMinute adds values of a minute.
func (p *Series) addMinute(of int64, values *Stat) {
	if of > p.now.at {
		p.close()
	}
	if of < p.now.at && p.now.stat.Count > 0 { // it comes late
		p.minutes.append(of, values)
		return
	}
	p.now.at = of
	p.now.stat.Merge(values)
}

// close ends the open minute.
func (p *Series) close() {
	if p.now.stat.Count > 0 {
		p.minutes.append(p.now.at, &p.now.stat)
		p.now.stat = Stat{}
	}
}

// sweep ends minutes that are over and gives up what is too old. It needs mu.
func (s *Store) sweep(now int64) {
	oldest := now - keepSeconds
	s.forgetSeconds(oldest)
	for s.secondBytes > maxSecondBytes && oldest < now {
		oldest += piecesOf
		s.forgetSeconds(oldest)
	}
	for p := range s.live {
		if p.now.at+minute <= now {
			p.close()
		}
		if s.Dir == "" {
			p.minutes.forget(now - keepMinutes)
		}
		if len(p.seconds) == 0 && p.now.stat.Count == 0 && len(p.minutes.data) == 0 && len(p.sealing.data) == 0 {
			p.minutes = tail{}
			delete(s.live, p)
			p.alive = false
		}
	}
}

// forget gives all points up once the last of them is too old.
func (t *tail) forget(before int64) {
	if t.last < before {
		*t = tail{}
	}
}

// forgetSeconds needs mu.
func (s *Store) forgetSeconds(oldest int64) {
	for p := range s.live {
		for len(p.seconds) > 0 && p.seconds[0].from+piecesOf <= oldest {
			s.secondBytes -= cap(p.seconds[0].data)
			p.seconds = p.seconds[1:]
		}
		if len(p.seconds) == 0 {
			p.seconds = nil
		}
	}
}

// Each gives visit the key of each series, and when it had its newest point.
func (s *Store) Each(visit func(key string, last time.Time)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, p := range s.series {
		visit(key, time.Unix(p.last, 0))
	}
}

// Close writes what is not written yet.
func (s *Store) Close() error {
	if s.stop == nil {
		return nil
	}
	s.stop()
	<-s.done
	return s.closeDisk()
}
