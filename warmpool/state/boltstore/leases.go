package boltstore

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hearthfn/hearth/warmpool/state"
)

// queue is what is known of the entries without reading: how many there are, and
// which of them are leased. Leases are here alone, because they end with this
// process: the file is locked.
type queue struct {
	token *atomic.Int64

	mu      sync.Mutex
	groups  map[string]*group       // guarded by mu, as all below
	ring    []*group                // of groups, in the order in which they are served
	next    int                     // index in ring of the one that is served first
	leases  map[uint64]*leasedEntry // by the number of the entry
	soonest time.Time               // no lease ends before
}

// A group with no entry is not in the queue.
type group struct {
	name    string
	index   int // in ring
	waiting int // leased ones included
	leased  int
	buried  int
	wake    time.Time // no entry that is not leased is due before
}

// A leasedEntry is an entry that has a lease.
type leasedEntry struct {
	group  *group
	seq    uint64
	key    []byte // of bucketDue
	token  int64
	until  time.Time
	ending bool // how the lease ended is being written: the lease outlasts its time
}

// never is later than any entry is due.
func never() time.Time { return time.Unix(1<<40, 0) }

func (g *group) lower(at time.Time) {
	if at.Before(g.wake) {
		g.wake = at
	}
}

// group returns the group of that name, a new one if there is none. It is called
// with mu held.
func (q *queue) group(name string) *group {
	g := q.groups[name]
	if g == nil {
		g = &group{name: name, index: len(q.ring), wake: never()}
		q.groups[name] = g
		q.ring = append(q.ring, g)
	}
	return g
}

// tidy forgets a group without entries. It is called with mu held.
func (q *queue) tidy(g *group) {
	if g.waiting > 0 || g.leased > 0 || g.buried > 0 || q.groups[g.name] != g {
		return
	}
	delete(q.groups, g.name)
	last := len(q.ring) - 1
	q.ring[g.index] = q.ring[last]
	q.ring[g.index].index = g.index
	q.ring[last] = nil
	q.ring = q.ring[:last]
}

func (q *queue) pushed(name string, entries int, first time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	g := q.group(name)
	g.waiting += entries
	g.lower(first)
}

func (q *queue) replayed(name string, at time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	g := q.group(name)
	g.buried--
	g.waiting++
	g.lower(at)
}

func (q *queue) purged(name string, seq uint64, buried bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	g := q.group(name)
	if buried {
		g.buried--
	} else {
		g.waiting--
		if e := q.leases[seq]; e != nil {
			delete(q.leases, seq)
			g.leased--
		}
	}
	q.tidy(g)
}

// count reads how many entries there are. It is called before all else.
func (q *queue) count(tx *bbolt.Tx) {
	q.groups, q.leases = make(map[string]*group), make(map[uint64]*leasedEntry)
	due := bucket(tx, bucketDue).Cursor()
	for key, _ := due.First(); key != nil; key, _ = due.Next() {
		if name, at, _, ok := splitDue(key); ok {
			g := q.group(string(name))
			g.waiting++
			g.lower(at)
		}
	}
	buried := bucket(tx, bucketBuried).Cursor()
	for key, _ := buried.First(); key != nil; key, _ = buried.Next() {
		name, _, _ := bytes.Cut(key, []byte{0})
		q.group(string(name)).buried++
	}
}

// Lease implements state.Queue.
func (s *Store) Lease(ctx context.Context, want state.Want) ([]state.Lease, time.Time, error) {
	if err := state.CheckWant(want); err != nil {
		return nil, time.Time{}, err
	}
	if err := s.usable(ctx); err != nil {
		return nil, time.Time{}, err
	}
	now, except := s.now(), make(map[string]bool, len(want.Except))
	for _, name := range want.Except {
		except[name] = true
	}
	var leases []state.Lease
	var next time.Time
	err := guard(s.path, func() error {
		tx, picked, wake, err := s.pick(want, except, now)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		next = wake
		if leases, err = readLeases(tx, picked); err != nil {
			s.queue.release(picked)
		}
		return err
	})
	if err != nil {
		return nil, time.Time{}, s.explain(err)
	}
	return leases, next, nil
}

// pick leases entries and returns the transaction in which they are to be read. It
// begins under mu: so it sees the end of every lease that is no longer in the
// queue.
func (s *Store) pick(want state.Want, except map[string]bool, now time.Time) (_ *bbolt.Tx, picked []*leasedEntry, next time.Time, err error) {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	s.queue.expire(now)
	tx, err := s.db.Begin(false)
	if err != nil {
		return nil, nil, next, err
	}
	whole := false
	defer func() {
		if !whole { // a page that bbolt panics about
			_ = tx.Rollback()
		}
	}()
	picked, next = s.queue.pick(tx, want, except, now), s.queue.wake(except)
	whole = true
	return tx, picked, next, nil
}

func readLeases(tx *bbolt.Tx, picked []*leasedEntry) ([]state.Lease, error) {
	leases := make([]state.Lease, 0, len(picked))
	for _, e := range picked {
		_, at, _, _ := splitDue(e.key)
		entry, err := readEntry(tx, e.group.name, e.seq, at, bucket(tx, bucketDue).Get(e.key))
		if err != nil {
			return nil, err
		}
		leases = append(leases, state.Lease{Entry: entry, Token: e.token, Until: e.until})
	}
	return leases, nil
}

