package pull

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// noteAgainAfter is for how long a result is taken for what the mapping's record says.
// Another node that works for the mapping may have written another one.
const noteAgainAfter = 10 * time.Second

// results has the last result of each mapping's record, by UUID, so that a batch that ends
// as the one before reads nothing.
type results struct {
	mu    sync.Mutex // guards noted
	noted map[string]noted
}

type noted struct {
	text  string
	until time.Time
}

// has reports whether the record of a mapping says text already.
func (r *results) has(id, text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.noted[id]
	return n.text == text && time.Now().Before(n.until)
}

func (r *results) note(id, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.noted == nil {
		r.noted = make(map[string]noted)
	}
	r.noted[id] = noted{text, time.Now().Add(noteAgainAfter)}
}

func (r *results) forget(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.noted, id)
}

// result notes what became of a mapping's last batch, if that is another thing than of
// the one before.
func (e *Engine) result(id, text string) {
	if e.results.has(id, text) {
		return
	}
	ctx, cancel := context.WithTimeout(e.ctx, 5*time.Second)
	defer cancel()
	switch err := e.Registry().NoteMapping(ctx, id, text); {
	case err == nil:
		e.results.note(id, text)
	case !errors.Is(err, registry.ErrNotFound) && e.ctx.Err() == nil:
		e.Log.Warn("the result of a mapping cannot be noted", zap.Error(err))
	}
}
