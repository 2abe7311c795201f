package warmpool

import (
	"container/list"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hearthfn/hearth/warmpool/environment"
)

// turns bounds how many cold starts use cores at once. A start waits for a permit and has it
// while it uses a core. While other starts wait, a start loses its permit and runs on without
// it in two cases: its process waits in its init, for a database or for ever; or it has had
// the permit for permitTime.
//
// The next permit goes to the function that has the fewest. When a function without a permit
// waits, all permits of another function count for at most one less than there are. Otherwise
// two starts of a function that calculates at import would delay every other function.
type turns struct {
	ctx   context.Context // ends when the pool closes
	tasks *sync.WaitGroup

	mu        sync.Mutex // guards what follows
	permits   int
	waiting   list.List // of *turn
	permitted map[*turn]struct{}
	watched   bool // a goroutine samples those that have permits
}

const (
	// sampleInterval is how often the starts that have a permit are sampled, while others wait.
	sampleInterval = 5 * time.Millisecond
	// quietSamples is in how many samples in a row a process must be waiting.
	quietSamples = 3
	// permitTime is how long a start has its permit while others wait.
	permitTime = time.Second
)

// A turn belongs to one start.
type turn struct {
	of    *Group
	ready chan struct{} // closed when it has a permit

	env atomic.Pointer[environment.Environment] // the environment whose init phase runs; nil before

	// Guarded by the mu of turns.
	place *list.Element // while it waits
	since time.Time     // when it got the permit
	quiet int           // samples in a row that found its process waiting
}

func newTurns(ctx context.Context, tasks *sync.WaitGroup, permits int) *turns {
	return &turns{ctx: ctx, tasks: tasks, permits: permits, permitted: make(map[*turn]struct{})}
}

// resize changes how many permits there are.
func (l *turns) resize(permits int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.permits = permits
	l.admit()
}

// enter waits for a permit. It returns nil when the pool closes first.
func (l *turns) enter(g *Group) *turn {
	t := &turn{of: g, ready: make(chan struct{})}
	l.mu.Lock()
	t.place = l.waiting.PushBack(t)
	l.admit()
	l.mu.Unlock()
	select {
	case <-t.ready:
		return t
	case <-l.ctx.Done():
		l.leave(t)
		return nil
	}
}

// taken reports whether starts use all cores or wait for one. A start that has had its permit
// for long does not count: most likely it waits in its init.
func (l *turns) taken() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting.Len() > 0 {
		return true
	}
	recent, now := 0, time.Now()
	for t := range l.permitted {
		if now.Sub(t.since) < permitTime {
			recent++
		}
	}
	return recent >= l.permits
}

// leave ends a turn, whether it has a permit or not.
func (l *turns) leave(t *turn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.place != nil {
		l.waiting.Remove(t.place)
		t.place = nil
	}
	delete(l.permitted, t)
	l.admit()
}

// admit gives the free permits to starts that wait. It needs mu.
func (l *turns) admit() {
	for {
		has := make(map[*Group]int, len(l.permitted))
		for t := range l.permitted {
			has[t.of]++
		}
		var next *turn
		for e := l.waiting.Front(); e != nil; e = e.Next() {
			if t := e.Value.(*turn); next == nil || has[t.of] < has[next.of] {
				next = t
			}
			if has[next.of] == 0 {
				break
			}
		}
		if next == nil {
			return
		}
		taken := len(l.permitted)
		if has[next.of] == 0 {
			taken = 0
			for _, n := range has {
				taken += min(n, max(1, l.permits-1))
			}
		}
		if taken >= l.permits {
			break
		}
		l.waiting.Remove(next.place)
		next.place, next.since = nil, time.Now()
		l.permitted[next] = struct{}{}
		close(next.ready)
	}
	if !l.watched && l.ctx.Err() == nil {
		l.watched = true
		l.tasks.Go(l.watch)
	}
}

// watch samples the starts that have permits until nobody waits for one.
func (l *turns) watch() {
	ticker := time.NewTicker(sampleInterval)
	defer ticker.Stop()
	for l.sample() {
		select {
		case <-ticker.C:
		case <-l.ctx.Done():
		}
	}
}

// sample takes permits from starts that wait in their init or have had one for long. It
// reports whether there is more to watch.
func (l *turns) sample() bool {
	l.mu.Lock()
	permitted := make([]*turn, 0, len(l.permitted))
	for t := range l.permitted {
		permitted = append(permitted, t)
	}
	l.mu.Unlock()
	waits := make(map[*turn]bool, len(permitted))
	for _, t := range permitted {
		env := t.env.Load()
		waits[t] = env != nil && !env.Runnable()
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for t, quiet := range waits {
		if t.quiet++; !quiet {
			t.quiet = 0
		}
		if t.quiet >= quietSamples || now.Sub(t.since) >= permitTime {
			delete(l.permitted, t)
		}
	}
	l.admit()
	l.watched = l.waiting.Len() > 0 && l.ctx.Err() == nil
	return l.watched
}

// began sets the environment whose init phase has begun.
func (t *turn) began(env *environment.Environment) { t.env.Store(env) }
