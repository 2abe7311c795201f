package insights

import (
	"strings"

	"github.com/hearthfn/hearth/warmpool/logs"
)

// A Plan is a query that can be run.
type Plan struct {
	query   string
	stages  []*stage
	columns []column // of the result
	events  bool     // the rows are events, which have @ptr
	needle  needle
}

// A column is a field of the result.
type column struct {
	name string
	slot int
}

// A stage is steps for each row, and what is done with the rows then: one of stats and dedup, or
// a limit.
type stage struct {
	fields *scope // of the steps
	steps  []step
	sort   []sortKey
	limit  int // 0: none
	dedup  []node
	stats  *stats
}

type sortKey struct {
	slot int
	down bool
}

// A step changes a row and reports whether the row stays.
type step interface{ apply(r *row) bool }

type compute struct {
	slot int
	of   node
}

func (c compute) apply(r *row) bool {
	r.set(c.slot, c.of.eval(r))
	return true
}

type filter struct{ condition node }

func (f filter) apply(r *row) bool { return f.condition.eval(r).true() }

// A scope is the fields that a query's steps know by name: those of events, or those of a stats
// command.
type scope struct {
	names  map[string]int
	fields []func(*event) value // by slot; nil: a step computes it
	events bool
}

func newScope(events bool) *scope { return &scope{names: make(map[string]int), events: events} }

// define makes a slot that a step computes; name may be "".
func (s *scope) define(name string) int {
	s.fields = append(s.fields, nil)
	if name != "" {
		s.names[name] = len(s.fields) - 1
	}
	return len(s.fields) - 1
}

// slot is that of a field. One that no step computes is found in the event.
func (s *scope) slot(name string) int {
	if i, ok := s.names[name]; ok {
		return i
	}
	s.names[name] = len(s.fields)
	find := func(*event) value { return value{} }
	if s.events {
		find = discover(name)
	}
	s.fields = append(s.fields, find)
	return len(s.fields) - 1
}

// find is the node of a field, or of what is in a map that a step has made.
func (s *scope) find(name string) node {
	if _, ok := s.names[name]; !ok {
		for i := len(name) - 1; i > 0; i-- {
			if name[i] != '.' {
				continue
			}
			if slot, ok := s.names[name[:i]]; ok && s.fields[slot] == nil {
				return member{field{slot, name[:i]}, strings.Split(name[i+1:], ".")}
			}
		}
	}
	return field{s.slot(name), name}
}

// A row is an event, or a row that a stats command made, with the fields that were asked for.
type row struct {
	fields []func(*event) value
	slots  []value
	loaded []bool
	event  *event // nil once the row is kept
	place  place
	keys   []value // that it is sorted by
}

// A place orders rows that nothing else orders: by time, then as they were logged.
type place struct {
	millis   int64
	group    int
	position logs.Position
}

func (r *row) reset(fields []func(*event) value, e *event) {
	n := len(fields)
	if cap(r.slots) < n {
		r.slots, r.loaded = make([]value, n), make([]bool, n)
	}
	r.fields, r.slots, r.loaded, r.event = fields, r.slots[:n], r.loaded[:n], e
	clear(r.loaded)
}

func (r *row) get(slot int) value {
	if !r.loaded[slot] {
		r.loaded[slot] = true
		r.slots[slot] = value{}
		if find := r.fields[slot]; find != nil && r.event != nil {
			r.slots[slot] = find(r.event)
		}
	}
	return r.slots[slot]
}

func (r *row) set(slot int, v value) { r.slots[slot], r.loaded[slot] = v, true }

// keep is a copy of the row with all fields that the plan knows, which holds no memory of the block.
func (r *row) keep() *row {
	kept := &row{fields: r.fields, slots: make([]value, len(r.slots)), loaded: make([]bool, len(r.slots)), place: r.place}
	for i := range r.slots {
		kept.slots[i], kept.loaded[i] = r.get(i).clone(), true
	}
	return kept
}

// made is the memory of the texts that steps have made for the row. Those that they have only
// taken from it are counted already.
func (r *row) made(steps []step) (n int) {
	for _, s := range steps {
		c, ok := s.(compute)
		if !ok {
			continue
		}
		if _, taken := c.of.(field); taken {
			continue
		}
		n += r.slots[c.slot].size() - value{}.size()
	}
	return n
}

func (r *row) size() int {
	n := 200
	for _, v := range r.slots {
		n += v.size() + 1
	}
	return n
}
