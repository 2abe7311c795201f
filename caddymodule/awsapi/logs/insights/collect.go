package insights

import (
	"container/heap"
	"errors"
	"slices"
	"sync/atomic"
)

// ErrTooLarge says that a query needs more memory than one may have.
var ErrTooLarge = errors.New("the query needs more memory than one may have: narrow it by filter, limit, or fewer groups")

// A budget is the memory that a query may still take, in bytes.
type budget struct{ left atomic.Int64 }

func (b *budget) take(n int) error {
	if b.left.Add(-int64(n)) < 0 {
		return ErrTooLarge
	}
	return nil
}

func (b *budget) give(n int) { b.left.Add(int64(n)) }

// order compares rows of a stage: by its keys, else the newest first.
func (s *stage) order(a, b *row) int {
	for i, key := range s.sort {
		c := compare(a.keys[i], b.keys[i])
		if key.down && a.keys[i].kind != none && b.keys[i].kind != none {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return b.place.compare(a.place)
}

func (p place) compare(q place) int {
	switch {
	case p.millis != q.millis:
		if p.millis < q.millis {
			return -1
		}
		return 1
	case p.group != q.group:
		return q.group - p.group
	}
	return p.position.Compare(q.position)
}

// key sets what the row is sorted by.
func (s *stage) key(r *row) {
	r.keys = r.keys[:0]
	for _, k := range s.sort {
		r.keys = append(r.keys, r.get(k.slot))
	}
}

// tops keeps the first rows of a stage in its order. It is a heap with the last of them on top.
type tops struct {
	of     *stage
	limit  int
	budget *budget
	rows   []*row
	sizes  []int
}

func (t *tops) Len() int           { return len(t.rows) }
func (t *tops) Less(i, j int) bool { return t.of.order(t.rows[i], t.rows[j]) > 0 }
func (t *tops) Swap(i, j int) {
	t.rows[i], t.rows[j] = t.rows[j], t.rows[i]
	t.sizes[i], t.sizes[j] = t.sizes[j], t.sizes[i]
}
func (t *tops) Push(any) { panic("rows are put by add") }
func (t *tops) Pop() any { panic("rows are taken by sorted") }

// add keeps a row when it is among the first.
func (t *tops) add(r *row) error {
	t.of.key(r)
	full := len(t.rows) == t.limit
	if full && t.of.order(r, t.rows[0]) >= 0 {
		return nil
	}
	return t.put(r.keepFor(t.of), full)
}

func (t *tops) put(kept *row, full bool) error {
	size := kept.size()
	if err := t.budget.take(size); err != nil {
		return err
	}
	if full {
		t.budget.give(t.sizes[0])
		t.rows[0], t.sizes[0] = kept, size
		heap.Fix(t, 0)
		return nil
	}
	t.rows, t.sizes = append(t.rows, kept), append(t.sizes, size)
	for i := len(t.rows) - 1; i > 0; { // up
		parent := (i - 1) / 2
		if !t.Less(i, parent) {
			break
		}
		t.Swap(i, parent)
		i = parent
	}
	return nil
}

func (r *row) keepFor(s *stage) *row {
	kept := r.keep()
	s.key(kept)
	return kept
}

func (t *tops) merge(other *tops) error {
	for i, r := range other.rows {
		full := len(t.rows) == t.limit
		t.budget.give(other.sizes[i])
		if full && t.of.order(r, t.rows[0]) >= 0 {
			continue
		}
		if err := t.put(r, full); err != nil {
			return err
		}
	}
	return nil
}

func (t *tops) sorted() []*row {
	slices.SortFunc(t.rows, t.of.order)
	return t.rows
}

// unique keeps the first row of each value of dedup.
type unique struct {
	of     *stage
	budget *budget
	rows   map[string]*row
	key    []byte
}

func (u *unique) add(r *row) error {
	u.of.key(r)
	u.key = u.key[:0]
	for _, n := range u.of.dedup {
		u.key = appendKey(u.key, n.eval(r))
	}
	before := u.rows[string(u.key)]
	if before != nil && u.of.order(r, before) >= 0 {
		return nil
	}
	kept := r.keepFor(u.of)
	grown := kept.size()
	if before != nil {
		grown -= before.size()
	}
	if err := u.budget.take(grown + len(u.key)); err != nil {
		return err
	}
	u.rows[string(u.key)] = kept
	return nil
}

func (u *unique) merge(other *unique) error {
	for key, r := range other.rows {
		if before := u.rows[key]; before == nil || u.of.order(r, before) < 0 {
			u.rows[key] = r
		}
	}
	return nil
}

func (u *unique) sorted() []*row {
	rows := make([]*row, 0, len(u.rows))
	for _, r := range u.rows {
		rows = append(rows, r)
	}
	slices.SortFunc(rows, u.of.order)
	return rows
}