// pick leases entries, in rounds of a quantum for each group. It is called with mu
// held.
func (q *queue) pick(tx *bbolt.Tx, want state.Want, except map[string]bool, now time.Time) (picked []*leasedEntry) {
	perGroup := want.PerGroup
	if perGroup == 0 {
		perGroup = want.Max
	}
	var eligible []*group
	for i := range q.ring {
		g := q.ring[(q.next+i)%len(q.ring)]
		if !g.wake.After(now) && !except[g.name] {
			eligible = append(eligible, g)
		}
	}
	got := make(map[*group]int, len(eligible))
	cursor := bucket(tx, bucketDue).Cursor()
	for len(picked) < want.Max && len(eligible) > 0 {
		quantum := max(1, (want.Max-len(picked))/len(eligible))
		left := eligible[:0]
		for _, g := range eligible {
			n := min(quantum, perGroup-got[g], want.Max-len(picked))
			if n <= 0 {
				continue
			}
			some, more := q.pickOf(cursor, g, n, want.For, now)
			picked = append(picked, some...)
			got[g] += len(some)
			q.next = g.index + 1
			if more {
				left = append(left, g)
			}
		}
		eligible = left
	}
	return picked
}

// pickOf leases up to n entries of a group; more says that there may be others.
func (q *queue) pickOf(cursor *bbolt.Cursor, g *group, n int, last time.Duration, now time.Time) (picked []*leasedEntry, more bool) {
	prefix := recordKey(g.name, "")
	g.wake = never()
	for key, _ := cursor.Seek(prefix); bytes.HasPrefix(key, prefix); key, _ = cursor.Next() {
		_, at, seq, ok := splitDue(key)
		if !ok || q.leases[seq] != nil {
			continue
		}
		if at.After(now) || len(picked) == n {
			g.wake = at
			return picked, !at.After(now)
		}
		e := &leasedEntry{group: g, seq: seq, key: bytes.Clone(key), token: q.token.Add(1), until: now.Add(last)}
		q.leases[seq] = e
		g.leased++
		if q.soonest.IsZero() || e.until.Before(q.soonest) {
			q.soonest = e.until
		}
		picked = append(picked, e)
	}
	return picked, false
}

// wake is when a group may have an entry to lease, or a lease may end. It is called
// with mu held.
func (q *queue) wake(except map[string]bool) time.Time {
	first := q.soonest
	for _, g := range q.ring {
		if g.wake != never() && (first.IsZero() || g.wake.Before(first)) && !except[g.name] {
			first = g.wake
		}
	}
	return first
}

// expire frees the entries whose lease ended. It is called with mu held.
func (q *queue) expire(now time.Time) {
	if q.soonest.IsZero() || now.Before(q.soonest) {
		return
	}
	q.soonest = time.Time{}
	for _, e := range q.leases {
		switch {
		case e.ending:
		case !now.Before(e.until):
			q.free(e)
		case q.soonest.IsZero() || e.until.Before(q.soonest):
			q.soonest = e.until
		}
	}
}

// free makes an entry leasable again. It is called with mu held.
func (q *queue) free(e *leasedEntry) {
	if q.leases[e.seq] == e {
		delete(q.leases, e.seq)
		e.group.leased--
		e.group.wake = time.Time{}
	}
}

func (q *queue) release(picked []*leasedEntry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range picked {
		q.free(e)
	}
}

func lost(lease state.Lease) error {
	return fmt.Errorf("entry %s of %q: %w", lease.ID, lease.Group, state.ErrLeaseLost)
}

// find returns the entry of a lease. It is called with mu held.
func (q *queue) find(lease state.Lease, now time.Time) (*leasedEntry, error) {
	seq, _ := parseID(lease.ID)
	e := q.leases[seq]
	if e == nil || e.token != lease.Token || e.group.name != lease.Group || e.ending || !now.Before(e.until) {
		return nil, lost(lease)
	}
	return e, nil
}

// claim begins to write how a lease ended.
func (q *queue) claim(lease state.Lease, now time.Time) (*leasedEntry, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e, err := q.find(lease, now)
	if err == nil {
		e.ending = true
	}
	return e, err
}

// unclaim undoes claim when the end could not be written: the lease lasts as long as before.
func (q *queue) unclaim(e *leasedEntry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e.ending = false
	if q.leases[e.seq] == e && (q.soonest.IsZero() || e.until.Before(q.soonest)) {
		q.soonest = e.until
	}
}

// ended takes a lease away once its end is in the file.
func (q *queue) ended(e *leasedEntry, onCommit func(*leasedEntry)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.leases[e.seq] == e {
		delete(q.leases, e.seq)
		e.group.leased--
	}
	onCommit(e)
	q.tidy(e.group)
}

func (q *queue) extend(lease state.Lease, now time.Time, another time.Duration) (state.Lease, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e, err := q.find(lease, now)
	if err != nil {
		return state.Lease{}, err
	}
	e.until = now.Add(another)
	if e.until.Before(q.soonest) {
		q.soonest = e.until
	}
	lease.Until = e.until
	return lease, nil
}
