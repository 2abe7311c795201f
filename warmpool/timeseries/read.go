package timeseries

import (
	"context"
	"time"
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
	if at < s.from || at >= s.to || len(s.stats) == 0 {
		return
	}
	n := (at - s.from) / s.period
	if s.stats[n] == nil {
		s.stats[n] = new(Stat)
	}
	s.stats[n].Merge(stat)
}

func (s *slots) addAll(data []byte, from int64) error {
	p := points{data: data, at: from}
	for p.next() {
		s.add(p.at, &p.stat)
	}
	return p.err
}

// Read gives for each key the Stats of the periods of a range, nil for periods without values. A
// period has the values of the seconds, or of the minutes or hours where there are no finer
// points, that begin in it.
func (s *Store) Read(ctx context.Context, keys []string, r Range) ([][]*Stat, error) {
	out := make([][]*Stat, len(keys))
	all := make([]*slots, len(keys))
	for n := range keys {
		all[n] = r.slots()
		out[n] = all[n].stats
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Now().Unix()
	fine := r.Period%(minute*time.Second) != 0 || r.From.Unix()%minute != 0 && r.From.Unix() > now-keepSeconds
	for n, key := range keys {
		if n%64 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		p := s.series[key]
		if p == nil {
			continue
		}
		if fine {
			for _, piece := range p.seconds {
				if err := all[n].addAll(piece.data, piece.from); err != nil {
					return nil, err
				}
			}
			continue
		}
		all[n].add(p.now.at, &p.now.stat)
		if err := all[n].addAll(p.minutes.data, 0); err != nil {
			return nil, err
		}
	}
	return out, nil
}
