package insights

import (
	"context"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hearthfn/hearth/warmpool/logs"
)

// A Source is a log group to query.
type Source struct {
	Group *logs.Group
	Name  string // as @log has it: "ACCOUNT:NAME"
}

// A Field is a field of a result's row.
type Field struct {
	Field string `json:"field"`
	Value string `json:"value"`
}

// Progress is what a query has looked at so far.
type Progress struct{ Scanned, Matched, Bytes atomic.Int64 }

// A Run is a plan and what it is run over.
type Run struct {
	Plan     *Plan
	Sources  []Source
	From, To time.Time // From is included, To is not
	// Memory is how many bytes of rows and groups are kept while it runs.
	Memory int64
	// Workers takes a place for each part that is scanned at a time; it is shared by queries.
	Workers  chan struct{}
	Progress *Progress
	Pointers *Pointers // of @ptr
}

// collector is what the first stage ends in.
type collector struct {
	tops   *tops
	unique *unique
	groups *groups
}

func (x *Run) collector(b *budget) collector {
	switch s := x.Plan.stages[0]; {
	case s.stats != nil:
		return collector{groups: newGroups(s.stats, b)}
	case s.dedup != nil:
		return collector{unique: &unique{of: s, budget: b, rows: make(map[string]*row)}}
	default:
		limit := s.limit
		if limit == 0 {
			limit = MaxResults
		}
		return collector{tops: &tops{of: s, limit: limit, budget: b}}
	}
}

func (c collector) add(r *row) error {
	switch {
	case c.groups != nil:
		return c.groups.add(r)
	case c.unique != nil:
		return c.unique.add(r)
	}
	return c.tops.add(r)
}

func (c collector) merge(other collector) error {
	switch {
	case c.groups != nil:
		return c.groups.merge(other.groups)
	case c.unique != nil:
		return c.unique.merge(other.unique)
	}
	return c.tops.merge(other.tops)
}

func (c collector) rows() ([]*row, error) {
	switch {
	case c.groups != nil:
		return c.groups.rows()
	case c.unique != nil:
		return c.unique.sorted(), nil
	}
	return c.tops.sorted(), nil
}

// A piece is a part with its source.
type part struct {
	logs.Part
	source int
}

// Rows runs the query. It ends soon when ctx does.
func (x *Run) Rows(ctx context.Context) ([][]Field, error) {
	var parts []part
	for i, s := range x.Sources {
		found, err := s.Group.Parts(ctx, logs.Query{From: x.From, To: x.To})
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			if x.newestOnly() { // the last piece has them
				parts = append(parts, part{p, i})
				continue
			}
			for _, piece := range p.Split(cap(x.Workers)) {
				parts = append(parts, part{piece, i})
			}
		}
	}
	slices.SortStableFunc(parts, func(a, b part) int { return b.Newest().Compare(a.Newest()) })
	b := new(budget)
	b.left.Store(x.Memory)
	all := x.collector(b)
	if err := x.scan(ctx, parts, all, b); err != nil {
		return nil, err
	}
	rows, err := all.rows()
	if err == nil {
		rows, err = x.rest(ctx, rows)
	}
	if err != nil {
		return nil, err
	}
	return x.text(rows), nil
}

// newestOnly says that the newest rows are wanted, as many as there may be, and no others.
func (x *Run) newestOnly() bool {
	first := x.Plan.stages[0]
	return len(first.sort) == 0 && first.stats == nil && first.dedup == nil
}

// scan runs the first stage over the parts, several at a time.
func (x *Run) scan(ctx context.Context, parts []part, all collector, b *budget) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		scans  sync.WaitGroup
		mu     sync.Mutex // guards all
		cutoff atomic.Int64
	)
	cutoff.Store(math.MinInt64)
	newest := x.newestOnly()
	for _, p := range parts {
		select {
		case x.Workers <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		if newest && p.Newest().UnixMilli() < cutoff.Load() {
			<-x.Workers
			continue // the rows are there, and this part has older ones
		}
		scans.Go(func() {
			defer func() { <-x.Workers }()
			found := x.collector(b)
			err := x.part(ctx, p, found, newest, &cutoff)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				err = all.merge(found)
			}
			if err != nil {
				cancel(err)
			}
			if newest && len(all.tops.rows) == all.tops.limit {
				cutoff.Store(all.tops.rows[0].place.millis)
			}
		})
	}
	scans.Wait()
	return context.Cause(ctx)
}

