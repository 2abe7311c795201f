package timeseries

import (
	"cmp"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// seal writes what the journal has to a file of minutes and one of hours, and begins another
// journal. If it fails, everything stays as it is.
func (s *Store) seal() error {
	number := s.disk.number
	var some []*Series
	s.mu.Lock()
	for p := range s.live {
		p.close() // the minute goes on as another point
		if len(p.minutes.data) > 0 {
			p.sealing, p.minutes = p.minutes, tail{}
			some = append(some, p)
		}
	}
	s.mu.Unlock()
	if len(some) == 0 {
		return nil
	}
	slices.SortFunc(some, func(x, y *Series) int { return cmp.Compare(x.id, y.id) })
	minutes, err := writeFile(s.path("minutes-%08d", number), func(yield func(chunk) bool) {
		for _, p := range some {
			if !yield(chunk{p.id, p.sealing.data}) { // nobody changes it meanwhile
				return
			}
		}
	})
	var hours *file
	if err == nil {
		hours, err = s.writeHours(number, minutes)
	}
	var next *journal
	if err == nil {
		next, err = openJournal(s.path("journal-%08d", number+1), func([]byte) error { return nil })
	}
	s.mu.Lock()
	for _, p := range some {
		if err != nil {
			p.unseal()
		}
		p.sealing = tail{}
	}
	if err == nil {
		s.files = files{append(slices.Clone(s.files.minutes), minutes), append(slices.Clone(s.files.hours), hours)}
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	old := s.disk.journal
	s.disk.journal, s.disk.number = next, number+1
	return errors.Join(old.close(), os.Remove(old.f.Name()))
}

// unseal puts what could not be written back.
func (p *Series) unseal() {
	later := points{data: p.minutes.data}
	p.minutes = p.sealing
	for later.next() {
		p.minutes.append(later.at, &later.stat)
	}
}

// writeHours writes the file of hours of files of minutes or hours. number is that of the last
// journal that is in them.
func (s *Store) writeHours(number int, of ...*file) (*file, error) {
	first := number
	all := make(map[uint32]*tail)
	for _, f := range of {
		var a, b int
		if scan(filepath.Base(f.path), "hours-%08d-%08d", &a, &b) {
			first = min(first, a)
		}
		err := f.read(nil, func(id uint32, data []byte) error {
			to := all[id]
			if to == nil {
				to = new(tail)
				all[id] = to
			}
			var now open
			p := points{data: data}
			for p.next() {
				at := p.at - p.at%hour
				if at != now.at && now.stat.Count > 0 {
					to.append(now.at, &now.stat)
					now.stat.Reset()
				}
				now.at = at
				now.stat.Merge(&p.stat)
			}
			if now.stat.Count > 0 {
				to.append(now.at, &now.stat)
			}
			return p.err
		})
		if err != nil && !errors.Is(err, errDamaged) {
			return nil, err
		}
	}
	return writeFile(s.path("hours-%08d-%08d", first, number), func(yield func(chunk) bool) {
		for _, id := range slices.Sorted(maps.Keys(all)) {
			if len(all[id].data) > 0 && !yield(chunk{id, all[id].data}) {
				return
			}
		}
	})
}

// manyHours is how many files of hours become one.
const manyHours = 24

// retain merges files of hours, and removes files that are too old or take too much.
func (s *Store) retain() error {
	s.mu.Lock()
	f := s.files
	s.mu.Unlock()
	now := s.Now().Unix()
	kept := files{}
	var gone []*file
	keep := func(all []*file, since int64) (out []*file) {
		for _, one := range all {
			if one.last < since {
				gone = append(gone, one)
			} else {
				out = append(out, one)
			}
		}
		return out
	}
	kept.minutes, kept.hours = keep(f.minutes, minutesFrom(now)), keep(f.hours, now-keepHours)
	merged, err := s.mergeHours(&kept)
	gone = append(gone, merged...)
	total := int64(0)
	for _, one := range slices.Concat(kept.minutes, kept.hours) {
		total += one.size
	}
	for _, all := range []*[]*file{&kept.minutes, &kept.hours} {
		for total > s.MaxBytes && len(*all) > 1 {
			total -= (*all)[0].size
			gone, *all = append(gone, (*all)[0]), (*all)[1:]
		}
	}
	s.mu.Lock()
	s.files = kept
	s.mu.Unlock()
	for _, one := range gone {
		err = errors.Join(err, one.remove())
	}
	return err
}

// mergeHours makes one file of those of the last hours, if they are many.
func (s *Store) mergeHours(f *files) (gone []*file, err error) {
	var small []*file
	for _, one := range f.hours {
		var a, b int
		if scan(filepath.Base(one.path), "hours-%08d-%08d", &a, &b) && a == b {
			small = append(small, one)
		}
	}
	if len(small) < manyHours {
		return nil, nil
	}
	var a, b int
	scan(filepath.Base(small[len(small)-1].path), "hours-%08d-%08d", &a, &b)
	one, err := s.writeHours(b, small...)
	if err != nil {
		return nil, err
	}
	f.hours = append(slices.DeleteFunc(slices.Clone(f.hours), func(o *file) bool { return slices.Contains(small, o) }), one)
	return small, nil
}

// minutesFrom is the time from which on readers take points of a minute: before, they take those
// of an hour.
func minutesFrom(now int64) int64 { return now - now%hour - keepMinutes }
