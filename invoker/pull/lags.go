package pull

import (
	"sync"
	"time"
)

// A Lag is how far behind its source the last batch of a mapping was, as this node had it.
type Lag struct {
	UUID string    `json:"id"`     // of the mapping
	Age  int64     `json:"age_ms"` // of the batch's last record when the function had it (IteratorAge), in ms
	At   time.Time `json:"at"`     // when that was
}

// lags has the last lag of each mapping that this node reads.
type lags struct {
	mu    sync.Mutex // guards known
	known map[string]Lag
}

func (l *lags) note(id string, age time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == nil {
		l.known = make(map[string]Lag)
	}
	l.known[id] = Lag{id, max(age, 0).Milliseconds(), time.Now()}
}

func (l *lags) forget(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.known, id)
}

// Lags are those of the streams and the topics of Kafka of which this node has passed a batch
// to a function, since the mapping was changed or the node began to read it.
func (e *Engine) Lags() []Lag {
	e.lags.mu.Lock()
	defer e.lags.mu.Unlock()
	all := make([]Lag, 0, len(e.lags.known))
	for _, lag := range e.lags.known {
		all = append(all, lag)
	}
	return all
}