// part runs the first stage over a part. newest says that the newest rows are wanted, and none that
// is older than the cutoff, in Unix milliseconds.
func (x *Run) part(ctx context.Context, p part, found collector, newest bool, cutoff *atomic.Int64) error {
	first := x.Plan.stages[0]
	source := x.Sources[p.source]
	e := &event{group: source.Name, pointers: x.Pointers}
	r := &row{}
	made := make(map[string]bool)
	var failed error
	matched := int64(0)
	var stream string
	var seen, put bool
	visit := func(record *logs.Record) bool {
		e.record, e.text = record, record.Message
		if !seen || record.Stream != stream { // mostly it is that of the event before
			seen, stream = true, record.Stream
			var ok bool
			if put, ok = made[stream]; !ok {
				put = source.Group.Made(stream)
				made[stream] = put
			}
		}
		if put {
			e.text = strings.TrimSuffix(e.text, "\n")
		}
		r.reset(first.fields.fields, e)
		for _, s := range first.steps {
			if !s.apply(r) {
				return true
			}
		}
		matched++
		r.place = place{record.Millis, p.source, record.Position}
		failed = found.add(r)
		return failed == nil
	}
	var scanned logs.Scanned
	var err error
	times := logs.Query{From: x.From, To: x.To}
	if newest {
		more := func(time int64) bool {
			t := found.tops
			return time >= cutoff.Load() && (len(t.rows) < t.limit || time >= t.rows[0].place.millis)
		}
		scanned, err = p.ScanBack(ctx, times, x.Plan.needle, more, visit)
	} else {
		scanned, err = p.Scan(ctx, times, x.Plan.needle, visit)
	}
	x.Progress.Scanned.Add(scanned.Records)
	x.Progress.Bytes.Add(scanned.Bytes)
	x.Progress.Matched.Add(matched)
	if err == nil {
		err = failed
	}
	return err
}

// rest runs what follows the first collector, over rows that are in order.
func (x *Run) rest(ctx context.Context, rows []*row) ([]*row, error) {
	for i, s := range x.Plan.stages {
		if i > 0 {
			b := new(budget)
			b.left.Store(x.Memory)
			var err error
			if rows, err = s.run(ctx, rows, b); err != nil {
				return nil, err
			}
			if s.stats != nil {
				g := newGroups(s.stats, b)
				for _, r := range rows {
					if err := g.add(r); err != nil {
						return nil, err
					}
				}
				if rows, err = g.rows(); err != nil {
					return nil, err
				}
				continue
			}
			if s.dedup != nil {
				seen := make(map[string]bool)
				rows = slices.DeleteFunc(rows, func(r *row) bool {
					var key []byte
					for _, n := range s.dedup {
						key = appendKey(key, n.eval(r))
					}
					again := seen[string(key)]
					seen[string(key)] = true
					return again
				})
			}
		}
		if s.limit > 0 && len(rows) > s.limit {
			rows = rows[:s.limit]
		}
	}
	return rows[:min(len(rows), MaxResults)], nil
}

// run applies steps and sorts.
func (s *stage) run(ctx context.Context, rows []*row, b *budget) ([]*row, error) {
	var failed error
	rows = slices.DeleteFunc(rows, func(r *row) bool {
		if failed == nil {
			failed = ctx.Err()
		}
		if failed != nil {
			return true
		}
		r.grow(s.fields.fields)
		for _, step := range s.steps {
			if !step.apply(r) {
				return true
			}
		}
		failed = b.take(r.made(s.steps))
		return false
	})
	if failed != nil {
		return nil, failed
	}
	if len(s.sort) > 0 {
		for _, r := range rows {
			r.keys = nil
			s.key(r)
		}
		slices.SortStableFunc(rows, func(a, b *row) int { return s.order(a, b) })
	}
	return rows, nil
}

// grow makes room for fields that later stages have.
func (r *row) grow(fields []func(*event) value) {
	r.fields = fields
	for len(r.slots) < len(fields) {
		r.slots, r.loaded = append(r.slots, value{}), append(r.loaded, false)
	}
}

// text is the result as GetQueryResults has it: fields that a row does not have are left out.
func (x *Run) text(rows []*row) [][]Field {
	columns := x.Plan.columns
	pointer := x.Plan.events && !slices.ContainsFunc(columns, func(c column) bool { return c.name == "@ptr" })
	last := x.Plan.stages[len(x.Plan.stages)-1].fields.fields
	results := make([][]Field, len(rows))
	for i, r := range rows {
		r.grow(last)
		fields := make([]Field, 0, len(columns)+1)
		for _, c := range columns {
			if v := r.get(c.slot); v.kind != none {
				fields = append(fields, Field{c.name, v.String()})
			}
		}
		if pointer && r.place.group < len(x.Sources) {
			fields = append(fields, Field{"@ptr", x.Pointers.make(x.Sources[r.place.group].Name, r.place.position)})
		}
		results[i] = fields
	}
	return results
}
