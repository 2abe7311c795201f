package quota

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/state"
)

// Quotas are those of all functions of a node.
type Quotas struct {
	slots state.Slots // nil: this node is alone
	alone func() bool // whether no other node can want slots; may be nil
	log   *zap.Logger

	ctx   context.Context // no slots are taken when it has ended
	tasks sync.WaitGroup  // every goroutine of the package

	mu sync.Mutex        // guards of
	of map[string]*Quota // by function name
}

// New makes the quotas of a node. If slots is not nil, other nodes use them too. alone may
// be nil; it reports that no other live node could want slots. The end of ctx ends the work
// in the background; Close waits for that.
func New(ctx context.Context, slots state.Slots, alone func() bool, log *zap.Logger) *Quotas {
	q := &Quotas{ctx: ctx, slots: slots, alone: alone, log: log, of: make(map[string]*Quota)}
	if slots != nil {
		q.tasks.Go(q.renewAll)
	}
	return q
}

// Join counts v among the versions of a function.
func (q *Quotas) Join(function string, v Version) *Quota {
	q.mu.Lock()
	defer q.mu.Unlock()
	of := q.of[function]
	if of == nil {
		of = &Quota{name: function}
		if q.slots != nil {
			of.here = newAllotment(q, of, function)
		}
		q.of[function] = of
	}
	of.mu.Lock()
	of.versions = append(of.versions, v)
	of.several.Store(len(of.versions) > 1)
	of.mu.Unlock()
	return of
}

// Part undoes Join.
func (q *Quotas) Part(of *Quota, v Version) {
	q.mu.Lock()
	defer q.mu.Unlock()
	of.mu.Lock()
	of.versions = slices.DeleteFunc(of.versions, func(other Version) bool { return other == v })
	of.several.Store(len(of.versions) > 1)
	empty := len(of.versions) == 0
	of.mu.Unlock()
	if empty && q.of[of.name] == of {
		delete(q.of, of.name)
		if of.here != nil {
			q.tasks.Go(of.here.end)
		}
	}
}

// Len is how many functions have versions here.
func (q *Quotas) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.of)
}

// Close returns all slots. It is called after ctx of New has ended and no call is left.
func (q *Quotas) Close() {
	q.tasks.Wait()
	for _, a := range q.allotments() {
		a.end()
	}
}

// allotments are those of the functions that have versions here.
func (q *Quotas) allotments() (all []*allotment) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, of := range q.of {
		if of.here != nil {
			all = append(all, of.here)
		}
	}
	return all
}

// renewAll renews the slots of this node that are used, and returns the others, every second,
// until ctx ends.
func (q *Quotas) renewAll() {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-q.ctx.Done():
			return
		case <-ticker.C:
			for _, a := range q.allotments() {
				a.tick()
			}
		}
	}
}
