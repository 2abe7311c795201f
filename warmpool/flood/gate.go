// Package flood bounds the log lines of many similar events. A full disk, or a limit that is
// reached, refuses thousands of requests a second for one reason.
package flood

import (
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

const (
	// Every is the time between two lines of a kind.
	Every = 10 * time.Second
	// maxKinds bounds the memory. All further kinds count as one.
	maxKinds = 1024
)

// A Gate logs the first line of each kind at once, and then one line each 10 s. The field more
// of that line is the number of lines that were dropped. The zero Gate is ready to use. A nil
// Gate logs all lines. Close it at the end.
type Gate struct {
	mu     sync.Mutex // guards what follows
	kinds  map[kind]*window
	closed bool
}

// A kind is the lines that are counted together.
type kind struct {
	log   *zap.Logger
	level zapcore.Level
	text  string
	of    string
}

// A window is a kind whose last line was logged less than 10 s ago.
type window struct {
	timer  *time.Timer
	more   int         // lines that were not logged
	fields []zap.Field // of the last of them
}

// Tell logs a line. of separates lines of one text that are not of one kind: it is a status, a
// function. Tell calls fields only if the line may be written.
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

// pass ends a window. If lines were dropped, it logs their number, and another window begins.
// If not, the next line is logged at once.
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

// Close logs the numbers of dropped lines. Lines that come later are logged one by one.
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
