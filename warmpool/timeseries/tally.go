package timeseries

import "sync"

// A Tally collects values of many things until somebody takes them. The zero Tally is empty.
// There are as many Stats as there are keys that had values since then.
type Tally[K comparable] struct {
	mu    sync.Mutex
	stats map[K]*Stat // guarded by mu
}

// Add adds a value that occurred n times to what is known of a key. n is above 0.
func (t *Tally[K]) Add(key K, v, n float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.stats[key]
	if s == nil {
		if t.stats == nil {
			t.stats = make(map[K]*Stat)
		}
		s = new(Stat)
		t.stats[key] = s
	}
	s.Add(v, n)
}

// Take gives visit what has been added since the last Take.
func (t *Tally[K]) Take(visit func(key K, s *Stat)) {
	t.mu.Lock()
	taken := t.stats
	t.stats = nil
	t.mu.Unlock()
	for key, s := range taken {
		visit(key, s)
	}
}
