// Package hints hands out the hints of stores: which owner or group may have changed.
package hints

import (
	"context"
	"strings"
	"sync"
)

// Watches hands out hints. Its channels are filled under mu and never make the
// sender wait.
type Watches struct {
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

// Watch sends the names that begin with prefix, until ctx ends. It returns closed once
// the watches have been closed.
func (w *Watches) Watch(ctx context.Context, prefix string, closed error) (<-chan string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return nil, closed
	}
	added := &watch{prefix: prefix, hints: make(chan string, maxHints)}
	if w.active == nil {
		w.active = make(map[*watch]struct{})
	}
	w.active[added] = struct{}{}
	added.stop = context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.remove(added)
	})
	return added.hints, nil
}

// remove is called with mu held.
func (w *Watches) remove(old *watch) {
	if _, ok := w.active[old]; ok {
		delete(w.active, old)
		close(old.hints)
	}
}

// Changed tells of a name; "" says that any may have changed.
func (w *Watches) Changed(owner string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for watch := range w.active {
		if owner == "" || strings.HasPrefix(owner, watch.prefix) {
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

// Close ends all watches.
func (w *Watches) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	for watch := range w.active {
		watch.stop()
		w.remove(watch)
	}
}
