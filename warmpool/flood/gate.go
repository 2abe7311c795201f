// Package flood bounds what many like events write to the log: a full disk, or a limit
// that is reached, refuses thousands of requests a second, for one reason.
package flood

import (
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

const (
	// Every is how often a kind is told, after it was told at once.
	Every = 10 * time.Second
	// maxKinds bounds the memory. The kinds beyond are one.
	maxKinds = 1024
)

// A Gate lets the first line of each kind through, and then one each 10 s, which says in
// more how many there were beside it. The zero Gate is ready, and a nil
// one lets everything through. Close it at the end.
type Gate struct {
	mu     sync.Mutex // guards what follows
	kinds  map[kind]*window
	closed bool
}

// A kind is what is told as one.
type kind struct {
	log   *zap.Logger
	level zapcore.Level
	text  string
	of    string
}

// A window is a kind that was told less than 10 s ago.
type window struct {
	timer  *time.Timer
	more   int         // that were not told
	fields []zap.Field // of the last of them
}

// Tell logs a line. of tells lines with the same words apart that are not of one kind: a
// status, a function. Fields are made by fields only if the line may be written.
func (g *Gate) Tell(log *zap.Logger, level zapcore.Level, text, of string, fields func() []zap.Field) {
	if !log.Core().Enabled(level) {
		return
	}
	k := kind{log, level, text, of}
	if g == nil {
		log.Log(level, text, fields()...)
		return
	}
	g.mu.Lock()
	w := g.kinds[k]
	if w == nil && len(g.kinds) >= maxKinds {
		k.log, k.of = nil, ""
		w = g.kinds[k]
	}
	switch {
	case w != nil:
		w.more++
		w.fields = fields()
		if k.log == nil {
			w.fields = append(w.fields, zap.Bool("kinds_differ", true))
		}
		g.mu.Unlock()
		return
	case !g.closed:
		if g.kinds == nil {
			g.kinds = make(map[kind]*window)
		}
		w = new(window)
		w.timer = time.AfterFunc(Every, func() { g.pass(k, log) })
		g.kinds[k] = w
	}
	g.mu.Unlock()
	log.Log(level, text, fields()...)
}

// pass ends a window: it is told how many lines there were, and another one begins, or
// there were none, and the next line is told at once.
func (g *Gate) pass(k kind, log *zap.Logger) {
	g.mu.Lock()
	w := g.kinds[k]
	if w == nil { // closed meanwhile
		g.mu.Unlock()
		return
	}
	more, fields := w.more, w.fields
	if w.more, w.fields = 0, nil; more == 0 {
		delete(g.kinds, k)
	} else {
		w.timer.Reset(Every)
	}
	g.mu.Unlock()
	tell(log, k, more, fields)
}

func tell(log *zap.Logger, k kind, more int, fields []zap.Field) {
	if more > 0 {
		log.Log(k.level, k.text, append(fields, zap.Int("more", more-1))...)
	}
}

// Close tells what has not been told, and ends. What comes later is told line by line.
func (g *Gate) Close() {
	if g == nil {
		return
	}
	g.mu.Lock()
	kinds := g.kinds
	g.kinds, g.closed = nil, true
	g.mu.Unlock()
	for k, w := range kinds {
		w.timer.Stop()
		if k.log != nil {
			tell(k.log, k, w.more, w.fields)
		}
	}
}
