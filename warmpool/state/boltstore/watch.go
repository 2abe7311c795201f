package boltstore

import (
	"context"
	"strings"
	"sync"
)

// watches hands out hints. Its channels are filled by the writer alone and never
// make it wait.
type watches struct {
	mu     sync.Mutex
	ended  bool
	active map[*watch]struct{} // guarded by mu
}

type watch struct {
	prefix string
	hints  chan string // closed under mu when the watch leaves active
	stop   func() bool
}

// maxHints is how many owners a slow receiver is told one by one.
const maxHints = 64

// Watch implements state.Records.
func (s *Store) Watch(ctx context.Context, prefix string) (<-chan string, error) {
	s.watches.mu.Lock()
	defer s.watches.mu.Unlock()
	if s.watches.ended {
		return nil, s.closedError()
	}
	w := &watch{prefix: prefix, hints: make(chan string, maxHints)}
	if s.watches.active == nil {
		s.watches.active = make(map[*watch]struct{})
	}
	s.watches.active[w] = struct{}{}
	w.stop = context.AfterFunc(ctx, func() {
		s.watches.mu.Lock()
		defer s.watches.mu.Unlock()
		s.watches.remove(w)
	})
	return w.hints, nil
}

// remove is called with mu held.
func (w *watches) remove(old *watch) {
	if _, ok := w.active[old]; ok {
		delete(w.active, old)
		close(old.hints)
	}
}

func (w *watches) changed(owner string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for watch := range w.active {
		if strings.HasPrefix(owner, watch.prefix) {
			watch.hint(owner)
		}
	}
}

func (w *watch) hint(owner string) {
	select {
	case w.hints <- owner:
		return
	default:
	}
	// The receiver is behind: one hint that says everything replaces them all.
	// Only the sender, which holds mu, adds to the channel, so there is room.
	for {
		select {
		case <-w.hints:
			continue
		default:
		}
		break
	}
	w.hints <- ""
}

func (w *watches) closeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	for watch := range w.active {
		watch.stop()
		w.remove(watch)
	}
}
