package timeseries

import (
	"errors"
	"sync"
	"time"
)

// Resolutions and for how long there is data in them, in seconds.
const (
	minute = 60
	hour   = 3600
	day    = 24 * hour

	keepSeconds = 15 * minute
	keepMinutes = 24 * hour
)

// Bounds of a store.
const (
	// maxSeries is how many series there are at most.
	maxSeries = 200_000
	// maxSecondBytes bounds the memory for points of a second. Past it the oldest go early.
	maxSecondBytes = 64 << 20
	// chunk is how many seconds a piece of those points has.
	chunk = 5 * minute
)

// ErrFull is the error if there are too many series.
var ErrFull = errors.New("there are too many time series")

// Config of a store.
type Config struct {
	Now func() time.Time // default time.Now
}

// A Store has series of points.
type Store struct {
	Config

	mu          sync.Mutex // guards what follows, and the series
	series      map[string]*Series
	live        map[*Series]struct{} // those with points in memory
	secondBytes int
	swept       int64 // the minute of the last sweep
}

// A Series is the points of one thing that is measured.
type Series struct {
	key  string
	last int64 // the time of the newest point

	seconds []piece // the oldest first
	now     open    // the minute that is not over
	minutes tail    // what is over
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

// open is a minute that is not over.
type open struct {
	at   int64
	stat Stat
}

func (t *tail) append(at int64, s *Stat) {
	t.data = appendPoint(t.data, t.last, at, s)
	t.last = at
}

// Open opens a store.
func Open(c Config) (*Store, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Store{Config: c, series: make(map[string]*Series), live: make(map[*Series]struct{})}, nil
}

// Series is the series of a key, which is made if there is none. The error is ErrFull.
func (s *Store) Series(key string) (*Series, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.series[key]; known != nil {
		return known, nil
	}
	if len(s.series) >= maxSeries {
		return nil, ErrFull
	}
	made := &Series{key: key}
	s.series[key] = made
	return made, nil
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
	s.live[to] = struct{}{}
	to.last = max(to.last, second)
	if second > now-keepSeconds {
		from := second - second%chunk
		if n := len(to.seconds); n == 0 || to.seconds[n-1].from < from {
			to.seconds = append(to.seconds, piece{from: from, tail: tail{last: from}})
		}
		p := &to.seconds[len(to.seconds)-1]
		before := cap(p.data)
		p.append(second, values)
		s.secondBytes += cap(p.data) - before
	}
	of := second - second%minute
	if of > to.now.at && to.now.stat.Count > 0 {
		to.close()
	}
	if of < to.now.at && to.now.stat.Count > 0 { // it comes late
		to.minutes.append(of, values)
		return
	}
	to.now.at = of
	to.now.stat.Merge(values)
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
	for s.secondBytes > maxSecondBytes && oldest < now {
		s.forgetSeconds(oldest)
		oldest += chunk
	}
	s.forgetSeconds(oldest)
	for p := range s.live {
		if p.now.at+minute <= now {
			p.close()
		}
		if len(p.seconds) == 0 && p.now.stat.Count == 0 && len(p.minutes.data) == 0 {
			delete(s.live, p)
		}
	}
}

// forgetSeconds needs mu.
func (s *Store) forgetSeconds(oldest int64) {
	for p := range s.live {
		for len(p.seconds) > 0 && p.seconds[0].from+chunk <= oldest {
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

// Close ends the store.
func (s *Store) Close() error { return nil }
