package warmpool

import (
	"container/list"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hearthfn/hearth/warmpool/environment"
)

// turns bounds how many cold starts use cores at once. A start waits for a slot and
// holds it while it uses a core. It is let go of the slot, and runs on without, when
// others wait for one and its process waits in its init, for a database or for ever; or
// when it has had the slot for slotTime.
//
// The next slot goes to the function that holds the fewest. What one function holds
// beyond all slots but one keeps no other from its first: otherwise two starts of a
// function that calculates at import would hold up every other function.
type turns struct {
	ctx   context.Context // ends when the pool closes
	tasks *sync.WaitGroup

	mu      sync.Mutex // guards what follows
	slots   int
	waiting list.List // of *turn
	holding map[*turn]struct{}
	watched bool // a goroutine watches who holds slots
}

const (
	// lookInterval is how often it is looked at what holds a slot, while others wait.
	lookInterval = 5 * time.Millisecond
	// quietLooks is how many times in a row a process has to be found waiting.
	quietLooks = 3
	// slotTime is how long a start holds its slot while others wait.
	slotTime = time.Second
)

// A turn is one start's.
type turn struct {
	of    *Group
	ready chan struct{} // closed when it holds a slot

	env atomic.Pointer[environment.Environment] // whose init phase runs; nil before

	// Guarded by the mu of turns.
	place *list.Element // while it waits
	since time.Time     // when it got the slot
	quiet int           // looks in a row that found its process waiting
}

func newTurns(ctx context.Context, tasks *sync.WaitGroup, slots int) *turns {
	return &turns{ctx: ctx, tasks: tasks, slots: slots, holding: make(map[*turn]struct{})}
}

// resize changes how many slots there are.
func (l *turns) resize(slots int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slots = slots
	l.admit()
}

// enter waits for a slot. It returns nil when the pool closes first.
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

// leave ends a turn, with its slot or without.
func (l *turns) leave(t *turn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.place != nil {
		l.waiting.Remove(t.place)
		t.place = nil
	}
	delete(l.holding, t)
	l.admit()
}

// admit gives out the slots that are free. It needs mu.
func (l *turns) admit() {
	for {
		held := make(map[*Group]int, len(l.holding))
		for t := range l.holding {
			held[t.of]++
		}
		var next *turn
		for e := l.waiting.Front(); e != nil; e = e.Next() {
			if t := e.Value.(*turn); next == nil || held[t.of] < held[next.of] {
				next = t
			}
			if held[next.of] == 0 {
				break
			}
		}
		if next == nil {
			return
		}
		taken := len(l.holding)
		if held[next.of] == 0 {
			taken = 0
			for _, n := range held {
				taken += min(n, max(1, l.slots-1))
			}
		}
		if taken >= l.slots {
			break
		}
		l.waiting.Remove(next.place)
		next.place, next.since = nil, time.Now()
		l.holding[next] = struct{}{}
		close(next.ready)
	}
	if !l.watched && l.ctx.Err() == nil {
		l.watched = true
		l.tasks.Go(l.watch)
	}
}

// watch looks at the starts that hold slots until nobody waits for one.
func (l *turns) watch() {
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	for l.look() {
		select {
		case <-ticker.C:
		case <-l.ctx.Done():
		}
	}
}

// look reports whether it has to be looked again.
func (l *turns) look() bool {
	l.mu.Lock()
	holding := make([]*turn, 0, len(l.holding))
	for t := range l.holding {
		holding = append(holding, t)
	}
	l.mu.Unlock()
	waits := make(map[*turn]bool, len(holding))
	for _, t := range holding {
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
		if t.quiet >= quietLooks || now.Sub(t.since) >= slotTime {
			delete(l.holding, t)
		}
	}
	l.admit()
	l.watched = l.waiting.Len() > 0 && l.ctx.Err() == nil
	return l.watched
}

// began notes whose init phase the turn is in.
func (t *turn) began(env *environment.Environment) { t.env.Store(env) }
