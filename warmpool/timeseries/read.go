package timeseries

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"slices"
	"time"

	"go.uber.org/zap"
)

// A Range is a span of time that is divided into periods.
type Range struct {
	From, To time.Time     // To is not in it
	Period   time.Duration // whole seconds
}

// slots are the Stats of the periods of a range.
type slots struct {
	from, to, period int64
	stats            []*Stat
}

func (r Range) slots() *slots {
	s := &slots{from: r.From.Unix(), to: r.To.Unix(), period: int64(r.Period / time.Second)}
	if s.period > 0 && s.to > s.from {
		s.stats = make([]*Stat, (s.to-s.from+s.period-1)/s.period)
	}
	return s
}

func (s *slots) add(at int64, stat *Stat) {
	if at < s.from || at >= s.to || len(s.stats) == 0 || stat.Count == 0 {
		return
	}
	n := (at - s.from) / s.period
	if s.stats[n] == nil {
		s.stats[n] = new(Stat)
	}
	s.stats[n].Merge(stat)
}

// addAll adds the points that are from since on and before until.
func (s *slots) addAll(data []byte, from, since, until int64) error {
	p := points{data: data, at: from}
	for p.next() {
		if p.at >= since && p.at < until {
			s.add(p.at, &p.stat)
		}
	}
	return p.err
}

// Read gives for each key the Stats of the periods of a range, nil for periods without values. A
// period has the values of the seconds that begin in it if it is no whole minutes long, or else of
// the minutes, or of the hours where there are no minutes any more.
func (s *Store) Read(ctx context.Context, keys []string, r Range) ([][]*Stat, error) {
	out := make([][]*Stat, len(keys))
	all := make([]*slots, len(keys))
	byID := make(map[uint32][]*slots, len(keys))
	for n := range keys {
		all[n] = r.slots()
		out[n] = all[n].stats
	}
	s.mu.Lock()
	fine := r.Period%(minute*time.Second) != 0
	var wanted []uint32
	for n, key := range keys {
		p := s.series[key]
		if p == nil {
			continue
		}
		if err := p.read(all[n], fine); err != nil {
			s.mu.Unlock()
			return nil, err
		}
		if byID[p.id] == nil {
			wanted = append(wanted, p.id)
		}
		byID[p.id] = append(byID[p.id], all[n])
	}
	files, edge := s.files, minutesFrom(s.Now().Unix())
	s.mu.Unlock()
	if fine || len(wanted) == 0 {
		return out, ctx.Err()
	}
	slices.Sort(wanted)
	read := func(f *file, since, until int64) error {
		if f.last < max(since, r.From.Unix()) || f.first >= min(until, r.To.Unix()) {
			return nil
		}
		err := f.read(wanted, func(id uint32, data []byte) error {
			for _, to := range byID[id] {
				if err := to.addAll(data, 0, since, until); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
		switch {
		case errors.Is(err, fs.ErrNotExist): // it was given up meanwhile
			return nil
		case errors.Is(err, errDamaged):
			s.Log.Error("a file of metrics is damaged", zap.Error(err))
			return nil
		}
		return err
	}
	for _, f := range files.minutes {
		if err := read(f, edge, math.MaxInt64); err != nil {
			return nil, err
		}
	}
	for _, f := range files.hours {
		if err := read(f, math.MinInt64, edge); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// read adds what is in memory.
func (p *Series) read(to *slots, fine bool) error {
	if fine {
		for _, piece := range p.seconds {
			if err := to.addAll(piece.data, piece.from, math.MinInt64, math.MaxInt64); err != nil {
				return err
			}
		}
		return nil
	}
	to.add(p.now.at, &p.now.stat)
	for _, data := range [][]byte{p.minutes.data, p.sealing.data} {
		if err := to.addAll(data, 0, math.MinInt64, math.MaxInt64); err != nil {
			return err
		}
	}
	return nil
}
